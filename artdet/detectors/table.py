"""Which module holds which detector. A new one is one file and one row."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from artdet.detectors.base import Backend
from artdet.errors import ConfigError, did_you_mean

DETECTORS = {
    "yolo": "artdet.detectors.yolo",
    "torchvision": "artdet.detectors.torchvision",
    "detectron2": "artdet.detectors.detectron2",
    "faces": "artdet.detectors.faces",
    "nudity": "artdet.detectors.nudity",
}


def backend(name: str) -> Backend:
    """The module of a detector.

    Raises:
        ConfigError: if there is no detector of that name.
    """
    if name not in DETECTORS:
        raise ConfigError(f"there is no detector '{name}'.{did_you_mean(name, DETECTORS)}")
    return cast(Backend, import_module(DETECTORS[name]))
