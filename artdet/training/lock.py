"""One process at a time in a folder of trainings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from artdet.atomic import cannot_write, make_folder
from artdet.errors import RunError

_LOCK = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps other processes out of a folder, which is made, until the block or this process ends in any way.

    Where the system or the disk has no locks, nobody is kept out.

    Raises:
        RunError: if another process is in there.
    """
    make_folder(folder)
    try:
        stream = (folder / _LOCK).open("ab")
    except OSError as error:
        raise cannot_write(folder / _LOCK, error) from error
    with stream:
        if not _taken(stream.fileno()):
            raise RunError(f"another artdet is training in {folder}. Wait for it, or train into another: --name NAME.")
        yield


def _taken(descriptor: int) -> bool:
    if os.name != "posix":
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
