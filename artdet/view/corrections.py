"""The way back: boxes as people left them in FiftyOne become a truth again."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from artdet.boxes import clipped
from artdet.data.dataset import Dataset, Sample
from artdet.detections import Detections
from artdet.errors import InputError, LabelError, did_you_mean
from artdet.taxonomy import Taxonomy
from artdet.view.dataset import FACTS_KEY, ROOT_KEY, RUN_KEY
from artdet.view.documents import digest

CORRECT = "correct"
"""The tag of predictions that are right, where a dataset has no truth."""
_SHOWN = 5


@dataclass(frozen=True)
class Corrected:
    """What came back.

    Attributes:
        truth: in the form in which all truths are.
        field: where the boxes stood.
        tagged: the tag that chose among them; ``None`` where all count.
        edited: images whose boxes are not those that were loaded.
        without: images that were left out because nobody said anything about them.
        cut: boxes that reached outside their image and were cut at its border.
        empty: boxes without area, which were left out.
        run: folder of the run, if the dataset is of one.
    """

    truth: Dataset
    field: str
    tagged: str | None
    edited: int
    without: int
    cut: int
    empty: int
    run: Path | None


def corrected(dataset: Any, *, field: str | None, tagged: str | None, taxonomy: Taxonomy) -> Corrected:
    """Reads the boxes of a dataset.

    Args:
        dataset: FiftyOne's, ours or any other.
        field: of the boxes; by default ``truth``, or, where there is none, the predictions tagged ``CORRECT``.
        tagged: only images with this tag, and in other images only boxes with it. An image with neither is left out.
        taxonomy: of the labels.

    Raises:
        InputError: if there is no such field of boxes, or nothing is left.
        LabelError: if a label is not in the taxonomy.
    """
    schema = dataset.get_field_schema()
    if field is None:
        field = "truth" if _has_any(dataset, "truth") else "predictions"
        tagged = CORRECT if field == "predictions" and tagged is None else tagged
    _check_field(dataset, field, schema)
    facts = {name: told for name, told in dataset.info.get(FACTS_KEY, {}).items() if name in schema}
    wanted = [field, "filepath", "metadata", "tags", "labelled", "truth_line", "run_boxes", *facts]
    rows = list(dataset._sample_collection.find({}, dict.fromkeys(wanted, 1)))
    chosen = [(row, boxes) for row in rows if (boxes := _chosen(row, field, tagged)) is not None]
    if not chosen:
        raise InputError(_nothing(dataset, field, tagged))
    _check_labels(dataset.name, (box for _, boxes in chosen for box in boxes), taxonomy)
    reader = _Reader(taxonomy, _root(dataset, [row["filepath"] for row, _ in chosen]), facts)
    samples = sorted((reader.sample(row, boxes) for row, boxes in chosen), key=lambda sample: sample.file)
    line = "truth_line" if field == "truth" else "run_boxes" if field == "predictions" else None
    edited = sum(line is not None and digest(row.get(field)) != (row.get(line) or "") for row, _ in chosen)
    run = dataset.info.get(RUN_KEY)
    return Corrected(
        truth=Dataset(f"{dataset.name}, corrected", reader.root, tuple(samples), taxonomy),
        field=field,
        tagged=tagged,
        edited=edited,
        without=len(rows) - len(chosen),
        cut=reader.cut,
        empty=reader.empty,
        run=Path(run) if run else None,
    )


class _Reader:
    """Turns documents into samples.

    Args:
        root: folder of the images.
        facts: name in the dataset -> name in the truth.
    """

    def __init__(self, taxonomy: Taxonomy, root: Path, facts: Mapping[str, str]) -> None:
        self._taxonomy, self.root, self._facts = taxonomy, root, facts
        self.cut = 0
        self.empty = 0

    def sample(self, row: Mapping[str, Any], boxes: list[dict[str, Any]]) -> Sample:
        """One image with its boxes in pixels."""
        size = _size(row)
        height, width = size
        places = np.array([box["bounding_box"] for box in boxes], dtype=np.float64).reshape(-1, 4)
        corners = np.hstack([places[:, :2], places[:, :2] + places[:, 2:]]) * [width, height, width, height]
        inside = clipped(corners, size)
        self.cut += int((np.abs(inside - corners) > 0.5).any(axis=1).sum())
        solid = (inside[:, 2] > inside[:, 0]) & (inside[:, 3] > inside[:, 1])
        self.empty += int((~solid).sum())
        kept = [box for box, real in zip(boxes, solid, strict=True) if real]
        names = row.get("labelled")
        known = self._taxonomy.names if names is None else [name for name in names if name in self._taxonomy.names]
        file = Path(os.path.relpath(row["filepath"], self.root)).as_posix()
        return Sample(
            file=file,
            truth=Detections.of(inside[solid], 1.0, [self._taxonomy.id_of(box["label"]) for box in kept], size),
            crowd=np.array([bool(box.get("iscrowd")) for box in kept], dtype=bool),
            difficult=np.array([bool(box.get("difficult")) for box in kept], dtype=bool),
            annotated=True,
            labelled=self._taxonomy.ids_of(known) | self._taxonomy.ids_of(box["label"] for box in kept),
            fields={told: str(row[name]) for name, told in self._facts.items() if row.get(name) is not None},
            group=file,
        )


def _has_any(dataset: Any, field: str) -> bool:
    return bool(dataset._sample_collection.count_documents({field: {"$type": "object"}}, limit=1))


def _check_field(dataset: Any, field: str, schema: Mapping[str, Any]) -> None:
    import fiftyone

    kinds = {name: getattr(kind, "document_type", None) for name, kind in schema.items()}
    boxes = [name for name, kind in kinds.items() if kind is fiftyone.Detections]
    if field not in boxes:
        raise InputError(
            f"the dataset '{dataset.name}' has no field of boxes '{field}'.{did_you_mean(field, boxes)} "
            "Name one with --field."
        )


def _chosen(row: Mapping[str, Any], field: str, tagged: str | None) -> list[dict[str, Any]] | None:
    """The boxes of an image that count; ``None`` where nobody said anything about the image."""
    value = row.get(field)
    if value is None:
        return None
    boxes: list[dict[str, Any]] = value.get("detections") or []
    if tagged is None or tagged in (row.get("tags") or []):
        return boxes
    return [box for box in boxes if tagged in (box.get("tags") or [])] or None


def _nothing(dataset: Any, field: str, tagged: str | None) -> str:
    if tagged is None:
        return f"no image of '{dataset.name}' has boxes in '{field}'. Name another field with --field."
    return (
        f"neither an image of '{dataset.name}' nor a box in its field '{field}' is tagged '{tagged}'. "
        "Tag some in the App, name another tag with --tagged, or another field with --field."
    )


def _check_labels(name: str, boxes: Any, taxonomy: Taxonomy) -> None:
    counts = Counter(str(box.get("label")) for box in boxes)
    unknown = [label for label in counts if label not in taxonomy.names]
    if not unknown:
        return
    listed = ", ".join(f"'{label}' ({counts[label]} boxes)" for label in sorted(unknown)[:_SHOWN])
    more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
    hint = did_you_mean(unknown[0], taxonomy.names) if len(unknown) == 1 else ""
    raise LabelError(
        f"'{name}' has labels that are no classes: {listed}{more}.{hint} "
        "Rename them in FiftyOne, or name your own classes with --taxonomy."
    )


def _root(dataset: Any, paths: list[str]) -> Path:
    """The folder that the files' names start from: that of the run, else the one above all images."""
    root = dataset.info.get(ROOT_KEY)
    return Path(root) if root else Path(os.path.commonpath([os.path.dirname(path) for path in paths]))


def _size(row: Mapping[str, Any]) -> tuple[int, int]:
    """(height, width) as the dataset has it, else of the file."""
    metadata = row.get("metadata") or {}
    if metadata.get("width") and metadata.get("height"):
        return int(metadata["height"]), int(metadata["width"])
    from artdet.images.header import image_size

    return image_size(Path(row["filepath"]))
