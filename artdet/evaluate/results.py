"""What an evaluation found out, as plain numbers: the content of ``metrics.json``, of the tables and of the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from artdet.metrics.levels import Level


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval by bootstrap over images; all ``None`` where there is no truth to measure by."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Row:
    """The figures of one group: everything, a class, a category, or the images with one value of a field.

    Attributes:
        name: the group.
        images: images on which the group was looked for.
        truths: true boxes that count.
        found: predictions (at whatever score the run kept).
        ap: mean of AP at IoU 0.5:0.95, 101-point interpolation (COCO).
        ap50: AP at IoU 0.5 alone.
        ap75: AP at IoU 0.75 alone.
        ap50_voc: AP at IoU 0.5 with VOC's matching and its area under all points.
        ap_small, ap_medium, ap_large: ``ap`` of true boxes below 32x32 px, up to 96x96 px, and above.
        ar1, ar10, ar100: mean over IoU 0.5:0.95 of the recall with at most so many boxes per image and class.
        best_score: the score threshold with the best F1 at IoU 0.5.
        best_f1, precision, recall: at that threshold.
        ece: expected calibration error at IoU 0.5, 10 bins.
    """

    name: str
    images: int
    truths: int
    found: int
    ap: Estimate
    ap50: Estimate
    ap75: Estimate
    ap50_voc: float | None = None
    ap_small: float | None = None
    ap_medium: float | None = None
    ap_large: float | None = None
    ar1: float | None = None
    ar10: float | None = None
    ar100: float | None = None
    best_score: float | None = None
    best_f1: float | None = None
    precision: float | None = None
    recall: float | None = None
    ece: float | None = None


@dataclass(frozen=True)
class Curve:
    """Precision over recall of one class at IoU 0.5.

    Attributes:
        recall: rising, at hits; at 200 of them where there are more.
        precision: there, not interpolated.
        score: there.
    """

    name: str
    recall: tuple[float, ...]
    precision: tuple[float, ...]
    score: tuple[float, ...]


@dataclass(frozen=True)
class Reliability:
    """Calibration at IoU 0.5: predictions in bins of equal width of their score.

    Attributes:
        edges: of the bins, one more than there are bins.
        count: predictions in each bin.
        score: their mean score; ``None`` in an empty bin.
        hits: the share of them that are hits; ``None`` in an empty bin.
        ece: mean distance of the two, weighted by ``count`` (Naeini 2015, Guo 2017).
    """

    name: str
    edges: tuple[float, ...]
    count: tuple[int, ...]
    score: tuple[float | None, ...]
    hits: tuple[float | None, ...]
    ece: float | None


@dataclass(frozen=True)
class Confusion:
    """What was taken for what, at IoU 0.5 and a score threshold.

    Attributes:
        names: the classes; the last is ``background``.
        counts: [true][found]; in the last row predictions on nothing, in the last column true boxes that nothing found.
        min_score: predictions below it were left out.
    """

    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    min_score: float


@dataclass(frozen=True)
class ErrorType:
    """One of the six kinds of error of TIDE (Bolya 2020).

    Attributes:
        name: class, localisation, both, duplicate, background or missed.
        count: how many errors of it there are (at the confusion's score threshold for predictions).
        cost: by how much AP50 would rise if they alone were mended, every prediction considered.
    """

    name: str
    count: int
    cost: float


@dataclass(frozen=True)
class Mistake:
    """One false alarm or one miss, for a picture.

    Attributes:
        kind: ``false alarm`` or ``miss``.
        file: of the image, relative to the run's root.
        label: the class.
        score: of a false alarm; ``None`` of a miss.
        box: (x1, y1, x2, y2) in pixels of the run's image.
        error: name of the error type.
    """

    kind: Literal["false alarm", "miss"]
    file: str
    label: str
    score: float | None
    box: tuple[float, float, float, float]
    error: str


@dataclass(frozen=True)
class LevelResult:
    """A run at one level: fine (classes, with categories for what fits none) or coarse (categories)."""

    level: Level
    overall: Row
    classes: tuple[Row, ...]
    categories: tuple[Row, ...]
    by: Mapping[str, tuple[Row, ...]]
    curves: tuple[Curve, ...]
    reliability: Reliability
    confusion: Confusion
    errors: tuple[ErrorType, ...]
    mistakes: tuple[Mistake, ...]


@dataclass(frozen=True)
class RunResult:
    """One run against the truth.

    Attributes:
        name: how tables call it; names are made unique.
        folder: the run folder.
        root: the folder of the run's images.
        ensemble: name of what ran.
        settings: short text of what differs between the runs, such as ``min_score 0.3``.
        levels: fine, coarse or both.
    """

    name: str
    folder: str
    root: str
    ensemble: str
    settings: str
    levels: Mapping[Level, LevelResult]


@dataclass(frozen=True)
class Difference:
    """Second run minus first, on the same resampled images (paired bootstrap).

    Attributes:
        first, second: names of the runs.
        level: of the comparison.
        group: ``all`` or the name of a class.
        metric: ``ap``, ``ap50`` or ``ap75``.
        estimate: the difference and its 95 % interval.
    """

    first: str
    second: str
    level: Level
    group: str
    metric: str
    estimate: Estimate


@dataclass(frozen=True)
class Report:
    """Everything: one or several runs against one truth.

    Attributes:
        truth: name of the truth.
        truth_root: folder of its images.
        images: how many images were compared.
        notes: what a reader must know: images left out, failures, findings of the truth.
        bootstrap: how many resamples, 0 for none.
        runs: in the order in which they were named.
        differences: every later run against the first.
        versions: artdet, faster-coco-eval ... -> version.
    """

    truth: str
    truth_root: str
    images: int
    notes: tuple[str, ...]
    bootstrap: int
    runs: tuple[RunResult, ...]
    differences: tuple[Difference, ...]
    versions: Mapping[str, str]
