"""Changes of where things are in training images: crops, mirrors, turns and views.

Where one turns or bends an image, the image's own mirrored border fills what is left over: black wedges would be
something to learn.
"""

from __future__ import annotations

from typing import Annotated

import cv2
import numpy as np
from pydantic import AfterValidator, Field

from artdet.images import RGBImage
from artdet.training.classification.transform_base import Range, Share, Transform, pixels


def _share(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[1] > 1:
        raise ValueError(f"a share of the area is at most 1, but got {list(pair)}")
    return pair


class ResizedCrop(Transform):
    """A part of the image, which preprocessing brings to the usual size.

    Attributes:
        scale: its share of the area.
        ratio: its width to its height, relative to the whole image's: preprocessing may squash images to squares.
    """

    scale: Annotated[Range, AfterValidator(_share)] = (0.5, 1.0)
    ratio: Range = (3 / 4, 4 / 3)

    def _changed(self, image: RGBImage, rng: np.random.Generator) -> RGBImage:
        area = rng.uniform(*self.scale)
        ratio = np.exp(rng.uniform(*np.log(self.ratio)))
        shares = np.minimum(1.0, np.sqrt([area / ratio, area * ratio]))
        height, width = np.maximum(1, np.rint(shares * image.shape[:2])).astype(int)
        top = rng.integers(image.shape[0] - height + 1)
        left = rng.integers(image.shape[1] - width + 1)
        return image[top : top + height, left : left + width]


class Flip(Transform):
    """Left and right exchanged."""

    probability: Share = 0.5

    def _changed(self, image: RGBImage, rng: np.random.Generator) -> RGBImage:
        return pixels(cv2.flip(image, 1))


class VerticalFlip(Transform):
    """Top and bottom exchanged."""

    probability: Share = 0.5

    def _changed(self, image: RGBImage, rng: np.random.Generator) -> RGBImage:
        return pixels(cv2.flip(image, 0))


class Perspective(Transform):
    """As seen from aside.

    Attributes:
        distortion: how far corners move inwards at most, as a share of half the side. Beyond two thirds a corner may
            lie between two others, where there is no such view.
    """

    distortion: Annotated[float, Field(ge=0, le=0.6)] = 0.3
    probability: Share = 0.5

    def _changed(self, image: RGBImage, rng: np.random.Generator) -> RGBImage:
        height, width = image.shape[:2]
        right, bottom = width - 1, height - 1
        corners = np.array([[0, 0], [right, 0], [right, bottom], [0, bottom]], dtype=np.float32)
        inwards = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]], dtype=np.float32)
        most = self.distortion * np.array([width, height]) / 2
        moved = corners + inwards * rng.uniform(0, most, (4, 2)).astype(np.float32)
        matrix = cv2.getPerspectiveTransform(corners, moved)
        return pixels(cv2.warpPerspective(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101))


class Affine(Transform):
    """Turned, moved, scaled and slanted about the middle.

    Attributes:
        degrees: at most, either way.
        translate: at most, either way, as a share of width and height.
        scale: factor of the size.
        shear: in degrees at most, either way, along the width.
    """

    degrees: float = Field(default=10.0, ge=0, le=180)
    translate: Share = 0.1
    scale: Range = (0.9, 1.1)
    shear: float = Field(default=0.0, ge=0, le=60)

    def _changed(self, image: RGBImage, rng: np.random.Generator) -> RGBImage:
        height, width = image.shape[:2]
        turn, slant = np.radians(rng.uniform([-self.degrees, -self.shear], [self.degrees, self.shear]))
        size = rng.uniform(*self.scale)
        shift = rng.uniform(-self.translate, self.translate, 2) * (width, height)
        turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        linear = size * turned @ np.array([[1.0, np.tan(slant)], [0.0, 1.0]])
        middle = np.array([(width - 1) / 2, (height - 1) / 2])
        matrix = np.column_stack([linear, middle - linear @ middle + shift])
        return pixels(cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101))


class Rotation(Transform):
    """Turned about the middle.

    Attributes:
        degrees: at most, either way.
    """

    degrees: float = Field(default=10.0, ge=0, le=180)

    def _changed(self, image: RGBImage, rng: np.random.Generator) -> RGBImage:
        return Affine(degrees=self.degrees, translate=0, scale=(1, 1))._changed(image, rng)


class Borderless(Transform):
    """Without its border, where frames and the scanner's background are.

    Attributes:
        px: width of the border in pixels; at most a quarter of each side is cut.
    """

    px: int = Field(default=20, ge=1)

    def _changed(self, image: RGBImage, rng: np.random.Generator) -> RGBImage:
        height, width = image.shape[:2]
        across, down = min(self.px, width // 4), min(self.px, height // 4)
        return image[down : height - down, across : width - across]
