"""Which prediction found which true box: COCO's rule and that of Pascal VOC, for all images and classes together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artdet.boxes import areas
from artdet.metrics.pairs import COCO_IOUS, MAX_DETECTIONS, ClassMatches, Matches, Pairs
from artdet.metrics.tables import Table, found_table, truth_table

LARGEST_AREA = 1e10
"""Square pixels; COCO leaves out what is larger, also where it measures boxes of all sizes."""

_ALMOST_ONE = 1.0 - 1e-10  # COCO's cap, so that a threshold of 1 can be reached in spite of rounding
_BLOCK = 1_000_000  # couples of boxes compared at once: bounds the memory on crowded images


@dataclass(frozen=True, eq=False)
class _Edges:
    """Couples (E,) of a prediction and a true box of one class and image, by their rows in the tables."""

    found: NDArray[np.int64]
    truth: NDArray[np.int64]
    iou: NDArray[np.float64]

    def __getitem__(self, index: NDArray[Any]) -> _Edges:
        return _Edges(self.found[index], self.truth[index], self.iou[index])


def match(
    pairs: Pairs,
    classes: Sequence[int],
    *,
    ious: NDArray[np.float64] = COCO_IOUS,
    max_detections: int = MAX_DETECTIONS,
) -> Matches:
    """COCO's greedy matching (Lin 2014; ``evaluateImg`` of its reference program, for boxes of all sizes).

    From the best score on, a prediction takes the free true box of its class and image with which it overlaps most, if
    that reaches the threshold; of equal overlaps the later box. A box that is ignored is taken only where no other
    fits; a crowd can be taken any number of times, and ``found_by`` names the last.

    Args:
        pairs: one per image.
        classes: taxonomy ids; boxes of others are left out.
        ious: (T,), thresholds above 0.
        max_detections: predictions of one class in one image that take part, the best first; the rest is in no row.
    """
    classes = list(dict.fromkeys(classes))
    thresholds = np.minimum(np.asarray(ious, dtype=np.float64), _ALMOST_ONE)
    found, truth = found_table(pairs, classes), truth_table(pairs, classes)
    found = found[_rank(_groups(found, len(pairs))) < max_detections]
    truth = replace(truth, ignored=truth.ignored | (areas(truth.boxes) > LARGEST_AREA))
    edges = _edges(found, truth, len(pairs), float(thresholds.min()), crowds=True)
    chosen, found_by = _greedy(edges, len(found), truth, thresholds)
    ignored = np.where(chosen >= 0, _at(truth.ignored, chosen), (areas(found.boxes) > LARGEST_AREA)[:, None])
    hit = (chosen >= 0) & ~ignored
    outcome = _Outcome(found, truth, hit, ignored, chosen, found_by)
    return Matches(np.asarray(ious, dtype=np.float64), len(pairs), outcome.by_class(classes))


def match_voc(pairs: Pairs, classes: Sequence[int], iou: float = 0.5) -> Matches:
    """Pascal VOC's matching (Everingham 2010), at the one threshold ``iou``.

    Each prediction belongs to the true box of its class and image with which it overlaps most, taken or not. The best
    prediction of a box is a hit, its others are false alarms, and all those of a difficult box count as nothing.
    Crowds, which VOC does not know, are treated as difficult boxes. There is no limit of predictions per image.
    """
    classes = list(dict.fromkeys(classes))
    found, truth = found_table(pairs, classes), truth_table(pairs, classes)
    edges = _edges(found, truth, len(pairs), iou, crowds=False)
    edges = edges[np.lexsort((edges.truth, -edges.iou, edges.found))]
    edges = edges[_starts(edges.found)]
    chosen = np.full((len(found), 1), -1, dtype=np.int64)
    chosen[edges.found, 0] = edges.truth
    found_by = np.full((len(truth), 1), -1, dtype=np.int64)
    found_by[edges.truth[::-1], 0] = edges.found[::-1]  # backwards: the first of several stays
    ignored = (chosen >= 0) & _at(truth.ignored, chosen)
    first = (chosen >= 0) & (_at(found_by[:, 0], chosen) == np.arange(len(found))[:, None])
    outcome = _Outcome(found, truth, first & ~ignored, ignored, np.where(first | ignored, chosen, -1), found_by)
    return Matches(np.array([iou]), len(pairs), outcome.by_class(classes))


def subset(matches: Matches, images: NDArray[np.bool_]) -> Matches:
    """The matches on some images only.

    Indices of images stay as they are, so that pairs and weights of resamples still fit.

    Args:
        matches: on all images.
        images: bool (I,), which images stay.
    """
    return replace(matches, classes={label: _part(part, images) for label, part in matches.classes.items()})


def _part(part: ClassMatches, images: NDArray[np.bool_]) -> ClassMatches:
    rows, truths = np.flatnonzero(images[part.image]), np.flatnonzero(images[part.truth_image])
    new_row = np.full(len(part.scores) + 1, -1, dtype=np.int64)  # the last entry is where -1 leads
    new_row[rows] = np.arange(len(rows))
    return ClassMatches(
        scores=part.scores[rows],
        image=part.image[rows],
        box=part.box[rows],
        hit=part.hit[:, rows],
        ignored=part.ignored[:, rows],
        truth=part.truth[:, rows],
        truth_image=part.truth_image[truths],
        truth_box=part.truth_box[truths],
        truth_ignored=part.truth_ignored[truths],
        found_by=new_row[part.found_by[:, truths]],
    )


def _groups(table: Table, images: int) -> NDArray[np.int64]:
    """One number (N,) per class and image."""
    return table.kind * images + table.image


def _rank(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many rows of the same group stand before each row (N,)."""
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(_starts(groups[order]))
    rank = np.empty(len(groups), dtype=np.int64)
    rank[order] = np.arange(len(groups)) - np.repeat(starts, np.diff(np.append(starts, len(groups))))
    return rank


