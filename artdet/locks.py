"""One process at a time in a folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from artdet.atomic import cannot_write, make_folder
from artdet.errors import ArtdetError

LOCK_FILE = ".lock"
_PATIENCE = 5.0
"""Seconds to wait for another process: one that was just killed keeps its lock until the system has cleared it away."""


@contextmanager
def only_one(folder: Path, refusal: ArtdetError) -> Iterator[None]:
    """Keeps other processes out of a folder, which is made, until the block or this process ends in any way.

    Where the system or the disk has no locks (Windows, some network file systems), nobody is kept out.

    Raises:
        ArtdetError: ``refusal``, if another process is in there and stays.
        RunError: if the folder cannot be written.
    """
    make_folder(folder)
    try:
        stream = (folder / LOCK_FILE).open("ab")
    except OSError as error:
        raise cannot_write(folder / LOCK_FILE, error) from error
    with stream:
        try:
            _taken(stream.fileno())
        except BlockingIOError as error:
            raise refusal from error
        yield


def _taken(descriptor: int) -> None:
    try:
        import fcntl
    except ImportError:
        return
    try:
        _wait_for(lambda: fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB))
    except BlockingIOError:
        raise
    except OSError:
        pass  # no locks here


def _wait_for(take: Callable[[], None]) -> None:
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            return take()
        except BlockingIOError:
            if time.monotonic() >= until:
                raise
            time.sleep(0.05)
