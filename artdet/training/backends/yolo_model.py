"""A YOLO network in training: its loss where not all classes were looked for, and its precision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from ultralytics.nn.tasks import DetectionModel
from ultralytics.utils.loss import v8DetectionLoss

from artdet.errors import ConfigError
from artdet.training.backends.precision import autocast
from artdet.training.backends.yolo_options import ARCHITECTURE, architecture
from artdet.training.backends.yolo_teacher import apart
from artdet.training.course import Task
from artdet.training.examples import PARTLY, DetectorClasses


class LookedForLoss(v8DetectionLoss):  # type: ignore[misc]
    """The usual loss, in which what is of a class is of its category too, and absence counts only where looked for.

    Boxes find their candidates by the output of their category, where the detector has one: a rare class takes none of
    the category's, and the category is learnt as if there were no classes. A class below it is learnt at the candidates
    of its category alone, as its share in that (YOLO9000, Redmon and Farhadi 2017): thousands of candidates without
    any object would drown what a few say of the class.

    The batch has ``labelled`` and ``covered``, bool (B, K); see :class:`artdet.training.examples.Example`. A box that
    carries a class is of no other class of its category. Where it carries the category's own label, nobody says whether
    it is one of its classes, unless these were looked for by themselves. Where there is no box, a covered class is
    absent. Where the batch has ``taught``, what a teacher says of it, the answers are to be near to that too.

    Args:
        model: the network.
        classes: that it gives.
    """

    assigner: torch.nn.Module

    def __init__(self, model: torch.nn.Module, classes: DetectorClasses) -> None:
        super().__init__(model)
        self.bce = _WhereLookedFor(classes).to(self.device)
        self.assigner = _ByCategory(self.assigner, self.bce, classes).to(self.device)

    def loss(self, preds: dict[str, torch.Tensor], batch: dict[str, Any]) -> Any:
        """The losses, times the images, and each of them."""
        self.bce.labelled, self.bce.covered = batch["labelled"], batch["covered"]
        losses, named = super().loss(preds, batch)
        if (taught := batch.get("taught")) is None:
            return losses, named
        of_classes, of_edges = apart(preds["scores"], preds["boxes"], taught)
        own = taught.weight * (self.hyp.cls * of_classes + self.hyp.dfl * of_edges)
        return torch.cat([losses, own[None] * len(batch["img"])]), {**named, "teacher_loss": own.detach()}


class _ByCategory(torch.nn.Module):
    """The usual assignment of boxes to candidates (TAL, Feng 2021), for the categories of the boxes' classes.

    Args:
        assigner: the usual one.
        loss: takes the targets of the classes themselves.
        classes: of the detector.
    """

    general: torch.Tensor

    def __init__(self, assigner: torch.nn.Module, loss: _WhereLookedFor, classes: DetectorClasses) -> None:
        super().__init__()
        self.usual, self.loss = assigner, loss
        self.register_buffer("general", torch.from_numpy(classes.generals))

    def forward(
        self, scores: torch.Tensor, boxes: torch.Tensor, points: torch.Tensor, labels: torch.Tensor, *rest: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        """Labels (B, A), boxes (B, A, 4), scores (B, A, K), whether there is a box (B, A) and which (B, A)."""
        named = labels.squeeze(2).long()
        found: tuple[torch.Tensor, ...] = self.usual(scores, boxes, points, self.general[named][..., None], *rest)
        self.loss.specific = self._specific(found[2], named, found[4].long()) if named.shape[1] else None
        return found

    def _specific(self, targets: torch.Tensor, named: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
        """The targets (B, A, K), those of boxes that carry a class at the class."""
        own = named.gather(1, which)
        value = targets.gather(2, self.general[own][..., None])
        return torch.zeros_like(targets).scatter_(2, own[..., None], value)


class _WhereLookedFor(torch.nn.Module):
    """Binary cross entropy (B, A, K) of each candidate and class, 0 where nobody knows the answer.

    ``specific`` are targets (B, A, K) besides those that the loss is called with: of classes below those. Whether a
    candidate is of such a class, yes or no, is asked as much as the target of the category says that it is of that.
    """

    labelled: torch.Tensor
    covered: torch.Tensor
    specific: torch.Tensor | None
    fine: torch.Tensor
    alike: torch.Tensor
    general: torch.Tensor
    below: torch.Tensor

    def __init__(self, classes: DetectorClasses) -> None:
        super().__init__()
        self.register_buffer("general", torch.from_numpy(classes.generals))
        self.register_buffer("below", torch.from_numpy(classes.below.any(axis=0)))
        self.register_buffer("fine", torch.from_numpy(classes.fine))
        self.register_buffer("alike", torch.from_numpy(classes.alike).float())
        self.specific = None

    def forward(self, scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if self.specific is not None:
            targets = torch.maximum(targets, self.specific.to(targets.dtype))
        is_object = targets > 0
        asked = torch.where(self.below, targets[..., self.general], 1.0)
        known = torch.where(self.known(is_object), 1.0, PARTLY * self.partly_known(is_object))
        answers = torch.where(self.below, is_object.to(targets.dtype), targets)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(scores, answers, reduction="none")
        return loss * asked * known

    def known(self, is_object: torch.Tensor) -> torch.Tensor:
        """Bool (B, A, K), where the target is more than a guess."""
        specific = (is_object & self.fine).to(self.alike.dtype) @ self.alike > 0
        nothing = ~is_object.any(dim=2, keepdim=True)
        return self.labelled[:, None] | (self.covered[:, None] & nothing) | specific | is_object

    @staticmethod
    def partly_known(is_object: torch.Tensor) -> torch.Tensor:
        """Bool (B, A, K), where there is no box, but boxes of the class are elsewhere in the image."""
        return is_object.any(dim=1, keepdim=True) & ~is_object.any(dim=2, keepdim=True)


class TrainedNetwork(DetectionModel):  # type: ignore[misc]
    """A detection network that can compute in bfloat16 on any device.

    Args:
        architecture: ``yolov5n.yaml`` and its like.
        classes: that it gives.
        low_precision: whether convolutions compute in bfloat16; the loss never does.
    """

    def __init__(self, architecture: str, classes: DetectorClasses, *, low_precision: bool) -> None:
        super().__init__(architecture, nc=len(classes.names), verbose=False)
        self.low_precision = low_precision
        self.detector_classes = classes
        self.criterion: Any = None  # ultralytics asks for it after an epoch, even one without steps

    def init_criterion(self) -> Any:
        """The loss that knows what was looked for."""
        return LookedForLoss(self, self.detector_classes)

    def loss(self, batch: dict[str, Any], preds: Any = None) -> Any:
        """Loss of a batch, and its parts."""
        if self.criterion is None:
            self.criterion = self.init_criterion()
        kind = batch["img"].device.type
        with autocast(kind, low=self.low_precision):
            found = self.forward(batch["img"]) if preds is None else preds
        with autocast(kind, low=False):
            return self.criterion(_as_float32(found), batch)


def _as_float32(found: Any) -> Any:
    if torch.is_tensor(found):
        return found.float()
    if isinstance(found, Mapping):
        return {name: _as_float32(value) for name, value in found.items()}
    return type(found)(_as_float32(value) for value in found) if isinstance(found, list | tuple) else found


def new_network(task: Task, *, low_precision: bool) -> TrainedNetwork:
    """The network that a task names, with random weights.

    Args:
        task: what is to be trained.
        low_precision: whether it computes in bfloat16.

    Raises:
        ConfigError: if ultralytics knows none of this name.
    """
    name = architecture(task)
    try:
        return TrainedNetwork(name, task.detector_classes, low_precision=low_precision)
    except (FileNotFoundError, KeyError, ValueError) as error:
        raise ConfigError(
            f"training.architecture: ultralytics knows no network '{name}'. Name one such as {ARCHITECTURE}."
        ) from error
