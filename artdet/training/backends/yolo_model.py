"""A YOLO network in training: its start, its loss where not all classes were looked for, its precision."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from ultralytics.nn.tasks import DetectionModel
from ultralytics.utils.loss import v8DetectionLoss

from artdet.errors import ModelError
from artdet.modelfiles import ModelFiles, is_pickle, load_tensors, read_card, refuse_pickle


class LookedForLoss(v8DetectionLoss):  # type: ignore[misc]
    """The usual loss, in which the absence of a class counts only where it was looked for.

    The batch has ``labelled`` and ``covered``, bool (B, K); see :class:`artdet.training.examples.Example`. Where a box
    carries the category's label, nobody says whether it is one of its classes; everywhere else a covered class is absent.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__(model)
        self.bce = _WhereLookedFor()

    def loss(self, preds: dict[str, torch.Tensor], batch: dict[str, Any]) -> Any:
        """Sum of the three losses, and each of them."""
        self.bce.labelled, self.bce.covered = batch["labelled"], batch["covered"]
        return super().loss(preds, batch)


class _WhereLookedFor(torch.nn.Module):
    """Binary cross entropy (B, A, K) of each candidate and class, 0 where nobody knows the answer."""

    labelled: torch.Tensor
    covered: torch.Tensor

    def forward(self, scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        loss = torch.nn.functional.binary_cross_entropy_with_logits(scores, targets, reduction="none")
        has_object = targets.sum(dim=2, keepdim=True) > 0
        known = self.labelled[:, None, :] | (self.covered[:, None, :] & ~has_object) | (targets > 0)
        return loss * known


class TrainedNetwork(DetectionModel):  # type: ignore[misc]
    """A detection network that can compute in bfloat16 on any device.

    Args:
        architecture: ``yolov5n.yaml`` and its like.
        classes: how many.
        low_precision: whether convolutions compute in bfloat16; the loss never does.
    """

    def __init__(self, architecture: str, classes: int, *, low_precision: bool) -> None:
        super().__init__(architecture, nc=classes, verbose=False)
        self.low_precision = low_precision

    def init_criterion(self) -> Any:
        """The loss that knows what was looked for."""
        return LookedForLoss(self)

    def loss(self, batch: dict[str, Any], preds: Any = None) -> Any:
        """Loss of a batch, and its parts."""
        if getattr(self, "criterion", None) is None:
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


def start_tensors(start: ModelFiles, classes: Sequence[str], network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Tensors of other weights that fit a network by name and shape, with the outputs of classes of the same name.

    Args:
        start: of any YOLO network; without a card all that fits is taken as it is.
        classes: of the network, in the order of its outputs.
        network: that they are for.

    Raises:
        ModelError: if nothing fits.
    """
    tensors, names = _tensors(start)
    own = network.state_dict()
    fitting = {name: tensor for name, tensor in tensors.items() if name in own and own[name].shape == tensor.shape}
    if names is not None:
        fitting.update(_outputs(tensors, own, names, classes))
    if len(fitting) < len(own) // 2:
        raise ModelError(
            f"{start.model} fits this network in only {len(fitting)} of {len(own)} tensors. "
            "Start from weights of the same architecture, or from random ones: --start random."
        )
    return {name: tensor.to(own[name].dtype) for name, tensor in fitting.items()}


def _tensors(start: ModelFiles) -> tuple[dict[str, torch.Tensor], Sequence[str] | None]:
    if is_pickle(start.model):
        refuse_pickle(start.model, trusted=False)
    return load_tensors(start.model), read_card(start, backend="yolo").classes if start.card else None


def _outputs(
    tensors: Mapping[str, torch.Tensor], own: Mapping[str, torch.Tensor], names: Sequence[str], classes: Sequence[str]
) -> dict[str, torch.Tensor]:
    """The last layers of the classification branch, row by row: classes that the start knows keep what they learnt."""
    rows = {}
    for name, tensor in own.items():
        there = tensors.get(name)
        is_output = there is not None and tensor.shape[:1] == (len(classes),) and there.shape[:1] == (len(names),)
        if not is_output or there is None or there.shape[1:] != tensor.shape[1:] or ".cv3." not in name:
            continue
        row = tensor.clone()
        for place, each in enumerate(classes):
            if each in names:
                row[place] = there[list(names).index(each)].to(row.dtype)
        rows[name] = row
    return rows
