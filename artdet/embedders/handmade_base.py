"""What all features made by hand share: settings, reduction of images, their state as tensors."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import ClassVar, Self

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from artdet.config import StrictModel
from artdet.errors import ModelError
from artdet.images import RGBImage

SETTINGS = "settings"
"""Name of the tensor that holds the settings: JSON as uint8."""


class HandmadeSettings(StrictModel):
    """Options of features made by hand; each takes those that concern it.

    Attributes:
        long_side: larger images are reduced to it first, in pixels; smaller ones stay as they are.
        bins: of L*, a* and b* (``lab_histogram``); odd for the last two, so that grey lies within a bin.
        gist_side: of the square in pixels that ``gist`` filters.
        points: places at which SIFT describes an image, about, for each size of patch where there are several.
        words: of the codebook (``sift_bag``).
        modes: Gaussians of the mixture (``fisher``).
        axes: principal axes of the descriptors that are kept (``fisher``).
        sample: descriptors of training images that a codebook is fitted on, at most.
    """

    long_side: int = Field(default=512, ge=32, le=4096)
    bins: tuple[int, int, int] = (8, 15, 15)
    gist_side: int = Field(default=128, ge=64, le=512)
    points: int = Field(default=500, ge=10)
    words: int = Field(default=512, ge=2)
    modes: int = Field(default=32, ge=1)
    axes: int = Field(default=64, ge=1, le=128)
    sample: int = Field(default=100_000, ge=100)


class HandmadeEmbedder(ABC):
    """Features made by hand: an embedder without a network.

    Attributes:
        name: as :func:`artdet.embedders.handmade.handmade` takes it.
        settings: options.
    """

    name: ClassVar[str]

    def __init__(self, settings: HandmadeSettings) -> None:
        self.settings = settings

    @property
    @abstractmethod
    def dim(self) -> int:
        """Length D of the features."""

    @property
    def fitted(self) -> bool:
        """Whether it can embed; those with a codebook can after :meth:`fit` only."""
        return True

    def fit(self, images: Iterable[RGBImage], seed: int) -> None:  # noqa: B027
        """Learns a codebook from training images, which are gone through once; does nothing where there is none.

        Args:
            images: (H, W, 3) of any size.
            seed: the same one gives the same codebook.

        Raises:
            TrainingError: if there are too few images.
        """

    def features(self, images: Sequence[RGBImage]) -> NDArray[np.float32]:
        """(N, D) features of N images (H, W, 3) of any size, as linear models take them.

        Raises:
            ModelError: if the codebook has not been fitted.
        """
        if not self.fitted:
            raise ModelError(f"{self.name} has no codebook yet. Fit it on training images first.")
        found = np.empty((len(images), self.dim), dtype=np.float32)
        with one_thread():
            for place, image in enumerate(images):
                found[place] = self.described(reduced(image, self.settings.long_side))
        return found

    def embed(self, images: Sequence[RGBImage]) -> NDArray[np.float32]:
        """(N, D), rows of L2 norm 1; all numbers alike where there is nothing to see, as in an empty canvas.

        Raises:
            ModelError: if the codebook has not been fitted.
        """
        features = self.features(images)
        features[~features.any(axis=1)] = 1
        return np.asarray(features / np.linalg.norm(features, axis=1, keepdims=True), dtype=np.float32)

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """All that :meth:`from_tensors` needs, to be kept in a safetensors file.

        Raises:
            ModelError: if the codebook has not been fitted.
        """
        if not self.fitted:
            raise ModelError(f"{self.name} has no codebook yet. Fit it on training images first.")
        settings = np.frombuffer(self.settings.model_dump_json().encode(), dtype=np.uint8)
        return {SETTINGS: settings, **self.codebook()}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[np.generic]]) -> Self:
        """The embedder that gave these tensors; those of the codebook may have become float16 since.

        Raises:
            ModelError: if a tensor is missing or of another shape.
        """
        try:
            text = np.asarray(tensors[SETTINGS], dtype=np.uint8).tobytes()
            embedder = cls(HandmadeSettings.model_validate_json(text))
            embedder.take_codebook(tensors)
        except (KeyError, ValueError, ValidationError) as error:
            raise ModelError(
                f"The tensors do not belong to {cls.name}: {str(error).splitlines()[0]}. Train the model again."
            ) from error
        return embedder

    @abstractmethod
    def described(self, image: RGBImage) -> NDArray[np.float32]:
        """(D,) features of one reduced image."""

    def codebook(self) -> dict[str, NDArray[np.float32]]:
        """What :meth:`fit` learnt."""
        return {}

    def take_codebook(self, tensors: Mapping[str, NDArray[np.generic]]) -> None:  # noqa: B027
        """Sets what :meth:`codebook` gave.

        Raises:
            KeyError: if a tensor is missing.
            ValueError: if one is of another shape.
        """


def one_thread() -> AbstractContextManager[object]:
    """In it, products of matrices are computed by one thread: for small ones more lose their time waiting."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    limits: AbstractContextManager[object] = threadpool_limits(1, user_api="blas")
    return limits


@contextmanager
def quiet_fit() -> Iterator[None]:
    """One thread, and no word of scikit-learn about steps that remain: a codebook need not be the very best."""
    from sklearn.exceptions import ConvergenceWarning

    with one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def reduced(image: RGBImage, long_side: int) -> RGBImage:
    """The image, made smaller by averaging if its long side is longer than ``long_side`` pixels."""
    height, width = image.shape[:2]
    scale = long_side / max(height, width)
    if scale >= 1:
        return image
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def shaped(tensor: NDArray[np.generic], *shape: int) -> NDArray[np.float32]:
    """The tensor as float32; a ``ValueError`` if it is of another shape."""
    if tensor.shape != shape:
        raise ValueError(f"a tensor of shape {tensor.shape} should be {shape}")
    return np.asarray(tensor, dtype=np.float32)
