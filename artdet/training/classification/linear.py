"""Linear models on frozen features by scikit-learn: logistic regression, support vector machines, ridge regression.

Each becomes one linear layer: the scaling of features and the calibration of outputs are folded into its weights.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from artdet.data.artworks.collection import Targets, known
from artdet.errors import TrainingError
from artdet.tasks import Kind, Task

Estimator = Literal["logistic", "svm"]
Floats = NDArray[np.floating[Any]]
Part = tuple[Floats, Targets]

STRENGTHS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Values of C that are tried, from strong regularisation to weak; ridge regression takes 1 / C as its penalty."""

HELD_OUT = 0.2
"""Share of the training images of each class that C is chosen on where there is no validation part."""

_STEPS = 2000


@dataclass(frozen=True, eq=False)
class Linear:
    """One linear layer.

    Attributes:
        weight: (K, D) float32, K outputs of D features.
        bias: (K,) float32.
        strengths: the chosen C: one, or one for each class where several may hold.
        settled: whether every fit reached its optimum in the allowed number of steps.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    strengths: tuple[float, ...]
    settled: bool

    def raw(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, K) outputs of features (N, D): softmax, sigmoid, or deviations from the task's mean are made of them."""
        return np.asarray(features @ self.weight.T + self.bias, dtype=np.float32)


def fit_linear(
    features: NDArray[np.float32],
    task: Task,
    targets: Targets,
    estimator: Estimator,
    *,
    class_weights: Literal["none", "balanced"] = "none",
    seed: int = 0,
    validation: tuple[NDArray[np.float32], Targets] | None = None,
) -> Linear:
    """Fits a linear model on the images that have an answer.

    One label: multinomial logistic regression, or support vector machines, one class versus the rest. Several labels:
    a binary model for each class. A number: ridge regression of its deviations from the task's mean, whatever the
    estimator.

    C is the one with the least loss on the validation part. Without one a fifth of the training images is held out for
    that, and then all of them are fitted with this C. Margins of support vector machines are made logits there, too:
    for one label by a common factor (temperature scaling, Guo 2017), which keeps the order of classes; for several
    labels by a factor and a shift for each class (Platt 1999).

    Args:
        features: (N, D) of the training images.
        task: whose ``mean`` and ``deviation`` are those of the training images.
        targets: of the training images, see :class:`artdet.data.artworks.collection.Artworks`.
        estimator: which model.
        class_weights: ``balanced`` gives each class the same weight in sum.
        seed: of what is drawn.
        validation: features and targets.

    Raises:
        TrainingError: if a class has no training images, or there are no others, or features are no numbers.
    """
    train = _answered(task, features, targets)
    _check(task, *train)
    held = _answered(task, *validation) if validation is not None else None
    parts = [train, held] if held is not None and len(held[0]) else [train]
    mean, scale = _scaling(train[0])
    fits = []
    for column, kind in _problems(task):
        asked = [_column(task, part, column, mean, scale) for part in parts]
        fits.append(_chosen(_Settings(kind, estimator, class_weights, seed), *asked))
    weight = np.concatenate([layer.weight for layer, _ in fits]) / scale
    bias = np.concatenate([layer.bias for layer, _ in fits]) - weight @ mean
    settled = all(layer.settled for layer, _ in fits)
    return Linear(weight.astype(np.float32), bias.astype(np.float32), tuple(c for _, c in fits), settled)


@dataclass(frozen=True)
class _Settings:
    kind: Kind  # of one problem; ``labels`` is a single class, yes or no
    estimator: Estimator
    class_weights: Literal["none", "balanced"]
    seed: int


@dataclass(frozen=True, eq=False)
class _Layer:
    weight: Floats
    bias: Floats
    settled: bool = True

    def raw(self, inputs: Floats) -> Floats:
        return np.asarray(inputs @ self.weight.T + self.bias)

    def scaled(self, factor: float, shift: float = 0.0) -> _Layer:
        return _Layer(self.weight * factor, self.bias * factor + shift, self.settled)


def _chosen(settings: _Settings, train: Part, validation: Part | None = None) -> tuple[_Layer, float]:
    """The layer with the best C, and that C."""
    fitted, checked = (train, validation) if validation is not None else _split(settings, train)
    least, best = np.inf, (STRENGTHS[0], _Layer(np.empty(0), np.empty(0)), (1.0, 0.0))
    for strength in STRENGTHS:
        layer = _fit(settings, fitted, strength)
        calibration = _calibration(settings, layer, fitted, checked)
        loss = _loss(settings, layer.scaled(*calibration), checked)
        # Past the best C the loss only rises, and fits take ever longer.
        if loss > 1.05 * least:
            break
        if loss < least:
            least, best = loss, (strength, layer, calibration)
    strength, layer, calibration = best
    if validation is None:
        layer = _fit(settings, train, strength)
    return layer.scaled(*calibration), strength


def _fit(settings: _Settings, part: Part, strength: float) -> _Layer:
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    model = _model(settings, strength)
    # The products are small: several threads wait for each other longer than they compute, 20 times on a busy machine.
    with threadpool_limits(1, user_api="blas"), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(*part)
    settled = not any(issubclass(warning.category, ConvergenceWarning) for warning in caught)
    weight, bias = np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_)
    if settings.kind == "label" and len(weight) == 1:
        # scikit-learn gives two classes one output; half of it for and half against is the same for softmax.
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    return _Layer(weight, bias, settled)


