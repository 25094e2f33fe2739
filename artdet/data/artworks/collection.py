"""Images of artworks with the answers to tasks, as training and evaluation take them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from artdet.tasks import Task

Targets = NDArray[np.int64] | NDArray[np.float32]
UNKNOWN = -1
"""The label of an image of which nobody said one."""


@dataclass(frozen=True, eq=False)
class Artworks:
    """N images, and for each task what is known of them. An image that lacks an answer stays for the other tasks.

    Attributes:
        tasks: what is asked.
        paths: (N,) of the images.
        names: (N,) ``source/file``, unique; splits are written by them.
        groups: (N,) the artwork or series that an image belongs to, which a split never separates.
        targets: task -> int64 (N,) with ``UNKNOWN`` for ``label``; float32 (N, classes) of 0 and 1, a row of NaN where
            unknown, for ``labels``; float32 (N,) with NaN for ``number``, in its own unit.
        notes: what was odd about the sources, a sentence each.
    """

    tasks: tuple[Task, ...]
    paths: tuple[Path, ...]
    names: tuple[str, ...]
    groups: tuple[str, ...]
    targets: Mapping[str, Targets]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.paths)

    def task(self, name: str) -> Task:
        """The task of this name."""
        return next(task for task in self.tasks if task.name == name)

    def known(self, name: str) -> NDArray[np.bool_]:
        """Bool (N,), whether there is an answer to the task of this name."""
        return known(self.task(name), self.targets[name])

    def taken(self, places: Sequence[int] | NDArray[np.int64]) -> Artworks:
        """The images at these places, in this order."""
        places = np.asarray(places, dtype=np.int64)
        return Artworks(
            self.tasks,
            tuple(self.paths[place] for place in places),
            tuple(self.names[place] for place in places),
            tuple(self.groups[place] for place in places),
            {name: values[places] for name, values in self.targets.items()},
            self.notes,
        )


def known(task: Task, targets: Targets) -> NDArray[np.bool_]:
    """Bool (N,), which images have an answer."""
    if task.kind == "label":
        return np.asarray(targets != UNKNOWN)
    missing = np.isnan(targets)
    return np.asarray(~(missing.any(axis=1) if missing.ndim > 1 else missing))
