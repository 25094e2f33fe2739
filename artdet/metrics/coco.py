"""COCO's figures by faster-coco-eval, the library that others measure with too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artdet.boxes import areas
from artdet.metrics.pairs import MAX_DETECTIONS, Pairs
from artdet.metrics.tables import Table, found_table, truth_table

_BEYOND = 1e11  # an area outside every range of sizes: such a box is ignored, but overlaps are measured as usual
_COUNTS = [1, 10, MAX_DETECTIONS]


@dataclass(frozen=True, eq=False)
class CocoFigures:
    """COCO's figures of C classes: float64 (C,) each, NaN where there is no true box to measure by.

    Attributes:
        ap: mean over IoU 0.5:0.95 of the average precision, 101 points.
        ap50, ap75: at one IoU.
        ap_small, ap_medium, ap_large: ``ap`` of true boxes up to 32x32 px, up to 96x96 px, and above.
        ar1, ar10, ar100: mean over IoU 0.5:0.95 of the recall with at most so many boxes per image and class.
    """

    ap: NDArray[np.float64]
    ap50: NDArray[np.float64]
    ap75: NDArray[np.float64]
    ap_small: NDArray[np.float64]
    ap_medium: NDArray[np.float64]
    ap_large: NDArray[np.float64]
    ar1: NDArray[np.float64]
    ar10: NDArray[np.float64]
    ar100: NDArray[np.float64]

    def mean(self, chosen: Sequence[int] | slice = slice(None)) -> dict[str, float]:
        """Each figure's mean over the classes that have it, as COCO forms its overall figures; NaN where none has.

        Args:
            chosen: places of the classes to be counted; all where not given.
        """
        return {name: nan_mean(getattr(self, name)[chosen]) for name in self.__dataclass_fields__}


def nan_mean(values: NDArray[np.float64]) -> float:
    """Mean of what is not NaN; NaN where nothing is."""
    there = values[~np.isnan(values)]
    return float(there.mean()) if len(there) else float("nan")


def coco_figures(pairs: Pairs, classes: Sequence[int]) -> CocoFigures:
    """COCO's figures of each class (Lin 2014).

    Difficult boxes are ignored with the usual overlap, crowds by the share of the prediction inside.

    Args:
        pairs: one per image.
        classes: taxonomy ids; boxes of others are left out.

    Returns:
        Arrays in the order of ``classes``.
    """
    classes = list(dict.fromkeys(classes))
    if not classes or not pairs:
        return CocoFigures(*(np.full(len(classes), np.nan) for _ in CocoFigures.__dataclass_fields__))
    found, truth, images = _compact(found_table(pairs, classes), truth_table(pairs, classes))
    precision, recall = _evaluated(found, truth, images, len(classes))
    return CocoFigures(
        ap=precision[:, 0].mean(axis=0),
        ap50=precision[0, 0],
        ap75=precision[5, 0],
        ap_small=precision[:, 1].mean(axis=0),
        ap_medium=precision[:, 2].mean(axis=0),
        ap_large=precision[:, 3].mean(axis=0),
        ar1=recall[:, 0].mean(axis=0),
        ar10=recall[:, 1].mean(axis=0),
        ar100=recall[:, 2].mean(axis=0),
    )


def _compact(found: Table, truth: Table) -> tuple[Table, Table, int]:
    """The same boxes with images counted anew in each class, those without a box of it left out; and how many remain.

    Classes have nothing to do with each other in COCO's figures, and images only decide which boxes meet and, by their
    order, ties of scores. The library goes through all images for each class, most of which hold nothing of it.
    """
    kind = np.concatenate([found.kind, truth.kind])
    image = np.concatenate([found.image, truth.image])
    most = int(image.max(initial=0)) + 1
    groups, group = np.unique(kind * most + image, return_inverse=True)
    first = np.searchsorted(groups, groups // most * most)
    rank = (np.arange(len(groups)) - first)[group]
    parts = replace(found, image=rank[: len(found)]), replace(truth, image=rank[len(found) :])
    return *parts, int(rank.max(initial=0)) + 1


def _evaluated(
    found: Table, truth: Table, images: int, classes: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """AP (T, sizes, C) and recall (T, counts, C) as the library finds them, NaN instead of its -1."""
    from faster_coco_eval import COCOeval_faster

    sizes = np.where(truth.ignored & ~truth.crowd, _BEYOND, areas(truth.boxes))
    sides = _dataset(truth, sizes, images, classes), _dataset(found, areas(found.boxes), images, classes)
    program = COCOeval_faster(*sides, "bbox")
    program.params.maxDets = list(_COUNTS)
    program.evaluate()
    program.accumulate()
    # (T, R, C, sizes, counts) and (T, C, sizes, counts)
    precision, recall = np.asarray(program.eval["precision"]), np.asarray(program.eval["recall"])
    ap = precision[..., -1].mean(axis=1).transpose(0, 2, 1)
    ar = recall[:, :, 0, :].transpose(0, 2, 1)
    return np.where(ap < 0, np.nan, ap), np.where(ar < 0, np.nan, ar)


def _dataset(table: Table, sizes: NDArray[np.float64], images: int, classes: int) -> Any:
    """The library's own form of boxes, built as it would build it from a file, with its ids starting at 1."""
    from faster_coco_eval import COCO

    corners = table.boxes
    xywh = np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]])
    columns = (table.image, table.kind, xywh, sizes, table.crowd.astype(int), table.scores)
    names = ("image_id", "category_id", "bbox", "area", "iscrowd", "score")
    rows = zip(*(column.tolist() for column in columns), strict=True)
    made = COCO()
    made.dataset = {
        "images": [{"id": image} for image in range(images)],
        "categories": [{"id": kind} for kind in range(classes)],
        "annotations": [dict(zip(names, row, strict=True), id=number) for number, row in enumerate(rows, start=1)],
    }
    made.createIndex()
    return made
