"""The losses of Faster R-CNN where not every class was looked for in every image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import fastrcnn_loss

from artdet.training.backends.precision import autocast
from artdet.training.backends.torchvision_data import Target
from artdet.training.examples import PARTLY

_STRIDE = 32


def unknown_outputs(labels: torch.Tensor, target: Target, below: torch.Tensor) -> torch.Tensor:
    """Bool (P, 1 + K): which outputs say something of a proposal that nobody knows.

    A proposal without an object may be one of a class that is not covered. One with a category's label may be one of
    its classes, as long as that was not looked for by itself. Of all other outputs it is known: a box has one class.

    Args:
        labels: (P,) of the proposals of an image, 0 for background.
        target: what is known of the image.
        below: (K, K), as :class:`artdet.training.examples.DetectorClasses` has it.
    """
    unknown = torch.zeros(len(labels), 1 + len(below), dtype=torch.bool, device=labels.device)
    is_object = (labels > 0)[:, None]
    of_object = below[(labels - 1).clamp(min=0)] & ~target.labelled
    unknown[:, 1:] = torch.where(is_object, of_object, ~target.covered)
    return unknown


def doubts(labels: torch.Tensor, target: Target, below: torch.Tensor) -> torch.Tensor:
    """(P, 1 + K) to be added to logits: 0; -inf for unknown outputs, log PARTLY where the image has boxes of the class.

    Args:
        labels, target, below: as :func:`unknown_outputs` takes them.
    """
    boxed = torch.zeros(1 + len(below), dtype=torch.bool, device=labels.device)
    boxed[target.labels] = True
    weight = torch.where((labels == 0)[:, None] & boxed, math.log(PARTLY), -torch.inf)
    return torch.where(unknown_outputs(labels, target, below), weight, 0.0)


class Losses(torch.nn.Module):
    """A network that gives its losses: those of torchvision, with unknown outputs left out of the softmax.

    Where an image has some boxes of a class that need not be all, background that looks like the class counts little.

    The region proposal network learns from every image as if all classes were covered. Its single output says whether
    there is any object; unknown ones are a few of the thousands of places that it is shown as empty, while images with
    unknown classes are most of some categories.

    Args:
        network: in training.
        below: (K, K); see :class:`artdet.training.examples.DetectorClasses`.
        low_precision: whether convolutions and linear layers compute in bfloat16; the losses never do.
    """

    below: torch.Tensor

    def __init__(self, network: FasterRCNN, below: NDArray[np.bool_], *, low_precision: bool) -> None:
        super().__init__()
        self.network, self._low_precision = network, low_precision
        self.register_buffer("below", torch.from_numpy(below), persistent=False)
        network.rpn.head.register_forward_hook(_in_float32)

    def forward(self, images: Sequence[torch.Tensor], targets: Sequence[Target]) -> dict[str, torch.Tensor]:
        """Losses of a batch of uint8 images (3, H, W), which are taken in the size that they have."""
        transform, heads = self.network.transform, self.network.roi_heads
        sizes = [(int(image.shape[1]), int(image.shape[2])) for image in images]
        planes = [transform.normalize(image.float().div(255)) for image in images]
        batch = ImageList(transform.batch_images(planes, size_divisible=_STRIDE), sizes)
        boxes = [{"boxes": target.boxes, "labels": target.labels} for target in targets]
        with autocast(batch.tensors.device.type, low=self._low_precision):
            features = {name: found.float() for name, found in self.network.backbone(batch.tensors).items()}
            proposals, losses = self.network.rpn(batch, features, boxes)
            proposals, _, labels, regression = heads.select_training_samples(proposals, boxes)
            pooled = heads.box_roi_pool(features, proposals, sizes)
            logits, deltas = heads.box_predictor(heads.box_head(pooled))
        doubtful = [doubts(one, target, self.below) for one, target in zip(labels, targets, strict=True)]
        logits = logits.float() + torch.cat(doubtful)
        if len(logits):
            losses["loss_classifier"], losses["loss_box_reg"] = fastrcnn_loss(
                logits, deltas.float(), labels, regression
            )
        else:  # no box and no proposal, of which a mean would be no number
            losses["loss_classifier"], losses["loss_box_reg"] = logits.sum(), deltas.float().sum()
        return {name.removeprefix("loss_"): loss for name, loss in losses.items()}


def _in_float32(module: torch.nn.Module, inputs: Any, found: Any) -> Any:
    """Boxes computed in bfloat16 would be off by pixels."""
    return tuple([each.float() for each in part] for part in found)
