"""GIST: the strength of edges by direction and scale in each part of an image (Oliva and Torralba 2001)."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from artdet.embedders.handmade_base import HandmadeEmbedder
from artdet.images import RGBImage

SCALES, ORIENTATIONS, GRID = 4, 8, 4
_HIGHEST, _FACTOR = 0.3, 1.85  # cycles per pixel of the finest scale, and from one scale to the next
_SIGMA = 0.56  # in wave lengths: a bandwidth of one octave
_LOCAL_CYCLES = 4  # across the image; slower changes of brightness are taken away


class Gist(HandmadeEmbedder):
    """Mean responses of a bank of Gabor filters, 4 scales x 8 orientations, on a grid of 4 x 4 cells.

    The grey image is squashed to a square; its slow changes and its local contrast are evened out first.
    """

    name = "handmade:gist"

    @property
    def dim(self) -> int:
        """Length D of the features."""
        return SCALES * ORIENTATIONS * GRID * GRID

    def described(self, image: RGBImage) -> NDArray[np.float32]:
        """(D,) features of one image, in the order scale (finest first), orientation, row, column.

        Orientation k answers to waves that run at k x 22.5 degrees from the x axis towards the lower edge: 0 to
        vertical stripes, 4 to horizontal ones.
        """
        side = self.settings.gist_side
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        smaller = min(grey.shape[1], side), min(grey.shape[0], side)
        grey = cv2.resize(cv2.resize(grey, smaller, interpolation=cv2.INTER_AREA), (side, side))
        even = evened(np.asarray(grey, dtype=np.float32))
        cells = [cv2.resize(_strength(even, *pair), (GRID, GRID), interpolation=cv2.INTER_AREA) for pair in bank()]
        return np.stack(cells).ravel().astype(np.float32)


def evened(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Grey values (S, S) in 0..255 without slow changes and of even local contrast."""
    # A Gaussian that passes half of the amplitude at _LOCAL_CYCLES across the image.
    sigma = len(grey) * np.sqrt(np.log(2) / 2) / (np.pi * _LOCAL_CYCLES)
    logarithm = np.log1p(grey)
    fast = logarithm - cv2.GaussianBlur(logarithm, (0, 0), sigma)
    contrast = np.sqrt(np.maximum(cv2.GaussianBlur(fast * fast, (0, 0), sigma), 0))
    return np.asarray(fast / (0.2 + contrast), dtype=np.float32)


@cache
def bank() -> tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...]:
    """Even and odd kernel of each filter, scale by scale, finest first; neither answers to an even surface."""
    return tuple(_pair(scale, orientation) for scale in range(SCALES) for orientation in range(ORIENTATIONS))


def _pair(scale: int, orientation: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    length = _FACTOR**scale / _HIGHEST
    side = 2 * round(2.5 * _SIGMA * length) + 1
    size, angle = (side, side), np.pi * orientation / ORIENTATIONS
    even, odd = (cv2.getGaborKernel(size, _SIGMA * length, angle, length, 1, phase) for phase in (0, -np.pi / 2))
    weights = cv2.getGaborKernel(size, _SIGMA * length, angle, 1e9, 1, 0)
    even = even - weights * (even.sum() / weights.sum())
    total = weights.sum()
    return (even / total).astype(np.float32), (odd / total).astype(np.float32)


def _strength(image: NDArray[np.float32], even: NDArray[np.float32], odd: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(cv2.magnitude(cv2.filter2D(image, -1, even), cv2.filter2D(image, -1, odd)), dtype=np.float32)
