"""One run at one level, as the report has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from artdet.evaluate.estimates import number
from artdet.evaluate.measuring import IOU, Measured, row, row_of_images
from artdet.evaluate.results import Confusion, Curve, ErrorType, LevelResult, Mistake, Reliability, Row
from artdet.metrics.calibration import of_matches, reliability
from artdet.metrics.confusion import confusion_matrix
from artdet.metrics.costs import error_costs
from artdet.metrics.errors import ErrorLabels, classify_errors
from artdet.metrics.levels import Level
from artdet.metrics.mistakes import worst_mistakes
from artdet.metrics.precision import precision_recall
from artdet.taxonomy import Taxonomy

BACKGROUND = "background"
_MOST_POINTS = 200


@dataclass(frozen=True)
class Images:
    """The images of a run, in the order of its pairs.

    Attributes:
        files: relative to the run's root.
        sizes: (height, width) that the run's boxes refer to; ``None`` of an image that it could not read.
    """

    files: tuple[str, ...]
    sizes: tuple[tuple[int, int] | None, ...]


def level_result(
    level: Level,
    measured: Measured,
    taxonomy: Taxonomy,
    images: Images,
    *,
    groups: Mapping[str, Mapping[str, NDArray[np.bool_]]],
    resamples: tuple[int, int],
) -> LevelResult:
    """Everything that is said about a run at a level.

    Args:
        level: which.
        measured: the run at this level.
        taxonomy: names the classes.
        images: of the run.
        groups: field -> value -> bool (I,), which images have it.
        resamples: how many for the intervals of groups, and their seed.
    """
    names = [taxonomy.names[each] for each in measured.classes]
    overall = row(measured, "all", range(len(names)))
    errors = classify_errors(measured.pairs, measured.matches)
    min_score = overall.best_score or 0.0
    costs = error_costs(measured.matches, errors, min_score=min_score)
    count, seed = resamples
    return LevelResult(
        level=level,
        overall=overall,
        classes=tuple(row(measured, name, [place]) for place, name in enumerate(names)),
        categories=tuple(_categories(measured, taxonomy)),
        by={
            field: tuple(
                row_of_images(measured, value, chosen, resamples=count, seed=seed) for value, chosen in values.items()
            )
            for field, values in groups.items()
        },
        curves=tuple(_curves(measured, names)),
        reliability=_reliability(measured),
        confusion=_confusion(measured, names, min_score),
        errors=tuple(ErrorType(name, cost.count, cost.cost) for name, cost in costs.items()),
        mistakes=tuple(_mistakes(measured, errors, taxonomy, images, min_score)),
    )


def _categories(measured: Measured, taxonomy: Taxonomy) -> Iterator[Row]:
    """Categories of which several classes are measured; a category of one class is that class."""
    places: dict[str, list[int]] = {}
    for place, each in enumerate(measured.classes):
        places.setdefault(taxonomy.nodes[each].category, []).append(place)
    for category, several in places.items():
        if len(several) > 1:
            yield row(measured, category, several)


def _curves(measured: Measured, names: Sequence[str]) -> Iterator[Curve]:
    at = measured.matches.at(IOU)
    for each, name in zip(measured.classes, names, strict=True):
        part = measured.matches.classes[each]
        if part.positives:
            curve = precision_recall(part, at)
            kept = _points(curve.precision)
            columns = (np.round(column[kept], 5).tolist() for column in (curve.recall, curve.precision, curve.scores))
            yield Curve(name, *(tuple(column) for column in columns))


def _points(precision: NDArray[np.float64]) -> NDArray[np.intp]:
    """Which points of a curve are told: all of a short one, else as many as can be seen, the best of each stretch."""
    stretches = np.array_split(np.arange(len(precision)), min(len(precision), _MOST_POINTS) or 1)
    return np.array([part[np.argmax(precision[part])] for part in stretches if len(part)], dtype=np.intp)


def _reliability(measured: Measured) -> Reliability:
    bins = reliability(*of_matches(measured.matches, iou=IOU))
    return Reliability(
        name="all",
        edges=tuple(bins.edges.tolist()),
        count=tuple(bins.count.tolist()),
        score=tuple(number(value) for value in bins.score),
        hits=tuple(number(value) for value in bins.hits),
        ece=bins.ece,
    )


def _confusion(measured: Measured, names: Sequence[str], min_score: float) -> Confusion:
    counts = confusion_matrix(measured.pairs, measured.classes, min_score=min_score, iou=IOU)
    return Confusion((*names, BACKGROUND), tuple(tuple(line) for line in counts.tolist()), min_score)


def _mistakes(
    measured: Measured, errors: ErrorLabels, taxonomy: Taxonomy, images: Images, min_score: float
) -> Iterator[Mistake]:
    for chosen in worst_mistakes(measured.pairs, errors, min_score=min_score):
        pair = measured.pairs[chosen.image]
        side = pair.found if chosen.kind == "false alarm" else pair.truth
        (height, width), size = pair.truth.image_size, images.sizes[chosen.image]
        high, wide = size or (height, width)
        x1, y1, x2, y2 = (side.boxes[chosen.box] * np.array([wide / width, high / height] * 2)).tolist()
        yield Mistake(
            kind=chosen.kind,
            file=images.files[chosen.image],
            label=taxonomy.names[chosen.label],
            score=chosen.score,
            box=(x1, y1, x2, y2),
            error=chosen.error,
        )
