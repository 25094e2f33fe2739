"""Images of any size to the square input of a backbone: scaling, cropping and padding, several views, normalisation."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from artdet.embedders.base import Preprocessing
from artdet.images import RGBImage

GREY = 128
"""What ``pad`` fills up with."""

VIEWS_SHARE = 0.875
"""Side of a view as a share of the scaled image where several views are taken and ``crop_share`` asks for more."""

COUNTS = (1, 5, 10)
"""How many views :func:`crops` gives."""


def prepared(image: RGBImage, p: Preprocessing) -> RGBImage:
    """The one view of an image that a backbone is shown.

    Args:
        image: (H, W, 3) of any size.
        p: how.

    Returns:
        (S, S, 3), contiguous, S pixels of side.
    """
    if p.fit != "crop":
        return _fitted(image, p, p.image_size)
    if min(image.shape[:2]) * p.crop_share > p.image_size:
        # Scaling spares what is cut off; when enlarging, whole pixels would put the edges too roughly.
        return _resized(_middle(image, round(min(image.shape[:2]) * p.crop_share)), p.image_size, p.image_size)
    return np.ascontiguousarray(_middle(_fitted(image, p, round(p.image_size / p.crop_share)), p.image_size))


def crops(image: RGBImage, p: Preprocessing, count: int) -> list[RGBImage]:
    """Views of an image whose answers are averaged (Krizhevsky 2012: ten; FiveCrop and TenCrop of torchvision).

    Args:
        image: (H, W, 3) of any size.
        p: how. Where several views would hardly differ, as ``crop_share`` is close to 1, they are taken at 0.875.
        count: 1 for the view of :func:`prepared`; 5 for the middle and the four corners; 10 for these and then their
            mirror images.

    Returns:
        ``count`` views (S, S, 3), the middle first.

    Raises:
        ValueError: for another count.
    """
    if count not in COUNTS:
        raise ValueError(f"{count} views are not offered, but {COUNTS}")
    if count == 1:
        return [prepared(image, p)]
    five = list(_five(image, p))
    return five if count == 5 else five + [np.ascontiguousarray(view[:, ::-1]) for view in five]


def normalised(batch: NDArray[np.uint8], p: Preprocessing, device: str | torch.device = "cpu") -> torch.Tensor:
    """Prepared images as the input of a network.

    Args:
        batch: (N, S, S, 3).
        p: gives mean and deviation.
        device: where to; the bytes travel, not the four times larger floats.

    Returns:
        (N, 3, S, S) float32 in the memory format ``channels_last``, in which the bytes lie already.
    """
    pixels = torch.from_numpy(np.ascontiguousarray(batch)).to(device)
    count, height, width, _ = pixels.shape
    scale, shift = (torch.tensor(values).repeat(width).to(device) for values in _line(p))
    # Rows of whole lines: a last axis of 3 channels is too short for vector instructions.
    lines = torch.addcmul(shift, pixels.view(count, height, width * 3).float(), scale)
    return lines.view(count, height, width, 3).permute(0, 3, 1, 2)


def _line(p: Preprocessing) -> tuple[list[float], list[float]]:
    """Scale and shift of each channel: ``(x / 255 - mean) / deviation`` as one product and one sum."""
    scale = [1 / (255 * deviation) for deviation in p.deviation]
    return scale, [-mean / deviation for mean, deviation in zip(p.mean, p.deviation, strict=True)]


def _five(image: RGBImage, p: Preprocessing) -> Iterator[RGBImage]:
    side = p.image_size
    larger = round(side / min(p.crop_share, VIEWS_SHARE))
    scaled = _fitted(image, p, larger)
    down, right = scaled.shape[0] - side, scaled.shape[1] - side
    for top, left in ((down // 2, right // 2), (0, 0), (0, right), (down, 0), (down, right)):
        yield np.ascontiguousarray(scaled[top : top + side, left : left + side])


def _fitted(image: RGBImage, p: Preprocessing, side: int) -> RGBImage:
    """The whole image: its short side (``crop``), both sides (``squash``) or its long side (``pad``) of ``side``."""
    height, width = image.shape[:2]
    if p.fit == "squash":
        return _resized(image, side, side)
    scale = side / (min(height, width) if p.fit == "crop" else max(height, width))
    scaled = _resized(image, max(round(height * scale), 1), max(round(width * scale), 1))
    return scaled if p.fit == "crop" else _padded(scaled, side)


def _padded(image: RGBImage, side: int) -> RGBImage:
    height, width = image.shape[:2]
    top, left = (side - height) // 2, (side - width) // 2
    square = np.full((side, side, 3), GREY, dtype=np.uint8)
    square[top : top + height, left : left + width] = image
    return square


def _middle(image: RGBImage, side: int) -> RGBImage:
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    return image[top : top + side, left : left + side]


def _resized(image: RGBImage, height: int, width: int) -> RGBImage:
    """Shrinks by areas, then enlarges: OpenCV's areas are meant for shrinking only, each axis for itself."""
    smaller = min(height, image.shape[0]), min(width, image.shape[1])
    if smaller != image.shape[:2]:
        image = np.asarray(cv2.resize(image, smaller[::-1], interpolation=cv2.INTER_AREA), dtype=np.uint8)
    if smaller != (height, width):
        image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
    return np.ascontiguousarray(image)
