"""Faster R-CNN networks of torchvision with random weights, for inference and for training."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torchvision.models import get_model
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN, mobilenet_backbone, resnet_fpn_backbone
from torchvision.models.detection.faster_rcnn import FastRCNNConvFCHead
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops import FrozenBatchNorm2d

from artdet.detectors.torchvision import ARCHITECTURES, Settings

SHORT_SIDE, LONG_SIDE = 800, 1333
"""Pixels; the sizes of the FPN paper (Lin 2017), where neither settings nor card give others."""

Norm = Callable[..., torch.nn.Module]

_ANCHORS = (32, 64, 128, 256, 512)
_RATIOS = (0.5, 1.0, 2.0)
_RESNET_STAGES, _MOBILENET_STAGES = 5, 6


def build_network(
    architecture: str,
    outputs: int,
    settings: Settings,
    *,
    sizes: tuple[int | None, int | None] = (None, None),
    norm: Norm = FrozenBatchNorm2d,
    frozen_stages: int = 0,
) -> FasterRCNN:
    """A network with random weights, ready to load others or to be trained.

    Args:
        architecture: key of ``ARCHITECTURES``.
        outputs: number of classes with background.
        settings: give thresholds and, where set, sizes.
        sizes: short side and limit of the long side in pixels that the model was trained at, where known.
        norm: batch normalisation of the backbone; the frozen one takes the tensors of a trained ``BatchNorm2d`` too.
        frozen_stages: of the backbone, from its first, whose weights training leaves as they are.
    """
    if ARCHITECTURES[architecture] == "mobilenet_v3_large":
        parts = _mobilenet_parts(norm, frozen_stages, small=architecture == "fasterrcnn_mobilenet_v3_large_320_fpn")
    elif architecture.endswith("_v2"):
        parts = _second_version_parts(ARCHITECTURES[architecture], norm, frozen_stages)
    else:
        stages = _RESNET_STAGES - frozen_stages
        parts = {
            "backbone": resnet_fpn_backbone(
                backbone_name=ARCHITECTURES[architecture], weights=None, norm_layer=norm, trainable_layers=stages
            )
        }
    return FasterRCNN(
        **parts,
        num_classes=outputs,
        min_size=settings.min_size or sizes[0] or SHORT_SIDE,
        max_size=settings.max_size or sizes[1] or LONG_SIDE,
        box_score_thresh=settings.score_threshold,
        box_nms_thresh=settings.nms_iou,
        box_detections_per_img=settings.max_detections,
    )


def _mobilenet_parts(norm: Norm, frozen_stages: int, *, small: bool) -> dict[str, Any]:
    backbone = mobilenet_backbone(
        backbone_name="mobilenet_v3_large",
        weights=None,
        fpn=True,
        norm_layer=norm,
        trainable_layers=_MOBILENET_STAGES - frozen_stages,
    )
    fewer = {"rpn_pre_nms_top_n_test": 150, "rpn_post_nms_top_n_test": 150} if small else {}
    anchors = AnchorGenerator((_ANCHORS,) * 3, (_RATIOS,) * 3)
    return {"backbone": backbone, "rpn_anchor_generator": anchors, "rpn_score_thresh": 0.05, **fewer}


def _second_version_parts(backbone_name: str, norm: Norm, frozen_stages: int) -> dict[str, Any]:
    """The network of Li 2021 (Benchmarking Detection Transfer Learning with Vision Transformers)."""
    # Outside the backbone nothing is pre-trained on ImageNet, so there is nothing that could be frozen in training.
    plain = FrozenBatchNorm2d if norm is FrozenBatchNorm2d and not frozen_stages else torch.nn.BatchNorm2d
    body = get_model(backbone_name, weights=None, norm_layer=norm)
    first = ("conv1.", "bn1.", *(f"layer{number}." for number in range(1, frozen_stages)))
    for name, parameter in body.named_parameters():
        if frozen_stages and name.startswith(first):
            parameter.requires_grad_(False)
    layers = {f"layer{number}": str(number - 1) for number in range(1, 5)}
    backbone = BackboneWithFPN(body, layers, [256, 512, 1024, 2048], 256, norm_layer=plain)
    anchors = AnchorGenerator(tuple((side,) for side in _ANCHORS), (_RATIOS,) * len(_ANCHORS))
    return {
        "backbone": backbone,
        "rpn_anchor_generator": anchors,
        "rpn_head": RPNHead(256, anchors.num_anchors_per_location()[0], conv_depth=2),
        "box_head": FastRCNNConvFCHead((256, 7, 7), [256] * 4, [1024], norm_layer=plain),
    }


def as_named_now(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors of torchvision's older files under the names that they have since version 0.13.

    >>> list(as_named_now({"rpn.head.conv.bias": None, "backbone.fpn.inner_blocks.0.weight": None}))
    ['rpn.head.conv.0.0.bias', 'backbone.fpn.inner_blocks.0.0.weight']
    """
    old = re.compile(r"(\.(?:inner|layer)_blocks\.\d+|^rpn\.head\.conv)\.(weight|bias)$")
    return {
        old.sub(r"\1.0.0.\2" if name.startswith("rpn") else r"\1.0.\2", name): value for name, value in tensors.items()
    }


def without_epsilon(tensors: Mapping[str, torch.Tensor], epsilon: float = 1e-5) -> dict[str, torch.Tensor]:
    """Tensors whose normalisations were trained with an epsilon of 0, for a network that adds one to the variance.

    The weights of the normalisations grow by as much as the epsilon would make them smaller.
    """
    mended = dict(tensors)
    for name, variance in tensors.items():
        if name.endswith(".running_var"):
            weight = name.replace(".running_var", ".weight")
            mended[weight] = tensors[weight] * torch.sqrt((variance + epsilon) / variance)
    return mended
