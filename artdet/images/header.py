"""Sizes of image files from their headers: thousands a second, no pixel decoded."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from artdet.devices import cpu_threads
from artdet.errors import ImageError
from artdet.images.decode import upright_size
from artdet.images.reader import DEFAULT_MAX_PIXELS, opened, unreadable

_CHUNK = 64


def image_size(path: Path) -> tuple[int, int]:
    """The (height, width) in pixels of the upright picture, as ``read_image`` gives it in ``original_size``.

    Raises:
        ImageError: as ``read_image`` does; damage behind the header goes unnoticed.
    """
    try:
        with opened(path) as (file, _):
            return upright_size(file, max_pixels=DEFAULT_MAX_PIXELS)
    except (OSError, ValueError) as error:
        raise unreadable(error) from error


def image_sizes(paths: Sequence[Path]) -> list[tuple[int, int] | ImageError]:
    """The size of each file as :func:`image_size` gives it, or its error; read by several threads."""
    with ThreadPoolExecutor(cpu_threads()) as pool:
        chunks = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
        return [size for part in pool.map(_sizes, chunks) for size in part]


def _sizes(paths: Sequence[Path]) -> list[tuple[int, int] | ImageError]:
    sizes: list[tuple[int, int] | ImageError] = []
    for path in paths:
        try:
            sizes.append(image_size(path))
        except ImageError as error:
            sizes.append(error)
    return sizes
