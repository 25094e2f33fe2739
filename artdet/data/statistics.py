"""What a labelled set holds: boxes, images and sizes of every class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artdet.boxes import areas
from artdet.data.dataset import Dataset
from artdet.taxonomy import Taxonomy

SMALL, MEDIUM = 32.0**2, 96.0**2
"""Areas in square pixels below which a box is small or medium (COCO; Lin et al., ECCV 2014)."""


@dataclass(frozen=True)
class Counts:
    """The boxes of one class, of one category or of all.

    Attributes:
        boxes: all of them; crowds, difficult ones and those that do not count are among them.
        images: with at least one of them.
        small: of the boxes, those with an area below ``SMALL``.
        medium: those below ``MEDIUM``.
        large: the others.
        crowd: boxes round objects that cannot be told apart.
        difficult: boxes that count neither as hit nor as miss.
        not_exhaustive: boxes of classes that were not looked for everywhere, and that do not count either.
    """

    boxes: int = 0
    images: int = 0
    small: int = 0
    medium: int = 0
    large: int = 0
    crowd: int = 0
    difficult: int = 0
    not_exhaustive: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def boxes_per_image(self) -> float:
        """Boxes per image that has any; 0 without images."""
        return self.boxes / self.images if self.images else 0.0

    @property
    def shares(self) -> tuple[float, float, float]:
        """Shares of small, medium and large boxes; all 0 without boxes."""
        whole = self.boxes or 1
        return self.small / whole, self.medium / whole, self.large / whole

    def as_json(self) -> dict[str, Any]:
        """All counts, with the ratios rounded to four places."""
        counts = {f.name: getattr(self, f.name) for f in fields(self)}
        shares = {name: round(share, 4) for name, share in zip(("small", "medium", "large"), self.shares, strict=True)}
        return {**counts, "boxes_per_image": round(self.boxes_per_image, 4), "shares": shares}


@dataclass(frozen=True)
class Statistics:
    """What a set holds.

    Attributes:
        name: of the set.
        licence: as the source states it.
        images: of the set, each of which is annotated or not.
        annotated: images that someone looked at, the empty ones included.
        empty: annotated images without a box of the taxonomy's classes.
        groups: artworks or series.
        classes: name of a class -> its own boxes; a category's own are those that fit none of its classes. In the order
            of the taxonomy, without classes that have no box.
        categories: name of a category -> the boxes of it and its classes; without categories that have no box.
        total: all boxes.
    """

    name: str
    licence: str
    images: int
    annotated: int
    empty: int
    groups: int
    classes: Mapping[str, Counts]
    categories: Mapping[str, Counts]
    total: Counts

    @property
    def not_annotated(self) -> int:
        """Images that nobody looked at."""
        return self.images - self.annotated

    def as_json(self) -> dict[str, Any]:
        """The whole as JSON."""
        return {
            "name": self.name,
            "licence": self.licence,
            "images": self.images,
            "annotated": self.annotated,
            "empty": self.empty,
            "not_annotated": self.not_annotated,
            "groups": self.groups,
            "classes": {name: counts.as_json() for name, counts in self.classes.items()},
            "categories": {name: counts.as_json() for name, counts in self.categories.items()},
            "total": self.total.as_json(),
        }


@dataclass(frozen=True, eq=False)
class _Table:
    """All boxes of a set, a row each.

    Attributes:
        image: (N,), index of the image.
        label: (N,), taxonomy ids.
        area: (N,), square pixels.
        crowd: bool (N,).
        difficult: bool (N,).
        counts: bool (N,), whether the class was looked for in the image.
    """

    image: NDArray[np.int64]
    label: NDArray[np.int64]
    area: NDArray[np.float64]
    crowd: NDArray[np.bool_]
    difficult: NDArray[np.bool_]
    counts: NDArray[np.bool_]

    @classmethod
    def of(cls, dataset: Dataset) -> _Table:
        lengths = [len(sample.truth) for sample in dataset]
        label = _joined([sample.truth.labels for sample in dataset], np.int64)
        looked_for = [dataset.taxonomy.among(sample.truth.labels, sample.labelled) for sample in dataset]
        return cls(
            np.repeat(np.arange(len(lengths)), lengths),
            label,
            areas(_joined([sample.truth.boxes for sample in dataset], np.float32).reshape(-1, 4)),
            _joined([sample.crowd for sample in dataset], np.bool_),
            _joined([sample.difficult for sample in dataset], np.bool_),
            _joined(looked_for, np.bool_),
        )

    def counted(self, rows: NDArray[np.bool_]) -> Counts:
        area = self.area[rows]
        small, large = int((area < SMALL).sum()), int((area >= MEDIUM).sum())
        return Counts(
            boxes=len(area),
            images=len(np.unique(self.image[rows])),
            small=small,
            medium=len(area) - small - large,
            large=large,
            crowd=int(self.crowd[rows].sum()),
            difficult=int(self.difficult[rows].sum()),
            not_exhaustive=int((~self.counts[rows]).sum()),
        )


def statistics(dataset: Dataset) -> Statistics:
    """Counts the boxes of a set; sizes are those of the images as they lie there."""
    table, taxonomy = _Table.of(dataset), dataset.taxonomy
    coarse = taxonomy.coarse_of(table.label)
    by_class = {name: table.counted(table.label == label) for label, name in enumerate(taxonomy.names)}
    by_category = {name: table.counted(coarse == taxonomy.id_of(name)) for name in taxonomy.categories}
    annotated = [sample for sample in dataset if sample.annotated]
    return Statistics(
        name=dataset.name,
        licence=dataset.licence,
        images=len(dataset),
        annotated=len(annotated),
        empty=sum(not len(sample.truth) for sample in annotated),
        groups=len({sample.group for sample in dataset}),
        classes={name: counts for name, counts in by_class.items() if counts.boxes},
        categories={name: counts for name, counts in by_category.items() if counts.boxes},
        total=table.counted(np.ones(len(table.label), dtype=bool)),
    )


def combined(parts: Sequence[Statistics], taxonomy: Taxonomy, *, name: str = "all") -> Statistics:
    """The sum of several sets; an image that two of them share counts twice."""

    def summed(tables: Sequence[Mapping[str, Counts]], names: Sequence[str]) -> dict[str, Counts]:
        sums = {key: sum((table.get(key, Counts()) for table in tables), Counts()) for key in names}
        return {key: counts for key, counts in sums.items() if counts.boxes}

    return Statistics(
        name=name,
        licence="",
        images=sum(part.images for part in parts),
        annotated=sum(part.annotated for part in parts),
        empty=sum(part.empty for part in parts),
        groups=sum(part.groups for part in parts),
        classes=summed([part.classes for part in parts], taxonomy.names),
        categories=summed([part.categories for part in parts], taxonomy.categories),
        total=sum((part.total for part in parts), Counts()),
    )


def _joined(parts: Sequence[NDArray[Any]], dtype: type[Any]) -> NDArray[Any]:
    return np.concatenate([np.zeros(0, dtype=dtype), *(part.ravel() for part in parts)]).astype(dtype)
