"""Mistakes as small pictures: what is around the box, the boxes on it, and what to make of it, as data URIs."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from artdet.boxes import ious
from artdet.errors import ImageError
from artdet.evaluate.results import Mistake
from artdet.images import RGBImage
from artdet.images.reader import read_image
from artdet.palette import RGB, category_colours
from artdet.runs import Box
from artdet.taxonomy import Taxonomy

_CONTEXT = 2.4
"""How many times as large as the box the picture is."""
_LEAST = 96.0
"""The least side of a crop in pixels of the original: of a tiny box alone nobody could tell where it lies."""
_MOST_ENLARGED = 4.0
_MOST_STRETCHED = 0.02
"""How much the shape of an image may differ from the boxes' size, relatively, before they are of two images."""
_QUALITIES = (80, 70, 60, 50, 40)
_LINES = 240
"""So many thin lines would fill the longer side."""
_OTHER: RGB = (150, 150, 150)
_DARK: RGB = (0, 0, 0)
_WHITE: RGB = (255, 255, 255)
_SAME = 0.99
"""Boxes of one class that overlap this much are the box of the mistake itself."""


@dataclass(frozen=True)
class Scene:
    """Where a mistake happened.

    Attributes:
        image: the file.
        size: (height, width) in pixels that the boxes refer to.
        truth: true boxes; their scores mean nothing.
        found: predictions.
    """

    image: Path
    size: tuple[int, int]
    truth: tuple[Box, ...]
    found: tuple[Box, ...]


@dataclass(frozen=True)
class Picture:
    """A small picture.

    Attributes:
        data: a ``data:`` URI of a JPEG.
        size: (height, width) of it in pixels.
    """

    data: str
    size: tuple[int, int]


def picture(
    mistake: Mistake, scene: Scene, *, taxonomy: Taxonomy, side: int = 480, most_bytes: int = 40_000
) -> Picture:
    """The part of an image around a mistake, with all boxes there.

    The mistake's own box is thick and has the colour of its category; solid lines are found, dashed lines are true.

    Args:
        mistake: with its box in pixels of ``scene.size``.
        scene: the image and its boxes.
        taxonomy: gives each label its category; a label that it does not know is grey.
        side: of the longer side in pixels, at most.
        most_bytes: of the JPEG, as far as a lower quality that is still fit to look at can do it.

    Raises:
        ImageError: if the image cannot be read, or is not the one that the boxes are of.
    """
    window = _window(mistake.box, scene.size)
    crop = _cropped(scene, window, side)
    height, width = crop.shape[:2]
    scale = np.array([width / (window[2] - window[0]), height / (window[3] - window[1])] * 2)
    origin = np.array([window[0], window[1]] * 2)
    colours = _Colours(taxonomy)
    thin = max(1, round(max(height, width) / _LINES))
    image = Image.fromarray(crop)
    pen = ImageDraw.Draw(image)
    for boxes, dashed in ((scene.found, False), (scene.truth, True)):
        own_kind = dashed == (mistake.kind == "miss")
        for box in boxes:
            if not (own_kind and _is_own(box, mistake)):
                corners = (np.array(box.box) - origin) * scale
                _outline(pen, corners, _WHITE if dashed else colours.of(box.label), thick=thin, dashed=dashed)
    own = (np.array(mistake.box) - origin) * scale
    _outline(pen, own, colours.of(mistake.label), thick=3 * thin, dashed=mistake.kind == "miss")
    return Picture(jpeg_uri(image, most_bytes), (height, width))


def nearest(mistake: Mistake, scene: Scene) -> tuple[Box, float] | None:
    """The box of the other side that overlaps the mistake's most, with its IoU; ``None`` if none does.

    Of a false alarm it is a true box, of a miss a found one: what the mistake was perhaps about.
    """
    others = scene.truth if mistake.kind == "false alarm" else scene.found
    if not others:
        return None
    overlap = ious(np.array([mistake.box]), np.array([box.box for box in others]))[0]
    best = int(np.argmax(overlap))
    return (others[best], float(overlap[best])) if overlap[best] > 0 else None


