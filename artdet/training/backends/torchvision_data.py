"""Training images for Faster R-CNN: resized, mirrored, with slightly other colours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from artdet.images import RGBImage
from artdet.training.backends.epoch_sampler import EpochSampler
from artdet.training.examples import Example
from artdet.training.pictures import Pictures, scaled_boxes

Place = tuple[int, int, int]
"""Epoch from 0, place in the epoch, example: enough to draw the same changes again."""

COLOURS = 0.2
"""Brightness, contrast and saturation change by up to this share."""


@dataclass(frozen=True)
class Target:
    """What an image shows, and what is known of it.

    Attributes:
        boxes: (N, 4) float32 xyxy in pixels.
        labels: (N,) int64 outputs of the network: 1..K, as 0 is the background.
        labelled: bool (K,); see :class:`artdet.training.examples.Example`.
        covered: bool (K,), likewise.
    """

    boxes: torch.Tensor
    labels: torch.Tensor
    labelled: torch.Tensor
    covered: torch.Tensor

    def to(self, device: str) -> Target:
        """The same on a device."""
        parts = (self.boxes, self.labels, self.labelled, self.covered)
        return Target(*(part.to(device, non_blocking=True) for part in parts))


Shown = tuple[torch.Tensor, Target]
"""An image uint8 (3, H, W) RGB, and what it shows."""


class ExampleImages(Dataset[Shown]):
    """Examples as tensors.

    Args:
        examples: what is learnt from.
        pictures: reads them.
        side: of the longer side, in pixels, before ``scale``.
        scale: images are resized by up to 1 -+ this.
        seed: of the run.
    """

    def __init__(self, examples: Sequence[Example], pictures: Pictures, *, side: int, scale: float, seed: int) -> None:
        self._examples, self._pictures = examples, pictures
        self._side, self._scale, self._seed = side, scale, seed

    def __getitem__(self, place: Place) -> Shown:
        epoch, position, index = place
        example = self._examples[index]
        rng = np.random.default_rng((self._seed, epoch, position))
        image = self._pictures.chosen(example.path, rng)
        image = resized(image, self._side * (1 + self._scale * rng.uniform(-1, 1)))
        boxes = scaled_boxes(example.boxes, example.image_size, (image.shape[0], image.shape[1]))
        if rng.random() < 0.5:
            image, boxes = mirrored(image, boxes)
        solid = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        planes = torch.from_numpy(np.ascontiguousarray(recoloured(image, rng).transpose(2, 0, 1)))
        return planes, Target(
            torch.from_numpy(boxes[solid]),
            torch.from_numpy(example.labels[solid] + 1),
            torch.from_numpy(example.labelled),
            torch.from_numpy(example.covered),
        )


class PlaceSampler(EpochSampler):
    """As its base, but gives the place of each example too."""

    def __iter__(self) -> Iterator[Place]:  # type: ignore[override]
        first, processes = self.skipped * self._processes + self._rank, self._processes
        for number, index in enumerate(super().__iter__()):
            yield self.epoch, first + number * processes, index


def loader(images: ExampleImages, sampler: PlaceSampler, *, batch: int, workers: int) -> DataLoader[Shown]:
    """Batches of an epoch, each a list of images with their targets."""
    return DataLoader(images, batch, sampler=sampler, num_workers=workers, collate_fn=list)


def resized(image: RGBImage, side: float) -> RGBImage:
    """An image (H, W, 3) with its longer side at ``side`` pixels."""
    height, width = image.shape[:2]
    ratio = side / max(height, width)
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    if size == (width, height):
        return image
    method = cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=method), dtype=np.uint8)


def mirrored(image: RGBImage, boxes: NDArray[np.float32]) -> tuple[RGBImage, NDArray[np.float32]]:
    """Left and right exchanged: an image (H, W, 3) and its boxes (N, 4) xyxy.

    >>> mirrored(np.zeros((4, 10, 3), np.uint8), np.array([[1, 0, 3, 4]], np.float32))[1].tolist()
    [[7.0, 0.0, 9.0, 4.0]]
    """
    width = np.float32(image.shape[1])
    turned = np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], axis=1)
    return image[:, ::-1], turned


def recoloured(image: RGBImage, rng: np.random.Generator) -> RGBImage:
    """An image (H, W, 3) with other brightness, contrast and saturation, each by up to ``COLOURS``."""
    brightness, contrast, saturation = rng.uniform(1 - COLOURS, 1 + COLOURS, 3).astype(np.float32)
    pixels = image.astype(np.float32)
    grey = pixels.mean(axis=2, keepdims=True)
    pixels = grey + saturation * (pixels - grey)
    middle = grey.mean()
    pixels = brightness * (middle + contrast * (pixels - middle))
    changed: RGBImage = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    return changed
