"""From what a user names (folders, files, patterns) to the list of image files."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from artdet.errors import InputError, did_you_mean
from artdet.images.patterns import is_pattern, matches
from artdet.images.walk import Listing, is_image_file, list_folder


@dataclass(frozen=True)
class Found:
    """Image files and where they lie.

    Attributes:
        root: absolute, symlinks unresolved: the folder if one folder was named, the file's folder if one file, else the
            folder that all have in common.
        files: paths relative to ``root`` with ``/``, sorted, each once. Bytes that are not UTF-8 are escaped as
            ``os.fsdecode`` does it.
        skipped: how many other files were passed over, by extension (lower case with the dot; ``""`` is none). Hidden
            files are not counted.
        unreadable: folders below the named ones that could not be opened, relative to ``root``, sorted.
    """

    root: Path
    files: tuple[str, ...]
    skipped: Mapping[str, int]
    unreadable: tuple[str, ...]


@dataclass
class _Collected:
    """What the arguments have given so far; all paths absolute."""

    places: set[str] = field(default_factory=set)  # folders that were named, and those of files that were
    files: set[str] = field(default_factory=set)
    skipped: Counter[str] = field(default_factory=Counter)
    unreadable: set[str] = field(default_factory=set)


def find_images(paths: Sequence[str | Path], *, recursive: bool = False) -> Found:
    """Lists the images that ``paths`` name.

    In a folder these are the files with a known extension, and files without any that begin like an image; hidden files
    (macOS's ``._x.jpg`` too), ``@eaDir``, ``__MACOSX`` and ``Thumbs.db`` are passed over. A file that is named itself
    is taken whatever its extension. A name with ``*``, ``?`` or ``[`` that does not exist is a pattern; ``**`` stands
    for folders at any depth. A linked file is a file of its own; linked folders are followed, but never back into a
    folder that the path already passes through.

    Args:
        paths: at least one.
        recursive: whether to look into folders inside folders.

    Raises:
        InputError: if a path does not exist or cannot be opened, a pattern matches nothing, or a folder has no images.
    """
    if not paths:
        raise InputError("No image was named. Give a folder, a file or a pattern.")
    collected = _Collected()
    for path in paths:
        _add(collected, os.fspath(path), recursive)
    if not collected.files:
        raise InputError(f"No images match {', '.join(map(repr, map(str, paths)))}. Name a folder with images.")
    return _found(collected)


def _add(collected: _Collected, name: str, recursive: bool) -> None:
    path = _absolute(name)
    if name and os.path.isdir(path):
        listing = _add_folder(collected, path, recursive)
        if not listing.files:
            raise InputError(_no_images(name, listing, recursive))
    elif name and os.path.exists(path):
        _add_file(collected, path)
    elif is_pattern(name) and not os.path.lexists(path):
        _add_pattern(collected, name, path, recursive)
    else:
        raise InputError(_not_there(name, path))


def _absolute(name: str) -> str:
    """The absolute path, links unresolved, except before a ``..``, which means the parent of a link's target."""
    path = os.path.join(os.getcwd(), name)
    parts = path.split(os.sep)
    if os.pardir in parts:
        behind = len(parts) - parts[::-1].index(os.pardir)
        path = os.path.join(os.path.realpath(os.sep.join(parts[:behind])), *parts[behind:])
    return os.path.normpath(path)


def _add_folder(collected: _Collected, path: str, recursive: bool) -> Listing:
    try:
        listing = list_folder(path, recursive=recursive)
    except OSError as error:
        raise InputError(f"The folder {path} cannot be opened: {error.strerror}. Allow it with chmod u+rx.") from error
    collected.places.add(path)
    collected.files.update(listing.files)
    collected.skipped.update(listing.skipped)
    collected.unreadable.update(listing.unreadable)
    return listing


def _add_file(collected: _Collected, path: str) -> None:
    collected.places.add(os.path.dirname(path))
    collected.files.add(path)


def _add_pattern(collected: _Collected, name: str, path: str, recursive: bool) -> None:
    matched = matches(path)
    if not matched:
        raise InputError(f"Nothing matches {name!r}. {_nearby(path)}")
    for match in matched:
        if os.path.isdir(match):
            _add_folder(collected, match, recursive)
        elif is_image_file(match):
            _add_file(collected, match)
        else:
            collected.skipped[os.path.splitext(match)[1].lower()] += 1


def _found(collected: _Collected) -> Found:
    root = os.path.commonpath(collected.places)
    start = len(root) if root.endswith(os.sep) else len(root) + 1

    def relative(full: set[str]) -> tuple[str, ...]:
        return tuple(sorted([path[start:].replace(os.sep, "/") for path in full]))

    skipped = MappingProxyType(dict(sorted(collected.skipped.items())))
    return Found(Path(root), relative(collected.files), skipped, relative(collected.unreadable))


def _no_images(name: str, listing: Listing, recursive: bool) -> str:
    seen = f"No images in {name!r}: {_seen(listing)}."
    if listing.folders and not recursive:
        return f"{seen} Use --recursive to look into the folders."
    return f"{seen} Name a folder that holds images (JPEG, PNG, TIFF, WebP, BMP, GIF, JPEG 2000)."


def _seen(listing: Listing) -> str:
    things = [
        _counted(count, f"{extension} file" if extension else "file without extension", "files", "file")
        for extension, count in listing.skipped.most_common(5)
    ]
    rest = listing.skipped.total() - sum(count for _, count in listing.skipped.most_common(5))
    if rest:
        things.append(f"{rest} other file{'s' if rest > 1 else ''}")
    if listing.hidden:
        things.append(_counted(listing.hidden, "hidden entry", "entries", "entry"))
    if listing.folders:
        things.append(_counted(listing.folders, "folder", "folders", "folder"))
    if listing.unreadable:
        things.append(_counted(len(listing.unreadable), "folder that cannot be opened", "folders", "folder"))
    if not things:
        return "it is empty"
    return f"it holds {' and '.join(filter(None, (', '.join(things[:-1]), things[-1])))}"


def _counted(count: int, words: str, plural: str, singular: str) -> str:
    return f"{count} {words if count == 1 else words.replace(singular, plural)}"


def _not_there(name: str, path: str) -> str:
    if not name:
        return "An empty name was given. Name a folder, a file or a pattern."
    if os.path.islink(path):
        return (
            f"{name!r} is a link to {os.readlink(path)!r}, which is not there. Repair the link, or name another file."
        )
    try:
        os.stat(path)
    except PermissionError:
        return f"{name!r} cannot be reached: permission denied. Allow opening its folders with chmod +x."
    except (OSError, ValueError):
        pass
    return f"There is no {name!r}. {_nearby(path)}"


def _nearby(path: str) -> str:
    """The remedy for a name that is not there: what is in the deepest of its folders that exists."""
    folder = os.path.dirname(path)
    while not os.path.isdir(folder):
        path, folder = folder, os.path.dirname(folder)
    wanted = os.path.basename(path)
    try:
        hint = "" if is_pattern(wanted) else did_you_mean(wanted, sorted(os.listdir(folder)))
        listing = list_folder(folder, recursive=False)
    except OSError:
        return f"Check the name: the folder {folder!r} cannot be opened."
    if hint.startswith(" Did"):
        return f"In {folder!r}:{hint}"
    images = _counted(len(listing.files), "image", "images", "image")
    return f"Check the name: {folder!r} holds {images} and {_counted(listing.folders, 'folder', 'folders', 'folder')}."
