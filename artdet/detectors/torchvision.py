"""Faster R-CNN with a feature pyramid (Ren 2015, Lin 2017) of torchvision, on four backbones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, cast

from pydantic import Field

from artdet.detectors.base import Detector, LoadContext, MemberSettings, ScalableSettings, class_ids
from artdet.devices import resolve_device
from artdet.errors import ModelError
from artdet.modelfiles import ModelCard, ModelFiles, file_sha256, find_model, missing_weights, read_card, require_model

ARCHITECTURES = {
    "fasterrcnn_resnet50_fpn": "resnet50",
    "fasterrcnn_resnet50_fpn_v2": "resnet50",
    "fasterrcnn_resnet101_fpn": "resnet101",
    "fasterrcnn_resnext101_32x8d_fpn": "resnext101_32x8d",
    "fasterrcnn_mobilenet_v3_large_fpn": "mobilenet_v3_large",
    "fasterrcnn_mobilenet_v3_large_320_fpn": "mobilenet_v3_large",
}
"""Architecture in a card -> torchvision's name of its backbone."""

COCO = "coco"
"""The word for torchvision's own weights, trained on COCO."""

COCO_FILE = "fasterrcnn_resnet50_fpn_coco-258fb6c6.pth"
"""Name of their file; it ends with the beginning of the file's SHA-256, which torchvision checks."""


class Settings(ScalableSettings):
    """A Faster R-CNN of torchvision.

    Attributes:
        weights: name of a trained model or ``*.safetensors`` with its card; ``"coco"`` for torchvision's own weights
            (ResNet-50), which it fetches once; they want ``label_map: coco``.
        min_size: pixels that the short side of a picture is scaled to; the card's by default, else 800.
        max_size: limit of the long side in pixels; the card's by default, else 1333.
        nms_iou: boxes of one class that overlap more are one object.
        max_detections: at most so many boxes an image, the most confident ones.
        score_threshold: what a box must score to take part in suppression; ``min_score`` decides afterwards.
        batch: images that pass the network together. They pad each other to one size, so their scores then depend
            slightly on their company; with 1 they do not.
    """

    detector: Literal["torchvision"] = "torchvision"
    weights: str
    min_size: int | None = Field(default=None, ge=32, le=8192)
    max_size: int | None = Field(default=None, ge=32, le=8192)
    nms_iou: float = Field(default=0.5, gt=0, le=1)
    max_detections: int = Field(default=100, gt=0)
    score_threshold: float = Field(default=0.01, ge=0, le=1)
    batch: int = Field(default=1, ge=1, le=256)


def requirements(settings: MemberSettings, context: LoadContext) -> list[str]:
    """Missing weights; see :class:`artdet.detectors.base.Backend`."""
    own = cast(Settings, settings)
    if own.weights != COCO and find_model(own.weights, context.folder) is None:
        return [missing_weights(own.name, own.weights, own.get)]
    return []


def fingerprint(settings: MemberSettings, context: LoadContext) -> Mapping[str, str]:
    """Hashes of weights and card; see :class:`artdet.detectors.base.Backend`."""
    own = cast(Settings, settings)
    if own.weights == COCO:
        return {"weights": COCO_FILE}
    files = _files(own, context)
    card = {"card_sha256": file_sha256(files.card)} if files.card else {}
    return {"weights_sha256": file_sha256(files.model), **card}


def load(settings: MemberSettings, context: LoadContext) -> Detector:
    """The detector, on the context's device."""
    from artdet.detectors import torchvision_model

    own = cast(Settings, settings)
    if own.weights == COCO:
        network, names = torchvision_model.coco_network(own)
    else:
        files = _files(own, context)
        card = _card(files)
        network, names = torchvision_model.load_network(files, card, own), [None, *card.classes]
    ids = torchvision_model.output_ids(names, lambda known: class_ids(own, known, context))
    return torchvision_model.TorchvisionDetector(
        network, own, ids, device=resolve_device(context.device), threads=context.threads
    )


def _files(settings: Settings, context: LoadContext) -> ModelFiles:
    files = require_model(settings.name, settings.weights, context.folder, settings.get)
    if files.model.suffix != ".safetensors":
        raise ModelError(f"{files.model} is no .safetensors file. Save the network's state_dict as one, with a card.")
    return files


def _card(files: ModelFiles) -> ModelCard:
    card = read_card(files, backend="torchvision")
    if card.architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise ModelError(f"{files.card}: architecture '{card.architecture}' is unknown here. Use one of {known}.")
    return card
