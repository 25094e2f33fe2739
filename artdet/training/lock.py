"""One process at a time in a folder of trainings."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from artdet.errors import RunError
from artdet.locks import only_one


def locked(folder: Path) -> AbstractContextManager[None]:
    """Keeps other processes out of a folder, which is made, until the block or this process ends in any way.

    Raises:
        RunError: if another process is in there, or the folder cannot be written.
    """
    return only_one(
        folder, RunError(f"another artdet is training in {folder}. Wait for it, or train into another: --name NAME.")
    )
