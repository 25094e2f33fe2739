"""Hits, false alarms and misses as FiftyOne counts them, so that its patches and its evaluation panel show them.

The matching is FiftyOne's own COCO evaluation. It gets plain documents instead of FiftyOne's objects, box by box under
the label by which it is compared (``compared_as``), which is many times quicker than ``evaluate_detections``.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from artdet.metrics.levels import Level, Levels
from artdet.taxonomy import Taxonomy
from artdet.view.documents import digest

KEY = "eval"
"""FiftyOne's name of the evaluation, and of what it writes on each box."""
IOU = 0.5
_RESULTS = (KEY, f"{KEY}_id", f"{KEY}_iou", "compared_as", "ignored")
_BATCH = 500


@dataclass(frozen=True)
class Evaluated:
    """What came out.

    Attributes:
        images: with a truth.
        hits: ``compared_as`` -> true positives; crowd and difficult boxes do not count here, nor below.
        false: false positives.
        missed: false negatives.
    """

    images: int
    hits: Counter[str]
    false: Counter[str]
    missed: Counter[str]


def evaluate(dataset: Any, *, taxonomy: Taxonomy, level: Level) -> Evaluated | None:
    """Compares predictions and truth of a dataset of ours, and writes the outcome on boxes and images.

    A box of a class that was not looked for in its image is neither hit nor miss, and gets no outcome. Does nothing but
    count where neither boxes nor level changed since the last time.

    Returns:
        ``None`` where no image has a truth.
    """
    if "truth" not in dataset.get_field_schema():
        return None
    rows = list(
        dataset._sample_collection.find({"truth": {"$type": "object"}}, {"predictions": 1, "truth": 1, "labelled": 1})
    )
    if not rows:
        return None
    state = _state(rows, level, taxonomy)
    if not (dataset.has_evaluation(KEY) and dataset.info.get("artdet_evaluated") == state):
        _mark(rows, taxonomy, level)
        _compare(dataset, rows)
        dataset.info["artdet_evaluated"] = state
        dataset.save()
    return _counted(rows)


def _state(rows: list[dict[str, Any]], level: Level, taxonomy: Taxonomy) -> str:
    parts = [
        [str(row["_id"]), digest(row.get("predictions")), digest(row["truth"]), row.get("labelled")] for row in rows
    ]
    return hashlib.sha256(json.dumps([level, taxonomy.sha256, sorted(parts)]).encode()).hexdigest()


def _mark(rows: list[dict[str, Any]], taxonomy: Taxonomy, level: Level) -> None:
    """Sets ``compared_as`` and ``ignored`` of all boxes, and takes away earlier outcomes."""
    levels = Levels(taxonomy)
    ids = {name: index for index, name in enumerate(taxonomy.names)}
    for row in rows:
        looked_for = taxonomy.names if row.get("labelled") is None else row["labelled"]
        known = frozenset(ids[name] for name in looked_for if name in ids)
        targets = levels.targets(known, level)
        for name in ("predictions", "truth"):
            for box in _boxes(row, name):
                for key in _RESULTS:
                    box.pop(key, None)
                label = ids.get(box.get("label", ""))
                target = -1 if label is None else int(targets[label])
                box["compared_as"] = taxonomy.names[target] if target >= 0 else None
                if name == "truth":
                    box["ignored"] = bool(box.get("iscrowd")) or bool(box.get("difficult"))


def _compare(dataset: Any, rows: list[dict[str, Any]]) -> None:
    from fiftyone.utils.eval.coco import COCOEvaluationConfig

    config = COCOEvaluationConfig("predictions", "truth", iou=IOU, classwise=True, iscrowd="ignored")
    method = config.build()
    method.ensure_requirements()
    method.register_run(dataset, KEY)
    method.register_samples(dataset, KEY)
    matches = []
    for row in rows:
        sides = {name: _Boxes(_boxes(row, name)) for name in ("predictions", "truth")}
        matches.extend(method.evaluate(sides, eval_key=KEY))
        row["counts"] = _tally(row)
    _write(dataset, rows)
    dataset.reload()
    results = method.generate_results(dataset, matches, eval_key=KEY)
    method.save_run_results(dataset, KEY, results)
    method.add_fields_to_sidebar_group(dataset, KEY, omit_fields=("predictions", "truth"))


def _write(dataset: Any, rows: list[dict[str, Any]]) -> None:
    from pymongo import UpdateOne

    for start in range(0, len(rows), _BATCH):
        changes = []
        for row in rows[start : start + _BATCH]:
            hits, false, missed = row["counts"]
            values = {f"{KEY}_tp": hits, f"{KEY}_fp": false, f"{KEY}_fn": missed}
            values |= {name: row[name] for name in ("predictions", "truth") if row.get(name)}
            changes.append(UpdateOne({"_id": row["_id"]}, {"$set": values}))
        dataset._sample_collection.bulk_write(changes, ordered=False)


def _tally(row: Mapping[str, Any]) -> tuple[int, int, int]:
    """Hits, false alarms and misses of one image, without crowd and difficult boxes and what was matched with them."""
    true = [box for box in _boxes(row, "truth") if not box["ignored"]]
    hits = sum(box.get(KEY) == "tp" for box in true)
    missed = sum(box.get(KEY) == "fn" for box in true)
    return hits, sum(box.get(KEY) == "fp" for box in _boxes(row, "predictions")), missed


def _counted(rows: list[dict[str, Any]]) -> Evaluated:
    hits, false, missed = Counter[str](), Counter[str](), Counter[str]()
    for row in rows:
        for box in _boxes(row, "predictions"):
            if box.get(KEY) == "fp":
                false[box["compared_as"]] += 1
        for box in _boxes(row, "truth"):
            if box.get(KEY) and not box.get("ignored"):
                (hits if box[KEY] == "tp" else missed)[box["compared_as"]] += 1
    return Evaluated(len(rows), hits, false, missed)


def _boxes(row: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    return (row.get(name) or {}).get("detections") or []


class _Box:
    """A box as FiftyOne's evaluation wants it, over its document."""

    __slots__ = ("_document", "bounding_box", "confidence", "id", "label")

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        self.id = str(document["_id"])
        self.label = document["compared_as"]
        self.confidence = document.get("confidence")
        self.bounding_box = document["bounding_box"]

    def __getitem__(self, name: str) -> Any:
        return self._document[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._document[name] = value

    def get_attribute_value(self, name: str, default: Any = None) -> Any:
        """The value of an attribute."""
        return self._document.get(name, default)


class _Boxes:
    """The boxes of a field that are compared, in the form of FiftyOne's ``Detections``."""

    _LABEL_LIST_FIELD = "detections"

    def __init__(self, documents: list[dict[str, Any]]) -> None:
        self.detections = [_Box(document) for document in documents if document["compared_as"] is not None]

    def __getitem__(self, name: str) -> list[_Box]:
        return self.detections

    def __iter__(self) -> Iterator[_Box]:
        return iter(self.detections)
