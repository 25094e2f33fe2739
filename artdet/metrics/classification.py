"""Figures of classification: how often answers to a task are right, of all images and of each class."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from artdet.data.artworks.collection import Targets, known
from artdet.tasks import Kind, Task

FIGURES: Mapping[Kind, tuple[str, ...]] = {
    "label": ("accuracy", "top3", "macro_f1", "micro_f1", "mcc", "map", "loss"),
    "labels": ("accuracy", "macro_f1", "micro_f1", "mcc", "map", "loss"),
    "number": ("within", "mae", "loss"),
}
"""Kind of task -> names of its figures."""
LOWER_IS_BETTER = frozenset({"mae", "loss"})
THRESHOLD = 0.5
"""Of several labels, those with at least this probability are given."""

_STAND_INS: Mapping[Kind, Mapping[str, str]] = {
    "label": {"within": "accuracy", "mae": "loss"},
    "labels": {"top3": "map", "within": "accuracy", "mae": "loss"},
    "number": dict.fromkeys(("accuracy", "top3", "macro_f1", "micro_f1", "mcc", "map"), "within"),
}
_LEAST_PROBABILITY = 1e-7


@dataclass(frozen=True)
class ClassFigures:
    """Figures of one class.

    Attributes:
        name: of the class.
        images: that have it in truth.
        found: that were given it.
        precision: share of the found that are right; ``None`` where none was found.
        recall: share of the images that were found; ``None`` without images.
        f1: harmonic mean of the two; ``None`` without images.
        ap: average precision of its scores over all images; ``None`` without images.
    """

    name: str
    images: int
    found: int
    precision: float | None
    recall: float | None
    f1: float | None
    ap: float | None


@dataclass(frozen=True)
class TaskFigures:
    """Figures of one task, on the images of which the answer is known.

    Attributes:
        task: its name.
        kind: of the task.
        images: with an answer.
        figures: name -> value, those of ``FIGURES``; empty without images.
        classes: in the order of the task; none for a number.
    """

    task: str
    kind: Kind
    images: int
    figures: Mapping[str, float]
    classes: tuple[ClassFigures, ...] = ()

    def value(self, name: str) -> float:
        """A figure, or what stands for it where this kind of task has no such figure; NaN without images.

        So that one name can choose the best epoch of several tasks: ``accuracy`` of a number is its share within the
        tolerance, ``top3`` of several labels their mean average precision.

        >>> TaskFigures("year", "number", 4, {"within": 0.5, "mae": 60.0, "loss": 60.0}).value("accuracy")
        0.5
        """
        return self.figures.get(_STAND_INS[self.kind].get(name, name), float("nan"))


def task_figures(task: Task, scores: NDArray[np.float32], targets: Targets) -> TaskFigures:
    """Measures answers to one task.

    Accuracy of several labels counts an image as right if all its labels are. F1 and average precision are
    macro-averaged over the classes that have images. ``mcc`` is Matthews' correlation (Gorodkin 2004 for several
    classes; over all decisions for several labels). ``loss`` is the negative log-likelihood, the mean binary
    cross-entropy, or the mean absolute error.

    Args:
        task: the question.
        scores: (N, outputs) probabilities; (N, 1) in its own unit for a number.
        targets: as :class:`artdet.data.artworks.collection.Artworks` holds them; images without an answer are
            passed over.

    Raises:
        ValueError: if the shapes do not fit, or a score is not finite.
    """
    if scores.shape != (len(targets), task.outputs):
        raise ValueError(f"scores must be {(len(targets), task.outputs)}, but are {scores.shape}")
    there = known(task, targets)
    given, truth = scores[there].astype(np.float64), targets[there]
    if not np.isfinite(given).all():
        raise ValueError(f"{task.name}: scores must be finite")
    if not len(given):
        return TaskFigures(task.name, task.kind, 0, {}, tuple(_absent(name) for name in task.classes))
    if task.kind == "number":
        return TaskFigures(task.name, task.kind, len(given), _of_number(task, given[:, 0], truth))
    right = memberships(task, truth)
    found = decisions(task, given)
    classes = _class_figures(task, given, right, found)
    figures = {
        **_of_decisions(task, found, right),
        **({"top3": float((ranks(given, truth.astype(np.int64)) < 3).mean())} if task.kind == "label" else {}),
        "map": _mean(each.ap for each in classes),
        "loss": float(likelihood_losses(task, given, right).mean()),
    }
    ordered = {name: figures[name] for name in FIGURES[task.kind]}
    return TaskFigures(task.name, task.kind, len(given), ordered, classes)


def memberships(task: Task, truth: Targets) -> NDArray[np.bool_]:
    """Bool (N, K), which classes each image has, of images with an answer."""
    if task.kind == "label":
        return np.asarray(truth[:, None] == np.arange(task.outputs))
    return np.asarray(truth >= THRESHOLD)


def decisions(task: Task, scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Bool (N, K), which classes are given to each image: the likeliest (first of several), or all from 0.5 on."""
    if task.kind == "label":
        return np.asarray(scores.argmax(axis=1)[:, None] == np.arange(task.outputs))
    return scores >= THRESHOLD


