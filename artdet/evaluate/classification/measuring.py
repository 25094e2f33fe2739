"""One run on one task: figures with their intervals, and what goes wrong."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from artdet.data.artworks.collection import Targets, known
from artdet.evaluate.classification.mixups import mixups
from artdet.evaluate.classification.results import ClassRow, TaskResult
from artdet.evaluate.classification.scores import Answers
from artdet.evaluate.estimates import number
from artdet.evaluate.results import Estimate, Reliability
from artdet.metrics.bootstrap import draw_resamples, interval
from artdet.metrics.calibration import reliability
from artdet.metrics.classification import ClassFigures, TaskFigures, confusion, memberships, task_figures
from artdet.metrics.classification_bootstrap import Resampled, bootstrap_figures
from artdet.tasks import Task

ALL = "all"
"""The group of all images in differences."""

_TOP = 3
"""Of so many classes ``top3`` has to know the order."""

_Key = tuple[str, str]
"""Group and metric."""


@dataclass(frozen=True, eq=False)
class Measured:
    """A run on a task.

    Attributes:
        result: what is told.
        values: (group, metric) -> figure; groups are ``ALL`` and the classes.
        samples: the same -> its resamples (B,), where there are any.
    """

    result: TaskResult
    values: Mapping[_Key, float]
    samples: Mapping[_Key, NDArray[np.float64]]


def measure(
    task: Task, answers: Answers, targets: Targets, paths: Sequence[Path], *, resamples: int, seed: int
) -> Measured:
    """Measures the answers to a task on the images of which the answer is known.

    Args:
        task: the question.
        answers: of N images.
        targets: of the N images.
        paths: of the N images.
        resamples: 0 for no intervals.
        seed: of the resamples, which are the same for every run whose task has the same known answers.
    """
    there = known(task, targets)
    scores, truth = answers.scores[there], targets[there]
    figures = task_figures(task, scores, truth)
    values = {key: value for key, value in _values(figures) if not math.isnan(value)}
    if answers.listed is not None and answers.listed < _TOP:
        values.pop((ALL, "top3"), None)  # which classes come next was not kept
    samples = {}
    if resamples and len(truth):
        weights = draw_resamples(len(truth), resamples, seed=seed)
        samples = _samples(bootstrap_figures(task, scores, truth, weights), task)
    chosen = [path for path, answered in zip(paths, there, strict=True) if answered]

    def estimate(group: str, metric: str) -> Estimate:
        value = values.get((group, metric))
        return Estimate(None) if value is None else estimated(value, samples.get((group, metric)), limits(metric))

    result = TaskResult(
        task=task.name,
        kind=task.kind,
        images=len(truth),
        unknown=int((~there).sum()),
        tolerance=task.tolerance,
        figures={name: estimate(ALL, name) for name in figures.figures},
        classes=tuple(
            ClassRow(row.name, row.images, row.found, *(estimate(row.name, metric) for metric in _OF_CLASS))
            for row in figures.classes
        ),
        confusion=tuple(map(tuple, confusion(task, scores, truth).tolist())) if task.kind == "label" else (),
        reliability=_reliability(task, scores, truth),
        mixups=mixups(task, scores, truth, chosen),
        listed=answers.listed,
    )
    return Measured(result, values, samples)


def differences(first: Measured, second: Measured) -> Iterator[tuple[str, str, Estimate]]:
    """Group, metric, and second minus first, of all figures and of the F1 of each class."""
    for key, before in first.values.items():
        group, metric = key
        if key not in second.values or (group != ALL and metric != "f1"):
            continue
        spread = None
        if key in first.samples and key in second.samples:
            spread = second.samples[key] - first.samples[key]
        low, high = limits(metric)
        yield group, metric, estimated(second.values[key] - before, spread, (low - high, high - low))


def limits(metric: str) -> tuple[float, float]:
    """Lowest and highest possible value of a figure."""
    if metric in ("loss", "mae"):
        return 0.0, math.inf
    return (-1.0 if metric == "mcc" else 0.0), 1.0


def estimated(value: float, samples: NDArray[np.float64] | None, limits: tuple[float, float]) -> Estimate:
    """A figure with the interval of its resamples; without one where there are none."""
    if samples is None or np.isnan(samples).all():
        return Estimate(value)
    low, high = interval(samples, value, limits=limits)
    return Estimate(value, float(low), float(high))


_OF_CLASS = ("precision", "recall", "f1", "ap")


def _values(figures: TaskFigures) -> Iterator[tuple[_Key, float]]:
    for name, value in figures.figures.items():
        yield (ALL, name), value
    for row in figures.classes:
        for metric in _OF_CLASS:
            of_class = _of_class(row, metric)
            if of_class is not None:
                yield (row.name, metric), of_class


def _of_class(row: ClassFigures, metric: str) -> float | None:
    return {"precision": row.precision, "recall": row.recall, "f1": row.f1, "ap": row.ap}[metric]


def _samples(resampled: Resampled, task: Task) -> dict[_Key, NDArray[np.float64]]:
    made: dict[_Key, NDArray[np.float64]] = {(ALL, name): values for name, values in resampled.figures.items()}
    for metric, values in resampled.classes.items():
        made |= {(name, metric): values[:, place] for place, name in enumerate(task.classes)}
    return made


def _reliability(task: Task, scores: NDArray[np.float32], truth: Targets) -> Reliability | None:
    if task.kind == "number":
        return None
    right = memberships(task, truth)
    if task.kind == "label":
        best = scores.argmax(axis=1)[:, None]
        given, hits = np.take_along_axis(scores, best, axis=1), np.take_along_axis(right, best, axis=1)
    else:
        given, hits = scores, right
    bins = reliability(np.clip(given, 0.0, 1.0), hits)
    return Reliability(
        name=task.name,
        edges=tuple(bins.edges.tolist()),
        count=tuple(bins.count.tolist()),
        score=tuple(number(value) for value in bins.score),
        hits=tuple(number(value) for value in bins.hits),
        ece=bins.ece,
    )
