"""Changes of training images by name: ``{name: perspective, distortion: 0.3, probability: 0.5}``.

Every one takes and gives RGB uint8 (H, W, 3), of another height and width where it cuts. Where it turns or bends an
image, the image's own mirrored border fills what is left over: black wedges would be something to learn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, Field, ValidationError

from artdet.config import StrictModel, problems
from artdet.errors import ConfigError, did_you_mean
from artdet.images import RGBImage

Augment = Callable[[RGBImage, np.random.Generator], RGBImage]

Share = Annotated[float, Field(ge=0, le=1)]


def _ascending(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError(f"the first must not be above the second, but got {list(pair)}")
    return pair


def _share(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[1] > 1:
        raise ValueError(f"a share of the area is at most 1, but got {list(pair)}")
    return pair


def _odd(side: int) -> int:
    if side % 2 == 0:
        raise ValueError(f"a filter has an odd number of pixels, but got {side}")
    return side


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
        return _pixels(cv2.flip(image, 1))


class VerticalFlip(Transform):
    """Top and bottom exchanged."""

    probability: Share = 0.5

    def _changed(self, image: RGBImage, rng: np.random.Generator) -> RGBImage:
        return _pixels(cv2.flip(image, 0))


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
        return _pixels(cv2.warpPerspective(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101))


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
            image = _pixels(cv2.addWeighted(image, saturation, _grey(image), 1 - saturation, 0))
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
        return _pixels(cv2.GaussianBlur(image, (side, side), rng.uniform(*self.sigma)))


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
        return _pixels(cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101))


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


class Drawing(Transform):
    """A painting turned into something like a drawing."""

    probability: Share = 0.5

    def _changed(self, image: RGBImage, rng: np.random.Generator) -> RGBImage:
        from artdet.data.artworks.drawing_transform import to_drawing

        return to_drawing(image)


TRANSFORMS: Mapping[str, type[Transform]] = {
    "resized_crop": ResizedCrop,
    "flip": Flip,
    "vertical_flip": VerticalFlip,
    "perspective": Perspective,
    "jitter": Jitter,
    "grey": Grey,
    "blur": Blur,
    "rotation": Rotation,
    "affine": Affine,
    "borderless": Borderless,
    "drawing": Drawing,
}


def check_augmentations(settings: Sequence[Mapping[str, Any]]) -> tuple[Transform, ...]:
    """The transforms of a recipe.

    Raises:
        ConfigError: with a line per unknown name or parameter.
    """
    wrong: list[str] = []
    transforms = []
    for index, entry in enumerate(settings):
        where = f"augmentations.{index}"
        name = entry.get("name")
        kind = TRANSFORMS.get(str(name))
        if kind is None:
            wrong.append(f"{where}: name: there is no '{name}'.{did_you_mean(str(name), TRANSFORMS)}")
            continue
        try:
            transforms.append(kind.model_validate({key: value for key, value in entry.items() if key != "name"}))
        except ValidationError as error:
            wrong += problems(error, kind, f"{where} ({name})")
    if wrong:
        raise ConfigError("\n".join(wrong))
    return tuple(transforms)


def augmentation(settings: Sequence[Mapping[str, Any]]) -> Augment:
    """What applies the transforms of a recipe in their order; all chance comes from the generator that it is given.

    Raises:
        ConfigError: if settings are wrong.
    """
    transforms = check_augmentations(settings)

    def augment(image: RGBImage, rng: np.random.Generator) -> RGBImage:
        for transform in transforms:
            image = transform(image, rng)
        return image

    return augment


def _pixels(array: Any) -> RGBImage:
    return np.asarray(array, dtype=np.uint8)


def _grey(image: RGBImage) -> RGBImage:
    return _pixels(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB))


def _scaled(image: RGBImage, factor: float, offset: float) -> RGBImage:
    """``image * factor + offset``, rounded and kept in range."""
    shades = np.clip(np.rint(np.arange(256) * factor + offset), 0, 255).astype(np.uint8)
    return _pixels(cv2.LUT(image, shades))


def _turned(image: RGBImage, turn: float) -> RGBImage:
    """Hues moved by a part of the circle, of which OpenCV's bytes have 256 steps."""
    colours = cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL)
    colours[..., 0] += np.uint8(round(turn * 256) % 256)
    return _pixels(cv2.cvtColor(colours, cv2.COLOR_HSV2RGB_FULL))
