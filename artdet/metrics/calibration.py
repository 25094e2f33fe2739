"""Calibration: whether of the predictions with score 0.8 four in five are right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from artdet.metrics.pairs import Matches


@dataclass(frozen=True, eq=False)
class Bins:
    """A reliability diagram of B bins of equal width.

    Attributes:
        edges: float64 (B + 1,), from 0 to 1; a bin has its lower edge, the last has 1 too.
        count: int64 (B,), predictions in each.
        score: float64 (B,), their mean score; NaN in an empty bin.
        hits: float64 (B,), the share of them that are right; NaN in an empty bin.
        ece: expected calibration error: mean distance of ``score`` and ``hits``, weighted by ``count``; ``None``
            without predictions.
    """

    edges: NDArray[np.float64]
    count: NDArray[np.int64]
    score: NDArray[np.float64]
    hits: NDArray[np.float64]
    ece: float | None


def reliability(scores: ArrayLike, hits: ArrayLike, *, bins: int = 10) -> Bins:
    """Compares scores with how often they are right (Naeini 2015, Guo 2017).

    Args:
        scores: (N,), in [0, 1].
        hits: (N,), whether each prediction is right; those that count as nothing are to be left out.
        bins: of equal width.

    Raises:
        ValueError: if the shapes differ, a score leaves [0, 1], or there is no bin.

    >>> reliability([0.75, 0.75, 0.25, 0.5], [True, False, False, True], bins=2).ece
    0.0625
    """
    given, right = np.asarray(scores, dtype=np.float64).ravel(), np.asarray(hits, dtype=bool).ravel()
    if given.shape != right.shape:
        raise ValueError(f"scores and hits must have the same shape, but got {given.shape} and {right.shape}")
    if not ((given >= 0) & (given <= 1)).all():
        raise ValueError("scores must lie in [0, 1]")
    if bins < 1:
        raise ValueError(f"bins must be at least 1, but got {bins}")
    edges = np.arange(bins + 1) / bins  # not linspace, whose 0.3 is larger than the number 0.3
    place = np.minimum(np.searchsorted(edges, given, side="right") - 1, bins - 1)
    count = np.bincount(place, minlength=bins)
    score, share = _means(given, place, count), _means(right, place, count)
    filled = count > 0
    ece = float(np.average(np.abs(score - share)[filled], weights=count[filled])) if len(given) else None
    return Bins(edges, count, score, share, ece)


def of_matches(
    matches: Matches, *, iou: float = 0.5, classes: Iterable[int] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores (N,) and hits (N,) of the predictions that count.

    Args:
        matches: of all classes.
        iou: one of the thresholds of ``matches``.
        classes: only these; all by default.

    Raises:
        ValueError: if ``iou`` is no threshold of ``matches``.
        KeyError: if a class is not in ``matches``.
    """
    at = matches.at(iou)
    chosen = [matches.classes[each] for each in (matches.classes if classes is None else classes)]
    counts = [~each.ignored[at] for each in chosen]
    scores = [each.scores[mask] for each, mask in zip(chosen, counts, strict=True)]
    hits = [each.hit[at][mask] for each, mask in zip(chosen, counts, strict=True)]
    return np.concatenate([np.zeros(0), *scores]), np.concatenate([np.zeros(0, dtype=bool), *hits])


def _means(weights: NDArray[Any], place: NDArray[np.int64], count: NDArray[np.int64]) -> NDArray[np.float64]:
    sums = np.bincount(place, weights=weights, minlength=len(count))
    means: NDArray[np.float64] = np.divide(sums, count, out=np.full(len(count), np.nan), where=count > 0)
    return means
