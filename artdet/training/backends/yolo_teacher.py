"""A trained network whose answers another one learns beside the boxes: a large one teaches a small one.

Hinton, Vinyals and Dean 2015, "Distilling the Knowledge in a Neural Network" (arXiv:1503.02531); for the edges of boxes
Zheng et al. 2022, "Localization Distillation for Dense Object Detection" (arXiv:2102.12252).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, kl_div

from artdet.detectors.yolo_network import trained_network
from artdet.errors import ModelError
from artdet.modelfiles import ModelCard
from artdet.training.backends.precision import autocast
from artdet.training.backends.yolo_start import our_names
from artdet.training.course import Task
from artdet.training.examples import DetectorClasses

SIDES = 4
"""Edges of a box, each a distribution over distances from a candidate's point (Li 2020, arXiv:2006.04388)."""


def teacher_of(task: Task, pupil: Any, device: torch.device, *, low_precision: bool) -> Teacher | None:
    """The teacher that a task names, for a network; ``None`` where it names none.

    Raises:
        ModelError: if it cannot be loaded, or cannot teach this network.
    """
    if task.teacher is None:
        return None
    network, card = trained_network(task.teacher, trusted=task.trusted)
    if _candidates(network) != _candidates(pupil):
        raise ModelError(
            f"{task.teacher.model} cannot teach this network: their candidates for boxes are not alike. "
            "Name a teacher of YOLOv5u, v8 or 11, such as one of --architecture yolov5s.yaml."
        )
    shared = _shared(card, task.detector_classes)
    if not shared:
        raise ModelError(
            f"The teacher {task.teacher.model} knows none of {', '.join(task.classes)}. "
            "Name one that was trained for these classes: --teacher RUN."
        )
    weight = task.settings.teacher_weight
    return Teacher(network, shared, task.detector_classes, device, weight=weight, low_precision=low_precision)


@dataclass(frozen=True, eq=False)
class Taught:
    """What a teacher says of a batch, of the S classes that it shares with the network that learns.

    Attributes:
        places: (S,) int64, of these classes among those of the network that learns.
        above: (S,) int64, the place of each one's category among the S; its own, where it is below none.
        probabilities: (B, S, A) float32, at every candidate.
        edges: (B, 4 * R, A) float32, logits of distances from it.
        weight: how much it counts.
    """

    places: torch.Tensor
    above: torch.Tensor
    probabilities: torch.Tensor
    edges: torch.Tensor
    weight: float


class Teacher:
    """A network that does not learn any more.

    Args:
        network: it is changed.
        shared: places of its classes in the network that learns, and in itself.
        classes: of the network that learns.
        device: to compute on.
        weight: how much its answers count beside the boxes.
        low_precision: whether it computes in bfloat16.
    """

    def __init__(
        self,
        network: Any,
        shared: Sequence[tuple[int, int]],
        classes: DetectorClasses,
        device: torch.device,
        *,
        weight: float,
        low_precision: bool,
    ) -> None:
        places = [own for own, _ in shared]
        self._places = torch.tensor(places, device=device)
        self._above = torch.tensor([places.index(int(classes.generals[own])) for own in places], device=device)
        self._outputs = [theirs for _, theirs in shared]
        self._weight, self._low_precision = weight, low_precision
        network = network.float().eval().requires_grad_(False)
        network.fuse(verbose=False)
        self._network = network.to(device, memory_format=torch.channels_last)

    @torch.no_grad()
    def __call__(self, images: torch.Tensor) -> Taught:
        """What it says of images (B, 3, H, W) float32 RGB, 0..1."""
        with autocast(images.device.type, low=self._low_precision):
            _, found = self._network(images)
        probabilities = found["scores"][:, self._outputs].float().sigmoid()
        return Taught(self._places, self._above, probabilities, found["boxes"].float(), self._weight)


def apart(scores: torch.Tensor, edges: torch.Tensor, taught: Taught) -> tuple[torch.Tensor, torch.Tensor]:
    """How far answers are from the teacher's: of classes, and of edges.

    Of classes, the Kullback-Leibler divergence at every candidate; of a class below a category, as much as the teacher
    is sure of the category there (see :class:`artdet.training.backends.yolo_model.LookedForLoss`). Of edges likewise,
    as much as it is sure that there is an object. Both are divided by the sum of what it is sure of.

    Args:
        scores: (B, K, A), logits of the network that learns.
        edges: (B, 4 * R, A), likewise.
        taught: what the teacher says.
    """
    said = taught.probabilities
    is_below = (taught.above != torch.arange(len(taught.above), device=said.device))[:, None]
    asked = torch.where(is_below, said[:, taught.above], 1.0)
    entropy = torch.special.entr(said) + torch.special.entr(1 - said)
    of_classes = binary_cross_entropy_with_logits(scores[:, taught.places], said, reduction="none") - entropy
    sure = torch.where(is_below, 0.0, said).amax(dim=1)
    of_edges = kl_div(_distances(edges), _distances(taught.edges), log_target=True, reduction="none")
    total = sure.sum().clamp(min=1)
    return (of_classes * asked).sum() / total, (of_edges.sum(dim=2).mean(dim=1) * sure).sum() / total


def _distances(edges: torch.Tensor) -> torch.Tensor:
    """Logarithms of probabilities (B, 4, R, A)."""
    batch, _, candidates = edges.shape
    return edges.reshape(batch, SIDES, -1, candidates).log_softmax(dim=2)


def _candidates(network: Any) -> tuple[int, list[float], bool]:
    """What two heads must have in common for their outputs to mean the same: distances of an edge, strides, kind."""
    head = network.model[-1]
    return getattr(head, "reg_max", 0), [float(stride) for stride in network.stride], hasattr(head, "one2one_cv2")


def _shared(card: ModelCard, classes: DetectorClasses) -> list[tuple[int, int]]:
    """Places of a class in the network that learns and in its teacher, where its outputs mean the same in both.

    A class below a category says its share in that where the category is an output too, and the whole elsewhere. Of
    COCO's classes those count that alone are one of ours: its birds are not all animals.
    """
    names = our_names(card.classes)
    shared = [
        (own, names.index(name))
        for own, name in enumerate(classes.names)
        if names.count(name) == 1 and card.parents.get(name) == classes.general(own)
    ]
    known = {own for own, _ in shared}
    return [pair for pair in shared if int(classes.generals[pair[0]]) in known]
