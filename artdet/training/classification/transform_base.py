"""What all changes of training images have."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, Field

from artdet.config import StrictModel
from artdet.images import RGBImage

Share = Annotated[float, Field(ge=0, le=1)]


def _ascending(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError(f"the first must not be above the second, but got {list(pair)}")
    return pair


Range = Annotated[
    tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], Annotated[float, Field(gt=0, allow_inf_nan=False)]],
    AfterValidator(_ascending),
]


class Transform(StrictModel):
    """One change.

    Attributes:
        probability: that an image is changed at all.
    """

    probability: Share = 1.0

    def __call__(self, image: RGBImage, rng: np.random.Generator) -> RGBImage:
        """The image, changed or not."""
        if rng.random() >= self.probability:
            return image
        return np.ascontiguousarray(self._changed(image, rng))

    def _changed(self, image: RGBImage, rng: np.random.Generator) -> RGBImage:
        raise NotImplementedError


def pixels(array: Any) -> RGBImage:
    """What OpenCV gives, as an image."""
    return np.asarray(array, dtype=np.uint8)
