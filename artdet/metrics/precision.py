"""Precision, recall and what is made of them: average precision and the best threshold of the score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from artdet.metrics.pairs import ClassMatches

RECALLS: NDArray[np.float64] = np.linspace(0.0, 1.0, 101)
"""The recalls at which COCO reads precision. Some are a rounding error above the fraction that they mean (0.07, 0.28
...), and COCO then takes a recall of just that fraction as not reached; so do we."""


@dataclass(frozen=True, eq=False)
class PrecisionRecall:
    """Precision over recall at every hit, from the highest score on; nothing where there is no hit or no truth.

    Attributes:
        recall: float64 (H,), rising.
        precision: float64 (H,), not interpolated.
        scores: float64 (H,).
    """

    recall: NDArray[np.float64]
    precision: NDArray[np.float64]
    scores: NDArray[np.float64]


@dataclass(frozen=True)
class BestF1:
    """The score threshold with the best F1, and what it gives."""

    score: float
    f1: float
    precision: float
    recall: float


def average_precision_101(hit: NDArray[np.bool_], ignored: NDArray[np.bool_], positives: int) -> float:
    """COCO's AP: the mean of the highest precision at or beyond each of 101 recalls (Lin 2014).

    Args:
        hit: (D,), predictions from the highest score on.
        ignored: (D,), those that count as nothing.
        positives: how many true boxes are to be found.

    Returns:
        A number in [0, 1]; NaN without positives.
    """
    if not positives:
        return float("nan")
    recall, precision = _at_hits(hit, ignored, positives)
    reached = np.searchsorted(recall, RECALLS, side="left")
    return float(np.append(_envelope(precision), 0.0)[reached].mean())


def average_precision_all_points(hit: NDArray[np.bool_], ignored: NDArray[np.bool_], positives: int) -> float:
    """Pascal VOC's AP since 2010: the area below the highest precision at or beyond each recall (Everingham 2015).

    Args:
        hit: (D,), predictions from the highest score on.
        ignored: (D,), those that count as nothing.
        positives: how many true boxes are to be found.

    Returns:
        A number in [0, 1]; NaN without positives.
    """
    if not positives:
        return float("nan")
    _, precision = _at_hits(hit, ignored, positives)
    return float(_envelope(precision).sum() / positives)


def average_precisions(part: ClassMatches) -> NDArray[np.float64]:
    """COCO's AP (T,) of one class at each threshold of overlap; NaN without positives."""
    rows = zip(part.hit, part.ignored, strict=True)
    return np.array([average_precision_101(hit, ignored, part.positives) for hit, ignored in rows])


def precision_recall(part: ClassMatches, t: int) -> PrecisionRecall:
    """The curve of one class.

    Args:
        part: its matches.
        t: index of the threshold of overlap.
    """
    hit = part.hit[t] if part.positives else np.zeros(len(part.scores), dtype=bool)
    recall, precision = _at_hits(hit, part.ignored[t], max(part.positives, 1))
    return PrecisionRecall(recall, precision, part.scores[hit])


def best_f1(parts: Sequence[ClassMatches], t: int) -> BestF1 | None:
    """The threshold with the best F1 of one class, or of several classes together (micro: their boxes are pooled).

    Predictions with the same score pass together, so the threshold is one of the scores. Of thresholds that are
    equally good, the highest is taken.

    Args:
        parts: the matches of the classes.
        t: index of the threshold of overlap.

    Returns:
        None where nothing is to be found, or no prediction counts; an F1 of 0 where no prediction is a hit.
    """
    positives = sum(part.positives for part in parts)
    counted = [~part.ignored[t] for part in parts]
    scores = np.concatenate([np.zeros(0), *(part.scores[keep] for part, keep in zip(parts, counted, strict=True))])
    if not positives or not len(scores):
        return None
    hit = np.concatenate([part.hit[t][keep] for part, keep in zip(parts, counted, strict=True)])
    order = np.argsort(-scores, kind="stable")
    scores, hits = scores[order], np.cumsum(hit[order])
    last = np.flatnonzero(np.append(scores[1:] != scores[:-1], True))
    f1 = 2.0 * hits[last] / (last + 1 + positives)
    best = int(np.argmax(f1))
    place = last[best]
    return BestF1(
        score=float(scores[place]),
        f1=float(f1[best]),
        precision=float(hits[place] / (place + 1)),
        recall=float(hits[place] / positives),
    )


def _at_hits(
    hit: NDArray[np.bool_], ignored: NDArray[np.bool_], positives: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Recall and precision (H,) at each hit; between hits, precision only falls."""
    counted = np.cumsum(~ignored)[hit]
    found = np.arange(1, len(counted) + 1)
    return found / positives, found / counted


def _envelope(precision: NDArray[np.float64]) -> NDArray[np.float64]:
    """The highest precision at or after each point."""
    return np.maximum.accumulate(precision[::-1])[::-1]
