"""How long a training would take, measured with a few steps."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from artdet.classifiers.network import ClassifierNetwork
from artdet.devices import resolve_device
from artdet.embedders.base import HANDMADE
from artdet.training.backends.precision import autocast, computes_in_bfloat16
from artdet.training.classification.freezing import is_frozen, set_training_mode
from artdet.training.classification.parts import LINEAR, network_of, with_scales
from artdet.training.classification.sampling import epoch_places

if TYPE_CHECKING:
    from artdet.training.classification.run import TrainingRequest

_STEPS = 2
_HANDMADE = 0.1  # seconds of an image, about
_HEADS = 2e-3  # seconds of a step of the heads alone, which is little beside all else


@dataclass(frozen=True)
class Estimate:
    """Seconds.

    Attributes:
        features: of a frozen backbone, computed once; 0 where they are not.
        epoch: with its validation; 0 where there are none.
        whole: of all epochs.
        device: that it was measured on.
    """

    features: float
    epoch: float
    whole: float
    device: str


def estimated(request: TrainingRequest) -> Estimate:
    """Measures steps on random images with random weights; reading the images is not in it.

    Raises:
        ModelError: if there is no such backbone.
    """
    from artdet.training.classification.run import takes_fixed_features

    recipe, device, split = request.recipe, resolve_device(request.device), request.partition
    if recipe.backbone.name.startswith(HANDMADE):
        return Estimate(0.0, 0.0, len(request.artworks) * _HANDMADE, device)
    tasks = with_scales(request.artworks, split).tasks
    network = network_of(recipe, tasks)
    network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    low = computes_in_bfloat16(recipe.precision, device)
    side = network.backbone.preprocessing.image_size
    batch = torch.randn(min(recipe.batch, 16), 3, side, side, device=device).to(memory_format=torch.channels_last)
    forward = _seconds(lambda: _forward(network, batch, device, low)) / len(batch)
    linear = recipe.estimator in LINEAR
    if linear or takes_fixed_features(recipe, is_frozen=is_frozen(network)):
        features = forward * len(request.artworks)
        epoch = 0.0 if linear else len(split.train) / recipe.batch * _HEADS
        return Estimate(features, epoch, features + epoch * recipe.epochs, device)
    step = _seconds(lambda: _step(network, batch, device, low)) / len(batch)
    first = request.artworks.targets[tasks[0].name][split.train]
    images = len(epoch_places(first, recipe.sampling, epoch=0, seed=recipe.seed))
    epoch = images * step + len(split.validation) * forward
    networks = len(tasks[0].classes) if recipe.estimator == "one_versus_rest" else 1
    return Estimate(0.0, epoch, epoch * recipe.epochs * networks, device)


def _forward(network: ClassifierNetwork, batch: torch.Tensor, device: str, low: bool) -> None:
    network.eval()
    with torch.inference_mode(), autocast(device, low=low):
        network(batch)


def _step(network: ClassifierNetwork, batch: torch.Tensor, device: str, low: bool) -> None:
    set_training_mode(network)
    with autocast(device, low=low):
        raw = network(batch)
    torch.stack([values.float().sum() for values in raw.values()]).sum().backward()  # type: ignore[no-untyped-call]


def _seconds(work: Callable[[], None]) -> float:
    """Of one call, after one that prepares everything."""
    work()
    begun = time.perf_counter()
    for _ in range(_STEPS):
        work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return (time.perf_counter() - begun) / _STEPS
