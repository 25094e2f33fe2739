"""How good a network is on a part of the data: answers, losses and figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artdet.classifiers.network import ClassifierNetwork, answers
from artdet.data.artworks.collection import Artworks, known
from artdet.metrics.classification import TaskFigures, task_figures
from artdet.tasks import Task
from artdet.training.backends.precision import autocast
from artdet.training.classification.examples import grouped
from artdet.training.classification.inputs import EVALUATION_BATCH, Advance, ImageInputs, Inputs
from artdet.training.classification.losses import TaskLosses
from artdet.training.classification.parts import as_tensors, taken


@dataclass(frozen=True, eq=False)
class Measuring:
    """Measures a network.

    Attributes:
        artworks: all images with their answers.
        inputs: of them.
        device: of the network.
        low: whether it computes in bfloat16.
        advance: is told how many images are done.
    """

    artworks: Artworks
    inputs: Inputs
    device: str
    low: bool
    advance: Advance

    @torch.inference_mode()
    def raw(self, network: ClassifierNetwork, places: NDArray[np.int64]) -> dict[str, Tensor]:
        """Task -> raw outputs float32 (N, outputs) on the CPU, of the images at these places."""
        network.eval()
        found: dict[str, list[Tensor]] = {task.name: [torch.empty(0, task.outputs)] for task in self.artworks.tasks}
        groups, done = grouped(places, EVALUATION_BATCH), 0
        for group, batch in zip(groups, self.inputs.evaluation(groups), strict=True):
            with autocast(self.device, low=self.low):
                outputs = self.inputs.raw(network, batch)
            for name, values in outputs.items():
                found[name].append(values.float().cpu())
            done += len(group)
            self.advance(done, len(places))
        return {name: torch.cat(values) for name, values in found.items()}

    def losses(self, raw: Mapping[str, Tensor], places: NDArray[np.int64], losses: TaskLosses) -> dict[str, float]:
        """Each task's own loss of raw outputs, of tasks with an answer among these images, and their sum ``loss``."""
        targets = taken(self.artworks.targets, places)
        there = [task.name for task in self.artworks.tasks if known(task, targets[task.name]).any()]
        if not there:
            return {}
        total, parts = losses(raw, as_tensors(targets))
        return {"loss": float(total), **{name: float(parts[name]) for name in there}}

    def figures(self, scores: Mapping[str, NDArray[np.float32]], places: NDArray[np.int64]) -> tuple[TaskFigures, ...]:
        """Figures of each task, of answers about the images at these places."""
        targets = self.artworks.targets
        return tuple(task_figures(task, scores[task.name], targets[task.name][places]) for task in self.artworks.tasks)

    @torch.inference_mode()
    def scores_of_views(
        self, network: ClassifierNetwork, inputs: ImageInputs, places: NDArray[np.int64], count: int
    ) -> dict[str, NDArray[np.float32]]:
        """Task -> answers float32 (N, outputs), each the mean over ``count`` views of the image."""
        network.eval()
        found: dict[str, list[Tensor]] = {task.name: [] for task in self.artworks.tasks}
        groups, done = grouped(places, max(1, EVALUATION_BATCH // count)), 0
        for group, batch in zip(groups, inputs.views(groups, count), strict=True):
            with autocast(self.device, low=self.low):
                outputs = network(batch)
            for task in self.artworks.tasks:
                views = answers(task, outputs[task.name]).cpu()
                found[task.name].append(views.view(len(group), count, -1).mean(dim=1))
            done += len(group)
            self.advance(done, len(places))
        return {name: torch.cat(values).numpy() for name, values in found.items()}


def scores(tasks: tuple[Task, ...], raw: Mapping[str, Tensor]) -> dict[str, NDArray[np.float32]]:
    """Task -> answers float32 (N, outputs) of raw outputs."""
    return {task.name: answers(task, raw[task.name]).numpy() for task in tasks}
