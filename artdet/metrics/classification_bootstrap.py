"""How sure figures of classification are: the same figures on resampled images (bootstrap; Efron 1979).

All are counted from sums over images, so that a resample is a row of weights and many of them are one product of
matrices. Two runs over the same images take the same weights; their differences are then paired.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artdet.data.artworks.collection import Targets
from artdet.metrics.classification import decisions, likelihood_losses, memberships, ranks
from artdet.tasks import Task

PER_CLASS = ("precision", "recall", "f1")
_BLOCK = 1 << 22
"""Numbers of a block of resamples: what is sorted and summed for one class at a time stays in reach of the cache."""

_Floats = NDArray[np.float64]
_Steps = tuple[Any, Any]
"""Two sparse matrices (S, N) for S steps of recall."""


@dataclass(frozen=True, eq=False)
class Resampled:
    """Figures on B resamples.

    Attributes:
        figures: name -> float64 (B,); NaN where a resample holds nothing to measure. ``map`` is resampled for several
            labels only.
        classes: ``PER_CLASS`` -> float64 (B, K), and ``ap`` for several labels; none for a number.
    """

    figures: Mapping[str, _Floats]
    classes: Mapping[str, _Floats]


def bootstrap_figures(
    task: Task, scores: NDArray[np.float32], truth: Targets, weights: NDArray[np.uint16]
) -> Resampled:
    """The figures of :func:`artdet.metrics.classification.task_figures` in each resample.

    Args:
        task: the question.
        scores: (N, outputs).
        truth: of the N images, each of which has an answer.
        weights: (B, N) of :func:`artdet.metrics.bootstrap.draw_resamples`.

    Raises:
        ValueError: if the weights are for another number of images.
    """
    if weights.shape[1] != len(truth):
        raise ValueError(f"weights are for {weights.shape[1]} images, but {len(truth)} have an answer")
    given = scores.astype(np.float64)
    step = max(1, _BLOCK // max(1, len(truth)))
    measured = _Answers.of(task, given, truth)
    parts = [measured.on(weights[start : start + step]) for start in range(0, len(weights), step)]
    return Resampled(
        {name: np.concatenate([part.figures[name] for part in parts]) for name in (parts[0].figures if parts else ())},
        {name: np.concatenate([part.classes[name] for part in parts]) for name in (parts[0].classes if parts else ())},
    )


@dataclass(frozen=True, eq=False)
class _Answers:
    """What figures are sums of.

    Attributes:
        task: the question.
        sums: (N, S) float64, of each image: what the plain figures are means of.
        names: (S,) of those figures.
        counts: (N, 3K) float32 of 0 and 1: rightly given, true, and given of each class.
        steps: of each class, for its average precision; of several labels only.
    """

    task: Task
    sums: _Floats
    names: tuple[str, ...]
    counts: NDArray[np.float32]
    steps: tuple[_Steps, ...] = ()

    @classmethod
    def of(cls, task: Task, given: _Floats, truth: Targets) -> _Answers:
        if task.kind == "number":
            distance = np.abs(given[:, 0] - truth)
            sums = np.stack([distance <= task.tolerance, distance, distance], axis=1).astype(np.float64)
            return cls(task, sums, ("within", "mae", "loss"), np.zeros((len(truth), 0), np.float32))
        right, found = memberships(task, truth), decisions(task, given)
        plain = {"accuracy": (right == found).all(axis=1), "loss": likelihood_losses(task, given, right)}
        if task.kind == "label":
            plain["top3"] = ranks(given, truth.astype(np.int64)) < 3
        counts = np.concatenate([right & found, right, found], axis=1).astype(np.float32)
        steps = tuple(_steps(given[:, k], right[:, k]) for k in range(task.outputs if task.kind == "labels" else 0))
        sums = np.stack(list(plain.values()), axis=1).astype(np.float64)
        return cls(task, sums, tuple(plain), counts, steps)

    def on(self, weights: NDArray[np.uint16]) -> Resampled:
        """Figures on these resamples."""
        images = np.maximum(weights.sum(axis=1, dtype=np.int64), 1)[:, None]
        means = weights.astype(np.float64) @ self.sums / images
        figures: dict[str, Any] = {name: means[:, place] for place, name in enumerate(self.names)}
        if self.task.kind == "number":
            return Resampled(figures, {})
        # Sums below 2 ** 24 are exact in float32, which multiplies twice as fast.
        counts = (weights.astype(np.float32) @ self.counts).astype(np.float64)
        hits, true, given = np.split(counts, 3, axis=1)
        f1 = _ratio(2 * hits, np.where(true > 0, true + given, 0))
        classes = {"precision": _ratio(hits, given), "recall": _ratio(hits, true), "f1": f1}
        figures["macro_f1"] = _row_means(f1)
        figures["micro_f1"] = _ratio(2 * hits.sum(axis=1), (true + given).sum(axis=1))
        figures["mcc"] = _correlation(self.task, hits, true, given, images[:, 0])
        if self.task.kind == "labels":
            figures["micro_f1"] = np.nan_to_num(figures["micro_f1"])
            by_image = np.ascontiguousarray(weights.T, dtype=np.float32)
            classes["ap"] = np.stack([_precision(by_image, each) for each in self.steps], axis=1)
            figures["map"] = _row_means(classes["ap"])
        return Resampled(figures, classes)


def _correlation(task: Task, hits: _Floats, true: _Floats, given: _Floats, images: NDArray[np.int64]) -> _Floats:
    """Matthews' correlation (B,): of the classes (Gorodkin 2004), or of all decisions of several labels."""
    if task.kind == "label":
        right, total = hits.sum(axis=1), images.astype(np.float64)
        both, ones, twos = (true * given).sum(axis=1), (true**2).sum(axis=1), (given**2).sum(axis=1)
    else:
        total = images.astype(np.float64) * task.outputs
        positive, found, hit = true.sum(axis=1), given.sum(axis=1), hits.sum(axis=1)
        right = hit + total - positive - found + hit
        both = positive * found + (total - positive) * (total - found)
        ones, twos = positive**2 + (total - positive) ** 2, found**2 + (total - found) ** 2
    below = np.sqrt(np.maximum(total**2 - ones, 0)) * np.sqrt(np.maximum(total**2 - twos, 0))
    return np.nan_to_num(_ratio(right * total - both, below))