class _Colours:
    """Colours of labels, as ``--draw`` has them."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        colours = category_colours(taxonomy)
        self._by_label = {node.name: colours[node.category] for node in taxonomy.nodes}

    def of(self, label: str) -> RGB:
        return self._by_label.get(label, _OTHER)


def _is_own(box: Box, mistake: Mistake) -> bool:
    """Whether this is the box of the mistake, which is drawn last; its label may be one level finer."""
    same_score = mistake.score is None or math.isclose(box.score, mistake.score, abs_tol=1e-3)
    return same_score and float(ious(np.array([box.box]), np.array([mistake.box]))[0, 0]) >= _SAME


def _window(box: Sequence[float], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """(x1, y1, x2, y2) in whole pixels inside an image of ``size`` (height, width), around the box and not smaller."""
    height, width = size
    sides = (max(box[2] - box[0], 1.0), max(box[3] - box[1], 1.0))
    wanted = max(_CONTEXT * math.sqrt(sides[0] * sides[1]), _LEAST)
    x1, x2 = _span(box[0], box[2], max(wanted, 1.3 * sides[0]), width)
    y1, y2 = _span(box[1], box[3], max(wanted, 1.3 * sides[1]), height)
    return x1, y1, x2, y2


def _span(low: float, high: float, wanted: float, limit: int) -> tuple[int, int]:
    """A stretch of length ``wanted`` with the box in its middle, moved (not cut) where the image ends, if it fits."""
    length = min(float(limit), wanted)
    start = min(max(0.0, (low + high - length) / 2), limit - length)
    first = min(max(0, math.floor(start)), limit - 1)
    return first, max(first + 1, min(limit, math.ceil(start + length)))


def _cropped(scene: Scene, window: tuple[int, int, int, int], side: int) -> RGBImage:
    """The window's pixels; a large scan is read no larger than needed."""
    height, width = scene.size
    longest = max(window[2] - window[0], window[3] - window[1])
    needed = max(1, math.ceil(max(height, width) * min(1.0, side / longest)))
    read = read_image(scene.image, max_side=needed)
    if abs(math.log(read.original_size[1] / read.original_size[0] * height / width)) > _MOST_STRETCHED:
        message = f"The image is {read.original_size[1]}x{read.original_size[0]} now, but was {width}x{height}."
        raise ImageError("changed", message)
    high, wide = read.pixels.shape[:2]
    x1, x2 = (min(wide - 1, round(x * wide / width)) if x < width else wide for x in (window[0], window[2]))
    y1, y2 = (min(high - 1, round(y * high / height)) if y < height else high for y in (window[1], window[3]))
    pixels = read.pixels[y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)]
    factor = min(side / max(pixels.shape[:2]), _MOST_ENLARGED)
    size = (max(1, round(pixels.shape[1] * factor)), max(1, round(pixels.shape[0] * factor)))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    resized: RGBImage = cv2.resize(np.ascontiguousarray(pixels), size, interpolation=method)
    return resized


def _outline(pen: ImageDraw.ImageDraw, corners: NDArray[np.float64], colour: RGB, *, thick: int, dashed: bool) -> None:
    """A line of the colour on a dark rim, so that it shows on dark and on light works."""
    x1, y1, x2, y2 = (float(value) for value in corners)
    x2, y2 = max(x2, x1 + 2 * thick), max(y2, y1 + 2 * thick)  # a box without area must be seen, too
    for ink, width in ((_DARK, thick + 2), (colour, thick)):
        for start, end in (((x1, y1), (x2, y1)), ((x2, y1), (x2, y2)), ((x2, y2), (x1, y2)), ((x1, y2), (x1, y1))):
            pieces = _dashes(start, end, 4 + 2 * thick) if dashed and ink is colour else [(start, end)]
            for first, last in pieces:
                pen.line((first, last), fill=ink, width=width)


def _dashes(
    start: tuple[float, float], end: tuple[float, float], length: float
) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Every other piece of a line, begun and ended with one, each about ``length`` pixels long."""
    whole = math.dist(start, end)
    pieces = max(1, 2 * round(whole / length / 2) + 1)
    at = np.linspace(start, end, pieces + 1).tolist()
    return [((at[i][0], at[i][1]), (at[i + 1][0], at[i + 1][1])) for i in range(0, pieces, 2)]


def jpeg_uri(image: Image.Image, most_bytes: int) -> str:
    """A ``data:`` URI of a JPEG, within ``most_bytes`` if a lower quality that is still fit to look at helps."""
    data = b""
    for quality in _QUALITIES:
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=quality, optimize=True)
        data = stream.getvalue()
        if len(data) <= most_bytes:
            break
    return "data:image/jpeg;base64," + base64.b64encode(data).decode("ascii")
