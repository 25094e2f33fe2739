"""What a backend learns from: images with boxes in the numbering of the detector's classes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from artdet.data.merge import Entry, Merged
from artdet.data.sampling import epoch_indices
from artdet.taxonomy import Taxonomy

PARTLY = 0.25
"""How much the absence of a box says in an image in which some objects of its class are boxed, but maybe not all.

As in Soft Sampling (Wu et al. 2018, arXiv:1806.06986). With 0, nothing told YOLO what an icon's background is, and it
gave 300 boxes on some: icons are only in sources that are not complete.
"""


@dataclass(frozen=True, eq=False)
class DetectorClasses:
    """The K classes of a detector, and which belong together.

    Attributes:
        names: in the order of its outputs.
        ids: (K,) int64, of the taxonomy.
        categories: (K,) int64, id of each class's category.
        fine: bool (K,), whether it is a class of a category and not the category itself.
    """

    names: tuple[str, ...]
    ids: NDArray[np.int64]
    categories: NDArray[np.int64]
    fine: NDArray[np.bool_]

    @classmethod
    def of(cls, names: tuple[str, ...], taxonomy: Taxonomy) -> DetectorClasses:
        """Those of these names."""
        ids = np.array([taxonomy.id_of(name) for name in names], dtype=np.int64)
        return cls(names, ids, taxonomy.coarse_of(ids), taxonomy.is_fine(ids))

    @property
    def alike(self) -> NDArray[np.bool_]:
        """Bool (K, K), whether two are of one category."""
        same: NDArray[np.bool_] = self.categories[:, None] == self.categories[None, :]
        return same

    @property
    def below(self) -> NDArray[np.bool_]:
        """Bool (K, K), whether the class of a row is a category, and that of a column one of its classes.

        >>> DetectorClasses.of(("animals", "ship", "cow"), Taxonomy.load()).below.astype(int).tolist()
        [[0, 0, 1], [0, 0, 0], [0, 0, 0]]
        """
        below: NDArray[np.bool_] = (self.ids[:, None] == self.categories[None, :]) & self.fine[None, :]
        return below

    @property
    def generals(self) -> NDArray[np.int64]:
        """(K,), the place of each class's category; its own, where the detector does not have that.

        >>> DetectorClasses.of(("animals", "ship", "cow"), Taxonomy.load()).generals.tolist()
        [0, 1, 0]
        """
        return np.where(self.below.any(axis=0), self.below.argmax(axis=0), np.arange(len(self.names)))

    def general(self, place: int) -> str | None:
        """Name of the category of a fine class, where the detector has it."""
        general = int(self.generals[place])
        return None if general == place else self.names[general]


@dataclass(frozen=True, eq=False)
class Example:
    """One training image of a detector with K classes.

    Attributes:
        path: of the image.
        photograph: whether it is no artwork, so that it may be made to look like one.
        image_size: (height, width) in pixels of the upright image.
        boxes: (N, 4) float32 xyxy in pixels.
        labels: (N,) int64, 0..K-1.
        labelled: bool (K,), classes that were looked for by themselves: where such a class has no box, it is not there.
        covered: bool (K,), ``labelled``, and classes whose category was looked for as a whole: these may only be where
            a box of their category is. Of all other classes nobody knows whether they are in the image.
    """

    path: Path
    photograph: bool
    image_size: tuple[int, int]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int64]
    labelled: NDArray[np.bool_]
    covered: NDArray[np.bool_]


def examples(merged: Merged) -> tuple[Example, ...]:
    """The training images of a category, in its order. Crowds are left out: they are no single object."""
    taxonomy = merged.category.taxonomy
    classes = DetectorClasses.of(merged.category.settings.classes, taxonomy).ids
    return tuple(_example(entry, classes, taxonomy) for entry in merged.train)


def _example(entry: Entry, classes: NDArray[np.int64], taxonomy: Taxonomy) -> Example:
    sample = entry.sample
    truth = sample.truth[~sample.crowd]
    number = np.full(len(taxonomy.nodes), -1, dtype=np.int64)
    number[classes] = np.arange(len(classes))
    labelled = np.isin(classes, list(sample.labelled))
    return Example(
        path=entry.path,
        photograph=not entry.art,
        image_size=truth.image_size,
        boxes=truth.boxes,
        labels=number[truth.labels],
        labelled=labelled,
        covered=labelled | taxonomy.among(classes, sample.labelled),
    )


def indices_of_epoch(factors: NDArray[np.float64], *, epoch: int, seed: int) -> NDArray[np.int64]:
    """Which examples an epoch takes, in which order: the same for the same seed, on any machine.

    All epochs are of one length, so that the steps of a plan can be counted beforehand: what chance gives beyond it is
    cut, what lacks is drawn again from the same epoch.

    Args:
        factors: (I,), how often each belongs in an epoch on average.
        epoch: from 0.
        seed: of the run.
    """
    drawn = epoch_indices(factors, np.random.default_rng((seed, epoch)))
    return np.resize(drawn, epoch_length(factors)) if len(drawn) else drawn


def epoch_length(factors: NDArray[np.float64]) -> int:
    """Images of every epoch."""
    return max(1, round(float(factors.sum())))


def scaled_boxes_share(boxes: NDArray[np.float32], image_size: tuple[int, int]) -> NDArray[np.float32]:
    """Boxes (N, 4) xyxy in pixels -> xywh (centre) as shares of an image of (height, width)."""
    height, width = image_size
    corners = boxes.reshape(-1, 4) / np.array([width, height, width, height], dtype=np.float32)
    sizes = corners[:, 2:] - corners[:, :2]
    return np.concatenate([corners[:, :2] + sizes / 2, sizes], axis=1).astype(np.float32)
