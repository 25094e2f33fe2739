"""Files that appear whole or not at all, and one sentence for each way in which writing fails."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from artdet.errors import RunError

_CAUSES = {
    errno.ENOSPC: ("the disk is full", "Free some space and run the same command again"),
    errno.EDQUOT: ("your quota on this disk is used up", "Free some space and run the same command again"),
    errno.EACCES: ("you may not write there", "Name another folder"),
    errno.EPERM: ("you may not write there", "Name another folder"),
    errno.EROFS: ("that disk is read-only", "Name another folder"),
    errno.ENAMETOOLONG: ("its name is too long for this disk", "Name a folder with a shorter path"),
    errno.EISDIR: ("there is a folder of that name", "Move it away or name another folder"),
    errno.ENOTDIR: ("a part of its path is a file and not a folder", "Name another folder"),
    errno.EEXIST: ("a part of its path is a file and not a folder", "Name another folder"),
}


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A stream whose bytes appear at ``path`` when the block ends well; else ``path`` stays as it was.

    Raises:
        RunError: if the file cannot be written.
    """
    # A name of its own and not a longer one: names on most disks end at 255 bytes.
    digest = hashlib.sha256(path.name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    draft = path.with_name(f".{digest}.part")
    try:
        try:
            with draft.open("wb") as stream:
                yield stream
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise cannot_write(path, error) from error


def make_folder(path: Path) -> None:
    """Makes a folder and those above it, where they are not there yet.

    Raises:
        RunError: if that is not possible.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> RunError:
    """The error to raise where writing ``path`` failed with ``error``."""
    reason = (error.strerror or str(error)).lower()
    cause, remedy = _CAUSES.get(error.errno or 0, (reason, "Name a folder on another disk"))
    return RunError(f"{path} cannot be written: {cause}. {remedy}.")
