"""Pictures with boxes, labels and scores: legible on dark and on light works, in crowds, from 200 to 8000 pixels."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from artdet.atomic import whole_file
from artdet.boxes import areas, intersections
from artdet.errors import RunError
from artdet.fonts import font_for
from artdet.images import RGBImage
from artdet.palette import RGB, category_colours, contrasting
from artdet.runs import Box
from artdet.taxonomy import Taxonomy

__all__ = ["category_colours", "draw", "save_picture"]

_SMALLEST = 850.0
"""A picture is enlarged until its geometric mean side has so many pixels, or until one limit below is met."""
_MOST_ENLARGED = 4.0
_LONGEST_ENLARGED = 2400.0
_QUALITY = 90
_WORTH = 0.5
"""How much less a short text must hide to be taken; half a small box, or a twentieth of another label."""
_DARK = (0, 0, 0, 255)
_LIGHT = (255, 255, 255, 150)


@dataclass(frozen=True)
class _Style:
    """Sizes in pixels of one picture."""

    text: int
    line: int
    rim: int

    @classmethod
    def of(cls, size: tuple[int, int], count: int) -> _Style:
        """For a picture of ``size`` (height, width) with ``count`` boxes: the more boxes, the finer."""
        unit = math.sqrt(size[0] * size[1]) / 48
        crowd = min(1.0, max(0.72, (12 / max(count, 1)) ** 0.25))
        return cls(
            text=max(11, round(unit * crowd)),
            line=max(2, round(unit * crowd / 6)),
            rim=max(1, round(unit / 16)),
        )


@dataclass(frozen=True)
class _Plate:
    """The text of one box and the pixel size (width, height) of the plate behind it."""

    text: str
    size: tuple[int, int]


def draw(image: RGBImage, boxes: Sequence[Box], *, taxonomy: Taxonomy, image_size: tuple[int, int]) -> RGBImage:
    """The picture with its boxes: a colour for each category, label and score on a plate of that colour.

    Args:
        image: the picture, untouched; it may be a reduced copy of the work.
        boxes: in pixels of the original.
        taxonomy: gives each label its category.
        image_size: (height, width) of the original that the boxes refer to.

    Returns:
        A new RGB array (H, W, 3), enlarged where the picture is too small for legible text.

    Raises:
        LabelError: if the taxonomy does not know a label.
    """
    canvas = _canvas(image)
    height, width = canvas.shape[:2]
    if not boxes:
        return canvas.copy()
    colours = category_colours(taxonomy)
    nodes = [taxonomy.nodes[taxonomy.id_of(box.label)] for box in boxes]
    corners = _corners(boxes, image_size, (height, width))
    style = _Style.of((height, width), len(boxes))
    picture = Image.fromarray(canvas)
    pen = ImageDraw.Draw(picture, "RGBA")
    order = np.argsort(-areas(corners), kind="stable")
    for index in order:
        _outline(pen, corners[index], colours[nodes[index].category], style)
    texts = [_texts(box, node.is_fine) for box, node in zip(boxes, nodes, strict=True)]
    for index, place, plate in _placed(texts, corners, (height, width), style):
        _label(pen, place, plate, colours[nodes[index].category], style)
    return np.array(picture)


def save_picture(path: Path, image: RGBImage) -> None:
    """Writes RGB uint8 (H, W, 3) as JPEG, whole or not at all.

    Raises:
        RunError: if it cannot be written.
    """
    data = io.BytesIO()
    try:
        # Full colour resolution: thin coloured lines and small letters would smear without it.
        Image.fromarray(image).save(data, "JPEG", quality=_QUALITY, subsampling=0)
    except (OSError, ValueError) as error:
        size = f"{image.shape[1]}x{image.shape[0]}"
        raise RunError(f"{path}: a picture of {size} pixels does not fit into a JPEG. Draw a smaller copy.") from error
    with whole_file(path) as stream:
        stream.write(data.getbuffer())


def _canvas(image: RGBImage) -> RGBImage:
    height, width = image.shape[:2]
    wanted = _SMALLEST / math.sqrt(height * width)
    factor = min(wanted, _MOST_ENLARGED, _LONGEST_ENLARGED / max(height, width))
    if factor <= 1.0:
        return image
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    enlarged: RGBImage = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)
    return enlarged


def _corners(boxes: Sequence[Box], original: tuple[int, int], size: tuple[int, int]) -> NDArray[np.float64]:
    """Boxes (N, 4) in pixels of the canvas, cut at its borders."""
    height, width = size
    scale = np.array([width / original[1], height / original[0]] * 2)
    limits = np.array([width, height, width, height], dtype=np.float64)
    corners: NDArray[np.float64] = np.array([box.box for box in boxes], dtype=np.float64) * scale
    return np.clip(corners, 0.0, limits)


def _outline(pen: ImageDraw.ImageDraw, corners: NDArray[np.float64], colour: RGB, style: _Style) -> None:
    """A line of the colour between a dark rim (outside) and a light one (inside): one of the two always shows."""
    x1, y1, x2, y2 = (round(float(value)) for value in corners)
    x2, y2 = max(x2, x1 + 1), max(y2, y1 + 1)
    side = min(x2 - x1, y2 - y1)
    line = max(1, min(style.line, side // 10))
    rim = min(style.rim, line)
    glint = max(1, rim // 2) if side > 8 * line else 0
    rings = ((rim, _DARK, rim), (0, colour, line), (-line, _LIGHT, glint))
    for offset, ink, thick in rings:
        left, top, right, bottom = x1 - offset, y1 - offset, x2 - 1 + offset, y2 - 1 + offset
        if thick and right >= left and bottom >= top:
            pen.rectangle((left, top, right, bottom), outline=ink, width=thick)


def _texts(box: Box, fine: bool) -> tuple[str, str]:
    """Full text and short text; the short one leaves out the category's name, which the colour says already."""
    score = f"{box.score:.2f}"
    return f"{box.label} {score}", box.label if fine else score


