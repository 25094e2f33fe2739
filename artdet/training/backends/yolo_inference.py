"""A network in training as the detector that would be loaded from its run."""

from __future__ import annotations

import copy
from typing import Any

from artdet.detectors.yolo import Settings
from artdet.detectors.yolo_detector import YoloDetector
from artdet.detectors.yolo_engines import TorchEngine
from artdet.detectors.yolo_network import NetworkInfo, for_inference
from artdet.training.course import Task


def detector_of(network: Any, task: Task, device: str) -> YoloDetector:
    """The detector of a copy of a network of ultralytics, as it is now."""
    size, classes = task.category.settings.image_size, task.detector_classes
    info = NetworkInfo(task.classes, size, int(max(network.stride)), end_to_end=False)
    adapted = for_inference(copy.deepcopy(network), classes.generals.tolist())
    engine = TorchEngine(adapted, info, device=device, threads=task.threads)
    settings = Settings(name="trained", weights="trained")
    return YoloDetector(engine, settings, classes.ids, classes.categories, image_size=size)
