"""Makes a painting look like a pencil drawing, so that there is something to learn the difference from."""

from __future__ import annotations

import cv2
import numpy as np

from artdet.images import RGBImage

SIGMA = 10.0
"""Of the Gaussian, in pixels; the larger, the broader the strokes."""


def to_drawing(image: RGBImage) -> RGBImage:
    """Grey; the inverse, blurred; and the one lightened by the other (dodge blend): only edges stay dark.

    Args:
        image: RGB uint8 (H, W, 3).

    Returns:
        RGB uint8 of the same shape, with three equal channels.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    blurred = cv2.GaussianBlur(255.0 - grey, (0, 0), SIGMA)
    # Where nothing is left to divide by, any light is full light, and black stays black.
    drawn = np.where(grey > 0, grey * 255.0 / np.maximum(255.0 - blurred, 1e-3), 0.0)
    values = np.clip(np.rint(drawn), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.repeat(values[:, :, None], 3, axis=2))
