"""A Faster R-CNN of Detectron2 in training: its config, its start, its loss where not all classes were looked for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from detectron2.modeling.meta_arch import GeneralizedRCNN
from detectron2.modeling.roi_heads.fast_rcnn import FastRCNNOutputLayers

from artdet.modelfiles import ModelFiles, load_tensors, read_card, refuse_pickle
from artdet.training.backends.precision import autocast
from artdet.training.examples import PARTLY

OUTPUTS = "roi_heads.box_predictor."
_LEAST_FITTING = 0.5


class LookedForLayers(FastRCNNOutputLayers):  # type: ignore[misc]
    """The usual output layers, with a loss in which the absence of a class counts only where it was looked for.

    Attributes:
        below: bool (K, K); see :class:`artdet.training.examples.DetectorClasses`.
        labelled: bool (B, K) of the batch that comes next; see :class:`artdet.training.examples.Example`.
        covered: bool (B, K), likewise.
        boxed: bool (B, K), classes that have boxes in the image: where these need not be all, background that looks
            like the class counts little.
    """

    below: torch.Tensor
    labelled: torch.Tensor
    covered: torch.Tensor
    boxed: torch.Tensor

    def losses(self, predictions: tuple[torch.Tensor, torch.Tensor], proposals: Sequence[Any]) -> Any:
        """Losses of classes and boxes."""
        scores, deltas = (each.float() for each in predictions)
        classes = torch.cat([each.gt_classes for each in proposals])
        images = torch.repeat_interleave(
            torch.arange(len(proposals), device=classes.device),
            torch.tensor([len(each) for each in proposals], device=classes.device),
        )
        unknown = unknown_outputs(classes, self.labelled[images], self.covered[images], self.below)
        partly = (classes == len(self.below))[:, None] & torch.nn.functional.pad(self.boxed[images], (0, 1))
        doubts = torch.where(unknown, torch.where(partly, math.log(PARTLY), -torch.inf), 0.0)
        return super().losses((scores + doubts, deltas), proposals)


def unknown_outputs(
    classes: torch.Tensor, labelled: torch.Tensor, covered: torch.Tensor, below: torch.Tensor
) -> torch.Tensor:
    """Bool (P, K + 1): which outputs say something of a proposal that nobody knows; the last one is the background.

    A proposal without an object may be one of a class that is not covered. One with a category's label may be one of
    its classes, as long as that was not looked for by itself. Of all other outputs it is known: a box has one class.

    Args:
        classes: (P,) what each proposal is: 0..K-1, or K for background.
        labelled: bool (P, K), classes that were looked for by themselves in its image.
        covered: bool (P, K), classes that are only where a box of their category is.
        below: bool (K, K), whether the class of a row is a category, and the class of a column one of its classes.
    """
    is_object = (classes < len(below))[:, None]
    of_object = below[classes.clamp(max=len(below) - 1)] & ~labelled
    unknown = torch.where(is_object, of_object, ~covered)
    return torch.nn.functional.pad(unknown, (0, 1))


class TrainedNetwork(GeneralizedRCNN):  # type: ignore[misc]
    """A Faster R-CNN whose images say what was looked for in them, and that can compute in bfloat16 on any device.

    Attributes:
        low_precision: whether training computes in bfloat16 where torch's autocast deems that safe.
    """

    low_precision = False

    @classmethod
    def from_config(cls, cfg: Any) -> dict[str, Any]:
        """Its parts."""
        parts: dict[str, Any] = super().from_config(cfg)
        heads = parts["roi_heads"]
        heads.box_predictor = LookedForLayers(cfg, heads.box_head.output_shape)
        return parts

    def forward(self, batched_inputs: list[dict[str, Any]]) -> Any:
        """Losses in training, else boxes."""
        if not self.training:
            return super().forward(batched_inputs)
        outputs = self.roi_heads.box_predictor
        outputs.labelled = torch.stack([each["labelled"] for each in batched_inputs]).to(self.device)
        outputs.covered = torch.stack([each["covered"] for each in batched_inputs]).to(self.device)
        outputs.boxed = torch.zeros_like(outputs.covered)
        for boxed, each in zip(outputs.boxed, batched_inputs, strict=True):
            boxed[each["instances"].gt_classes.to(self.device)] = True
        with autocast(self.device.type, low=self.low_precision):
            return super().forward(batched_inputs)


def start_tensors(start: ModelFiles) -> tuple[dict[str, torch.Tensor], tuple[str, ...] | None]:
    """Tensors of weights to begin with, and their class names where a card tells them.

    Raises:
        ModelError: if they are a pickle, damaged, or of another backend.
    """
    refuse_pickle(start.model, trusted=False)
    names = read_card(start, backend="detectron2").classes if start.card else None
    return load_tensors(start.model), names


def fitting_tensors(
    tensors: Mapping[str, torch.Tensor],
    own: Mapping[str, torch.Tensor],
    names: Sequence[str] | None,
    classes: Sequence[str],
) -> dict[str, torch.Tensor]:
    """Tensors that fit a network by name and shape, with the outputs of classes of the same name.

    Args:
        tensors: of other weights.
        own: of the network.
        names: classes of the other weights; their outputs are left out where these are unknown.
        classes: of the network.
    """
    fitting = {
        name: tensor.to(own[name].dtype)
        for name, tensor in tensors.items()
        if name in own and own[name].shape == tensor.shape and not name.startswith(OUTPUTS)
    }
    outputs = [name for name in own if name.startswith(OUTPUTS) and name in tensors] if names else []
    for name in outputs:
        if tensors[name].shape[1:] == own[name].shape[1:]:
            fitting[name] = _outputs(tensors[name], own[name], names or (), classes)
    return fitting


def fits(fitting: Mapping[str, torch.Tensor], own: Mapping[str, torch.Tensor]) -> bool:
    """Whether so much fits that it is a start."""
    return len(fitting) >= _LEAST_FITTING * sum(not name.endswith("num_batches_tracked") for name in own)


def _outputs(there: torch.Tensor, own: torch.Tensor, names: Sequence[str], classes: Sequence[str]) -> torch.Tensor:
    """Rows of one output layer: classes that the other weights know keep what they learnt, and so does background."""
    rows = own.clone()
    each = 4 if len(there) == 4 * len(names) else 1  # four for a box, one for a score
    for place, name in enumerate(classes):
        if name in names:
            known = list(names).index(name)
            rows[place * each : place * each + each] = there[known * each : known * each + each].to(own.dtype)
    if each == 1:
        rows[-1] = there[-1].to(own.dtype)
    return rows
