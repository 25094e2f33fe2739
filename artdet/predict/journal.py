"""``predictions.jsonl`` while it grows: append-only, so that a run killed at any moment goes on where it stopped."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from artdet.atomic import cannot_write, whole_file
from artdet.errors import RunError
from artdet.locks import only_one
from artdet.runs import PREDICTIONS_FILE, Record, complete_lines


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
        for line, record in complete_lines(path):
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

    def knows(self, sha256: str) -> bool:
        """Whether an image with these bytes has a line."""
        return bytes.fromhex(sha256) in self._offsets

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
            raise cannot_write(folder, error) from error
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
    dropped = 0
    with _locked(folder), whole_file(path) as stream:
        for line, record in complete_lines(path):
            if record.error is None:
                stream.write(line)
            else:
                dropped += 1
        stream.flush()
        os.fsync(stream.fileno())
    return dropped


def _locked(folder: Path) -> AbstractContextManager[None]:
    return only_one(
        folder, RunError(f"another artdet is writing to {folder}. Wait for it, or name another folder with --out.")
    )
