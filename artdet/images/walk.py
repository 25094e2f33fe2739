"""Lists the images of a folder quickly: one ``os.scandir`` per folder, no ``stat`` per file."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field

from artdet.images.formats import HEAD_BYTES, IMAGE_EXTENSIONS, format_of

_NEVER_LISTED = frozenset({"@eadir", "__macosx", "thumbs.db", "desktop.ini"})

Identity = tuple[int, int]
"""Device and inode of a folder."""


@dataclass
class Listing:
    """What lies in a folder.

    Attributes:
        files: absolute paths of image files.
        skipped: numbers of other files by extension, lower case with the dot.
        folders: how many folders were seen inside.
        hidden: how many entries were passed over for their names.
        unreadable: absolute paths of folders inside that could not be opened.
    """

    files: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    folders: int = 0
    hidden: int = 0
    unreadable: list[str] = field(default_factory=list)


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is passed over.

    >>> is_hidden("._scan.jpg"), is_hidden("scan.jpg")
    (True, False)
    """
    return name.startswith(".") or name.lower() in _NEVER_LISTED


def identity(path: str) -> Identity:
    """Which folder it really is, links followed.

    Raises:
        OSError: if it is gone or may not be seen.
    """
    status = os.stat(path)
    return status.st_dev, status.st_ino


def is_image_file(path: str) -> bool:
    """Whether a listing takes what is not a folder: by its extension, or without one by its first bytes.

    A broken link with an image's extension is taken, so that reading it tells what is wrong.
    """
    extension = os.path.splitext(path)[1]
    if extension:
        return extension.lower() in IMAGE_EXTENSIONS
    if not os.path.isfile(path):
        return False
    try:
        with open(path, "rb") as file:
            return format_of(file.read(HEAD_BYTES)) is not None
    except OSError:
        return False


def list_folder(path: str, *, recursive: bool) -> Listing:
    """Lists one folder, with ``recursive`` also the folders inside.

    Linked folders are followed, unless the path to them already passes through the folder that they lead to. So it
    ends on any file system.

    Raises:
        OSError: if the folder itself cannot be opened. Those inside are noted in the result.
    """
    result = Listing()
    waiting: list[tuple[str, frozenset[Identity]]] = [(path, frozenset())]
    while waiting:
        folder, above = waiting.pop()
        try:
            here = identity(folder)
            inside = [] if here in above else _scan(folder, result)
        except OSError:
            if folder == path:
                raise
            result.unreadable.append(folder)
            continue
        if recursive:
            waiting += [(deeper, above | {here}) for deeper in inside]
    return result


def _scan(folder: str, result: Listing) -> list[str]:
    """Adds the entries of one folder to ``result`` and returns the folders among them."""
    inside = []
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if is_hidden(name):
                result.hidden += 1
                continue
            _, dot, tail = name.rpartition(".")
            extension = f".{tail.lower()}" if dot else ""
            if _is_folder(entry):
                inside.append(entry.path)
            elif extension in IMAGE_EXTENSIONS or (not extension and is_image_file(entry.path)):
                result.files.append(entry.path)
            else:
                result.skipped[extension] += 1
    result.folders += len(inside)
    return inside


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, for one
        return False