def _starts(ordered: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Bool (N,): where a new value begins."""
    new = np.ones(len(ordered), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    return new


def _at(values: NDArray[Any], index: NDArray[np.int64]) -> NDArray[Any]:
    """``values[index]``; anything where the index is -1, also if there are no values."""
    return values[index] if len(values) else np.zeros(index.shape, dtype=values.dtype)


def _edges(found: Table, truth: Table, images: int, least: float, *, crowds: bool) -> _Edges:
    """All couples of one class and image that overlap by ``least``; those with crowds by their own measure."""
    truth_groups, wanted = _groups(truth, images), _groups(found, images)
    first = np.searchsorted(truth_groups, wanted, side="left")
    counts = np.searchsorted(truth_groups, wanted, side="right") - first
    rows = np.flatnonzero(counts)
    parts = [
        _overlapping(found, truth, part, first[part], counts[part], least, crowds=crowds)
        for part in _blocks(rows, counts[rows])
    ]
    empty = np.zeros(0, dtype=np.int64)
    return _Edges(
        np.concatenate([empty, *(part.found for part in parts)]),
        np.concatenate([empty, *(part.truth for part in parts)]),
        np.concatenate([np.zeros(0), *(part.iou for part in parts)]),
    )


def _blocks(rows: NDArray[np.int64], counts: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    cuts = np.flatnonzero(np.diff(np.cumsum(counts) // _BLOCK)) + 1
    yield from (part for part in np.split(rows, cuts) if len(part))


def _overlapping(
    found: Table,
    truth: Table,
    rows: NDArray[np.int64],
    first: NDArray[np.int64],
    counts: NDArray[np.int64],
    least: float,
    *,
    crowds: bool,
) -> _Edges:
    """Couples of the predictions ``rows`` with the ``counts`` true boxes from ``first`` on."""
    one = np.repeat(rows, counts)
    other = np.arange(len(one)) + np.repeat(first - (np.cumsum(counts) - counts), counts)
    a, b = found.boxes[one].T, truth.boxes[other].T
    wide, high = np.minimum(a[2], b[2]) - np.maximum(a[0], b[0]), np.minimum(a[3], b[3]) - np.maximum(a[1], b[1])
    shared = np.maximum(wide, 0.0) * np.maximum(high, 0.0)
    own = areas(found.boxes)[one]
    whole = own + areas(truth.boxes)[other] - shared
    if crowds:
        whole = np.where(truth.crowd[other], own, whole)
    iou = np.divide(shared, whole, out=np.zeros_like(shared), where=shared > 0)
    near = np.flatnonzero(iou >= least)
    return _Edges(one[near], other[near], iou[near])


def _greedy(
    edges: _Edges, found_count: int, truth: Table, thresholds: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row of the truth that each prediction takes (N, T), and of the prediction that took each truth (G, T), or -1."""
    chosen = np.full((found_count, len(thresholds)), -1, dtype=np.int64)
    found_by = np.full((len(truth), len(thresholds)), -1, dtype=np.int64)
    free = np.ones(found_by.shape, dtype=bool)
    for part in _rounds(edges, truth):
        fits = (part.iou[:, None] >= thresholds) & free[part.truth]
        places = np.where(fits, np.arange(len(fits))[:, None], len(fits))
        best = np.minimum.reduceat(places, np.flatnonzero(_starts(part.found)), axis=0)
        rows, columns = np.nonzero(best < len(fits))
        taken = best[rows, columns]
        chosen[part.found[taken], columns] = part.truth[taken]
        found_by[part.truth[taken], columns] = part.found[taken]
        free[part.truth[taken], columns] = truth.crowd[part.truth[taken]]
    return chosen, found_by


def _rounds(edges: _Edges, truth: Table) -> Iterator[_Edges]:
    """Edges in parts: first those of the best prediction of every image and class, then of the second, and so on.

    Predictions of one part cannot meet at a true box. The edges of a prediction stand together, the one that it likes
    most first.
    """
    rows = np.unique(edges.found)
    if not len(rows):
        return
    # All truths of a group lie together, so any of them tells the group.
    group = np.zeros(int(rows[-1]) + 1, dtype=np.int64)
    group[edges.found] = truth.kind[edges.truth] * (int(truth.image.max()) + 1) + truth.image[edges.truth]
    turn = np.zeros_like(group)
    turn[rows] = _rank(group[rows])
    keys = (-edges.truth, -edges.iou, truth.ignored[edges.truth], edges.found, turn[edges.found])
    ordered = edges[np.lexsort(keys)]
    cuts = np.flatnonzero(_starts(turn[ordered.found]))
    for low, high in zip(cuts, [*cuts[1:], len(ordered.found)], strict=True):
        yield ordered[np.arange(low, high)]


@dataclass(frozen=True, eq=False)
class _Outcome:
    """Matches of all classes in one: arrays (N, T) of the predictions, ``found_by`` (G, T) of the true boxes."""

    found: Table
    truth: Table
    hit: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    chosen: NDArray[np.int64]
    found_by: NDArray[np.int64]

    def by_class(self, classes: Sequence[int]) -> dict[int, ClassMatches]:
        ends = np.arange(len(classes) + 1)
        rows, truths = np.searchsorted(self.found.kind, ends), np.searchsorted(self.truth.kind, ends)
        hit, ignored = np.ascontiguousarray(self.hit.T), np.ascontiguousarray(self.ignored.T)
        truth = np.where(self.chosen >= 0, _at(self.truth.box, self.chosen), -1).T
        return {
            int(label): ClassMatches(
                scores=self.found.scores[rows[k] : rows[k + 1]],
                image=self.found.image[rows[k] : rows[k + 1]],
                box=self.found.box[rows[k] : rows[k + 1]],
                hit=hit[:, rows[k] : rows[k + 1]],
                ignored=ignored[:, rows[k] : rows[k + 1]],
                truth=truth[:, rows[k] : rows[k + 1]],
                truth_image=self.truth.image[truths[k] : truths[k + 1]],
                truth_box=self.truth.box[truths[k] : truths[k + 1]],
                truth_ignored=self.truth.ignored[truths[k] : truths[k + 1]],
                found_by=_shifted(self.found_by[truths[k] : truths[k + 1]].T, int(rows[k])),
            )
            for k, label in enumerate(classes)
        }


def _shifted(rows: NDArray[np.int64], first: int) -> NDArray[np.int64]:
    """Rows of the whole table as rows of a class whose first is ``first``."""
    return np.where(rows >= 0, rows - first, -1)
