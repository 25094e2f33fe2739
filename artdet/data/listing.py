"""The image files of a source, found by the names that annotations give them, and its lists and texts."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from artdet.data.problems import Problems
from artdet.data.raw import RawImage
from artdet.data.settings import SourceFile
from artdet.errors import InputError
from artdet.images.formats import IMAGE_EXTENSIONS
from artdet.images.walk import is_hidden, list_folder

_MARKED = re.compile(r"(.+?)\s+(-1|0|1)")


class ImageFiles:
    """Image files, relative to a root with forward slashes, that are looked up by other people's names for them."""

    def __init__(self, files: Iterable[str]) -> None:
        self.files = tuple(sorted(set(files)))
        self._all = frozenset(self.files)
        self._folders = frozenset(file.rpartition("/")[0] for file in self.files)
        self._by_name: dict[str, list[tuple[str, str]]] = defaultdict(list)
        self._by_stem: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for file in self.files:
            stem, extension = split_extension(file)
            name = stem + extension.lower()
            self._by_name[name.rpartition("/")[2]].append((name, file))
            self._by_stem[stem.rpartition("/")[2]].append((stem, file))

    @classmethod
    def below(cls, root: Path) -> ImageFiles:
        """All images in a folder and the folders inside; none where there is no such folder.

        Raises:
            InputError: if a folder cannot be opened.
        """
        if not root.is_dir():
            return cls(())
        try:
            listing = list_folder(str(root), recursive=True)
        except OSError as error:
            raise InputError(f"The folder {root} cannot be opened: {error.strerror}. {_ALLOW}") from error
        if listing.unreadable:
            raise InputError(f"The folder {listing.unreadable[0]} cannot be opened. {_ALLOW}")
        return cls(relative(path, root) for path in listing.files)

    def __contains__(self, file: str) -> bool:
        return file in self._all

    def __len__(self) -> int:
        return len(self.files)

    def has_folder(self, folder: str) -> bool:
        """Whether images lie directly in a folder, which is relative to the root (empty for the root itself)."""
        return folder in self._folders

    def find(self, name: str) -> str | None:
        r"""The file that a name stands for: a path from the root, from above it or from below it, or a bare name.

        Images of the same name in different folders are never taken for one another: a path from below the root
        (a bare name too) must fit one file only. The extension may be missing, and its case may differ.

        >>> files = ImageFiles(["train/a.jpg", "b (1).JPG"])
        >>> files.find("a"), files.find("other/a.jpg"), files.find("C:\\data\\b (1).jpg")
        ('train/a.jpg', None, 'b (1).JPG')
        """
        if name in self._all:
            return name
        if "\\" in name and (found := self.find(name.replace("\\", "/"))):
            return found
        plain = name.removeprefix("./")
        stem, extension = split_extension(plain)
        full = stem + extension.lower()
        return _fitting(full, self._by_name) or _fitting(plain, self._by_stem)


_ALLOW = "Allow it with chmod u+rx."


def _fitting(name: str, table: dict[str, list[tuple[str, str]]]) -> str | None:
    near = table.get(name.rpartition("/")[2], [])
    above = [(len(key), file) for key, file in near if f"/{name}".endswith(f"/{key}")]
    if above:
        longest = max(length for length, _ in above)
        return next(file for length, file in above if length == longest)
    below = [file for key, file in near if key.endswith(f"/{name}")]
    return below[0] if len(below) == 1 else None


def split_extension(name: str) -> tuple[str, str]:
    """Path without and with its image extension, which is empty where it has none that artdet reads.

    >>> split_extension("a/St. John.jpg"), split_extension("St. John")
    (('a/St. John', '.jpg'), ('St. John', ''))
    """
    stem, extension = os.path.splitext(name)
    return (stem, extension) if extension.lower() in IMAGE_EXTENSIONS else (name, "")


def relative(path: str | Path, root: Path) -> str:
    """A path relative to a folder, with forward slashes."""
    return os.path.relpath(path, root).replace(os.sep, "/")


def subfolder(folder: Path, *names: str) -> Path | None:
    """The first folder inside ``folder`` that has one of ``names`` (lower case) in any case."""
    try:
        there = {entry.name.lower(): entry for entry in sorted(folder.iterdir(), reverse=True) if entry.is_dir()}
    except OSError:
        return None
    return next((there[name] for name in names if name in there), None)


def files_below(folder: Path, extension: str) -> Iterator[Path]:
    """Files of one extension (lower case, with the dot; any case is found), in order, hidden ones passed over."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        yield from (Path(place, name) for name in sorted(names) if _is_of(name, extension))


def _is_of(name: str, extension: str) -> bool:
    return name.lower().endswith(extension) and not is_hidden(name)


def text_of(path: Path, what: str, remedy: str) -> str:
    """A text file, in UTF-8 with or without byte-order mark.

    Raises:
        InputError: if it cannot be read or is not UTF-8; ``what`` names it, ``remedy`` is the second sentence.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"{what} {path} cannot be read: {error.strerror}. {remedy}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{what} {path} is not UTF-8 text. Save it as UTF-8.") from error


@dataclass(frozen=True)
class Listed:
    """A line of an image list that names an image of the source.

    Attributes:
        file: relative to the root.
        mark: ``1`` has objects, ``-1`` has none, ``0`` has difficult ones only; ``None`` where nothing is said.
    """

    file: str
    mark: int | None


def image_list(source: SourceFile, files: ImageFiles, problems: Problems) -> list[Listed] | None:
    """What ``source.image_list`` names, each image once; ``None`` where the source has no list.

    Raises:
        InputError: if the list cannot be read, is empty, or names none of the files.
    """
    if source.image_list is None:
        return None
    path = source.folder / source.image_list
    text = text_of(path, "The image list", "Check 'image_list' of the source.")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise InputError(f"The image list {path} is empty. Write an image a line.")
    found: dict[str, Listed] = {}
    all_marked = all(_MARKED.fullmatch(line) for line in lines)
    for line in lines:
        entry = _listed(line, files, all_marked)
        if entry is None:
            problems.add("missing_image", line)
        elif entry.file in found:
            problems.add("duplicate_image", line)
        else:
            found[entry.file] = entry
    if not found:
        raise InputError(
            f"The image list {path} names none of the {len(files)} images of the source (its first line is "
            f"'{lines[0]}'). Name the folder of the images with 'images', or another list."
        )
    return list(found.values())


def _listed(line: str, files: ImageFiles, all_marked: bool) -> Listed | None:
    marked = _MARKED.fullmatch(line)
    # "figure 1" may be a name: only where every line ends so are the numbers marks for sure.
    if not (marked and all_marked) and (file := files.find(line)):
        return Listed(file, None)
    file = files.find(marked[1]) if marked else None
    return Listed(file, int(marked[2])) if marked and file else None


def only_listed(source: SourceFile, images: Iterable[RawImage], problems: Problems) -> tuple[RawImage, ...]:
    """The images that ``source.image_list`` names; all where the source has no list.

    Raises:
        InputError: as :func:`image_list`.
    """
    known = {image.file: image for image in images}
    chosen = image_list(source, ImageFiles(known), problems)
    return tuple(known.values()) if chosen is None else tuple(known[entry.file] for entry in chosen)
