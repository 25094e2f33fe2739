"""``Detections``: the boxes of one image, the type that everything else takes and gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from artdet.boxes import Boxes, clipped

MAX_SOURCES = 62
"""How many ensemble members the bit set of ``Detections.sources`` holds."""


@dataclass(frozen=True, eq=False)
class Detections:
    """Boxes of one image. Build it with :meth:`of`, which converts and checks; the arrays are read-only.

    Attributes:
        boxes: float32 (N, 4), xyxy in pixels of the image, continuous edges (width = x2 - x1).
        scores: float32 (N,), in [0, 1].
        labels: int64 (N,), ids of taxonomy nodes, fine or coarse.
        sources: int64 (N,), bit set of the ensemble members that gave each box; a lone detector is bit 0.
        image_size: (height, width) in pixels of the image that the boxes refer to.
    """

    boxes: Boxes
    scores: NDArray[np.float32]
    labels: NDArray[np.int64]
    sources: NDArray[np.int64]
    image_size: tuple[int, int]

    @classmethod
    def of(
        cls,
        boxes: ArrayLike,
        scores: ArrayLike,
        labels: ArrayLike,
        image_size: tuple[int, int],
        *,
        sources: ArrayLike = 1,
    ) -> Detections:
        """Converts, checks and freezes.

        Args:
            boxes: (N, 4) xyxy in pixels; also an empty sequence.
            scores: (N,), or one number for all.
            labels: (N,), or one id for all.
            image_size: (height, width) in pixels.
            sources: (N,) bit sets, or one for all.

        Raises:
            ValueError: where shapes disagree, a number is not finite, a corner is swapped or a score leaves [0, 1].
        """
        xyxy = np.array(boxes, dtype=np.float32).reshape(-1, 4)
        count = len(xyxy)
        made = cls(
            xyxy,
            _column(scores, np.float32, count, "scores"),
            _column(labels, np.int64, count, "labels"),
            _column(sources, np.int64, count, "sources"),
            (int(image_size[0]), int(image_size[1])),
        )
        _check(made)
        for array in (made.boxes, made.scores, made.labels, made.sources):
            _frozen(array)
        return made

    @classmethod
    def empty(cls, image_size: tuple[int, int]) -> Detections:
        """No boxes on an image of ``image_size`` (height, width)."""
        return cls.of([], [], [], image_size)

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, index: NDArray[Any] | Sequence[int] | slice) -> Detections:
        """A selection by boolean mask (N,), by indices in their order, or by slice."""
        chosen = index if isinstance(index, slice) else np.asarray(index)
        if isinstance(chosen, np.ndarray) and chosen.size == 0 and chosen.dtype != bool:
            chosen = chosen.astype(np.int64)
        return Detections.of(
            self.boxes[chosen],
            self.scores[chosen],
            self.labels[chosen],
            self.image_size,
            sources=self.sources[chosen],
        )

    def sorted(self) -> Detections:
        """Highest score first; ties by label, then by box, so that the order never depends on the input's."""
        keys = (*self.boxes.T[::-1], self.labels, -self.scores)
        return self[np.lexsort(keys)]

    def from_source(self, index: int) -> Detections:
        """The same boxes, marked as given by ensemble member ``index``."""
        if not 0 <= index < MAX_SOURCES:
            raise ValueError(f"a source is an index from 0 to {MAX_SOURCES - 1}, but got {index}")
        return Detections.of(self.boxes, self.scores, self.labels, self.image_size, sources=1 << index)

    def relabelled(self, labels: NDArray[np.int64]) -> Detections:
        """The same boxes with other taxonomy ids (N,)."""
        column = _frozen(_column(labels, np.int64, len(self), "labels"))
        return Detections(self.boxes, self.scores, column, self.sources, self.image_size)

    def rescaled(self, image_size: tuple[int, int]) -> Detections:
        """The same boxes on the same picture at another size (height, width), cut at its borders."""
        if image_size == self.image_size:
            return self
        fy, fx = image_size[0] / self.image_size[0], image_size[1] / self.image_size[1]
        boxes = clipped(self.boxes * np.array([fx, fy, fx, fy], dtype=np.float32), image_size)
        return Detections.of(boxes, self.scores, self.labels, image_size, sources=self.sources)


def concat(parts: Sequence[Detections], image_size: tuple[int, int]) -> Detections:
    """All boxes of ``parts``, in order, on the one image of ``image_size`` (height, width).

    Raises:
        ValueError: if a part belongs to an image of another size.
    """
    for part in parts:
        if part.image_size != image_size:
            raise ValueError(f"parts must be of one image size {image_size}, but got {part.image_size}")
    if not parts:
        return Detections.empty(image_size)
    return Detections.of(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.labels for part in parts]),
        image_size,
        sources=np.concatenate([part.sources for part in parts]),
    )


def _column(values: ArrayLike, dtype: type[Any], count: int, name: str) -> NDArray[Any]:
    array = np.array(values, dtype=dtype)
    if array.ndim == 0:
        return np.full(count, array, dtype=dtype)
    if array.shape != (count,):
        raise ValueError(f"{name} must have shape ({count},), but got {array.shape}")
    return array


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array


def _check(made: Detections) -> None:
    height, width = made.image_size
    if height <= 0 or width <= 0:
        raise ValueError(f"image_size must be positive (height, width), but got {made.image_size}")
    if not np.isfinite(made.boxes).all():
        raise ValueError("boxes must be finite, but got NaN or infinity")
    if (made.boxes[:, 2:] < made.boxes[:, :2]).any():
        raise ValueError("boxes must be xyxy with x1 <= x2 and y1 <= y2, but got swapped corners")
    if not ((made.scores >= 0) & (made.scores <= 1)).all():
        raise ValueError("scores must lie in [0, 1]")
