"""What training minimises: over all tasks, the sum of weight x scale x loss (Strezoski and Worring, OmniArt, 2017).

An image without an answer to a task has no part in that task's loss.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from artdet.data.artworks.collection import UNKNOWN, Targets, known
from artdet.errors import ConfigError, did_you_mean
from artdet.tasks import Task
from artdet.training.classification.recipe import LossSettings

FIRST_LEARNT_SCALE = 0.1
"""Of a number's loss until the first validation, where it is learnt: the paper's own."""

_SMALLEST_SCALE, _LARGEST_SCALE = 1e-3, 1e3


class TaskLosses:
    """The loss of raw outputs.

    Args:
        tasks: that the network answers.
        settings: of the recipe.
        targets: task -> targets of the training part (see ``Artworks``), for class weights.

    Raises:
        ConfigError: if a weight is of no task, or of no class of its task.
    """

    def __init__(self, tasks: Sequence[Task], settings: LossSettings, targets: Mapping[str, Targets]) -> None:
        names = [task.name for task in tasks]
        for key, given in (("task_weights", settings.task_weights), ("of_classes", settings.of_classes)):
            for name in given:
                if name not in names:
                    raise ConfigError(f"loss.{key}: there is no task '{name}'.{did_you_mean(name, names)}")
        self.tasks = tuple(tasks)
        self.settings = settings
        self.scales = {task.name: _first_scale(task, tasks, settings) for task in tasks}
        self._weights = {task.name: _weights(task, settings, targets) for task in tasks}

    def __call__(self, raw: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a batch.

        Args:
            raw: task -> (B, outputs), see ``TaskHeads``.
            targets: task -> the batch's part of ``Artworks.targets``, on the same device.

        Returns:
            What is to be minimised, and each task's own loss before weight and scale, detached; a scalar each. A task
            without an answer in the batch has the loss 0 and moves nothing.
        """
        losses = {task.name: self._loss(task, raw[task.name].float(), targets[task.name]) for task in self.tasks}
        total = torch.stack([self._share(name) * loss for name, loss in losses.items()]).sum()
        return total, {name: loss.detach() for name, loss in losses.items()}

    def comparable(self, parts: Mapping[str, float]) -> float:
        """The sum of weight x scale x loss of losses of each task, the scale 1 where it is learnt.

        By a scale that changes from epoch to epoch a later loss would be larger or smaller for nothing.
        """
        learnt = self.settings.number_scale == "learnt"
        weights = self.settings.task_weights
        return sum((weights.get(name, 1.0) if learnt else self._share(name)) * loss for name, loss in parts.items())

    def learn_scale(self, validation_parts: Mapping[str, float]) -> None:
        """After a validation: moves scales of numbers half the way to where their loss is as large as the others'.

        Does nothing where scales are not learnt, and where there is no other task to compare with.

        Args:
            validation_parts: task -> loss before weight and scale, of those with an answer in the validation part.
        """
        if self.settings.number_scale != "learnt":
            return
        others = [validation_parts[task.name] for task in self.tasks if _compared(task, validation_parts)]
        for task in self.tasks:
            own = validation_parts.get(task.name, math.nan)
            if task.kind == "number" and others and own > 0 and math.isfinite(own):
                wanted = min(max(sum(others) / len(others) / own, _SMALLEST_SCALE), _LARGEST_SCALE)
                self.scales[task.name] = (self.scales[task.name] + wanted) / 2

    def state_dict(self) -> dict[str, Any]:
        """What a resumed training needs."""
        return {"scales": dict(self.scales)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes over what ``state_dict`` gave."""
        self.scales.update(state["scales"])

    def _share(self, name: str) -> float:
        return self.settings.task_weights.get(name, 1.0) * self.scales[name]

    def _loss(self, task: Task, raw: Tensor, targets: Tensor) -> Tensor:
        rows = _known(task, targets)
        raw, targets = raw[rows], targets[rows]
        if not len(raw):
            return raw.sum()
        if task.kind == "number":
            return functional.l1_loss(raw[:, 0], (targets.float() - task.mean) / task.deviation)
        weights = self._weights[task.name]
        weights = None if weights is None else weights.to(raw.device)
        if task.kind == "labels":
            return self._labels_loss(raw, targets.float(), weights)
        return self._label_loss(raw, targets, weights)

    def _label_loss(self, raw: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
        classes = functional.one_hot(targets, raw.shape[1]).float()
        if self.settings.label == "soft_f1":
            return soft_f1_loss(raw.softmax(dim=1), classes)
        if self.settings.label == "binary":
            losses = functional.binary_cross_entropy_with_logits(raw, classes, reduction="none").mean(dim=1)
        else:
            smoothing = self.settings.smoothing
            losses = functional.cross_entropy(raw, targets, reduction="none", label_smoothing=smoothing)
        return (losses if weights is None else losses * weights[targets]).mean()

    def _labels_loss(self, raw: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
        if self.settings.label == "soft_f1":
            return soft_f1_loss(raw.sigmoid(), targets)
        losses = functional.binary_cross_entropy_with_logits(raw, targets, reduction="none")
        if weights is not None:
            losses = losses * torch.where(targets > 0, weights[0], weights[1])
        return losses.mean()


def soft_f1_loss(probabilities: Tensor, targets: Tensor) -> Tensor:
    """1 minus the mean F1 of classes, where counts of hits and misses are sums of probabilities.

    Args:
        probabilities: (B, classes).
        targets: (B, classes) of 0 and 1. Classes that no image has are left out: their F1 is 0 whatever is said.

    >>> soft_f1_loss(torch.tensor([[0.5, 0.5], [1.0, 0.0]]), torch.tensor([[1.0, 0.0], [1.0, 0.0]])).item()
    0.1428571...
    """
    hits = (probabilities * targets).sum(dim=0)
    said_and_true = probabilities.sum(dim=0) + targets.sum(dim=0)
    present = (targets.sum(dim=0) > 0).float()
    f1 = 2 * hits / said_and_true.clamp_min(1e-6)
    # Without a class at all there is nothing to be wrong about; the sum keeps the graph.
    return ((1 - f1) * present).sum() / present.sum().clamp_min(1)


def _known(task: Task, targets: Tensor) -> Tensor:
    if task.kind == "label":
        return targets != UNKNOWN
    missing = targets.isnan()
    return ~(missing.any(dim=1) if missing.ndim > 1 else missing)


def _compared(task: Task, parts: Mapping[str, float]) -> bool:
    return task.kind != "number" and math.isfinite(parts.get(task.name, math.nan))


def _first_scale(task: Task, tasks: Sequence[Task], settings: LossSettings) -> float:
    if task.kind != "number":
        return 1.0
    if settings.number_scale != "learnt":
        return settings.number_scale
    return 1.0 if all(other.kind == "number" for other in tasks) else FIRST_LEARNT_SCALE


def _weights(task: Task, settings: LossSettings, targets: Mapping[str, Targets]) -> Tensor | None:
    """(K,) of an image of each class for ``label``; (2, K) of having and not having each class for ``labels``."""
    own = settings.of_classes.get(task.name, {})
    if strangers := [name for name in own if name not in task.classes]:
        near = did_you_mean(strangers[0], task.classes)
        raise ConfigError(f"loss.of_classes.{task.name}: there is no class '{strangers[0]}'.{near}")
    if task.kind == "number" or (settings.class_weights == "none" and not own):
        return None
    values = targets[task.name][known(task, targets[task.name])]
    if task.kind == "label":
        weights = _balanced(np.bincount(values.astype(np.int64), minlength=task.outputs))
    else:
        held = values.sum(axis=0)
        weights = np.stack([_balanced(np.array([has, len(values) - has])) for has in held], axis=1)
    if settings.class_weights == "none":
        weights = np.ones_like(weights)
    (weights if weights.ndim == 1 else weights[0])[:] *= [own.get(name, 1.0) for name in task.classes]
    return torch.from_numpy(weights.astype(np.float32))


def _balanced(counts: NDArray[Any]) -> NDArray[np.float64]:
    """N / (K n) of each class with images; 1 of the others, which no training image asks for."""
    present = counts > 0
    mean = counts.sum() / max(present.sum(), 1)
    return np.where(present, mean / np.maximum(counts, 1), 1.0)