def ranks(scores: NDArray[np.float64], truth: NDArray[np.int64]) -> NDArray[np.int64]:
    """Place (N,) of the true class among the scores, 0 for the highest; of equal scores the first class leads.

    >>> ranks(np.array([[0.2, 0.5, 0.3], [0.4, 0.4, 0.2]]), np.array([0, 1])).tolist()
    [2, 1]
    """
    own = np.take_along_axis(scores, truth[:, None], axis=1)
    earlier = np.arange(scores.shape[1]) < truth[:, None]
    return np.asarray(((scores > own) | ((scores == own) & earlier)).sum(axis=1))


def likelihood_losses(task: Task, scores: NDArray[np.float64], right: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Negative log-likelihood (N,) of each image, a probability of 0 taken as 1e-7; mean over classes for several."""
    likelihood = scores[right][:, None] if task.kind == "label" else np.where(right, scores, 1 - scores)
    return np.asarray(-np.log(np.maximum(likelihood, _LEAST_PROBABILITY)).mean(axis=1))


def confusion(task: Task, scores: NDArray[np.float32], targets: Targets) -> NDArray[np.int64]:
    """Counts (K, K) [true][found] of a task of one label, on the images with an answer."""
    from sklearn.metrics import confusion_matrix

    there = known(task, targets)
    if not there.any():
        return np.zeros((task.outputs, task.outputs), dtype=np.int64)
    found = scores[there].argmax(axis=1)
    return np.asarray(confusion_matrix(targets[there], found, labels=range(task.outputs)), dtype=np.int64)


def _of_number(task: Task, given: NDArray[np.float64], truth: Targets) -> dict[str, float]:
    distance = np.abs(given - truth)
    mae = float(distance.mean())
    return {"within": float((distance <= task.tolerance).mean()), "mae": mae, "loss": mae}


def _of_decisions(task: Task, found: NDArray[np.bool_], right: NDArray[np.bool_]) -> dict[str, float]:
    from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

    with_images = np.flatnonzero(right.any(axis=0))
    if task.kind == "label":
        first, second = right.argmax(axis=1), found.argmax(axis=1)
        # Of one label each, every wrong answer is one too few and one too many: micro-averaged F1 is accuracy.
        micro = float(accuracy_score(first, second))
        mcc = matthews_corrcoef(first, second) if len({*first, *second}) > 1 else 0.0
    else:
        micro = float(f1_score(right, found, average="micro", zero_division=0))
        mcc = matthews_corrcoef(right.ravel(), found.ravel())
    macro = (
        f1_score(right, found, labels=with_images, average="macro", zero_division=0)
        if len(with_images)
        else float("nan")
    )
    return {
        "accuracy": float(accuracy_score(right, found)),
        "macro_f1": float(macro),
        "micro_f1": micro,
        "mcc": float(mcc),
    }


def _class_figures(
    task: Task, given: NDArray[np.float64], right: NDArray[np.bool_], found: NDArray[np.bool_]
) -> tuple[ClassFigures, ...]:
    from sklearn.metrics import average_precision_score, precision_recall_fscore_support

    precision, recall, f1, images = precision_recall_fscore_support(right, found, average=None, zero_division=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes without images, which are left out below
        ap = np.atleast_1d(average_precision_score(right, given, average=None))
    given_to = found.sum(axis=0)
    return tuple(
        ClassFigures(
            name=name,
            images=int(images[k]),
            found=int(given_to[k]),
            precision=float(precision[k]) if given_to[k] else None,
            recall=float(recall[k]) if images[k] else None,
            f1=float(f1[k]) if images[k] else None,
            ap=float(ap[k]) if images[k] else None,
        )
        for k, name in enumerate(task.classes)
    )


def _absent(name: str) -> ClassFigures:
    return ClassFigures(name, 0, 0, None, None, None, None)


def _mean(values: Iterable[float | None]) -> float:
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if there else float("nan")
