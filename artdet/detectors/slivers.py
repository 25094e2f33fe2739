"""Pictures so thin that scaling their long side down would leave nothing of the short one."""

from __future__ import annotations

import numpy as np

from artdet.images import RGBImage


def thickened(image: RGBImage, long_side: int) -> RGBImage:
    """The image (H, W, 3), with black below or on the right if its short side would scale to less than a pixel.

    Args:
        image: RGB uint8 (H, W, 3); boxes in pixels of the result are also in pixels of the image.
        long_side: what the long side will be scaled to, in pixels.

    >>> thickened(np.ones((1, 900, 3), dtype=np.uint8), 300).shape
    (4, 900, 3)
    """
    height, width = image.shape[:2]
    least = 1 + -(-max(height, width) // long_side)
    if min(height, width) * long_side > max(height, width):
        return image
    return np.pad(image, ((0, max(0, least - height)), (0, max(0, least - width)), (0, 0)))