def _plate(text: str, style: _Style) -> _Plate:
    wide = font_for(text, style.text).getlength(text)
    return _Plate(text, (math.ceil(wide + 0.5 * style.text), math.ceil(1.22 * style.text)))


def _placed(
    texts: Sequence[tuple[str, str]], corners: NDArray[np.float64], size: tuple[int, int], style: _Style
) -> list[tuple[int, tuple[int, int], _Plate]]:
    """Index, upper left corner (x, y) and plate of each label; small boxes choose first, as they have less choice."""
    taken = np.zeros((0, 4))
    placed = []
    for index in np.argsort(areas(corners), kind="stable"):
        cost, spot, plate = math.inf, np.zeros(4), _plate("", style)
        for text in texts[index]:
            tried = _plate(text, style)
            spots = _spots(corners[index], tried.size, size)
            costs = _costs(spots, taken, corners, int(index))
            best = int(np.argmin(costs))
            if costs[best] < cost - _WORTH:
                cost, spot, plate = float(costs[best]), spots[best], tried
            if cost < _WORTH:
                break
        taken = np.vstack([taken, spot])
        placed.append((int(index), (int(spot[0]), int(spot[1])), plate))
    return placed


def _spots(corners: NDArray[np.float64], plate: tuple[int, int], size: tuple[int, int]) -> NDArray[np.float64]:
    """Places (M, 4) for a plate at a box, the best first, all inside the picture."""
    (wide, high), (height, width) = plate, size
    x1, y1, x2, y2 = corners
    corner = [
        (x1, y1 - high), (x1, y1), (x2 - wide, y1 - high), (x2 - wide, y1),
        (x1, y2), (x2 - wide, y2), (x1, y2 - high), (x2 - wide, y2 - high),
        (x2, y1), (x1 - wide, y1), (x2, y2 - high), (x1 - wide, y2 - high),
        (x1, y1 - 2 * high), (x1, y1 + high), (x1, y2 + high), ((x1 + x2 - wide) / 2, y1 - high),
    ]  # fmt: skip
    places = np.round(np.array(corner))
    places[:, 0] = np.clip(places[:, 0], 0, max(0, width - wide))
    places[:, 1] = np.clip(places[:, 1], 0, max(0, height - high))
    return np.hstack([places, places + np.array([wide, high])])


def _costs(
    spots: NDArray[np.float64], taken: NDArray[np.float64], corners: NDArray[np.float64], own: int
) -> NDArray[np.float64]:
    """What each place (M, 4) hides: other labels above all, then small boxes, then its own; ties go to the earlier."""
    plate = areas(spots)[0]
    labels = intersections(spots, taken).sum(axis=1) / plate
    hidden = intersections(spots, corners) / np.maximum(areas(corners), 1.0)
    rank = np.arange(len(spots)) * 0.02
    return np.asarray(10 * labels + 2 * hidden.sum(axis=1) + hidden[:, own] + rank, dtype=np.float64)


def _label(pen: ImageDraw.ImageDraw, place: tuple[int, int], plate: _Plate, colour: RGB, style: _Style) -> None:
    x, y = place
    wide, high = plate.size
    pen.rectangle((x, y, x + wide - 1, y + high - 1), fill=colour, outline=(0, 0, 0), width=max(1, style.rim // 2))
    middle = (x + wide / 2, y + high / 2)
    pen.text(middle, plate.text, fill=contrasting(colour), font=font_for(plate.text, style.text), anchor="mm")
