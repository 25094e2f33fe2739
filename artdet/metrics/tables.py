"""The boxes of chosen classes of all images in one table, ordered as matching needs them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artdet.metrics.overlaps import Row
from artdet.metrics.pairs import Pairs


@dataclass(frozen=True, eq=False)
class Table:
    """Boxes of all pairs, one row each.

    Attributes:
        boxes: float64 (N, 4), xyxy in pixels.
        scores: float64 (N,), as the float32 of the detections says.
        kind: int64 (N,), place of the box's class in the list of classes.
        image: int64 (N,), index of the pair.
        box: int64 (N,), index in the pair's ``found`` or ``truth``.
        crowd: bool (N,); never for predictions.
        ignored: bool (N,); never for predictions.
    """

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    kind: NDArray[np.int64]
    image: NDArray[np.int64]
    box: NDArray[np.int64]
    crowd: NDArray[np.bool_]
    ignored: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, index: NDArray[Any]) -> Table:
        return Table(*(getattr(self, name)[index] for name in self.__dataclass_fields__))


def found_table(pairs: Pairs, classes: Sequence[int]) -> Table:
    """The predictions of ``classes``, in the order of classes, then from the highest score (stable), as COCO has it."""
    row = Row.of([pair.found for pair in pairs])
    never = np.zeros(len(row.image), dtype=bool)
    table = _table(row, classes, never, never)
    return table[np.lexsort((-table.scores, table.kind))]


def truth_table(pairs: Pairs, classes: Sequence[int]) -> Table:
    """The true boxes of ``classes``, in the order of classes, then of images, then of boxes."""
    row = Row.of([pair.truth for pair in pairs])
    crowd, ignored = _flags(pair.crowd for pair in pairs), _flags(pair.ignored for pair in pairs)
    table = _table(row, classes, crowd, ignored)
    return table[np.argsort(table.kind, kind="stable")]


def _table(row: Row, classes: Sequence[int], crowd: NDArray[np.bool_], ignored: NDArray[np.bool_]) -> Table:
    """Rows in the order of images, then of boxes."""
    kind = row.places(classes)
    box = np.arange(len(row.image)) - row.start[row.image]
    table = Table(row.corners.T, row.scores.astype(np.float64), kind, row.image, box, crowd, ignored)
    return table[np.flatnonzero(kind >= 0)]


def _flags(columns: Iterable[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    return np.concatenate([np.zeros(0, dtype=bool), *columns])
