"""``predictions.jsonl`` while it grows: append-only, so that a run killed at any moment goes on where it stopped."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from artdet.errors import RunError
from artdet.runs import PREDICTIONS_FILE, Record

LOCK_FILE = ".lock"


class Journal:
    """The predictions of a run folder, open for appending; get one from :func:`open_journal`.

    Attributes:
        done: the files that have a line.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.done: set[str] = set()
        self._offsets: dict[bytes, int] = {}
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self._size = 0
        for line, record in _complete_lines(path):
            self._note(record, len(line))
        # A line that a kill cut short goes: its image is computed again.
        os.ftruncate(self._descriptor, self._size)

    def append(self, record: Record) -> None:
        """Writes one line, whole or not at all.

        Raises:
            RunError: if the disk is full or the file cannot be written; all earlier lines are kept.
        """
        data = record.as_line().encode("utf-8") + b"\n"
        try:
            written = os.write(self._descriptor, data)
            if written < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self._cut_back()
            raise RunError(
                f"{self._path} cannot be written: {error.strerror}. All images up to here are kept; "
                "free space there and repeat the command to go on."
            ) from error
        self._note(record, len(data))

    def twin(self, sha256: str) -> Record | None:
        """The record of an image with the same bytes, if there is one."""
        offset = self._offsets.get(bytes.fromhex(sha256))
        if offset is None:
            return None
        with self._path.open("rb") as stream:
            stream.seek(offset)
            return Record.from_line(stream.readline())

    def close(self) -> None:
        """Makes sure that everything is on the disk."""
        try:
            os.fsync(self._descriptor)
        finally:
            os.close(self._descriptor)

    def _note(self, record: Record, length: int) -> None:
        self.done.add(record.file)
        if record.sha256 is not None and record.error is None:
            # An offset instead of the record: a collection of 700,000 scans must not fill the memory.
            self._offsets.setdefault(bytes.fromhex(record.sha256), self._size)
        self._size += length

    def _cut_back(self) -> None:
        with suppress(OSError):  # A torn line that stays is dealt with when the run goes on.
            os.ftruncate(self._descriptor, self._size)


@contextmanager
def open_journal(folder: Path) -> Iterator[Journal]:
    """Opens the predictions of a run folder for appending, and keeps other processes out of it meanwhile.

    Raises:
        RunError: if another process writes there, the folder is not writable, or a line in the middle is damaged.
    """
    with _locked(folder):
        try:
            journal = Journal(folder / PREDICTIONS_FILE)
        except OSError as error:
            raise RunError(f"{folder} cannot be written: {error.strerror}. Name another folder with --out.") from error
        try:
            yield journal
        finally:
            journal.close()


def drop_failures(folder: Path) -> int:
    """Takes the lines of images that could not be read out of a run, so that they are tried again.

    Returns:
        How many lines went.
    """
    path = folder / PREDICTIONS_FILE
    if not path.exists():
        return 0
    draft = path.with_suffix(".jsonl.part")
    dropped = 0
    with _locked(folder), draft.open("wb") as stream:
        for line, record in _complete_lines(path):
            if record.error is None:
                stream.write(line)
            else:
                dropped += 1
        stream.flush()
        os.fsync(stream.fileno())
        draft.replace(path)
    return dropped


def _complete_lines(path: Path) -> Iterator[tuple[bytes, Record]]:
    """Every complete line with its record; stops at a torn last line."""
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                yield line, Record.from_line(line)
            except ValueError as error:
                raise RunError(
                    f"{path}: line {number} is damaged ({error}). Delete that line, or start anew with --overwrite."
                ) from error


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        import fcntl
    except ImportError:  # Windows: two runs in one folder are the user's own care there.
        yield
        return
    try:
        descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise RunError(f"{folder} cannot be written: {error.strerror}. Name another folder with --out.") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunError(
                f"another artdet is writing to {folder}. Wait for it, or name another folder with --out."
            ) from error
        except OSError:
            pass  # Some network file systems have no locks.
        yield
    finally:
        os.close(descriptor)
