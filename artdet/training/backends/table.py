"""The backends that train."""

from __future__ import annotations

import importlib
from typing import Protocol, cast

from artdet.data.training_settings import BackendName
from artdet.detectors.yolo_network import quiet_ultralytics
from artdet.training.course import Course

BACKENDS: dict[BackendName, str] = {
    "yolo": "artdet.training.backends.yolo",
    "torchvision": "artdet.training.backends.torchvision",
    "detectron2": "artdet.training.backends.detectron2",
}


class Backend(Protocol):
    """What the module of a backend offers."""

    def train(self, course: Course) -> None:
        """Trains until the course is finished; goes on from its checkpoint, where there is one."""


def backend(name: BackendName) -> Backend:
    """The module of a backend; its library is imported now."""
    quiet_ultralytics()
    return cast(Backend, importlib.import_module(BACKENDS[name]))
