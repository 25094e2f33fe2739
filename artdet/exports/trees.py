"""Folders with one small file per image, laid out as the images are."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path, PurePath

from artdet.atomic import cannot_write
from artdet.runs import Record


class Tree:
    """A folder that fills up.

    Attributes:
        renamed: how many files could not have the name that the format gives them.
    """

    def __init__(self, folder: Path, ending: str) -> None:
        self.renamed = 0
        self._folder, self._ending, self._above = folder, ending, folder

    def add(self, record: Record, content: bytes) -> None:
        """Writes the file that belongs to an image: the same relative path with another ending."""
        inside = inside_path(record.file)
        above = self._folder / inside.parent
        if above != self._above:
            above.mkdir(parents=True, exist_ok=True)
            self._above = above
        for name in self._names(inside):
            try:
                # Exclusive creation finds two images of one name (a.jpg, a.png), also where the disk ignores case.
                with (above / name).open("xb") as stream:
                    stream.write(content)
            except FileExistsError:
                continue
            self.renamed += inside.as_posix() != record.file or name != inside.stem + self._ending
            return

    def notes(self, what: str) -> tuple[str, ...]:
        """A sentence about renamed files, where there are any."""
        if not self.renamed:
            return ()
        return (
            f"{self.renamed} {what} have other names than their images, because two images differ only in the ending "
            f"(b.png beside b.jpg has b.png{self._ending}) or a path leads out of the folder.",
        )

    def _names(self, inside: PurePath) -> Iterator[str]:
        yield inside.stem + self._ending
        yield inside.name + self._ending
        for number in count(2):
            yield f"{inside.name}.{number}{self._ending}"


@contextmanager
def fresh_tree(path: Path, ending: str) -> Iterator[Tree]:
    """A tree that takes the place of ``path`` when the block ends well; else ``path`` stays as it was.

    Raises:
        RunError: if it cannot be written.
    """
    draft, old = path.with_name(f".{path.name}.part"), path.with_name(f".{path.name}.old")
    try:
        for left in (draft, old):
            if left.exists():
                shutil.rmtree(left)
        draft.mkdir()
        try:
            yield Tree(draft, ending)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        if path.exists():
            path.rename(old)
        draft.rename(path)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise cannot_write(path, error) from error


def inside_path(file: str) -> PurePath:
    """The relative path of a record, made such that it stays inside a folder and the disk takes it.

    >>> str(inside_path("a/b.jpg")), str(inside_path("../../etc/b.jpg")), str(inside_path("/"))
    ('a/b.jpg', 'etc/b.jpg', 'unnamed')
    """
    path = PurePath(file.replace("\0", "_"))
    parts = [_storable(part) for part in path.relative_to(path.anchor).parts if part != ".."]
    return PurePath("/".join(parts) or "unnamed")


def _storable(name: str) -> str:
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return name.encode("utf-8", "backslashreplace").decode("utf-8")
    return name
