"""How sure a figure is: average precision on resampled images (bootstrap; Efron 1979).

The same resamples serve several runs over the same images, so that their differences are paired.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from artdet.metrics.pairs import ClassMatches, Matches
from artdet.metrics.precision import RECALLS

RESAMPLES = 1000
AP, AP50, AP75 = range(3)
"""Places of the figures in the last axis of what :func:`bootstrap_ap` gives."""

_BLOCK = 1 << 24  # numbers held at once: bounds the memory where one class has very many predictions
_LEAST, _MOST = 64, 1024  # resamples worked on together: each row of numbers is worth a call, and fits the cache


def draw_resamples(images: int, count: int = RESAMPLES, *, seed: int = 0) -> NDArray[np.uint16]:
    """How often each image occurs in each resample: ``images`` draws with replacement.

    Args:
        images: how many there are.
        count: how many resamples.
        seed: the same seed gives the same resamples.

    Returns:
        uint16 (count, images); every row sums to ``images``.
    """
    rng = np.random.default_rng(seed)
    weights = np.zeros((count, images), dtype=np.uint16)
    for row in weights if images else ():
        row[:] = np.bincount(rng.integers(images, size=images, dtype=np.int32), minlength=images)
    return weights


def bootstrap_ap(
    matches: Matches, weights: NDArray[np.uint16], classes: Sequence[int] | None = None
) -> NDArray[np.float64]:
    """AP (mean over all thresholds), AP50 and AP75 of each class in each resample, with COCO's 101 points.

    Args:
        matches: with thresholds 0.5 and 0.75 among others.
        weights: (B, I) of :func:`draw_resamples`, one column per image of ``matches``.
        classes: those to be measured; all, in their order, where not given.

    Returns:
        float64 (B, C, 3); NaN where a resample holds nothing of a class.

    Raises:
        ValueError: if the weights are for another number of images, or a threshold is missing.
    """
    if weights.shape[1] != matches.images:
        raise ValueError(f"weights are for {weights.shape[1]} images, but the matches are of {matches.images}")
    parts = [matches.classes[label] for label in (matches.classes if classes is None else classes)]
    at50, at75 = matches.at(0.5), matches.at(0.75)
    result = np.full((len(weights), len(parts), 3), np.nan)
    step = int(np.clip(_BLOCK // (1 + max((len(part.scores) for part in parts), default=0)), _LEAST, _MOST))
    used, row_of = _used(parts, matches.images)
    for start in range(0, len(weights), step):
        block = slice(start, start + step)
        by_image = np.ascontiguousarray(weights[block][:, used].T, dtype=np.int32)
        for place, part in enumerate(parts):
            ap = _resampled(part, by_image, row_of)
            result[block, place] = np.stack([ap.mean(axis=0), ap[at50], ap[at75]], axis=1)
    return result


def macro(samples: NDArray[np.float64], chosen: Sequence[int] | slice = slice(None)) -> NDArray[np.float64]:
    """Means (B, 3) over the classes that a resample holds; NaN where it holds none of them.

    Args:
        samples: (B, C, 3) of :func:`bootstrap_ap`.
        chosen: places of the classes to be counted, such as those of a category; all where not given.
    """
    values = samples[:, chosen]
    there = ~np.isnan(values)
    count = there.sum(axis=1)
    total = np.where(there, values, 0.0).sum(axis=1)
    result: NDArray[np.float64] = np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)
    return result


def interval(
    samples: NDArray[np.float64],
    value: NDArray[np.float64] | float,
    *,
    share: float = 0.95,
    limits: tuple[float, float] = (0.0, 1.0),
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Percentile interval along the first axis, with the bias of the resamples taken out (Efron 1993, chapter 10).

    Average precision comes out too high on few images, because it takes the best precision at or beyond a recall: the
    figure itself a little, and the resamples, which hold fewer different images, by about as much again. The spread
    over many classes is small beside that, and the plain percentiles would then often miss. So the interval is moved by
    twice the distance of the resamples' mean from the figure.

    Args:
        samples: (B, ...) of one figure, or of the difference of two; NaN where there was nothing to measure.
        value: (...), the figure on the images as they are; the interval always holds it.
        share: how many of 100 such intervals are to hold the true figure, as a fraction.
        limits: lowest and highest possible value; (-1, 1) for differences.

    Returns:
        Its lower and upper ends (...); NaN where there is no value, or no resample has one.
    """
    ordered = np.sort(samples, axis=0)  # NaN come last
    there = ~np.isnan(samples)
    count = there.sum(axis=0)
    mean = np.where(there, samples, 0.0).sum(axis=0) / np.maximum(count, 1)
    bias, last = mean - value, np.maximum(count - 1, 0)
    low = _quantile(ordered, last, (1.0 - share) / 2.0) - 2.0 * bias
    high = _quantile(ordered, last, (1.0 + share) / 2.0) - 2.0 * bias
    return np.clip(np.minimum(low, value), *limits), np.clip(np.maximum(high, value), *limits)


