"""Checks of what a reader gave: are the images there, of which size, and do the boxes lie on them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from artdet.data.problems import Problems
from artdet.data.raw import RawBox, RawImage
from artdet.errors import ImageError, InputError
from artdet.images.header import image_sizes
from artdet.labelmaps import IGNORED_ID

Size = tuple[int, int]
"""(height, width) in pixels."""

_SAME_SHAPE = 0.02  # as a share of the ratio of the sides
# What annotation tools round away at the border is no news: a pixel, or this share of a side.
_ROUNDED_PIXELS, _ROUNDED_SHARE = 1.0, 0.005
_EXACT = 1e-6


@dataclass(frozen=True)
class Measured:
    """An image of a source and the size (height, width) that its boxes will refer to."""

    image: RawImage
    size: Size


@dataclass(frozen=True, eq=False)
class BoxTable:
    """Boxes of many images, a row each, the rows of an image together.

    Attributes:
        image: int64 (N,), index of the image.
        label: int64 (N,), ids of the taxonomy.
        box: float64 (N, 4), xyxy.
        crowd: bool (N,).
        difficult: bool (N,).
    """

    image: NDArray[np.int64]
    label: NDArray[np.int64]
    box: NDArray[np.float64]
    crowd: NDArray[np.bool_]
    difficult: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.image)

    def __getitem__(self, key: NDArray[np.bool_] | slice) -> BoxTable:
        return BoxTable(*(getattr(self, column.name)[key] for column in fields(self)))

    def of_images(self, count: int) -> Iterator[BoxTable]:
        """The rows of image 0, 1, ... ``count - 1``."""
        ends = np.searchsorted(self.image, np.arange(count + 1)).tolist()
        for start, end in pairwise(ends):
            yield self[start:end]


def measured(images: Sequence[RawImage], root: Path, problems: Problems) -> list[Measured]:
    """The images that can be used, with the sizes of their files, or of the annotation where no file is at hand.

    Raises:
        InputError: if none is at hand and no annotation states a size.
    """
    paths = [root / image.file for image in images]
    # Not pathlib's, which raises for a name that is too long or a folder that may not be seen.
    there = [os.path.exists(path) for path in paths]
    found = iter(image_sizes([path for path, is_there in zip(paths, there, strict=True) if is_there]))
    kept = []
    for image, is_there in zip(images, there, strict=True):
        size = _size_of_file(image, next(found), problems) if is_there else None
        if not is_there and not any(there) and image.size is not None:
            problems.add("sizes_from_annotation", image.file)
            size = image.size
        elif not is_there:
            problems.add("missing_image", image.file)
        if size is not None:
            kept.append(Measured(image, size))
    if images and not kept and not any(there):
        raise InputError(
            f"{root} has none of the {len(images)} images ({images[0].file}, ...), and the annotations do not state "
            "their sizes. Name the folder of the images with --images."
        )
    return kept


def _size_of_file(image: RawImage, found: Size | ImageError, problems: Problems) -> Size | None:
    """The size to take for an image that is there; none, with a problem noted, where it must be left out."""
    if isinstance(found, ImageError):
        problems.add("unreadable_image", f"{image.file}: {found.cause}")
        return None
    if image.size is None or image.size == found:
        return found
    ratio = (found[0] * image.size[1]) / (found[1] * image.size[0])
    same_shape = abs(ratio - 1) <= _SAME_SHAPE
    stated, real = (f"{width} x {height}" for height, width in (image.size, found))
    problems.add("size_rescaled" if same_shape else "size_differs", f"{image.file}: {real}, not {stated}")
    return found if same_shape else None


def box_table(images: Sequence[Measured], label_of: Callable[[RawBox], int]) -> BoxTable:
    """The boxes of all images as they stand in the source, without those of ignored classes.

    Args:
        images: with their boxes.
        label_of: id of the taxonomy or ``IGNORED_ID``.
    """
    rows = [
        (index, label, box) for index, entry in enumerate(images) for box in entry.image.boxes
        if (label := label_of(box)) != IGNORED_ID
    ]  # fmt: skip
    return BoxTable(
        np.array([index for index, _, _ in rows], dtype=np.int64),
        np.array([label for _, label, _ in rows], dtype=np.int64),
        np.array([box.box for _, _, box in rows], dtype=np.float64).reshape(-1, 4),
        np.array([box.crowd for _, _, box in rows], dtype=bool),
        np.array([box.difficult for _, _, box in rows], dtype=bool),
    )


def checked(table: BoxTable, images: Sequence[Measured], names: Sequence[str], problems: Problems) -> BoxTable:
    """The boxes that can be used, put right, in pixels of the images' sizes.

    Args:
        table: as :func:`box_table` gives it.
        images: that ``table.image`` points to.
        names: of the taxonomy's nodes, for examples.
        problems: takes what was mended and what was left out.
    """

    def note(kind: str, table: BoxTable, rows: NDArray[np.bool_]) -> None:
        for image, label in zip(table.image[rows].tolist(), table.label[rows].tolist(), strict=True):
            problems.add(kind, f"{images[image].image.file}: {names[label]}")

    def without(kind: str, table: BoxTable, rows: NDArray[np.bool_]) -> BoxTable:
        note(kind, table, rows)
        return table[~rows] if rows.any() else table

    table = without("damaged_box", table, _any(~np.isfinite(table.box)))
    note("swapped", table, _any(table.box[:, 2:] < table.box[:, :2]))
    low, high = np.minimum(table.box[:, :2], table.box[:, 2:]), np.maximum(table.box[:, :2], table.box[:, 2:])
    table = _with_boxes(table, np.hstack([low, high]))
    table = without("no_area", table, _flat(table.box))
    limit = _limits(images)[table.image]
    table = without("outside", table, _any((table.box[:, :2] >= limit) | (table.box[:, 2:] <= 0)))
    limit, relative = _limits(images)[table.image], _are_relative(images)[table.image]
    allowed = np.where(relative, _ROUNDED_SHARE, _ROUNDED_PIXELS)[:, None] + _EXACT
    note("cut", table, _any((table.box[:, :2] < -allowed) | (table.box[:, 2:] > limit + allowed)))
    table = _with_boxes(table, _on_image(table.box, limit, _sides(images)[table.image]))
    table = without("no_area", table, _flat(table.box))
    return without("duplicate_box", table, _repeated(table))


def _with_boxes(table: BoxTable, boxes: NDArray[np.float64]) -> BoxTable:
    return BoxTable(table.image, table.label, boxes, table.crowd, table.difficult)


def _flat(boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
    return _any(boxes[:, 2:] <= boxes[:, :2])


def _any(cells: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Rows (N,) with a true cell."""
    return np.asarray(cells.any(axis=1), dtype=np.bool_)


