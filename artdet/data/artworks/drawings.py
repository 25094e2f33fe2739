"""Drawing-like pictures made of paintings, kept on the disk."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from artdet.atomic import make_folder
from artdet.data.artify_cache import on_all_processors, write_picture
from artdet.data.artworks.drawing_transform import to_drawing
from artdet.errors import ImageError, RunError
from artdet.images.reader import opened, read_image, unreadable
from artdet.resources import cache_folder

VERSION = 1
"""Raised when the same painting gives another drawing."""
MAX_SIDE = 1024
"""In pixels; larger paintings are reduced to it."""
_QUALITY = 95


def drawings(paths: Sequence[Path]) -> tuple[Mapping[Path, Path], Mapping[Path, ImageError]]:
    """Makes the drawings that the cache does not have yet.

    Returns:
        Painting -> its drawing, and painting -> why it cannot be read.

    Raises:
        RunError: if the cache cannot be written.
    """
    folder = cache_folder() / "drawings"
    made: dict[Path, Path] = {}
    failures: dict[Path, ImageError] = {}
    same: dict[Path, list[Path]] = {}
    for path, target in on_all_processors(lambda path: _target(path, folder), list(dict.fromkeys(paths))):
        if isinstance(target, ImageError):
            failures[path] = target
        else:
            same.setdefault(target, []).append(path)
    for (target, copies), error in on_all_processors(_fill, list(same.items())):
        for path in copies:
            if error is None:
                made[path] = target
            else:
                failures[path] = error
    return made, failures


def _target(path: Path, folder: Path) -> Path | ImageError:
    try:
        with opened(path) as (file, _):
            digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    except ImageError as error:
        return error
    except (OSError, ValueError) as error:
        return unreadable(error)
    return folder / digest[:2] / f"{digest[:32]}-{VERSION}.jpg"


def _fill(work: tuple[Path, list[Path]]) -> ImageError | None:
    target, copies = work
    if target.exists():
        return None
    try:
        image = read_image(copies[0], max_side=MAX_SIDE).pixels
    except ImageError as error:
        return error
    make_folder(target.parent)
    try:
        write_picture(target, to_drawing(image), quality=_QUALITY)
    except RunError:
        if not target.exists():  # else another process was quicker
            raise
    return None
