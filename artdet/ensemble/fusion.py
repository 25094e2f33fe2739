"""Fusion of several detectors' boxes on one image: Weighted Boxes Fusion, NMS, or plain concatenation.

Weighted Boxes Fusion: Solovyev, Wang and Gabruseva, "Weighted boxes fusion: Ensembling boxes from different object
detection models", Image and Vision Computing 107 (2021), arXiv:1910.13302; computed by ``ensemble_boxes``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from artdet.boxes import areas, clipped, ious, nms
from artdet.config import StrictModel
from artdet.detections import Detections, concat
from artdet.taxonomy import Taxonomy

_BLOCK = 256  # rows of an IoU matrix at a time: thousands of boxes stay within some megabytes
_EDGE = 0.05  # pixels beyond the image that float32 arithmetic may leave; more is an adapter's mistake
_LEAST_VOTE = 1e-9  # ensemble_boxes divides by the sum of a cluster's scores
_IOU_SLACK = 1e-5  # it averages in float32, which must not carry a pair from exactly the threshold over it


class FusionSettings(StrictModel):
    """How the members' boxes become one set.

    Attributes:
        method: ``wbf`` averages boxes that agree, and lowers the score where voters are missing; ``nms`` keeps the most
            confident of them with its score; ``none`` keeps all.
        per: which boxes can be one object: those of one ``category``, or only those of one ``label``. A member has a
            vote on all of a category if it can give one of its labels, so specialists are better joined by ``nms``.
        iou: boxes that overlap by more than this are one object.
    """

    method: Literal["wbf", "nms", "none"] = "wbf"
    per: Literal["category", "label"] = "category"
    iou: float = Field(default=0.4, gt=0, lt=1)


@dataclass(frozen=True)
class Voter:
    """What fusion knows of a member.

    Attributes:
        labels: ids of the taxonomy nodes that it can give; it has no vote on others.
        weight: what its vote counts in Weighted Boxes Fusion, relative to the other voters of a class.
    """

    labels: frozenset[int]
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not (self.weight > 0 and math.isfinite(self.weight)):
            raise ValueError(f"a weight must be positive and finite, but got {self.weight}")


def fuse(
    parts: Sequence[Detections], *, voters: Sequence[Voter], settings: FusionSettings, taxonomy: Taxonomy
) -> Detections:
    """One set of boxes from those of several members, sorted; independent of the members' order.

    A fused box has the label of its most confident input and the sources of all its inputs. Each member's own boxes
    go through NMS first, so that a member agrees with others and never with itself. A class that one member alone can
    give is plain NMS. Boxes without area are dropped, except by ``none``.

    Args:
        parts: one per member, of one image, with their ``sources`` set.
        voters: one per member, in the same order.
        settings: method, what can be one object, and the IoU.
        taxonomy: says which labels are of one category.

    Raises:
        ValueError: if ``parts`` and ``voters`` differ in length, or a box lies outside the image.
    """
    if not parts or len(parts) != len(voters):
        raise ValueError(f"there must be one voter per part and at least one, but got {len(voters)} and {len(parts)}")
    size = parts[0].image_size
    pooled = concat(parts, size)
    if settings.method == "none":
        return pooled.sorted()
    _check_inside(pooled)
    members = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    order = _best_first(pooled)
    pooled, members = pooled[order], members[order]
    classes = _classes(pooled.labels, settings, taxonomy)
    known = [set(_classes(_ids(voter.labels), settings, taxonomy).tolist()) for voter in voters]
    fused = []
    for wanted in np.unique(classes):
        mine = classes == wanted
        given = set(members[mine].tolist())
        voting = [i for i, names in enumerate(known) if int(wanted) in names or i in given]
        weights = np.array([voter.weight if i in voting else 0.0 for i, voter in enumerate(voters)])
        fused.append(_fused_class(pooled[mine], members[mine], weights, settings))
    return concat(fused, size).sorted()


def _fused_class(
    found: Detections, members: NDArray[np.int64], weights: NDArray[np.float64], settings: FusionSettings
) -> Detections:
    """Boxes of one class, best first, fused; ``weights`` (M,) of all members, 0 for those that have no vote."""
    if len(np.unique(members)) < len(members):
        kept = np.sort(nms(found.boxes, found.scores, settings.iou, groups=members))
        found, members = found[kept], members[kept]
    voting = weights[weights > 0]
    if len(voting) == 1:
        return found
    if settings.method == "nms":
        return _suppressed(found, settings.iou)
    shares = weights * (len(voting) / math.fsum(voting))
    return _weighted(found, found.scores * shares[members], len(voting), settings.iou)


def _suppressed(found: Detections, iou: float) -> Detections:
    kept = nms(found.boxes, found.scores, iou)
    # Kept boxes are apart, so a box overlaps first the one that suppressed it: itself, where it was kept.
    owner = _by_blocks(found.boxes, lambda block: (ious(block, found.boxes[kept]) > iou).argmax(axis=1))
    sources = np.zeros(len(kept), dtype=np.int64)
    np.bitwise_or.at(sources, owner, found.sources)
    return Detections.of(found.boxes[kept], found.scores[kept], found.labels[kept], found.image_size, sources=sources)


def _weighted(found: Detections, votes: NDArray[np.float64], voters: int, iou: float) -> Detections:
    """Weighted Boxes Fusion of one class; ``votes`` (N,) = score times weight, where weights have mean 1."""
    height, width = found.image_size
    side = np.array([width, height, width, height], dtype=np.float64)
    units, scores = _weighted_units(np.clip(found.boxes / side, 0.0, 1.0), votes, voters, iou)
    boxes = clipped(units * side, found.image_size)
    # ensemble_boxes does not say which inputs went into which box: each is counted to the one nearest to it.
    owner = _nearest(found.boxes, boxes)
    leader = np.full(len(boxes), -1, dtype=np.int64)
    present, first = np.unique(owner, return_index=True)
    leader[present] = first
    lone = leader < 0
    leader[lone] = _nearest(boxes[lone], found.boxes)
    sources = found.sources[leader].copy()
    np.bitwise_or.at(sources, owner, found.sources)
    return Detections.of(boxes, scores, found.labels[leader], found.image_size, sources=sources)


def _weighted_units(
    units: NDArray[np.float64], votes: NDArray[np.float64], voters: int, iou: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Calls ``ensemble_boxes`` so that none of its traps can be met.

    All boxes go in as one list with the weights already in the scores, beside empty lists for the other voters: its
    ``avg`` needs only their number. So no lengths can differ, no weight is 0, and the order is ours: equal votes are
    made to differ, since its sort is unstable and may give ties another order on another processor.

    Args:
        units: (N, 4) xyxy in [0, 1], each with an area, in an order that depends on the boxes alone.
        votes: (N,), score times weight, where the weights of all voters have mean 1.
        voters: how many members have a vote, those without a box included.
        iou: boxes that overlap by more than this are averaged.

    Returns:
        boxes (K, 4) xyxy in [0, 1] and scores (K,) in [0, 1], highest first.
    """
    from ensemble_boxes import weighted_boxes_fusion

    order = np.argsort(-votes, kind="stable")
    distinct = np.maximum(votes[order], _LEAST_VOTE) * (1.0 - 1e-12 * np.arange(len(order)))
    none = np.empty((0, 4))
    boxes, scores, _ = weighted_boxes_fusion(
        [units[order], *[none] * (voters - 1)],
        [distinct, *[none[:, 0]] * (voters - 1)],
        [np.zeros(len(order)), *[none[:, 0]] * (voters - 1)],
        weights=np.ones(voters),
        iou_thr=iou + _IOU_SLACK,
        skip_box_thr=0.0,
        conf_type="avg",
        allows_overflow=False,
    )
    order = np.lexsort((*boxes.T[::-1], -scores))
    # A cluster with more boxes of heavy members than of light ones may come out above 1.
    return np.clip(boxes[order], 0.0, 1.0), np.clip(scores[order], 0.0, 1.0)


