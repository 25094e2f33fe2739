"""What an evaluation of labels found out, as plain numbers: ``metrics.json``, the tables and the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from artdet.evaluate.results import Estimate, Reliability
from artdet.tasks import Kind


@dataclass(frozen=True)
class ClassRow:
    """The figures of one class.

    Attributes:
        name: of the class.
        images: that have it.
        found: that were given it.
        precision, recall, f1, ap: see :class:`artdet.metrics.classification.ClassFigures`.
    """

    name: str
    images: int
    found: int
    precision: Estimate
    recall: Estimate
    f1: Estimate
    ap: Estimate


@dataclass(frozen=True)
class Example:
    """One image, for a picture.

    Attributes:
        path: of the image.
        true: what is known of it.
        found: what was answered.
        score: probability of that answer; ``None`` for a number.
    """

    path: str
    true: str
    found: str
    score: float | None


@dataclass(frozen=True)
class Mixup:
    """A kind of mistake, with examples.

    Attributes:
        title: such as ``portrait taken for genre painting``.
        count: how often it happened.
        share: of the images that could have been mistaken so; ``None`` where that says nothing.
        examples: the surest of the mistakes.
        right: for comparison, one image that was rightly recognised, of each of the two classes.
    """

    title: str
    count: int
    share: float | None
    examples: tuple[Example, ...]
    right: tuple[Example, ...] = ()


@dataclass(frozen=True)
class TaskResult:
    """A run on one task.

    Attributes:
        task: its name.
        kind: of the task.
        images: compared images with an answer; all figures are of these.
        unknown: compared images without.
        tolerance: of a number.
        figures: name -> figure, as :data:`artdet.metrics.classification.FIGURES` has them.
        classes: in the order of the task.
        confusion: counts [true][found] of a task of one label.
        reliability: of the likeliest class, or of all decisions on several labels; ``None`` for a number.
        mixups: what goes wrong most often.
        listed: how many classes the run kept of each image; ``None`` if all.
    """

    task: str
    kind: Kind
    images: int
    unknown: int
    tolerance: float
    figures: Mapping[str, Estimate]
    classes: tuple[ClassRow, ...]
    confusion: tuple[tuple[int, ...], ...]
    reliability: Reliability | None
    mixups: tuple[Mixup, ...]
    listed: int | None


@dataclass(frozen=True)
class Course:
    """Figures of a training over its epochs.

    Attributes:
        name: of the figure, such as ``genre accuracy``.
        epochs: with a value.
        values: there.
    """

    name: str
    epochs: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class RunResult:
    """One run against the truth.

    Attributes:
        name: how tables call it; names are made unique.
        folder: the run folder.
        root: the folder of the run's images.
        model: names of what ran.
        tasks: in the order of the run.
        courses: of the model's training, where its folder tells.
    """

    name: str
    folder: str
    root: str
    model: str
    tasks: tuple[TaskResult, ...]
    courses: tuple[Course, ...]


@dataclass(frozen=True)
class Difference:
    """Second run minus first, on the same resampled images (paired bootstrap).

    Attributes:
        first, second: names of the runs.
        task: of the comparison.
        group: ``all`` or the name of a class.
        metric: name of the figure.
        estimate: the difference and its 95 % interval.
    """

    first: str
    second: str
    task: str
    group: str
    metric: str
    estimate: Estimate


@dataclass(frozen=True)
class Report:
    """Everything: one or several runs against one truth.

    Attributes:
        truth: as the user named it.
        part: ``test`` or another part of a split, where only that was measured.
        images: how many images were compared.
        notes: what a reader must know.
        bootstrap: how many resamples, 0 for none.
        runs: in the order in which they were named.
        differences: every later run against the first.
        versions: package -> version.
    """

    truth: str
    part: str | None
    images: int
    notes: tuple[str, ...]
    bootstrap: int
    runs: tuple[RunResult, ...]
    differences: tuple[Difference, ...]
    versions: Mapping[str, str]
