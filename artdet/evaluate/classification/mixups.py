"""What goes wrong most often, with examples to look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from artdet.data.artworks.collection import Targets
from artdet.evaluate.classification.results import Example, Mixup
from artdet.metrics.classification import THRESHOLD
from artdet.tasks import Task

MOST = 8
"""Kinds of mistakes that are shown."""
EXAMPLES = 6
"""Images of each."""

_Places = NDArray[np.int64]


def mixups(task: Task, scores: NDArray[np.float32], truth: Targets, paths: Sequence[Path]) -> tuple[Mixup, ...]:
    """The most frequent mistakes, each with its surest examples.

    Args:
        task: the question.
        scores: (N, outputs).
        truth: of the N images, each of which has an answer.
        paths: of the images.
    """
    made = {"label": _of_label, "labels": _of_labels, "number": _of_number}[task.kind](task, scores, truth, paths)
    return tuple(made)


def _of_label(task: Task, scores: NDArray[np.float32], truth: Targets, paths: Sequence[Path]) -> list[Mixup]:
    found, best = scores.argmax(axis=1), scores.max(axis=1)
    classes = len(task.classes)
    counts = np.bincount(truth.astype(np.int64) * classes + found, minlength=classes**2).reshape(classes, classes)
    images = counts.sum(axis=1)

    def example(place: int) -> Example:
        names = task.classes[int(truth[place])], task.classes[found[place]]
        return Example(str(paths[place]), *names, float(best[place]))

    made = []
    for a, b in _largest(counts * (1 - np.eye(classes, dtype=np.int64))):
        wrong = _surest(np.flatnonzero((truth == a) & (found == b)), best, EXAMPLES)
        right = [_surest(np.flatnonzero((truth == k) & (found == k)), best, 1) for k in (a, b)]
        made.append(
            Mixup(
                f"{task.classes[a]} taken for {task.classes[b]}",
                int(counts[a, b]),
                float(counts[a, b] / images[a]),
                tuple(example(place) for place in wrong.tolist()),
                tuple(example(place) for places in right for place in places.tolist()),
            )
        )
    return made


def _of_labels(task: Task, scores: NDArray[np.float32], truth: Targets, paths: Sequence[Path]) -> list[Mixup]:
    right, found = truth >= THRESHOLD, scores >= THRESHOLD
    wrong = np.stack([right & ~found, ~right & found])  # (2, N, K): missed, and given for nothing

    def example(place: int, k: int) -> Example:
        names = tuple(", ".join(np.array(task.classes)[row[place]]) or "nothing" for row in (right, found))
        return Example(str(paths[place]), names[0], names[1], float(scores[place, k]))

    made = []
    for kind, k in _largest(wrong.sum(axis=1)):
        sureness = scores[:, k] if kind else -scores[:, k]
        places = _surest(np.flatnonzero(wrong[kind, :, k]), sureness, EXAMPLES)
        could = int((~right if kind else right)[:, k].sum())
        made.append(
            Mixup(
                f"{task.classes[k]} {'given for nothing' if kind else 'missed'}",
                int(wrong[kind, :, k].sum()),
                float(wrong[kind, :, k].sum() / could),
                tuple(example(place, k) for place in places.tolist()),
            )
        )
    return made


def _of_number(task: Task, scores: NDArray[np.float32], truth: Targets, paths: Sequence[Path]) -> list[Mixup]:
    off = scores[:, 0] - truth
    sides: tuple[tuple[str, Callable[[], NDArray[np.float32]]], ...] = (
        ("too high", lambda: off),
        ("too low", lambda: -off),
    )
    made = []
    for words, distance in sides:
        beyond = np.flatnonzero(distance() > task.tolerance)
        if not len(beyond):
            continue
        places = _surest(beyond, distance(), EXAMPLES)
        examples = (Example(str(paths[i]), f"{truth[i]:.4g}", f"{scores[i, 0]:.4g}", None) for i in places.tolist())
        title = f"more than {task.tolerance:g} {words}"
        made.append(Mixup(title, len(beyond), float(len(beyond) / len(truth)), tuple(examples)))
    return made


def _largest(counts: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Row and column of the largest counts above 0, falling."""
    order = np.argsort(-counts, axis=None, kind="stable")[:MOST]
    places = (divmod(int(place), counts.shape[1]) for place in order)
    return [(row, column) for row, column in places if counts[row, column]]


def _surest(places: _Places, sureness: NDArray[np.float32], most: int) -> _Places:
    return places[np.argsort(-sureness[places], kind="stable")[:most]]
