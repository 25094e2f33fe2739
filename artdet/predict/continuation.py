"""A run folder that a command starts or goes on in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from artdet.predict.identity import prepare
from artdet.predict.journal import Journal, drop_failures, open_journal
from artdet.predict.runner import Tally


def started_or_continued(
    folder: Path,
    info: Mapping[str, Any],
    work: Callable[[Journal], Tally],
    *,
    files: Sequence[str],
    overwrite: bool,
    retry_failed: bool,
    progress: Callable[[int], None],
) -> Tally:
    """Prepares the run folder and lets ``work`` write the lines that are still to come, if there are any.

    Args:
        info: what ``run.json`` is to say.
        work: loads models and goes through the images.
        files: all that the run is about.
        progress: called with how many images were done before.

    Raises:
        RunError: if the folder cannot be used.
    """
    prepare(folder, info, overwrite=overwrite)
    if retry_failed:
        drop_failures(folder)
    with open_journal(folder) as journal:
        done = sum(name in journal.done for name in files)
        progress(done)
        return Tally() if done == len(files) else work(journal)
