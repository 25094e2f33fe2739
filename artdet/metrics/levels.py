"""Two levels of measuring: fine (classes, and a category's own label for what fits none) and coarse (categories).

A box counts only where its class was looked for (``Sample.labelled``). At the fine level a class that was not looked
for by itself falls back on its category, if that was: an angel found where the truth knows only persons is a person,
and so is an angel that such a truth happens to name. At the coarse level both sides become their categories, where a
category was looked for as a whole: where a truth has horses, but not the other animals, nobody can say whether a box
around an animal is right.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from artdet.data.dataset import Sample
from artdet.detections import Detections
from artdet.metrics.pairs import Pair
from artdet.taxonomy import Taxonomy

Level = Literal["fine", "coarse"]
LEVELS: tuple[Level, ...] = ("fine", "coarse")

_LEFT_OUT = -1


class Levels:
    """Brings boxes to a level; remembers what it worked out for each set of labelled classes.

    Args:
        taxonomy: of the found and the true boxes.
    """

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._taxonomy = taxonomy
        self._targets = lru_cache(maxsize=None)(self._worked_out)

    def pair(self, found: Detections, sample: Sample, level: Level) -> Pair:
        """What is to be compared on one image.

        Args:
            found: on an image of the sample's size.
            sample: the truth.
            level: of the labels that both sides get.

        Raises:
            ValueError: if the image sizes differ.
        """
        if found.image_size != sample.truth.image_size:
            raise ValueError(
                f"found boxes are on an image of {found.image_size}, true ones of {sample.truth.image_size}"
            )
        targets = self._targets(sample.labelled, level)
        truth, kept = _relabelled(sample.truth, targets)
        crowd, difficult = (
            (sample.crowd, sample.difficult) if kept is None else (sample.crowd[kept], sample.difficult[kept])
        )
        return Pair(_relabelled(found, targets)[0], truth, crowd, difficult)

    def classes(self, samples: Iterable[Sample], level: Level) -> tuple[int, ...]:
        """Ids of the classes that can be measured: those that were looked for in at least one image, in order."""
        labelled = {sample.labelled for sample in samples}
        targets = {target for each in labelled for target in self._targets(each, level).tolist()}
        return tuple(sorted(targets - {_LEFT_OUT}))

    def measured(self, sample: Sample, level: Level) -> frozenset[int]:
        """Ids of the classes that count in an image."""
        return frozenset(self._targets(sample.labelled, level).tolist()) - {_LEFT_OUT}

    def targets(self, labelled: frozenset[int], level: Level) -> NDArray[np.int64]:
        """For every class (len(taxonomy),) what it is at the level, where these were looked for; -1 for nothing."""
        return self._targets(labelled, level)

    def _worked_out(self, labelled: frozenset[int], level: Level) -> NDArray[np.int64]:
        """For every class, what it is at the level; ``_LEFT_OUT`` where it does not count."""
        if level == "fine":
            return self._taxonomy.nearest(labelled)
        category = self._taxonomy.coarse_of(np.arange(len(self._taxonomy.nodes)))
        return np.where(self._whole(labelled, category)[category], category, _LEFT_OUT)

    def _whole(self, labelled: frozenset[int], category: NDArray[np.int64]) -> NDArray[np.bool_]:
        """For every class, whether it is a category that was looked for as a whole: itself, or all of its classes."""
        whole = np.zeros(len(category), dtype=bool)
        for each in set(category.tolist()):
            below = set(np.flatnonzero(category == each).tolist()) - {each}
            whole[each] = each in labelled or (bool(below) and below <= labelled)
        return whole


def _relabelled(boxes: Detections, targets: NDArray[np.int64]) -> tuple[Detections, NDArray[np.bool_] | None]:
    """The boxes that count, with their new labels; and which they are, ``None`` where it is all of them."""
    labels = targets[boxes.labels]
    kept = labels != _LEFT_OUT
    if kept.all():
        return boxes.relabelled(labels), None
    return boxes[kept].relabelled(labels[kept]), kept
