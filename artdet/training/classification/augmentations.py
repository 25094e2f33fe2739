"""Changes of training images by name: ``{name: perspective, distortion: 0.3, probability: 0.5}``.

Every one takes and gives RGB uint8 (H, W, 3), of another height and width where it cuts. Sizes in pixels are of images
as they are read, at most ``Preprocessing.reading_side`` long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import ValidationError

from artdet.config import problems
from artdet.errors import ConfigError, did_you_mean
from artdet.images import RGBImage
from artdet.training.classification.transform_base import Transform
from artdet.training.classification.transform_colour import Blur, Drawing, Grey, Jitter
from artdet.training.classification.transform_shape import (
    Affine,
    Borderless,
    Flip,
    Perspective,
    ResizedCrop,
    Rotation,
    VerticalFlip,
)

Augment = Callable[[RGBImage, np.random.Generator], RGBImage]

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
