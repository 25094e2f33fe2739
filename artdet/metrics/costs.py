"""What each type of error costs: by how much AP50 would rise if it alone were mended (TIDE, Bolya 2020).

Mending does this: the best-scored of the class and localisation errors that point at a true box that is not found
becomes a hit if it is of the type, with the class of that box; all other errors of the type vanish; missed boxes need
not be found any more. So do the authors in ``tidecv``. Its AP50 differs in these points, beside those that
:mod:`artdet.metrics.errors` names:

- A class with predictions but without truth has AP 0 there; COCO, and so this module, leaves it out of the mean.
- Of equal scores it puts errors before hits when it mends, but not in the AP50 that it starts from, so that with many
  ties (scores of two digits) its costs are too low, by 0.03 and more; here all are in COCO's order, by image.
- It reads precision at the recalls 0.00, 0.01 ..., COCO at the same numbers as ``linspace`` rounds them, some a
  rounding error larger. Where a recall is just such a fraction, they differ by up to 1/101 of the precision, per class.

With these points changed in ``tidecv`` the two agree to rounding; without ties and ignored boxes, to 1e-3 as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from artdet.metrics.errors import ERROR_TYPES, ErrorLabels, reached
from artdet.metrics.pairs import Matches
from artdet.metrics.precision import average_precision_101

_CLASS, _MISSED = ERROR_TYPES.index("class"), ERROR_TYPES.index("missed")
_HIT = -1
_IOU = 0.5


@dataclass(frozen=True)
class ErrorCost:
    """How many errors of a type there are, and by how much AP50, from 0 to 1, would rise without them."""

    count: int
    cost: float


def error_costs(matches: Matches, errors: ErrorLabels, *, min_score: float = 0.0) -> dict[str, ErrorCost]:
    """Count and cost of each of :data:`~artdet.metrics.errors.ERROR_TYPES`, in their order.

    AP50 is COCO's, 101 points, the mean over the classes that have truth. Where mending the missed boxes leaves a class
    without any, its AP is 0 if it has predictions, else it is left out, as ``tidecv`` does; if nothing remains at all,
    AP50 is 1. Without truth every cost is 0.

    Args:
        matches: of all classes, with the threshold 0.5.
        errors: of these matches.
        min_score: for the counts only: as if predictions below it were not there. Costs are those of all predictions.
    """
    alarms, truths = errors.false_alarms, errors.truths
    counts = np.bincount(alarms.kind[reached(alarms.score, min_score)], minlength=len(ERROR_TYPES))
    counts[_MISSED] = truths.missed(min_score).sum()
    costs = np.zeros(len(ERROR_TYPES))
    if len(truths.label):
        outcome = _Outcome.of(matches, errors)
        base = outcome.ap()
        # Mending never hurts; what is below 0 is rounding.
        costs = np.maximum([outcome.mended(kind).ap() - base for kind in range(len(ERROR_TYPES))], 0.0)
    return {
        name: ErrorCost(int(count), float(cost)) for name, count, cost in zip(ERROR_TYPES, counts, costs, strict=True)
    }


@dataclass(frozen=True, eq=False)
class _Outcome:
    """The R predictions that count, by class, then as COCO sorts them, and what is to be found.

    Attributes:
        place: int64 (R,), of the class among the C that have truth; C where it is none of them.
        score, image, box: (R,), that they are sorted by.
        kind: int64 (R,), type of the error, or ``_HIT``.
        mends: bool (R,), whether the error becomes a hit when mended.
        turns: int64 (R,), the place of the class that it then has.
        positives: int64 (C,), true boxes to be found.
        missed: int64 (C,), those of them that are missed.
    """

    place: NDArray[np.int64]
    score: NDArray[np.float64]
    image: NDArray[np.int64]
    box: NDArray[np.int64]
    kind: NDArray[np.int64]
    mends: NDArray[np.bool_]
    turns: NDArray[np.int64]
    positives: NDArray[np.int64]
    missed: NDArray[np.int64]

    @classmethod
    def of(cls, matches: Matches, errors: ErrorLabels) -> _Outcome:
        at, alarms, truths = matches.at(_IOU), errors.false_alarms, errors.truths
        classes = np.unique(truths.label)
        labels = np.concatenate([np.full(len(each.scores), label) for label, each in matches.classes.items()])
        start = np.cumsum([0, *(len(each.scores) for each in matches.classes.values())])
        first = dict(zip(matches.classes, start.tolist(), strict=False))
        wrong = np.array([first[label] for label in alarms.label.tolist()], dtype=np.int64) + alarms.row
        kind = np.full(len(labels), _HIT, dtype=np.int64)
        mends, turns = np.zeros(len(labels), dtype=bool), labels.copy()
        kind[wrong], mends[wrong] = alarms.kind, alarms.mends
        turns[wrong[alarms.mends]] = _target_labels(errors)
        every = matches.classes.values()
        counts = np.concatenate([~each.ignored[at] for each in every])
        return cls(
            place=_places(labels, classes)[counts],
            score=np.concatenate([each.scores for each in every])[counts],
            image=np.concatenate([each.image for each in every])[counts],
            box=np.concatenate([each.box for each in every])[counts],
            kind=kind[counts],
            mends=mends[counts],
            turns=_places(turns, classes)[counts],
            positives=np.bincount(np.searchsorted(classes, truths.label), minlength=len(classes)),
            missed=np.bincount(np.searchsorted(classes, truths.label[truths.missed()]), minlength=len(classes)),
        )._sorted()

    def _sorted(self) -> _Outcome:
        return self._only(np.lexsort((self.box, self.image, -self.score, self.place)))

    def _only(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> _Outcome:
        names = ("place", "score", "image", "box", "kind", "mends", "turns")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    def mended(self, kind: int) -> _Outcome:
        """As it would be without the errors of one type."""
        if kind == _MISSED:
            return replace(self, positives=self.positives - self.missed)
        of_kind = self.kind == kind
        after = replace(
            self,
            kind=np.where(of_kind & self.mends, _HIT, self.kind),
            place=np.where(of_kind & self.mends, self.turns, self.place),
        )._only(~of_kind | self.mends)
        return after._sorted() if kind == _CLASS else after

    def ap(self) -> float:
        """Mean over the classes."""
        ends = np.searchsorted(self.place, np.arange(len(self.positives) + 1))
        hits = [(self.kind[low:high] == _HIT) for low, high in pairwise(ends.tolist())]
        values = [
            average_precision_101(hit, np.zeros(len(hit), dtype=bool), int(positives)) if positives else 0.0
            for hit, positives in zip(hits, self.positives, strict=True)
            if positives or len(hit)
        ]
        return float(np.mean(values)) if values else 1.0


def _target_labels(errors: ErrorLabels) -> NDArray[np.int64]:
    """Class of the true box that each error that mends points at, in the order of the errors."""
    by, label = errors.truths.pointed_by, errors.truths.label
    labels = np.full(len(errors.false_alarms.label), -1, dtype=np.int64)
    labels[by[by >= 0]] = label[by >= 0]
    return labels[errors.false_alarms.mends]


def _places(labels: NDArray[np.int64], classes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places of ``labels`` among the sorted ``classes``; their number where they are not among them."""
    near = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
    return np.where(classes[near] == labels, near, len(classes))
