"""What a collection of artworks is made of: sizes, shapes and classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artdet.data.artworks.collection import Artworks, known
from artdet.errors import ImageError
from artdet.images.header import image_sizes
from artdet.tasks import Task

_QUANTILES = {"least": 0.0, "tenth": 0.1, "median": 0.5, "nine_tenths": 0.9, "most": 1.0}


@dataclass(frozen=True, eq=False)
class TaskProfile:
    """What is known of one task.

    Attributes:
        task: with its classes.
        known: images with an answer.
        unknown: images without.
        counts: class -> images, many first; empty for a number.
        values: float32, of the images with an answer, for a number.
    """

    task: Task
    known: int
    unknown: int
    counts: Mapping[str, int]
    values: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Profile:
    """Sizes and classes.

    Attributes:
        images: how many.
        sizes: int64 (N, 2), width and height in pixels of those that can be read.
        failures: path -> why it cannot be read.
        tasks: of the collection; empty where nothing is asked.
    """

    images: int
    sizes: NDArray[np.int64]
    failures: Mapping[Path, ImageError]
    tasks: tuple[TaskProfile, ...]

    @property
    def ratios(self) -> NDArray[np.float64]:
        """Width divided by height."""
        return np.asarray(self.sizes[:, 0] / self.sizes[:, 1])

    def as_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return {
            "images": self.images,
            "unreadable": {str(path): str(error) for path, error in self.failures.items()},
            "width": _spread(self.sizes[:, 0]),
            "height": _spread(self.sizes[:, 1]),
            "aspect_ratio": _spread(self.ratios),
            "tasks": {profile.task.name: _task_json(profile) for profile in self.tasks},
        }


def profile(paths: Sequence[Path], artworks: Artworks | None = None) -> Profile:
    """Reads the headers of images and counts the classes of their tasks."""
    found = image_sizes(paths)
    sizes = [(size[1], size[0]) for size in found if not isinstance(size, ImageError)]
    failures = {path: size for path, size in zip(paths, found, strict=True) if isinstance(size, ImageError)}
    tasks = () if artworks is None else tuple(_task_profile(artworks, task) for task in artworks.tasks)
    return Profile(len(paths), np.array(sizes, dtype=np.int64).reshape(-1, 2), failures, tasks)


def _task_profile(artworks: Artworks, task: Task) -> TaskProfile:
    targets = artworks.targets[task.name]
    there = known(task, targets)
    answered = targets[there]
    values = np.zeros(0, dtype=np.float32)
    counts: dict[str, int] = {}
    if task.kind == "number":
        values = answered.astype(np.float32)
    else:
        numbers = answered.sum(axis=0) if task.kind == "labels" else np.bincount(answered, minlength=len(task.classes))
        pairs = zip(task.classes, (int(number) for number in numbers), strict=True)
        counts = dict(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))
    return TaskProfile(task, int(there.sum()), int((~there).sum()), counts, values)


def _task_json(found: TaskProfile) -> dict[str, Any]:
    rest = {"values": _spread(found.values)} if found.task.kind == "number" else {"classes": dict(found.counts)}
    return {"kind": found.task.kind, "known": found.known, "unknown": found.unknown, **rest}


def _spread(values: NDArray[Any]) -> dict[str, float]:
    if not len(values):
        return {}
    return {name: round(float(np.quantile(values, share)), 3) for name, share in _QUANTILES.items()}
