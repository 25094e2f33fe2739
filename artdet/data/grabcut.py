"""Cuts objects out of photographs by their boxes: GrabCut (Rother, Kolmogorov and Blake 2004) and some checks."""

from __future__ import annotations

import io
import json
import os
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from artdet.atomic import make_folder, whole_file
from artdet.boxes import intersections
from artdet.data.artify_cache import on_all_processors
from artdet.data.cutouts import ORIGINS, RGBA
from artdet.data.dataset import Dataset, Sample
from artdet.data.scenes import box_of
from artdet.errors import ImageError
from artdet.images import RGBImage
from artdet.images.reader import read_image
from artdet.runs import json_text

FOLDER = "cutouts"
"""Folder of the results that the cut-outs lie in, by class."""

_SIDE = 320  # pixels that the longer side of the box is brought to, at most
_SMALLEST = 56  # pixels of a box's shorter side
_AROUND = 0.25  # of the box's sides, known to be background
_ROUNDS = 5
_FILLS = (0.25, 0.9)  # share of the box that a plausible object takes
_REACHES = 0.85  # share of the box's width and height that its outline reaches
_CROWDED = 0.15  # share of the box that another box may cover


@dataclass
class Cut:
    """What came of a source's boxes.

    Attributes:
        made: cut-outs written, by class; those that were there count too.
        refused: boxes that gave none, by reason.
    """

    made: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)


def samples_with(dataset: Dataset, classes: frozenset[int]) -> list[Sample]:
    """Images with a box of the classes."""
    return [sample for sample in dataset if np.isin(sample.truth.labels, list(classes)).any()]


def cut_out(dataset: Dataset, classes: frozenset[int], folder: Path, *, progress: Callable[[int], None]) -> Cut:
    """Cuts the objects of some classes out of a source's images, into ``folder/CLASS/*.png``; see ``cutouts``.

    Boxes are passed over that are small, cut by the image's border, shared with another box, crowds or difficult, and
    those in which no plausible outline is found. May be stopped and called again.

    Args:
        dataset: photographs, or art with clear outlines: of the persons of People-Art every fourth cut-out is bad.
        classes: ids that are wanted.
        folder: for the cut-outs; it is made.
        progress: called with the number of images that are through; first with 0.

    Raises:
        RunError: if a file cannot be written.
    """
    result = Cut()
    origins: dict[str, dict[str, str]] = {}
    samples = samples_with(dataset, classes)
    progress(0)

    def work(sample: Sample) -> list[tuple[str, str]] | ImageError:
        return _cut_sample(dataset, sample, classes, folder)

    for sample, done in on_all_processors(work, samples):
        if isinstance(done, ImageError):
            result.refused[done.cause] += 1
            done = []
        for file, reason in done:
            if reason:
                result.refused[reason] += 1
            else:
                result.made[file.partition("/")[0]] += 1
                origins[file] = {"source": dataset.name, "file": sample.file, "licence": dataset.licence}
        progress(1)
    _add_origins(folder, origins)
    return result


def outline(image: RGBImage, box: NDArray[np.float32]) -> RGBA | str:
    """The object in a box with a transparent ground, RGBA uint8; or why there is none.

    Args:
        image: RGB uint8 (H, W, 3).
        box: (4,) xyxy in pixels.
    """
    part, inner = _part(image, box)
    mask = np.full(part.shape[:2], cv2.GC_BGD, dtype=np.uint8)
    left, top, right, bottom = inner
    mask[top:bottom, left:right] = cv2.GC_PR_FGD
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)
    cv2.grabCut(cv2.cvtColor(part, cv2.COLOR_RGB2BGR), mask, None, *models, _ROUNDS, cv2.GC_INIT_WITH_MASK)
    solid = _largest((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD))
    x1, y1, x2, y2 = box_of(solid)
    area = (right - left) * (bottom - top)
    if not _FILLS[0] <= solid.sum() / area <= _FILLS[1]:
        return "outline fills too much or too little of the box"
    if x2 - x1 < _REACHES * (right - left) or y2 - y1 < _REACHES * (bottom - top):
        return "outline does not reach the box's sides"
    alpha = cv2.GaussianBlur(np.where(solid, 255, 0).astype(np.uint8), (0, 0), 1.0)
    thinner = cv2.erode(alpha, np.ones((3, 3), np.uint8))  # the outermost pixels have the background's colour
    return np.dstack([part, thinner])[max(y1 - 2, 0) : y2 + 2, max(x1 - 2, 0) : x2 + 2]