def _sides(images: Sequence[Measured]) -> NDArray[np.float64]:
    """Width and height (N, 2) in pixels."""
    return np.array([entry.size[::-1] for entry in images], dtype=np.float64).reshape(-1, 2)


def _limits(images: Sequence[Measured]) -> NDArray[np.float64]:
    """Width and height (N, 2) in the unit that the source's boxes have."""
    rows = [(1, 1) if entry.image.relative else (entry.image.size or entry.size)[::-1] for entry in images]
    return np.array(rows, dtype=np.float64).reshape(-1, 2)


def _are_relative(images: Sequence[Measured]) -> NDArray[np.bool_]:
    return np.array([entry.image.relative for entry in images], dtype=bool)


def _on_image(boxes: NDArray[np.float64], limit: NDArray[np.float64], side: NDArray[np.float64]) -> NDArray[np.float64]:
    """Boxes (N, 4) cut at ``limit`` (N, 2), then in pixels of a picture of ``side`` (N, 2), as float32 has them."""
    high = np.tile(limit, 2)
    pixels = np.clip(boxes, 0.0, high) * np.tile(side, 2) / high
    return np.asarray(pixels.astype(np.float32), dtype=np.float64)


def _repeated(table: BoxTable) -> NDArray[np.bool_]:
    """Rows (N,) that have image, label and corners of an earlier one."""
    keys = np.column_stack([table.image, table.label, table.box])
    order = np.lexsort((np.arange(len(keys)), *keys.T[::-1]))
    repeated = np.zeros(len(keys), dtype=np.bool_)
    repeated[order[1:]] = ~_any(keys[order][1:] != keys[order][:-1])
    return repeated
