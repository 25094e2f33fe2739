"""Writes the records of a run, and their truth, into a FiftyOne dataset: in bulk, and only what changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from artdet.data.dataset import Sample
from artdet.runs import Record, Run
from artdet.taxonomy import Taxonomy
from artdet.view import documents
from artdet.view.fields import fact_values

NO_BOXES, GONE, PARTLY_READ = "no boxes", "no longer in the run", "partly read"
"""Tags that artdet gives and takes; all others are the user's."""
_OWN_TAGS = frozenset({NO_BOXES, GONE, PARTLY_READ})


@dataclass
class Loaded:
    """What an update did.

    Attributes:
        name: of the dataset.
        images: in the dataset and in the run.
        added: images that were not there before.
        changed: images whose predictions changed since the last time.
        with_truth: images of the run that the truth annotates.
        truth_changed: images whose truth was written or replaced.
        kept: images whose truth changed in its source but was edited here: the edit stayed.
        replaced: images whose predictions were edited here and changed in the run: the run's took their place.
        failed: cause -> images that the run could not read, and which are left out.
        gone: images in the dataset that are no longer in the run; their predictions were taken away.
    """

    name: str
    images: int = 0
    added: int = 0
    changed: int = 0
    with_truth: int = 0
    truth_changed: int = 0
    kept: int = 0
    replaced: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    gone: int = 0


class Writer:
    """Writes batches of records into a dataset, in bulk.

    Args:
        dataset: FiftyOne's.
        able: category -> the members that know it.
        loaded: takes the counts.
    """

    def __init__(
        self, dataset: Any, run: Run, taxonomy: Taxonomy, able: Mapping[str, frozenset[str]], loaded: Loaded
    ) -> None:
        self._dataset, self._run, self._taxonomy, self._able, self._loaded = dataset, run, taxonomy, able, loaded
        self._collection = dataset._sample_collection
        wanted = {"filepath": 1}
        self._left = {row["filepath"]: row["_id"] for row in self._collection.find({}, wanted)}

    def write(self, rows: list[tuple[Record, Sample | None]], kinds: Mapping[str, tuple[str, type]]) -> None:
        """Adds and updates the samples of records, with the samples of their truth."""
        read = {self._path(record): (record, sample) for record, sample in rows if record.size is not None}
        for record, _ in rows:
            if record.error is not None and record.size is None:
                self._loaded.failed[record.error[0]] += 1
        self._add({path: record for path, (record, _) in read.items() if path not in self._left})
        ids = [self._left[path] for path in read]
        there = {row["filepath"]: row for row in self._collection.find({"_id": {"$in": ids}})}
        changes = []
        for path, (record, sample) in read.items():
            del self._left[path]
            self._loaded.images += 1
            values = self._predictions(record, there[path]) | self._truth(sample, there[path], kinds)
            values["tags"] = self._tags(record, there[path]["tags"])
            if changed := {key: value for key, value in values.items() if there[path].get(key) != value}:
                changes.append((there[path]["_id"], changed))
        set_values(self._dataset, changes)

    def mark_gone(self) -> None:
        """Takes the predictions of images that no record is about any more, and tags them."""
        if not self._left:
            return
        ids = list(self._left.values())
        self._loaded.gone = len(ids)
        fields = ["predictions", *(name for name in self._dataset.get_field_schema() if name.startswith("member_"))]
        rows = self._collection.find({"_id": {"$in": ids}}, {"tags": 1})
        empty = dict.fromkeys([*fields, "run_line", "agreement"])
        set_values(self._dataset, [(row["_id"], {**empty, "tags": sorted({*row["tags"], GONE})}) for row in rows])

    def _path(self, record: Record) -> str:
        return str(Path(self._run.image_path(record)).absolute())

    def _add(self, records: Mapping[str, Record]) -> None:
        import fiftyone

        samples = []
        for path, record in records.items():
            height, width = record.size or (0, 0)
            metadata = fiftyone.ImageMetadata(width=width, height=height)
            samples.append(fiftyone.Sample(filepath=path, metadata=metadata, sha256=record.sha256))
        if not samples:
            return
        self._dataset.add_samples(samples, progress=False)
        self._loaded.added += len(samples)
        rows = self._collection.find({"filepath": {"$in": list(records)}}, {"filepath": 1})
        self._left |= {row["filepath"]: row["_id"] for row in rows}

    def _predictions(self, record: Record, there: Mapping[str, Any]) -> dict[str, Any]:
        found, agreement = documents.predictions(record, self._taxonomy, self._able)
        fields = {"predictions": found, **documents.members(record, self._taxonomy)}
        line = documents.digest_of_all(fields)
        if there.get("run_line") == line:
            return {}
        if there.get("run_line"):
            self._loaded.changed += 1
            self._loaded.replaced += documents.digest(there.get("predictions")) != there.get("run_boxes")
        _keep_tags(found, there.get("predictions"))
        height, width = record.size or (0, 0)
        metadata = {"_cls": "ImageMetadata", "width": width, "height": height}
        bookkeeping = {"run_line": line, "run_boxes": documents.digest(found)}
        return {**fields, **bookkeeping, "agreement": agreement, "sha256": record.sha256, "metadata": metadata}

    def _truth(
        self, sample: Sample | None, there: Mapping[str, Any], kinds: Mapping[str, tuple[str, type]]
    ) -> dict[str, Any]:
        if sample is None:
            return {}
        values: dict[str, Any] = fact_values(sample, kinds)
        if not sample.annotated:
            return values
        self._loaded.with_truth += 1
        made = documents.truth(sample, self._taxonomy)
        line = documents.digest(made)
        values["labelled"] = [self._taxonomy.names[label] for label in sorted(sample.labelled)]
        if there.get("truth_line") == line:
            return values
        edited = there.get("truth") is not None and documents.digest(there["truth"]) != (there.get("truth_line") or "")
        if edited:
            self._loaded.kept += 1
            return values
        self._loaded.truth_changed += 1
        return {**values, "truth": made, "truth_line": line}

    def _tags(self, record: Record, tags: list[str]) -> list[str]:
        own = {NO_BOXES} if not record.detections else set()
        own |= {PARTLY_READ} if record.warnings else set()
        return [tag for tag in tags if tag not in _OWN_TAGS] + sorted(own)


def _keep_tags(new: documents.Document, old: Mapping[str, Any] | None) -> None:
    """Gives boxes that stayed what they were their ids and the tags that people gave them."""
    same = {_key(box): box for box in (old or {}).get("detections") or []}
    for box in new["detections"]:
        if before := same.get(_key(box)):
            box["_id"], box["tags"] = before["_id"], before.get("tags", [])


def _key(box: Mapping[str, Any]) -> tuple[Any, ...]:
    return (box.get("label"), box.get("confidence"), *(round(value, 6) for value in box["bounding_box"]))


def set_values(dataset: Any, changes: Sequence[tuple[Any, Mapping[str, Any]]]) -> None:
    """Sets fields of samples, each given by its key, in one go."""
    from datetime import UTC, datetime

    from pymongo import UpdateOne

    now = {"last_modified_at": datetime.now(UTC)}
    if changes:
        dataset._sample_collection.bulk_write(
            [UpdateOne({"_id": key}, {"$set": {**values, **now}}) for key, values in changes], ordered=False
        )