def _nearest(boxes: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.int64]:
    """Index (N,) of the box of ``others`` (M, 4) with the highest IoU; the first of equals."""
    return _by_blocks(boxes, lambda block: ious(block, others).argmax(axis=1))


def _by_blocks(boxes: NDArray[np.float32], index: Callable[[NDArray[np.float32]], NDArray[Any]]) -> NDArray[np.int64]:
    """``index`` (N,) of boxes (N, 4), some at a time, which bounds the memory that an IoU matrix takes."""
    blocks = [index(boxes[start : start + _BLOCK]) for start in range(0, len(boxes), _BLOCK)]
    return np.concatenate(blocks).astype(np.int64) if blocks else np.empty(0, dtype=np.int64)


def _best_first(found: Detections) -> NDArray[np.int64]:
    """Indices of the boxes with an area, highest score first; ties by label, then by box."""
    order = np.lexsort((*found.boxes.T[::-1], found.labels, -found.scores))
    chosen: NDArray[np.int64] = order[areas(found.boxes[order]) > 0]
    return chosen


def _classes(labels: NDArray[np.int64], settings: FusionSettings, taxonomy: Taxonomy) -> NDArray[np.int64]:
    return taxonomy.coarse_of(labels) if settings.per == "category" else labels


def _ids(labels: frozenset[int]) -> NDArray[np.int64]:
    return np.array(sorted(labels), dtype=np.int64)


def _check_inside(found: Detections) -> None:
    height, width = found.image_size
    limits = np.array([width, height, width, height], dtype=np.float32)
    if ((found.boxes < -_EDGE) | (found.boxes > limits + _EDGE)).any():
        raise ValueError(f"boxes must lie inside the image of {width} x {height} pixels; cut them at its borders first")