def _quantile(ordered: NDArray[np.float64], last: NDArray[np.int64], share: float) -> NDArray[np.float64]:
    """Between the two nearest of the values up to ``last`` (...), as numpy interpolates."""
    if not len(ordered):
        return np.full(last.shape, np.nan)
    place = np.asarray(last * share)
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, last)
    low = np.take_along_axis(ordered, below[None], axis=0)[0]
    high = np.take_along_axis(ordered, above[None], axis=0)[0]
    result: NDArray[np.float64] = low + (high - low) * (place - below)
    return result


def _used(parts: Sequence[ClassMatches], images: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The images (U,) with any box, and the place of each image (I,) among them."""
    there = np.zeros(images, dtype=bool)
    for part in parts:
        there[part.image] = there[part.truth_image] = True
    return np.flatnonzero(there), np.cumsum(there) - 1


def _resampled(part: ClassMatches, by_image: NDArray[np.int32], row_of: NDArray[np.int64]) -> NDArray[np.float64]:
    """AP (T, B) of one class at each threshold, from the weights (U, B) of the images."""
    per_image = np.bincount(row_of[part.truth_image[~part.truth_ignored]], minlength=len(by_image))
    rows = np.flatnonzero(per_image)
    positives = per_image[rows] @ by_image[rows]
    result = np.full((len(part.hit), by_image.shape[1]), np.nan)
    if not len(rows):
        return result
    images = row_of[part.image]
    counted = _summed(by_image, images)
    for t, (hit, ignored) in enumerate(zip(part.hit, part.ignored, strict=True)):
        found, seen = _runs(hit, ignored, counted, _summed(by_image, images[ignored]))
        result[t] = np.where(positives > 0, _average_precision(found, seen, positives), np.nan)
    return result


def _runs(
    hit: NDArray[np.bool_], ignored: NDArray[np.bool_], counted: NDArray[np.int32], nothing: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Hits, and predictions that count, up to the last of each run of hits: (R, B) each.

    As long as hit follows hit, precision does not fall, whatever the weights are. So only the last of each run can
    stand out, and the earlier ones share what it makes of the precision at or beyond their recall.

    Args:
        hit: (D,), predictions from the highest score on.
        ignored: (D,).
        counted: (D + 1, B), how many predictions there are before each.
        nothing: (K + 1, B), the same of the K ignored ones alone.
    """
    kept = np.flatnonzero(~ignored)
    edge = np.diff(hit[kept].astype(np.int8), prepend=0, append=0)
    first, last = kept[np.flatnonzero(edge == 1)], kept[np.flatnonzero(edge == -1) - 1]
    before, seen = counted[first], counted[last + 1]
    if len(nothing) > 1:
        passed = np.cumsum(ignored)
        before -= nothing[passed[first]]
        seen -= nothing[passed[last]]
    found = seen - before
    for row in range(1, len(found)):
        found[row] += found[row - 1]
    return found, seen


def _average_precision(
    found: NDArray[np.int32], seen: NDArray[np.int32], positives: NDArray[np.int64]
) -> NDArray[np.float64]:
    """AP (B,) from hits and predictions (R, B) at rising recall."""
    best = found / np.maximum(seen, 1)
    for row in range(len(best) - 2, -1, -1):
        np.maximum(best[row], best[row + 1], out=best[row])
    reached = _reached(found, positives)
    result: NDArray[np.float64] = np.einsum("rb,rb->b", best, np.diff(reached, axis=0, prepend=0.0)) / len(RECALLS)
    return result


def _reached(found: NDArray[np.int32], positives: NDArray[np.int64]) -> NDArray[np.float64]:
    """How many of COCO's recalls (R, B) are reached with so many hits, to the last bit as its search has it."""
    recall = found / np.maximum(positives, 1)
    step = np.floor(recall * (len(RECALLS) - 1) + 1e-6)
    return step + (np.take(RECALLS, step.astype(np.intp)) <= recall)


def _summed(by_image: NDArray[np.int32], images: NDArray[np.int64]) -> NDArray[np.int32]:
    """Sums (D + 1, B) of the weights of the first 0, 1 ... D of ``images``."""
    result = np.zeros((len(images) + 1, by_image.shape[1]), dtype=np.int32)
    # Row by row: numpy's own cumulative sums over the first axis take several times as long.
    for row, image in enumerate(images.tolist()):
        np.add(result[row], by_image[image], out=result[row + 1])
    return result
