"""The boxes of a run or a truth as documents of FiftyOne's database, and what tells whether they changed.

Written as plain documents, because building FiftyOne's own objects one by one takes minutes for some thousand images.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artdet.boxes import ious
from artdet.data.dataset import Sample
from artdet.runs import Box, Record
from artdet.taxonomy import Taxonomy

Document = dict[str, Any]
AGREE_IOU = 0.5
"""A member gave a fused box if one of its own boxes of that category overlaps it this much."""


def member_field(name: str) -> str:
    """The name of the field with a member's own boxes: letters, digits and underscores only, as the database wants."""
    return "member_" + "".join(sign if sign.isascii() and sign.isalnum() else "_" for sign in name)


def detection(label: str, box: Sequence[float], size: tuple[int, int], **more: Any) -> Document:
    """One box.

    Args:
        label: our name.
        box: (x1, y1, x2, y2) in pixels.
        size: (height, width) of the image that ``box`` refers to.
        more: further attributes.
    """
    from bson import ObjectId

    (x1, y1, x2, y2), (height, width) = box, size
    place = [x1 / width, y1 / height, (x2 - x1) / width, (y2 - y1) / height]
    return {
        "_id": ObjectId(),
        "_cls": "Detection",
        "attributes": {},
        "tags": [],
        "label": label,
        "bounding_box": [float(value) for value in place],
        **more,
    }


def detections(boxes: Iterable[Document]) -> Document:
    """A field of boxes."""
    return {"_cls": "Detections", "detections": list(boxes)}


def predictions(
    record: Record, taxonomy: Taxonomy, able: Mapping[str, frozenset[str]]
) -> tuple[Document, float | None]:
    """The fused boxes of a record, and how far the ensemble's members agree on them.

    Args:
        record: of an image that was read.
        taxonomy: of its labels.
        able: category -> the members that know it.

    Returns:
        The field, and the mean over its boxes of the share of members that gave each; ``None`` where no box is of a
        category that several members know.

    Raises:
        LabelError: if the taxonomy does not know a label.
    """
    assert record.size is not None
    shares = agreements(record, taxonomy, able)
    made = []
    for box, share in zip(record.detections, shares, strict=True):
        more: Document = {"confidence": box.score, "category": category(box, taxonomy), "source": box.source}
        if share is not None:
            more["agreement"] = share
        made.append(detection(box.label, box.box, record.size, **more))
    known = [share for share in shares if share is not None]
    return detections(made), (sum(known) / len(known) if known else None)


def members(record: Record, taxonomy: Taxonomy) -> dict[str, Document]:
    """Field -> the own boxes of each ensemble member, where the run kept them."""
    assert record.size is not None
    return {
        member_field(name): detections(
            detection(box.label, box.box, record.size, confidence=box.score, category=category(box, taxonomy))
            for box in boxes
        )
        for name, boxes in (record.members or {}).items()
    }


def truth(sample: Sample, taxonomy: Taxonomy) -> Document:
    """The true boxes of a sample."""
    names = taxonomy.names
    columns = zip(
        sample.truth.boxes.tolist(),
        sample.truth.labels.tolist(),
        sample.crowd.tolist(),
        sample.difficult.tolist(),
        strict=True,
    )
    return detections(
        detection(
            names[label],
            box,
            sample.truth.image_size,
            category=taxonomy.nodes[label].category,
            iscrowd=crowd,
            difficult=difficult,
        )
        for box, label, crowd, difficult in columns
    )


def category(box: Box, taxonomy: Taxonomy) -> str:
    """The category of a box's label."""
    return taxonomy.nodes[taxonomy.id_of(box.label)].category


def agreements(record: Record, taxonomy: Taxonomy, able: Mapping[str, frozenset[str]]) -> list[float | None]:
    """For each fused box the share of members that have a box of its category there.

    ``None`` where the run kept no members, or only one of them knows the category.
    """
    if record.members is None:
        return [None] * len(record.detections)
    own = {name: [(category(box, taxonomy), box.box) for box in boxes] for name, boxes in record.members.items()}
    shares: list[float | None] = []
    for box in record.detections:
        wanted = category(box, taxonomy)
        asked = able.get(wanted, frozenset())
        gave = sum(_has([place for kind, place in own.get(name, []) if kind == wanted], box.box) for name in asked)
        shares.append(gave / len(asked) if len(asked) > 1 else None)
    return shares


def digest(field: Mapping[str, Any] | None) -> str:
    """A hash of the content of a field of boxes; of what a person can change, and not of what is computed from it."""
    if field is None:
        return ""
    rows = [
        [
            box.get("label"),
            [round(value, 6) for value in box.get("bounding_box") or []],
            box.get("confidence"),
            bool(box.get("iscrowd")),
            bool(box.get("difficult")),
            box.get("source"),
        ]
        for box in field.get("detections") or []
    ]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]


def digest_of_all(fields: Mapping[str, Mapping[str, Any]]) -> str:
    """A hash of several fields of boxes with their names."""
    rows = sorted((name, digest(field)) for name, field in fields.items())
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]


def _has(places: list[tuple[float, float, float, float]], box: Sequence[float]) -> bool:
    if not places:
        return False
    overlaps: NDArray[np.float64] = ious(np.array([box]), np.array(places))
    return bool((overlaps >= AGREE_IOU).any())