def _model(settings: _Settings, strength: float) -> Any:
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.svm import LinearSVC

    if settings.kind == "number":
        return Ridge(alpha=1 / strength)
    options = {"C": strength, "class_weight": "balanced" if settings.class_weights == "balanced" else None}
    if settings.estimator == "logistic":
        return LogisticRegression(max_iter=_STEPS, **options)
    return LinearSVC(max_iter=_STEPS, random_state=settings.seed, **options)


def _calibration(settings: _Settings, layer: _Layer, fitted: Part, checked: Part) -> tuple[float, float]:
    """Factor and shift that make logits of what the layer gives."""
    from scipy.optimize import minimize_scalar
    from sklearn.linear_model import LogisticRegression

    if settings.kind == "number" or settings.estimator == "logistic":
        return 1.0, 0.0
    if settings.kind == "label":
        found = minimize_scalar(
            lambda power: _loss(settings, layer.scaled(np.exp(power)), checked), bounds=(-7, 7), method="bounded"
        )
        return float(np.exp(found.x)), 0.0
    # Without both answers among the images held out only those remain that it was fitted on.
    inputs, answers = checked if len(np.unique(checked[1])) == 2 else fitted
    model = LogisticRegression(class_weight=_model(settings, 1.0).class_weight).fit(layer.raw(inputs), answers)
    return float(model.coef_[0, 0]), float(model.intercept_[0])


def _loss(settings: _Settings, layer: _Layer, part: Part) -> float:
    """Mean of log loss, or of squared deviations."""
    inputs, targets = part
    raw = layer.raw(inputs)
    if settings.kind == "number":
        return float(np.mean((raw[:, 0] - targets) ** 2))
    if settings.kind == "labels":
        raw = np.concatenate([np.zeros_like(raw), raw], axis=1)
    answers = targets.astype(np.int64)
    right = np.take_along_axis(raw, answers[:, None], axis=1)[:, 0]
    losses = np.logaddexp.reduce(raw, axis=1) - right
    return float(np.average(losses, weights=_importance(settings, answers)))


def _importance(settings: _Settings, answers: NDArray[np.int64]) -> Floats:
    """Weight of each image in the loss."""
    if settings.class_weights == "none":
        return np.ones(len(answers))
    return np.asarray(1 / np.bincount(answers)[answers])


def _split(settings: _Settings, part: Part) -> tuple[Part, Part]:
    """A part to fit on and one to choose C by; the same one twice where there is not enough for two."""
    inputs, targets = part
    groups = np.zeros(len(targets), dtype=np.int64) if settings.kind == "number" else targets
    rng = np.random.default_rng(settings.seed)
    held = np.zeros(len(targets), dtype=bool)
    for group in np.unique(groups):
        places = rng.permutation(np.flatnonzero(groups == group))
        held[places[: int(len(places) * HELD_OUT)]] = True
    if not held.any():
        return part, part
    return (inputs[~held], targets[~held]), (inputs[held], targets[held])


def _problems(task: Task) -> Iterator[tuple[int, Kind]]:
    """Column of the targets and kind of each model that the task needs."""
    yield from ((column, task.kind) for column in range(len(task.classes) if task.kind == "labels" else 1))


def _column(task: Task, part: Part, column: int, mean: Floats, scale: Floats) -> Part:
    """Scaled features, and what one model is to tell."""
    features, targets = part
    if task.kind == "labels":
        targets = targets[:, column].astype(np.int64)
    elif task.kind == "number":
        targets = ((targets - task.mean) / task.deviation).astype(np.float32)
    return (features - mean) / scale, targets


def _scaling(features: Floats) -> tuple[Floats, Floats]:
    """Mean and deviation of each feature; 1 for one that is everywhere the same."""
    deviations = features.std(axis=0, dtype=np.float64)
    return features.mean(axis=0, dtype=np.float64), np.where(deviations > 1e-6 * deviations.max(), deviations, 1.0)


def _answered(task: Task, features: Floats, targets: Targets) -> Part:
    """Those of the images that have an answer."""
    answered = known(task, targets)
    return features[answered], targets[answered]


def _check(task: Task, features: Floats, targets: Targets) -> None:
    if not len(targets):
        raise TrainingError(f"No training image has an answer to '{task.name}'. Check its sources.")
    if not np.isfinite(features).all():
        raise TrainingError("Some features are no numbers. Check the weights of the backbone.")
    if task.kind == "number":
        return
    if task.kind == "label":
        counts = np.bincount(targets.astype(np.int64), minlength=len(task.classes))
    else:
        counts = targets.sum(axis=0)
    for name, count in zip(task.classes, counts, strict=True):
        if not count:
            raise TrainingError(
                f"The class '{name}' of '{task.name}' has no training images. Add some, or leave it out of the task."
            )
        if count == len(targets):
            raise TrainingError(
                f"Every training image of '{task.name}' is '{name}'. Add others, or leave it out of the task."
            )