def _steps(scores: _Floats, right: NDArray[np.bool_]) -> _Steps:
    """The matrices that sum all images and the true ones of a class, step by step of its recall from the highest score.

    Equal scores are one step, as scikit-learn has it. Images below the last true one are in none.
    """
    from scipy.sparse import csr_matrix

    falling = np.unique(-scores[right])
    step = np.searchsorted(falling, -scores, side="left")
    images = np.flatnonzero(step < len(falling))
    shape = (len(falling), len(scores))
    ones = np.ones(len(images), np.float32)
    seen = csr_matrix((ones, (step[images], images)), shape=shape)
    return seen, csr_matrix((right[images].astype(np.float32), (step[images], images)), shape=shape)


def _precision(by_image: NDArray[np.float32], steps: _Steps) -> _Floats:
    """Average precision (B,) of one class, from the weights (N, B) of the images."""
    seen, own = np.asarray(steps[0] @ by_image), np.asarray(steps[1] @ by_image)
    hits = own.copy()
    for each in (seen, hits):  # by rows: numpy's own cumulative sums over the first axis take several times as long
        for row in range(1, len(each)):
            each[row] += each[row - 1]
    gained = (own * (hits / np.maximum(seen, 1))).sum(axis=0, dtype=np.float64)
    return _ratio(gained, own.sum(axis=0, dtype=np.float64))


def _ratio(above: _Floats, below: _Floats) -> _Floats:
    result: _Floats = np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)
    return result


def _row_means(values: _Floats) -> _Floats:
    there = ~np.isnan(values)
    return _ratio(np.where(there, values, 0.0).sum(axis=1), there.sum(axis=1).astype(np.float64))
