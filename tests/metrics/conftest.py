"""Made sets of found and true boxes, with all that matching may meet."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from artdet.detections import Detections
from artdet.metrics.pairs import Pair

HEIGHT, WIDTH = 90, 130


def make_pairs(
    rng: np.random.Generator,
    images: int,
    classes: Sequence[int],
    *,
    truths: float = 3.0,
    found: float = 5.0,
    crowd: float = 0.1,
    difficult: float = 0.1,
    score_levels: int = 20,
    grid: float = 1.0,
    bare: float = 0.15,
    size: tuple[int, int] = (HEIGHT, WIDTH),
) -> list[Pair]:
    """Random pairs; two thirds of the predictions are shaken true boxes.

    Args:
        truths, found: mean number of true boxes and of predictions per image.
        crowd, difficult: share of true boxes marked so, one independent of the other.
        score_levels: how many scores there are, so that ties occur; 0: all scores of the whole set are different.
        grid: corners are multiples of it in pixels, so that overlaps tie and boxes may be empty; 0: anywhere.
        bare: share of images without truth, and, independent of it, share of images without predictions.
    """
    made = []
    for _ in range(images):
        true_count = 0 if rng.random() < bare else int(rng.poisson(truths))
        found_count = 0 if rng.random() < bare else int(rng.poisson(found))
        true_boxes, true_labels = _boxes(rng, true_count, grid, size), rng.choice(classes, true_count)
        found_boxes, found_labels = _boxes(rng, found_count, grid, size), rng.choice(classes, found_count)
        if true_count:
            near = np.flatnonzero(rng.random(found_count) < 2 / 3)
            of = rng.integers(true_count, size=len(near))
            found_boxes[near] = _shaken(rng, true_boxes[of], grid, size)
            found_labels[near] = np.where(rng.random(len(near)) < 0.85, true_labels[of], found_labels[near])
        scores = rng.random(found_count)
        if score_levels:
            scores = np.ceil(scores * score_levels) / score_levels
        made.append(
            Pair(
                Detections.of(found_boxes, scores, found_labels, size),
                Detections.of(true_boxes, 1.0, true_labels, size),
                rng.random(true_count) < crowd,
                rng.random(true_count) < difficult,
            )
        )
    return made if score_levels else _all_different(made, rng)


def make_pair(
    found: Sequence[tuple[float, ...]] = (),
    truth: Sequence[tuple[float, ...]] = (),
    *,
    crowd: Sequence[int] = (),
    difficult: Sequence[int] = (),
    size: tuple[int, int] = (HEIGHT, WIDTH),
) -> Pair:
    """One pair by hand.

    Args:
        found: (x1, y1, x2, y2, score, label) of each prediction.
        truth: (x1, y1, x2, y2, label) of each true box.
        crowd, difficult: indices of the true boxes that are so.
    """
    return Pair(
        Detections.of([row[:4] for row in found], [row[4] for row in found], [int(row[5]) for row in found], size),
        Detections.of([row[:4] for row in truth], 1.0, [int(row[4]) for row in truth], size),
        np.isin(np.arange(len(truth)), crowd),
        np.isin(np.arange(len(truth)), difficult),
    )


@pytest.fixture(name="make_pairs")
def _make_pairs() -> Callable[..., list[Pair]]:
    return make_pairs


@pytest.fixture(name="make_pair")
def _make_pair() -> Callable[..., Pair]:
    return make_pair


def _boxes(rng: np.random.Generator, count: int, grid: float, size: tuple[int, int]) -> np.ndarray:
    height, width = size
    limits = np.array([width, height])
    sides = rng.uniform(0.02, 0.6, (count, 2)) * limits
    low = rng.random((count, 2)) * (limits - sides)
    return _snapped(np.hstack([low, low + sides]), grid, size)


def _shaken(rng: np.random.Generator, boxes: np.ndarray, grid: float, size: tuple[int, int]) -> np.ndarray:
    """Boxes (N, 4) moved by anything from nothing to a third of their size."""
    sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    strength = rng.choice([0.0, 0.03, 0.1, 0.3], (len(boxes), 1))
    return _snapped(boxes + rng.normal(0, 1, boxes.shape) * sides * strength, grid, size)


def _snapped(boxes: np.ndarray, grid: float, size: tuple[int, int]) -> np.ndarray:
    height, width = size
    boxes = np.clip(boxes, 0, [width, height, width, height])
    if grid:
        boxes = np.round(boxes / grid) * grid
    return np.hstack([np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])])


def _all_different(pairs: list[Pair], rng: np.random.Generator) -> list[Pair]:
    total = sum(len(pair.found) for pair in pairs)
    scores = iter(((rng.permutation(total) + 0.5) / max(total, 1)).tolist())
    return [
        Pair(
            Detections.of(
                pair.found.boxes,
                [next(scores) for _ in range(len(pair.found))],
                pair.found.labels,
                pair.found.image_size,
            ),
            pair.truth,
            pair.crowd,
            pair.difficult,
        )
        for pair in pairs
    ]
