"""Histogram of the colours of an image in CIE L*a*b*."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from artdet.embedders.handmade_base import HandmadeEmbedder
from artdet.images import RGBImage

RANGES = ((0.0, 100.0), (-64.0, 64.0), (-64.0, 64.0))
"""Of L*, a*, b*. Pigments hardly leave them; what does goes into the outermost bin."""


class LabHistogram(HandmadeEmbedder):
    """Joint histogram over L*, a* and b*: which colours there are, not where.

    The features are square roots of the shares of pixels, so that their product is the Bhattacharyya coefficient of
    two histograms, and their norm is 1.
    """

    name = "handmade:lab_histogram"

    @property
    def dim(self) -> int:
        """Length D of the features."""
        return math.prod(self.settings.bins)

    def described(self, image: RGBImage) -> NDArray[np.float32]:
        """(D,) features of one image, L* the slowest and b* the fastest."""
        # Floats, as OpenCV rounds a* and b* of bytes to whole numbers.
        colours = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB).reshape(-1, 3)
        low, high = np.array(RANGES, dtype=np.float32).T
        bins = np.array(self.settings.bins)
        places = np.clip(((colours - low) / (high - low) * bins).astype(np.int64), 0, bins - 1)
        counts = np.bincount(np.ravel_multi_index(tuple(places.T), self.settings.bins), minlength=self.dim)
        return np.sqrt(counts / len(colours)).astype(np.float32)
