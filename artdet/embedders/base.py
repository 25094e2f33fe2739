"""What an embedder is, and what a backbone carries with it. Light: imports no machine-learning library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from artdet.config import StrictModel
from artdet.images import RGBImage

HANDMADE = "handmade:"
"""What the names of embedders begin with that are no networks."""


class Embedder(Protocol):
    """Turns images into vectors whose cosine says how alike they are."""

    @property
    def dim(self) -> int:
        """Length D of the vectors."""

    def embed(self, images: Sequence[RGBImage]) -> NDArray[np.float32]:
        """(N, D), rows of L2 norm 1, of N images RGB uint8 (H, W, 3) of any size."""


class Preprocessing(StrictModel):
    """How an image becomes the input of a backbone; it travels with the weights.

    Attributes:
        image_size: side of the square input in pixels.
        fit: ``crop`` scales the short side to ``image_size / crop_share`` and takes the middle; ``squash`` ignores the
            aspect ratio; ``pad`` scales the long side and fills up with grey.
        crop_share: see ``crop``.
        mean: of each channel in RGB order, for values in 0..1.
        deviation: likewise.
    """

    image_size: int = Field(default=224, ge=16, le=2048)
    fit: Literal["crop", "squash", "pad"] = "crop"
    crop_share: float = Field(default=0.875, gt=0, le=1)
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    deviation: tuple[float, float, float] = (0.229, 0.224, 0.225)

    @property
    def reading_side(self) -> int:
        """Long side in pixels that pictures are reduced to while they are read, in training as in prediction.

        A JPEG then decodes at a fraction of its size. Another side would change answers a little: at half of it, one
        likeliest class in ten.
        """
        return 2 * self.image_size
