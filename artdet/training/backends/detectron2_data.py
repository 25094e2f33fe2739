"""Training images for Detectron2: which ones when, and how each is varied; runs without the library."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from artdet.boxes import areas, clipped
from artdet.images import RGBImage
from artdet.training.backends.detectron2_config import steps_of_epoch
from artdet.training.backends.torchvision_data import mirrored, recoloured, resized
from artdet.training.examples import Example, epoch_length, indices_of_epoch
from artdet.training.pictures import Pictures, scaled_boxes

_LEAST_SHARE = 0.1
"""A box of which a cut leaves less is left out."""


class Draw(NamedTuple):
    """One image of one epoch.

    Attributes:
        epoch: from 0.
        place: in the epoch, from 0.
        example: its number.
    """

    epoch: int
    place: int
    example: int


def draws(factors: NDArray[np.float64], *, seed: int, batch: int, step: int = 0) -> Iterator[Draw]:
    """The images of all epochs, without end. The last step of an epoch is filled up with its first images.

    Args:
        factors: (I,), how often each example belongs in an epoch.
        seed: of the run.
        batch: images of a step.
        step: to begin with, counted over all epochs.
    """
    steps = steps_of_epoch(epoch_length(factors), batch)
    epoch, first = step // steps, step % steps * batch
    while True:
        indices = np.resize(indices_of_epoch(factors, epoch=epoch, seed=seed), steps * batch)
        for place in range(first, len(indices)):
            yield Draw(epoch, place, int(indices[place]))
        epoch, first = epoch + 1, 0


@dataclass(frozen=True, eq=False)
class View:
    """What the network sees of an example.

    Attributes:
        pixels: RGB uint8 (H, W, 3).
        boxes: (N, 4) float32 xyxy in its pixels.
        labels: (N,) int64.
    """

    pixels: RGBImage
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]


def varied(example: Example, pictures: Pictures, rng: np.random.Generator, *, size: int, scale: float) -> View:
    """An example in another size, cut to a window where it became too large, with other colours, every other mirrored.

    Args:
        example: with boxes in pixels of the image itself.
        pictures: reads it, or a variant of it.
        rng: for all that is drawn.
        size: of the longer side of the window in pixels.
        scale: the longer side becomes up to 1 -+ this of ``size``.
    """
    image = resized(pictures.chosen(example.path, rng), size * rng.uniform(1 - scale, 1 + scale))
    shape = (image.shape[0], image.shape[1])
    view = View(image, scaled_boxes(example.boxes, example.image_size, shape), example.labels)
    top, left = (int(rng.integers(max(0, side - size) + 1)) for side in shape)
    view = cut(view, top, left, size)
    pixels, boxes = recoloured(view.pixels, rng), view.boxes
    if rng.random() < 0.5:
        pixels, boxes = mirrored(pixels, boxes)
    return View(pixels, boxes, view.labels)


def cut(view: View, top: int, left: int, size: int) -> View:
    """The window of at most ``size`` x ``size`` pixels that begins at (top, left)."""
    pixels = view.pixels[top : top + size, left : left + size]
    moved = view.boxes - np.array([left, top, left, top], dtype=np.float32)
    boxes = clipped(moved, (pixels.shape[0], pixels.shape[1]))
    kept = (areas(boxes) > 0) & (areas(boxes) >= _LEAST_SHARE * areas(moved))
    return View(pixels, boxes[kept], view.labels[kept])


def planes(image: RGBImage) -> NDArray[np.uint8]:
    """RGB (H, W, 3) -> BGR (3, H, W), which Detectron2's networks of this kind learn from."""
    return np.ascontiguousarray(image[:, :, ::-1].transpose(2, 0, 1))
