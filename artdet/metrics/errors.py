"""Why predictions are wrong and true boxes not found: the six error types of TIDE (Bolya 2020).

Every false alarm has exactly one type. Let own be its best overlap with true boxes of its class, other that with true
boxes of other classes, found or not, at the thresholds 0.5 (foreground) and 0.1 (background):

- localisation: 0.1 <= own < 0.5;
- class: else, other >= 0.5;
- duplicate: else, own >= 0.5, so a better prediction has found the box already;
- background: else, own and other <= 0.1;
- both: what remains: the class and the place are wrong.

A true box is missed if nothing found it and no class or localisation error points at it. True boxes that are neither
hit nor miss play no part.

The authors' ``tidecv`` differs in these points:

- It keeps 100 predictions per image, COCO 100 per class and image.
- Predictions that are ignored (crowd, difficult) are errors there, which may even be mended to hits; here they are not.
- It takes difficult boxes for crowds, with more than half of a prediction inside; COCO's matching has "half or more".
- An overlap of exactly 0.5 that found nothing is a localisation error there; here, as it could be a hit, a duplicate.
- Of true boxes that fit equally well the first is matched there, the last in COCO's matching.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artdet.metrics.overlaps import Overlaps, Row, overlaps, rows
from artdet.metrics.pairs import Matches, Pairs

ERROR_TYPES = ("class", "localisation", "both", "duplicate", "background", "missed")
FOREGROUND, BACKGROUND = 0.5, 0.1
_CLASS, _LOCALISATION, _BOTH, _DUPLICATE, _BACKGROUND, _MISSED = range(6)


@dataclass(frozen=True, eq=False)
class FalseAlarms:
    """The F predictions that are neither hit nor ignored, class after class, in each the highest score first.

    Attributes:
        label: int64 (F,), their class.
        row: int64 (F,), in the :class:`~artdet.metrics.pairs.ClassMatches` of that class.
        image: int64 (F,), index of the pair.
        box: int64 (F,), index in that pair's ``found``.
        score: float64 (F,).
        kind: int64 (F,), index in :data:`ERROR_TYPES`.
        target: int64 (F,), of class and localisation errors the box that they point at, as index in that pair's
            ``truth``; else -1.
        mends: bool (F,), whether the error, mended, is a hit: the best of those that point at a box that is not found.
    """

    label: NDArray[np.int64]
    row: NDArray[np.int64]
    image: NDArray[np.int64]
    box: NDArray[np.int64]
    score: NDArray[np.float64]
    kind: NDArray[np.int64]
    target: NDArray[np.int64]
    mends: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class TrueBoxes:
    """The G true boxes that are to be found, image after image.

    Attributes:
        label: int64 (G,), their class.
        image: int64 (G,), index of the pair.
        box: int64 (G,), index in that pair's ``truth``.
        found_at: float64 (G,), score of the prediction that found it, -inf if none did.
        pointed_at: float64 (G,), highest score of the class and localisation errors that point at it, or -inf.
        pointed_by: int64 (G,), index of that error among the false alarms, or -1.
    """

    label: NDArray[np.int64]
    image: NDArray[np.int64]
    box: NDArray[np.int64]
    found_at: NDArray[np.float64]
    pointed_at: NDArray[np.float64]
    pointed_by: NDArray[np.int64]

    def found(self, min_score: float = 0.0) -> NDArray[np.bool_]:
        """Bool (G,): whether a prediction of at least ``min_score`` found it."""
        return reached(self.found_at, min_score)

    def missed(self, min_score: float = 0.0) -> NDArray[np.bool_]:
        """Bool (G,): whether it is missed if only predictions of at least ``min_score`` count."""
        return ~(self.found(min_score) | reached(self.pointed_at, min_score))


@dataclass(frozen=True, eq=False)
class ErrorLabels:
    """All errors at an intersection over union of 0.5."""

    false_alarms: FalseAlarms
    truths: TrueBoxes


def reached(scores: NDArray[np.float64], min_score: float) -> NDArray[np.bool_]:
    """Which scores (N,) reach the threshold, compared in single precision, as scores are kept."""
    result: NDArray[np.bool_] = scores.astype(np.float32) >= np.float32(min_score)
    return result


def classify_errors(pairs: Pairs, matches: Matches) -> ErrorLabels:
    """The type of every false alarm, and which true boxes are missed.

    Args:
        pairs: found and true boxes.
        matches: of these pairs, with the threshold 0.5; boxes of other classes than its are left out.

    Raises:
        ValueError: if the matches are of another number of pairs or lack the threshold 0.5.
    """
    if matches.images != len(pairs):
        raise ValueError(f"the matches are of {matches.images} images, but there are {len(pairs)} pairs")
    found, truth = rows(pairs)
    finder = _finders(matches, truth)
    wrong = _wrong(matches)
    place = found.start[wrong["image"]] + wrong["box"]
    asked = np.zeros(len(found.labels), dtype=bool)
    asked[place] = True
    near = overlaps(found, truth, asked)
    near = near[~np.isnan(finder)[near.truth]]
    kind, target = _kinds(near, found, truth)
    kind, target = kind[place], target[place]
    best, score = _best(target, wrong["score"], wrong["box"], len(truth.labels))
    mends = np.zeros(len(kind), dtype=bool)
    mends[best[(best >= 0) & np.isneginf(finder)]] = True
    local = np.where(target >= 0, target - truth.start[wrong["image"]], -1)
    counts = np.flatnonzero(~np.isnan(finder))
    image = truth.image[counts]
    return ErrorLabels(
        FalseAlarms(**wrong, kind=kind, target=local, mends=mends),
        TrueBoxes(
            truth.labels[counts], image, counts - truth.start[image], finder[counts], score[counts], best[counts]
        ),
    )


def _finders(matches: Matches, truth: Row) -> NDArray[np.float64]:
    """For each true box the score that found it, -inf if none did, NaN if it is not to be found."""
    at = matches.at(FOREGROUND)
    finder = np.full(len(truth.labels), np.nan)
    for each in matches.classes.values():
        by = each.found_by[at]
        scores = np.concatenate([each.scores, [-np.inf]])[by]  # -1 is the last
        place = truth.start[each.truth_image] + each.truth_box
        finder[place] = np.where(each.truth_ignored, np.nan, scores)
    return finder


def _wrong(matches: Matches) -> dict[str, NDArray[Any]]:
    """What is known of the false alarms from the matches alone: the first fields of :class:`FalseAlarms`."""
    at = matches.at(FOREGROUND)
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in ("label", "row", "image", "box", "score")}
    for label, each in matches.classes.items():
        row = np.flatnonzero(~each.hit[at] & ~each.ignored[at])
        parts["label"].append(np.full(len(row), label, dtype=np.int64))
        parts["row"].append(row)
        parts["image"].append(each.image[row])
        parts["box"].append(each.box[row])
        parts["score"].append(each.scores[row])
    empty = {name: np.zeros(0, dtype=np.float64 if name == "score" else np.int64) for name in parts}
    return {name: np.concatenate([empty[name], *arrays]) for name, arrays in parts.items()}


def _kinds(near: Overlaps, found: Row, truth: Row) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Type of each found box (N,) if it is a false alarm, and the true box, of all, that it points at, or -1."""
    same = found.labels[near.found] == truth.labels[near.truth]
    own, own_truth = _closest(near[same], len(found.labels))
    other, other_truth = _closest(near[~same], len(found.labels))
    cases = [
        (own >= BACKGROUND) & (own < FOREGROUND),
        other >= FOREGROUND,
        own >= FOREGROUND,
        (own <= BACKGROUND) & (other <= BACKGROUND),
    ]
    kind = np.select(cases, [_LOCALISATION, _CLASS, _DUPLICATE, _BACKGROUND], _BOTH)
    target = np.select([kind == _LOCALISATION, kind == _CLASS], [own_truth, other_truth], -1)
    return kind.astype(np.int64), target.astype(np.int64)


def _closest(near: Overlaps, count: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """For each of ``count`` found boxes its best overlap, 0 if none, and with which true box: the first, -1 if none."""
    iou, truth = np.zeros(count), np.full(count, -1, dtype=np.int64)
    order = np.lexsort((-near.truth, near.iou))  # the best is written last
    iou[near.found[order]] = near.iou[order]
    truth[near.found[order]] = near.truth[order]
    return iou, truth


def _best(
    target: NDArray[np.int64], score: NDArray[np.float64], box: NDArray[np.int64], count: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each of ``count`` true boxes the error (F,) of the highest score that points at it, -1 if none; its score."""
    best, scores = np.full(count, -1, dtype=np.int64), np.full(count, -np.inf)
    order = np.lexsort((-box, score))  # the best, of equals the earlier box, is written last
    order = order[target[order] >= 0]
    best[target[order]] = order
    scores[target[order]] = score[order]
    return best, scores