def _cut_sample(
    dataset: Dataset, sample: Sample, classes: frozenset[int], folder: Path
) -> list[tuple[str, str]] | ImageError:
    """File and refusal (empty where there is a cut-out) of every box of the classes."""
    names = dataset.taxonomy.names
    result = []
    image: RGBImage | None = None
    stem = re.sub(r"[^A-Za-z0-9]+", "_", f"{dataset.name}_{sample.file.rpartition('.')[0]}")
    for index in np.flatnonzero(np.isin(sample.truth.labels, list(classes))).tolist():
        file = f"{names[int(sample.truth.labels[index])]}/{stem}_{index}.png"
        reason = _unfit(sample, index)
        if not reason and not os.path.lexists(folder / file):
            try:
                image = read_image(dataset.root / sample.file).pixels if image is None else image
            except ImageError as error:
                return error
            found = outline(image, sample.truth.boxes[index])
            if isinstance(found, str):
                reason = found
            else:
                _write_png(folder / file, found)
        result.append((file, reason))
    return result


def _unfit(sample: Sample, index: int) -> str:
    """Why a box is not tried; empty where it is."""
    boxes = sample.truth.boxes
    x1, y1, x2, y2 = boxes[index].tolist()
    high, wide = sample.truth.image_size
    if sample.crowd[index] or sample.difficult[index]:
        return "crowd or difficult"
    if min(x2 - x1, y2 - y1) < _SMALLEST:
        return "small"
    if min(x1, y1, wide - x2, high - y2) < 2:
        return "cut by the border"
    others = np.delete(boxes, index, axis=0)
    shared = intersections(boxes[index : index + 1], others).max(initial=0)
    return "shared with another box" if shared > _CROWDED * (x2 - x1) * (y2 - y1) else ""


def _part(image: RGBImage, box: NDArray[np.float32]) -> tuple[RGBImage, tuple[int, int, int, int]]:
    """The surroundings of a box at working size, and the box in them."""
    x1, y1, x2, y2 = (float(value) for value in box)
    dx, dy = _AROUND * (x2 - x1), _AROUND * (y2 - y1)
    left, top = max(int(x1 - dx), 0), max(int(y1 - dy), 0)
    part = image[top : int(y2 + dy) + 1, left : int(x2 + dx) + 1]
    factor = min(1.0, _SIDE / max(x2 - x1, y2 - y1))
    if factor < 1:
        size = max(round(part.shape[1] * factor), 1), max(round(part.shape[0] * factor), 1)
        part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    corners = [(x1 - left) * factor, (y1 - top) * factor, (x2 - left) * factor, (y2 - top) * factor]
    inner = round(corners[0]), round(corners[1]), round(corners[2]), round(corners[3])
    return np.ascontiguousarray(part), inner


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest connected part, smoothed, with small holes closed."""
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    closed = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(closed)
    if count < 2:
        return np.zeros(mask.shape, dtype=bool)
    result: NDArray[np.bool_] = labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    return result


def _write_png(path: Path, pixels: RGBA) -> None:
    make_folder(path.parent)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    with whole_file(path) as file:
        file.write(stream.getvalue())


def _add_origins(folder: Path, origins: dict[str, dict[str, str]]) -> None:
    """Adds to what the folder says about its cut-outs."""
    make_folder(folder)
    path = folder / ORIGINS
    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    with whole_file(path) as stream:
        stream.write(json_text(dict(sorted({**before, **origins}.items())), indent=1).encode())
