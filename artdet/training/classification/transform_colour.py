"""Changes of the colours and lines of training images."""

from __future__ import annotations

from typing import Annotated

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from artdet.images import RGBImage
from artdet.training.classification.transform_base import Range, Share, Transform, pixels


def _odd(side: int) -> int:
    if side % 2 == 0:
        raise ValueError(f"a filter has an odd number of pixels, but got {side}")
    return side


class Jitter(Transform):
    """Other colours.

    Attributes:
        brightness: changes by at most this factor up or down: 0.2 is 0.8..1.2.
        contrast: to the mean grey of the image, likewise.
        saturation: likewise.
        hue: is turned by at most this part of the colour circle either way.
    """

    brightness: Share = 0.2
    contrast: Share = 0.2
    saturation: Share = 0.2
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.0

    def _changed(self, image: RGBImage, rng: np.random.Generator) -> RGBImage:
        brightness, contrast, saturation = (1 + rng.uniform(-1, 1, 3) * self._most).tolist()
        turn = rng.uniform(-self.hue, self.hue)
        image = _scaled(image, brightness, 0.0)
        middle = float(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).mean())
        image = _scaled(image, contrast, (1 - contrast) * middle)
        if self.saturation:
            image = pixels(cv2.addWeighted(image, saturation, _grey(image), 1 - saturation, 0))
        return _turned(image, turn) if self.hue else image

    @property
    def _most(self) -> NDArray[np.float64]:
        return np.array([self.brightness, self.contrast, self.saturation])


class Grey(Transform):
    """Without colours."""

    probability: Share = 0.1

    def _changed(self, image: RGBImage, rng: np.random.Generator) -> RGBImage:
        return _grey(image)


class Blur(Transform):
    """Gaussian blur.

    Attributes:
        sigma: in pixels.
        kernel: side of the filter in pixels; as ``sigma`` needs by default.
    """

    sigma: Range = (0.1, 2.0)
    kernel: Annotated[int, Field(ge=3), AfterValidator(_odd)] | None = None
    probability: Share = 0.5

    def _changed(self, image: RGBImage, rng: np.random.Generator) -> RGBImage:
        side = self.kernel or 0
        return pixels(cv2.GaussianBlur(image, (side, side), rng.uniform(*self.sigma)))


class Drawing(Transform):
    """A painting turned into something like a drawing."""

    probability: Share = 0.5

    def _changed(self, image: RGBImage, rng: np.random.Generator) -> RGBImage:
        from artdet.data.artworks.drawing_transform import to_drawing

        return to_drawing(image)


def _grey(image: RGBImage) -> RGBImage:
    return pixels(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB))


def _scaled(image: RGBImage, factor: float, offset: float) -> RGBImage:
    """``image * factor + offset``, rounded and kept in range."""
    shades = np.clip(np.rint(np.arange(256) * factor + offset), 0, 255).astype(np.uint8)
    return pixels(cv2.LUT(image, shades))


def _turned(image: RGBImage, turn: float) -> RGBImage:
    """Hues moved by a part of the circle, of which OpenCV's bytes have 256 steps."""
    colours = cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL)
    colours[..., 0] += np.uint8(round(turn * 256) % 256)
    return pixels(cv2.cvtColor(colours, cv2.COLOR_HSV2RGB_FULL))
