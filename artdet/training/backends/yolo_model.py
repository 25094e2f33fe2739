"""A YOLO network in training: its loss where not all classes were looked for, and its precision."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import torch
from ultralytics.nn.tasks import DetectionModel
from ultralytics.utils.loss import v8DetectionLoss

from artdet.training.examples import DetectorClasses


class LookedForLoss(v8DetectionLoss):  # type: ignore[misc]
    """The usual loss, in which the absence of a class counts only where it was looked for.

    The batch has ``labelled`` and ``covered``, bool (B, K); see :class:`artdet.training.examples.Example`. A box has
    one label: one that carries a class is of no other class of its category. Where a box carries the category's own
    label, nobody says whether it is one of its classes, unless these were looked for by themselves. Where there is no
    box, a covered class is absent.

    Args:
        model: the network.
        classes: that it gives.
    """

    def __init__(self, model: torch.nn.Module, classes: DetectorClasses) -> None:
        super().__init__(model)
        self.bce = _WhereLookedFor(classes).to(self.device)

    def loss(self, preds: dict[str, torch.Tensor], batch: dict[str, Any]) -> Any:
        """Sum of the three losses, and each of them."""
        self.bce.labelled, self.bce.covered = batch["labelled"], batch["covered"]
        return super().loss(preds, batch)


class _WhereLookedFor(torch.nn.Module):
    """Binary cross entropy (B, A, K) of each candidate and class, 0 where nobody knows the answer."""

    labelled: torch.Tensor
    covered: torch.Tensor
    fine: torch.Tensor
    alike: torch.Tensor

    def __init__(self, classes: DetectorClasses) -> None:
        super().__init__()
        self.register_buffer("fine", torch.from_numpy(classes.fine))
        self.register_buffer("alike", torch.from_numpy(classes.alike).float())

    def forward(self, scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        loss = torch.nn.functional.binary_cross_entropy_with_logits(scores, targets, reduction="none")
        return loss * self.known(targets)

    def known(self, targets: torch.Tensor) -> torch.Tensor:
        """Bool (B, A, K), where the target is more than a guess."""
        is_object = targets > 0
        specific = (is_object & self.fine).to(self.alike.dtype) @ self.alike > 0
        nothing = ~is_object.any(dim=2, keepdim=True)
        return self.labelled[:, None] | (self.covered[:, None] & nothing) | specific | is_object


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
        lower = torch.autocast(kind, torch.bfloat16) if self.low_precision else contextlib.nullcontext()
        with lower:
            found = self.forward(batch["img"]) if preds is None else preds
        with torch.autocast(kind, enabled=False):
            return self.criterion(_as_float32(found), batch)


def _as_float32(found: Any) -> Any:
    if torch.is_tensor(found):
        return found.float()
    if isinstance(found, Mapping):
        return {name: _as_float32(value) for name, value in found.items()}
    return type(found)(_as_float32(value) for value in found) if isinstance(found, list | tuple) else found
