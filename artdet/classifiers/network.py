"""The network of a classifier: a backbone, a layer that all tasks may share, and layers of each task's own.

After Strezoski and Worring, OmniArt (2017): one representation, a head for each task.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from artdet.classifiers.base import HeadCard
from artdet.embedders.backbone import Backbone
from artdet.tasks import Task


class TaskHeads(nn.Module):
    """From features to the raw outputs of each task.

    Args:
        dim: length of the features.
        head: layers between features and outputs.
        tasks: in the order of training.
    """

    def __init__(self, dim: int, head: HeadCard, tasks: Sequence[Task]) -> None:
        super().__init__()
        width = head.representation or dim
        self.representation = _layers(dim, (width,) if head.representation else (), head.dropout)
        # Not the bare name: a module has methods such as ``type``.
        self.outputs = nn.ModuleDict({f"{task.name}_head": _head(width, head, task) for task in tasks})

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        """Task -> raw (B, outputs), logits or deviations from the mean, of features (B, dim)."""
        shared = self.representation(features)
        return {key.removesuffix("_head"): layers(shared) for key, layers in self.outputs.items()}

    @torch.no_grad()
    def set_linear(self, task: str, weight: Tensor, bias: Tensor) -> None:
        """Takes a linear model that was fitted elsewhere as the task's last layer.

        Args:
            weight: (outputs, dim of the layer before).
            bias: (outputs,).
        """
        last = self.get_submodule(f"outputs.{task}_head")[-1]  # type: ignore[index]
        last.weight.copy_(weight)
        last.bias.copy_(bias)


class ClassifierNetwork(nn.Module):
    """A backbone and the heads on its features; its state has the keys ``backbone.*`` and ``heads.*``."""

    def __init__(self, backbone: Backbone, heads: TaskHeads) -> None:
        super().__init__()
        self.backbone = backbone
        self.heads = heads

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Task -> raw (B, outputs) of normalised images (B, 3, H, W)."""
        return dict(self.heads(self.backbone(images)))


def answers(task: Task, raw: Tensor) -> Tensor:
    """What raw outputs (B, outputs) mean, float32.

    Returns:
        (B, classes) probabilities that sum to 1 for ``label``, each by itself for ``labels``; (B, 1) in the task's own
        unit for ``number``.
    """
    raw = raw.float()
    if task.kind == "label":
        return raw.softmax(dim=1)
    return raw.sigmoid() if task.kind == "labels" else raw * task.deviation + task.mean


def _head(width: int, head: HeadCard, task: Task) -> nn.Sequential:
    last = head.hidden[-1] if head.hidden else width
    return _layers(width, head.hidden, head.dropout).extend([nn.Dropout(head.dropout), nn.Linear(last, task.outputs)])


def _layers(width: int, widths: Sequence[int], dropout: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in zip((width, *widths), widths, strict=False):
        layers += [nn.Dropout(dropout), nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers)
