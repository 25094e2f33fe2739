"""How weights move: optimizers by name, and the plan of the learning rate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from artdet.classifiers.network import ClassifierNetwork
from artdet.training.classification.recipe import OptimizerSettings


def optimizer_of(network: ClassifierNetwork, settings: OptimizerSettings) -> Optimizer:
    """An optimizer of what learns in the network (see ``freezing``).

    Biases and the weights of norms do not decay. Each group has its highest learning rate under ``peak``.
    """
    groups = _groups(network.heads, settings.learning_rate, settings.weight_decay)
    groups += _groups(network.backbone, settings.learning_rate * settings.backbone_share, settings.weight_decay)
    if settings.name == "sgd":
        return torch.optim.SGD(groups, lr=settings.learning_rate, momentum=settings.momentum)
    kinds: Mapping[str, type[torch.optim.Adam | torch.optim.AdamW | torch.optim.Adadelta]] = {
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
        "adadelta": torch.optim.Adadelta,
    }
    return kinds[settings.name](groups, lr=settings.learning_rate)


class Schedule:
    """Which share of its highest value the learning rate has.

    Args:
        settings: of the recipe.
        epochs: of the whole training, at most.
        steps_per_epoch: of the optimizer.
    """

    def __init__(self, settings: OptimizerSettings, *, epochs: int, steps_per_epoch: int) -> None:
        self.settings = settings
        self.steps_per_epoch = max(steps_per_epoch, 1)
        self.steps = epochs * self.steps_per_epoch
        self._best = math.inf
        self._worse = 0
        self._falls = 0

    def factor(self, step: int) -> float:
        """The share at a step, counted from 0 over the whole training."""
        warmup = self.settings.warmup_epochs * self.steps_per_epoch
        if step < warmup:
            return (step + 1) / (warmup + 1)
        if self.settings.schedule == "step":
            return self.settings.step_factor ** (step // self.steps_per_epoch // self.settings.step_epochs)
        if self.settings.schedule == "plateau":
            return self.settings.step_factor**self._falls
        if self.settings.schedule == "cosine":
            done = min(1.0, (step - warmup) / max(self.steps - warmup, 1.0))
            return (1 + math.cos(math.pi * done)) / 2
        return 1.0

    def set_rates(self, optimizer: Optimizer, step: int) -> None:
        """Sets the learning rates of an optimizer of :func:`optimizer_of` for a step."""
        factor = self.factor(step)
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * factor

    def note_validation(self, loss: float) -> None:
        """To be called once after each epoch's validation, for ``plateau``."""
        if loss < self._best:
            self._best, self._worse = loss, 0
            return
        self._worse += 1
        if self._worse >= self.settings.plateau_epochs:
            self._falls, self._worse = self._falls + 1, 0

    def state_dict(self) -> dict[str, Any]:
        """What a resumed training needs."""
        return {"best": self._best, "worse": self._worse, "falls": self._falls}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes over what ``state_dict`` gave."""
        self._best, self._worse, self._falls = state["best"], state["worse"], state["falls"]


def _groups(module: nn.Module, rate: float, decay: float) -> list[dict[str, Any]]:
    """Parameters that learn: those that decay, and those that do not."""
    learning = [parameter for parameter in module.parameters() if parameter.requires_grad]
    decaying = [parameter for parameter in learning if parameter.ndim > 1]
    steady = [parameter for parameter in learning if parameter.ndim <= 1]
    groups = [(decaying, decay), (steady, 0.0)]
    return [
        {"params": parameters, "lr": rate, "peak": rate, "weight_decay": share}
        for parameters, share in groups
        if parameters
    ]
