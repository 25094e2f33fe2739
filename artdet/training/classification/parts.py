"""What a training is put together from: the network with its start, and the parts of the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artdet.classifiers.base import ClassifierCard
from artdet.classifiers.network import ClassifierNetwork, TaskHeads
from artdet.data.artworks.collection import Artworks, Targets, known
from artdet.data.artworks.partition import Partition
from artdet.embedders.backbones import build
from artdet.embedders.starts import load_start
from artdet.errors import ConfigError, InputError
from artdet.tasks import Task
from artdet.training.backends.checkpoints import are_in_bounds
from artdet.training.classification.freezing import freeze, has_folded_norms, is_frozen
from artdet.training.classification.recipe import Recipe
from artdet.training.provenance import LICENCE

LINEAR = ("svm", "logistic")
"""Estimators that are fitted on the features of a backbone that stays as it is."""

RANDOM = "random"
"""The start without weights."""


@dataclass(frozen=True, eq=False)
class Parts:
    """A network that is ready to learn.

    Attributes:
        network: backbone with its start, heads with random weights, frozen as the recipe says.
        start: what the backbone begins with, a sentence.
    """

    network: ClassifierNetwork
    start: str


def parts_of(recipe: Recipe, tasks: tuple[Task, ...], *, trusted: bool = False) -> Parts:
    """Builds the network of a recipe.

    Args:
        recipe: backbone, start, head and what is frozen.
        tasks: with the scales of numbers.
        trusted: whether a start that is a pickle may be loaded.

    Raises:
        ModelError: if there is no such backbone, or its start is not here.
        ConfigError: if fewer blocks are there than are to be trained, or batch normalisation that was folded into
            convolutions is to learn.
    """
    settings = recipe.backbone
    network = network_of(recipe, tasks)
    start = load_start(network.backbone, settings.start, trusted=trusted)
    if settings.start != RANDOM and has_folded_norms(network):
        raise ConfigError(
            f"backbone.batch_norm: the weights of {settings.name} have their batch normalisation folded into the "
            "convolutions, and one that learns would undo them. Keep it as it is: --set backbone.batch_norm=frozen."
        )
    if is_frozen(network):
        _round(network.backbone)
    return Parts(network, start)


def network_of(recipe: Recipe, tasks: tuple[Task, ...]) -> ClassifierNetwork:
    """The network of a recipe with random weights, frozen as the recipe says.

    Raises:
        ModelError: if there is no such backbone.
        ConfigError: if it has fewer blocks than are to be trained.
    """
    settings = recipe.backbone
    torch.manual_seed(recipe.seed)
    backbone = build(settings.name, image_size=settings.image_size, fit=settings.fit)
    # Heads are the same whatever the backbone drew before.
    torch.manual_seed(recipe.seed)
    network = ClassifierNetwork(backbone, TaskHeads(backbone.dim, recipe.head, tasks))
    # A network that was never trained has no statistics to keep; without any it would hardly learn.
    batch_norm = "learning" if settings.start == RANDOM else settings.batch_norm
    freeze(network, "only_last" if recipe.estimator in LINEAR else settings.trained, batch_norm)
    return network


def card_of(network: ClassifierNetwork, recipe: Recipe, tasks: tuple[Task, ...], *, trained_on: str) -> ClassifierCard:
    """The card of the network's weights."""
    return ClassifierCard(
        backbone=network.backbone.name,
        preprocessing=network.backbone.preprocessing,
        head=recipe.head,
        tasks=tasks,
        description=f"Tells {', '.join(task.name for task in tasks)} of artworks.",
        licence=LICENCE,
        trained_on=trained_on,
    )


def with_scales(artworks: Artworks, partition: Partition) -> Artworks:
    """The same artworks, with mean and deviation of the training part in the tasks of numbers."""
    tasks = tuple(_scaled(task, artworks.targets[task.name][partition.train]) for task in artworks.tasks)
    return replace(artworks, tasks=tasks)


def check_parts(artworks: Artworks, partition: Partition) -> None:
    """Refuses what cannot be learnt.

    Raises:
        InputError: if there are too few training images, or a task has no answer among them.
    """
    if len(partition.train) < 2:
        raise InputError(
            f"there are {len(partition.train)} images to learn from, and it takes two at least. "
            "Name a source with more images, or a split with more in its training part."
        )
    for task in artworks.tasks:
        if not known(task, artworks.targets[task.name][partition.train]).any():
            raise InputError(
                f"Task {task.name}: no image of the training part has an answer. Leave the task out, or add labels."
            )


def taken(targets: Mapping[str, Targets], places: NDArray[np.int64]) -> dict[str, Targets]:
    """Targets of the images at these places."""
    return {name: values[places] for name, values in targets.items()}


def as_tensors(targets: Mapping[str, Targets]) -> dict[str, Tensor]:
    """Targets as losses take them."""
    return {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in targets.items()}


def _scaled(task: Task, targets: Targets) -> Task:
    values = targets[known(task, targets)] if task.kind == "number" else targets[:0]
    if not len(values):
        return task
    deviation = float(values.std())
    return task.model_copy(update={"mean": float(values.mean()), "deviation": deviation if deviation > 0 else 1.0})


def _round(backbone: torch.nn.Module) -> None:
    """Rounds weights that stay as they are to float16, in which they are saved: figures are of the very same."""
    for tensor in backbone.state_dict().values():
        if tensor.is_floating_point() and are_in_bounds({"": tensor}):
            tensor.copy_(tensor.half().float())
