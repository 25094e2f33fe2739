"""YOLOv5u and its relatives of the ultralytics package, on torch, ONNX Runtime or OpenVINO."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from artdet.detectors.base import Detector, LoadContext, MemberSettings, ScalableSettings, class_ids
from artdet.devices import resolve_device
from artdet.errors import ModelError
from artdet.labelmaps import IGNORED_ID
from artdet.modelfiles import ModelFiles, file_sha256, find_model, is_pickle, missing_weights, require_model
from artdet.runtimes import choose_engine
from artdet.taxonomy import Taxonomy


class Settings(ScalableSettings):
    """A YOLO member.

    Attributes:
        weights: name of a bundled or trained model, a ``*.safetensors`` with its card, or a ``.pt`` of ultralytics.
        image_size: side in pixels that the longer side of a picture is scaled to; the model's own by default.
        nms_iou: boxes of one category that overlap more are one object, whose most confident label stays.
        max_detections: at most so many boxes an image, the most confident ones.
    """

    detector: Literal["yolo"] = "yolo"
    weights: str
    image_size: int | None = Field(default=None, ge=32, le=8192)
    nms_iou: float = Field(default=0.7, gt=0, le=1)
    max_detections: int = Field(default=300, gt=0)


def requirements(settings: MemberSettings, context: LoadContext) -> list[str]:
    """Missing weights; see :class:`artdet.detectors.base.Backend`."""
    own = cast(Settings, settings)
    if find_model(own.weights, context.folder) is None:
        return [missing_weights(own.name, own.weights, own.get)]
    return []


def fingerprint(settings: MemberSettings, context: LoadContext) -> Mapping[str, str]:
    """Hashes of weights and card, engine and precision; see :class:`artdet.detectors.base.Backend`."""
    files = _files(cast(Settings, settings), context)
    card = {"card_sha256": file_sha256(files.card)} if files.card else {}
    engine = choose_engine(context.engine, resolve_device(context.device))
    return {"weights_sha256": file_sha256(files.model), **card, "engine": engine, "precision": context.precision}


def load(settings: MemberSettings, context: LoadContext) -> Detector:
    """The detector; exports the network for its engine the first time."""
    from artdet.detectors.yolo_detector import YoloDetector
    from artdet.detectors.yolo_engines import open_engine

    own = cast(Settings, settings)
    files = _files(own, context)
    device = resolve_device(context.device)
    engine = open_engine(choose_engine(context.engine, device), files, device=device, context=context)
    size = own.image_size or engine.info.image_size
    ids = class_ids(own, engine.info.classes, context)
    return YoloDetector(engine, own, ids, categories_of(ids, context.taxonomy), image_size=size)


def categories_of(class_ids: NDArray[np.int64], taxonomy: Taxonomy) -> NDArray[np.int64]:
    """(C,) the category of each class of a model; classes that the label map ignores are all of their own."""
    own = -1 - np.arange(len(class_ids), dtype=np.int64)
    known = class_ids != IGNORED_ID
    return np.where(known, taxonomy.coarse_of(np.where(known, class_ids, 0)), own)


def _files(settings: Settings, context: LoadContext) -> ModelFiles:
    files = require_model(settings.name, settings.weights, context.folder, settings.get)
    if not is_pickle(files.model) and files.model.suffix != ".safetensors":
        raise ModelError(f"{files.model} is neither a .safetensors nor a .pt file. Name weights of one of these forms.")
    return files
