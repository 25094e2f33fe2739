"""One run at one level: matched boxes, COCO's figures and their resamples; and the rows that are made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from artdet.evaluate.estimates import Figures, Side, estimates, number
from artdet.evaluate.results import Row
from artdet.metrics.bootstrap import bootstrap_ap, draw_resamples
from artdet.metrics.calibration import of_matches, reliability
from artdet.metrics.coco import CocoFigures, coco_figures, nan_mean
from artdet.metrics.matching import match, match_voc, subset
from artdet.metrics.pairs import Matches, Pairs
from artdet.metrics.precision import average_precision_all_points, average_precisions, best_f1

IOU = 0.5
"""At which precision, recall, calibration and errors are measured."""


@dataclass(frozen=True, eq=False)
class Measured:
    """What is known of a run at a level.

    Attributes:
        pairs: found and true boxes of I images.
        classes: C taxonomy ids.
        looked_for: bool (I, C), whether a class counts in an image.
        matches: COCO's, at ten thresholds.
        voc: VOC's, at 0.5.
        coco: figures of faster-coco-eval.
        resampled: (B, C, 3), ``None`` without bootstrap.
    """

    pairs: Pairs
    classes: tuple[int, ...]
    looked_for: NDArray[np.bool_]
    matches: Matches
    voc: Matches
    coco: CocoFigures
    resampled: Figures | None

    @property
    def side(self) -> Side:
        """AP, AP50, AP75 of each class, and their resamples."""
        return np.stack([self.coco.ap, self.coco.ap50, self.coco.ap75], axis=1), self.resampled


def measure(
    pairs: Pairs, classes: Sequence[int], looked_for: NDArray[np.bool_], weights: NDArray[np.uint16] | None
) -> Measured:
    """Matches the boxes and works out COCO's figures and their resamples.

    Args:
        pairs: of I images.
        classes: C taxonomy ids.
        looked_for: bool (I, C), whether a class counts in an image.
        weights: (B, I), how often each image is in each resample; ``None`` for no intervals.
    """
    matches = match(pairs, classes)
    resampled = None if weights is None else bootstrap_ap(matches, weights, classes)
    voc, coco = match_voc(pairs, classes), coco_figures(pairs, classes)
    return Measured(pairs, tuple(classes), looked_for, matches, voc, coco, resampled)


def row(measured: Measured, name: str, places: Sequence[int]) -> Row:
    """All figures of some classes together.

    Args:
        measured: the run at its level.
        name: of the row.
        places: of the classes in ``measured.classes``.
    """
    at = measured.matches.at(IOU)
    parts = [measured.matches.classes[measured.classes[place]] for place in places]
    best = best_f1(parts, at)
    bins = reliability(*of_matches(measured.matches, iou=IOU, classes=[measured.classes[place] for place in places]))
    main = estimates(measured.side, places)
    means = {figure: number(value) for figure, value in measured.coco.mean(list(places)).items()}
    return Row(
        name=name,
        images=int(measured.looked_for[:, list(places)].any(axis=1).sum()),
        truths=sum(part.positives for part in parts),
        found=sum(len(part.scores) for part in parts),
        ap=main["ap"],
        ap50=main["ap50"],
        ap75=main["ap75"],
        ap50_voc=_voc(measured.voc, [measured.classes[place] for place in places]),
        ap_small=means["ap_small"],
        ap_medium=means["ap_medium"],
        ap_large=means["ap_large"],
        ar1=means["ar1"],
        ar10=means["ar10"],
        ar100=means["ar100"],
        best_score=best.score if best else None,
        best_f1=best.f1 if best else None,
        precision=best.precision if best else None,
        recall=best.recall if best else None,
        ece=bins.ece,
    )


def row_of_images(measured: Measured, name: str, chosen: NDArray[np.bool_], *, resamples: int, seed: int) -> Row:
    """The average precisions on some of the images, with an interval over just these.

    Args:
        measured: the run at its level.
        name: of the row.
        chosen: bool (I,), which images.
        resamples: how many; 0 for no interval.
        seed: of the resamples.
    """
    matches = subset(measured.matches, chosen)
    parts = [matches.classes[each] for each in measured.classes]
    averages = np.array([average_precisions(part) for part in parts]).reshape(len(parts), len(matches.ious))
    figures = np.stack([averages.mean(axis=1), averages[:, matches.at(0.5)], averages[:, matches.at(0.75)]], axis=1)
    resampled = None
    if resamples:
        weights = np.zeros((resamples, len(chosen)), dtype=np.uint16)
        weights[:, chosen] = draw_resamples(int(chosen.sum()), resamples, seed=seed)
        resampled = bootstrap_ap(matches, weights, measured.classes)
    main = estimates((figures, resampled), range(len(parts)))
    best = best_f1(parts, matches.at(IOU))
    return Row(
        name=name,
        images=int(chosen.sum()),
        truths=sum(part.positives for part in parts),
        found=sum(len(part.scores) for part in parts),
        ap=main["ap"],
        ap50=main["ap50"],
        ap75=main["ap75"],
        ap50_voc=_voc(subset(measured.voc, chosen), measured.classes),
        best_score=best.score if best else None,
        best_f1=best.f1 if best else None,
        precision=best.precision if best else None,
        recall=best.recall if best else None,
    )


def _voc(matches: Matches, classes: Sequence[int]) -> float | None:
    parts = [matches.classes[each] for each in classes]
    averages = [average_precision_all_points(part.hit[0], part.ignored[0], part.positives) for part in parts]
    return number(nan_mean(np.array(averages)))
