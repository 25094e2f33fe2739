"""What the layers that learn are given: images, or features of a backbone that does not change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artdet.classifiers.network import ClassifierNetwork
from artdet.data.artworks.collection import Artworks
from artdet.embedders.preprocess import normalised, prepared
from artdet.images import RGBImage
from artdet.training.backends.precision import autocast
from artdet.training.classification.examples import Images
from artdet.training.classification.features import cached_features, key_of

Advance = Callable[[int, int], None]
"""Is told how many of how many images are done."""

EVALUATION_BATCH = 64


class Inputs(Protocol):
    """Batches of inputs, and what answers them."""

    is_fixed: bool
    """Whether the backbone's features are computed already."""

    def training(self, groups: Sequence[NDArray[np.int64]], *, epoch: int, first: int) -> Iterator[Tensor]:
        """Inputs of an epoch (from 0), from its batch ``first`` on."""

    def evaluation(self, groups: Sequence[NDArray[np.int64]]) -> Iterator[Tensor]:
        """Inputs without any change by chance."""

    def raw(self, network: ClassifierNetwork, inputs: Tensor) -> dict[str, Tensor]:
        """Task -> raw outputs (B, outputs)."""


class ImageInputs:
    """Images, through the whole network.

    Args:
        images: of the collection.
        network: gives the preprocessing.
        device: of the network.
    """

    is_fixed = False

    def __init__(self, images: Images, network: ClassifierNetwork, device: str) -> None:
        self.images, self._device = images, device
        self._preprocessing = network.backbone.preprocessing

    def training(self, groups: Sequence[NDArray[np.int64]], *, epoch: int, first: int) -> Iterator[Tensor]:
        """See :class:`Inputs`."""
        for batch in self.images.training_batches(groups, epoch=epoch, first=first):
            yield normalised(batch, self._preprocessing, self._device)

    def evaluation(self, groups: Sequence[NDArray[np.int64]]) -> Iterator[Tensor]:
        """See :class:`Inputs`."""
        for batch in self.images.batches(groups):
            yield normalised(batch, self._preprocessing, self._device)

    def views(self, groups: Sequence[NDArray[np.int64]], count: int) -> Iterator[Tensor]:
        """Inputs (B x count, 3, S, S) of ``count`` views of each image."""
        for batch in self.images.views(groups, count):
            yield normalised(batch, self._preprocessing, self._device)

    def raw(self, network: ClassifierNetwork, inputs: Tensor) -> dict[str, Tensor]:
        """See :class:`Inputs`."""
        return dict(network(inputs))


class FeatureInputs:
    """Features that were computed once, through the heads alone.

    Args:
        features: float32 (N, D) of all images.
        device: of the heads.
    """

    is_fixed = True

    def __init__(self, features: NDArray[np.float32], device: str) -> None:
        self.features = features
        self._features = torch.from_numpy(np.array(features)).to(device)

    def training(self, groups: Sequence[NDArray[np.int64]], *, epoch: int, first: int) -> Iterator[Tensor]:
        """See :class:`Inputs`."""
        return self.evaluation(groups[first:])

    def evaluation(self, groups: Sequence[NDArray[np.int64]]) -> Iterator[Tensor]:
        """See :class:`Inputs`."""
        for group in groups:
            yield self._features[torch.from_numpy(group).to(self._features.device)]

    def raw(self, network: ClassifierNetwork, inputs: Tensor) -> dict[str, Tensor]:
        """See :class:`Inputs`."""
        return dict(network.heads(inputs))


def fixed_features(
    artworks: Artworks, network: ClassifierNetwork, *, device: str, low: bool, advance: Advance
) -> NDArray[np.float32]:
    """Features float32 (N, D) of all images, from the disk where they were computed before.

    Args:
        artworks: the images.
        network: its backbone gives the features, in evaluation mode.
        device: of the network.
        low: whether the backbone computes in bfloat16.
        advance: is told how far it is.
    """
    backbone = network.backbone.eval()
    preprocessing = backbone.preprocessing

    @torch.inference_mode()
    def compute(images: Sequence[RGBImage]) -> NDArray[np.float32]:
        views = np.stack([prepared(image, preprocessing) for image in images])
        with autocast(device, low=low):
            features: Tensor = backbone(normalised(views, preprocessing, device))
        return features.float().cpu().numpy()

    key = key_of(backbone.state_dict(), preprocessing, backbone.name, "bfloat16" if low else "float32")
    bar = counted(advance, len(artworks))
    return cached_features(key, artworks.paths, compute, bar=bar, max_side=preprocessing.reading_side)


def counted(advance: Advance, total: int) -> Callable[[int], None]:
    """Sums up what is done, for those who want to be told the sum."""
    done = 0

    def add(count: int) -> None:
        nonlocal done
        done += count
        advance(done, total)

    return add
