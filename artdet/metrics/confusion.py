"""Confusion matrix with background: what was taken for what."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from artdet.metrics.overlaps import Overlaps, Row, overlaps, rows
from artdet.metrics.pairs import Pairs


def confusion_matrix(pairs: Pairs, classes: Sequence[int], *, min_score: float, iou: float = 0.5) -> NDArray[np.int64]:
    """Counts of true boxes by what was found there.

    Boxes are matched one to one within an image: first those of the same class, best fit first, then what is left over
    whatever its class, best fit first; of equal fits the higher score, then the earlier box. So a box that was found
    under its own name lies on the diagonal even where a box of another class fits it a little better, and the diagonal
    over the sum of its row is the recall, over the sum of its column the precision, at this score; but for the few
    boxes that AP's matching, which goes by score, gives to another, and for second boxes on a difficult one.
    (Ultralytics matches by fit alone; two boxes that overlap, a rider and the horse, may trade partners there and show
    two errors where there is none.) A second box of another class on an object that was found therefore counts as
    background.

    A prediction that is left over and fits a true box that is neither hit nor miss (crowd, difficult), of whatever
    class, counts nowhere; such a true box is never missed. Boxes whose label is none of ``classes`` are left out.

    Args:
        pairs: found and true boxes.
        classes: C taxonomy ids, the order of rows and columns.
        min_score: predictions below it are left out; compared in single precision, as scores are kept.
        iou: intersection over union from which boxes fit; for crowds the share of the prediction that lies inside.

    Returns:
        (C + 1, C + 1), [true][found]. The last is background: predictions that fit nothing in the last row, true boxes
        that nothing found in the last column.
    """
    found, truth = rows(pairs)
    seen, real = found.places(classes), truth.places(classes)
    crowd, ignored = _flags(pairs)
    counted = (seen >= 0) & (found.scores >= np.float32(min_score))
    near = overlaps(found, truth, counted)
    near = near[real[near.truth] >= 0]
    fits = near[np.where(crowd[near.truth], near.covered, near.iou) >= iou]
    partner = _matched(fits[~ignored[fits.truth]], found, truth)
    excused = np.zeros(len(seen), dtype=bool)
    excused[fits.found[ignored[fits.truth]]] = True

    background = len(classes)
    matched = np.flatnonzero(partner >= 0)
    alone = np.flatnonzero(counted & (partner < 0) & ~excused)
    unfound = (real >= 0) & ~ignored
    unfound[partner[matched]] = False
    missed = np.flatnonzero(unfound)
    row = np.concatenate([real[partner[matched]], np.full(len(alone), background), real[missed]])
    column = np.concatenate([seen[matched], seen[alone], np.full(len(missed), background)])
    size = background + 1
    return np.bincount(row * size + column, minlength=size * size).reshape(size, size)


def _flags(pairs: Pairs) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Bool (M,) each, of the true boxes of all images: crowd; neither hit nor miss."""
    none = np.zeros(0, dtype=bool)
    crowd = np.concatenate([none, *(pair.crowd for pair in pairs)])
    return crowd, crowd | np.concatenate([none, *(pair.difficult for pair in pairs)])


def _matched(near: Overlaps, found: Row, truth: Row) -> NDArray[np.int64]:
    """Greedy one-to-one matching of what fits: for each found box (N,) its true box, or -1."""
    other = found.labels[near.found] != truth.labels[near.truth]
    order = np.lexsort((near.truth, near.found, -found.scores[near.found], -near.iou, other))
    partner = np.full(len(found.labels), -1, dtype=np.int64)
    free = bytearray(b"\1") * len(truth.labels)
    single = bytearray(b"\1") * len(found.labels)
    for f, t in zip(near.found[order].tolist(), near.truth[order].tolist(), strict=True):
        if single[f] and free[t]:
            single[f] = free[t] = 0
            partner[f] = t
    return partner
