"""The run folder: ``run.json`` (what ran) and ``predictions.jsonl`` (one complete line per image, append-only)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from artdet.atomic import whole_file
from artdet.detections import Detections
from artdet.errors import RunError
from artdet.taxonomy import Taxonomy

RUN_FILE = "run.json"
PREDICTIONS_FILE = "predictions.jsonl"
FORMAT = 1


@dataclass(frozen=True)
class Box:
    """One detection as it stands in a run folder.

    Attributes:
        label: name of the taxonomy node.
        score: in [0, 1].
        box: (x1, y1, x2, y2) in pixels of the upright original image, continuous edges.
        source: names of the ensemble members that gave it, joined by ``+``.
    """

    label: str
    score: float
    box: tuple[float, float, float, float]
    source: str

    def as_json(self) -> dict[str, Any]:
        """The form of one entry of ``detections`` in ``predictions.jsonl``."""
        return {"label": self.label, "score": self.score, "box": list(self.box), "source": self.source}


@dataclass(frozen=True)
class Label:
    """One answer about an image as a whole: a class with its probability, or a number such as the year.

    Attributes:
        label: name of the class; ``None`` for a number.
        score: probability in [0, 1] of the class; ``None`` for a number.
        value: the number, in its own unit; ``None`` for a class.
    """

    label: str | None = None
    score: float | None = None
    value: float | None = None

    def __post_init__(self) -> None:
        is_class, is_number = self.label is not None and self.score is not None, self.value is not None
        if is_class == is_number:
            raise ValueError("an answer is a class with its score, or a number")

    def as_json(self) -> dict[str, Any]:
        """The form of one answer of a task in ``predictions.jsonl``."""
        return {"value": self.value} if self.label is None else {"label": self.label, "score": self.score}


@dataclass(frozen=True)
class Record:
    """One line of ``predictions.jsonl``: what was found on one image, or why it could not be read.

    Attributes:
        file: path relative to the run's ``root``, with forward slashes.
        sha256: hash of the file's bytes; ``None`` where it could not be read.
        size: (height, width) of the upright original image; ``None`` where it could not be read.
        detections: the boxes, highest score first, faces last where an ensemble appends them.
        members: each ensemble member's own boxes before fusion, where the run kept them.
        warnings: what was odd about a file that was read all the same.
        error: (cause, message) of an image that could not be read.
        classifications: task -> its answers, the likeliest class first; ``None`` where nothing was asked.
    """

    file: str
    sha256: str | None
    size: tuple[int, int] | None
    detections: tuple[Box, ...] = ()
    members: Mapping[str, tuple[Box, ...]] | None = None
    warnings: tuple[str, ...] = ()
    error: tuple[str, str] | None = None
    classifications: Mapping[str, tuple[Label, ...]] | None = None

    def as_line(self) -> str:
        """The JSON text of this record, without the line feed."""
        data: dict[str, Any] = {"file": self.file, "sha256": self.sha256}
        if self.error is not None:
            data["error"] = {"cause": self.error[0], "message": self.error[1]}
        if self.size is not None:
            data["height"], data["width"] = self.size
            data["detections"] = [box.as_json() for box in self.detections]
        if self.members is not None:
            data["members"] = {name: [box.as_json() for box in boxes] for name, boxes in self.members.items()}
        if self.classifications is not None:
            data["classifications"] = {
                task: [label.as_json() for label in labels] for task, labels in self.classifications.items()
            }
        if self.warnings:
            data["warnings"] = list(self.warnings)
        return json_text(data)

    @classmethod
    def from_line(cls, line: str | bytes) -> Record:
        """Reads one line.

        Raises:
            ValueError: if it is no complete record.
        """
        data = json.loads(line)
        try:
            failure = data.get("error")
            return cls(
                file=data["file"],
                sha256=data["sha256"],
                size=(data["height"], data["width"]) if "height" in data else None,
                detections=_boxes(data.get("detections", [])),
                members={name: _boxes(rows) for name, rows in data["members"].items()} if "members" in data else None,
                warnings=tuple(data.get("warnings", ())),
                error=(failure["cause"], failure["message"]) if failure else None,
                classifications=_labels(data["classifications"]) if "classifications" in data else None,
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a record of a run: {error!r}") from error


@dataclass(frozen=True)
class Run:
    """A run folder opened for reading."""

    folder: Path
    info: Mapping[str, Any]

    @property
    def root(self) -> Path:
        """The folder that the records' ``file`` starts from."""
        return Path(self.info["root"])

    def image_path(self, record: Record) -> Path:
        """Where the record's image lay when the run was made."""
        return self.root / record.file

    def records(self) -> Iterator[Record]:
        """All complete records, in the order in which they were written; a torn last line is passed over."""
        path = self.folder / PREDICTIONS_FILE
        if path.exists():
            for _, record in complete_lines(path):
                yield record


def complete_lines(path: Path) -> Iterator[tuple[bytes, Record]]:
    """Every complete line of a ``predictions.jsonl``, with its record; stops at a torn last line.

    Raises:
        RunError: if a complete line is no record.
    """
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                yield line, Record.from_line(line)
            except ValueError as error:
                raise RunError(
                    f"{path}: line {number} is damaged ({error}). Delete that line, or start anew with --overwrite."
                ) from error


def open_run(folder: Path) -> Run:
    """Opens a run folder.

    Raises:
        RunError: if the folder is not one.
    """
    path = folder / RUN_FILE
    if not path.is_file():
        raise RunError(f"{folder} is not a run folder: it has no {RUN_FILE}. Name one that artdet made.")
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
        if info["format"] != FORMAT:
            raise RunError(f"{path} has format {info['format']}, but this artdet reads {FORMAT}. Update artdet.")
        return Run(folder, info)
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path} is damaged ({error}). Run the prediction again with --overwrite.") from error


def write_info(folder: Path, info: Mapping[str, Any]) -> None:
    """Writes ``run.json`` whole or not at all.

    Raises:
        RunError: if it cannot be written.
    """
    with whole_file(folder / RUN_FILE) as stream:
        stream.write(json_text({"format": FORMAT, **info}, indent=2).encode("utf-8") + b"\n")
        stream.flush()
        os.fsync(stream.fileno())


def json_text(data: Mapping[str, Any], *, indent: int | None = None) -> str:
    """JSON that can be written as UTF-8: a file name that is not valid text (Linux allows it) is escaped."""
    text = json.dumps(data, indent=indent, ensure_ascii=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(data, indent=indent)
    return text


def boxes_of(found: Detections, taxonomy: Taxonomy, member_names: Sequence[str]) -> tuple[Box, ...]:
    """Detections in the form of a run folder: coordinates to 0.01 px, scores to 0.0001."""
    corners = np.round(found.boxes.astype(float), 2).tolist()
    scores = np.round(found.scores.astype(float), 4).tolist()
    rows = zip(corners, scores, found.labels.tolist(), found.sources.tolist(), strict=True)
    return tuple(
        Box(taxonomy.names[label], score, (box[0], box[1], box[2], box[3]), _source(bits, member_names))
        for box, score, label, bits in rows
    )


def detections_of(boxes: Sequence[Box], size: tuple[int, int], taxonomy: Taxonomy) -> Detections:
    """The way back: ``Detections`` on an image of ``size`` (height, width); sources become the index of a lone member.

    Raises:
        LabelError: if a label is not in the taxonomy.
    """
    return Detections.of(
        [box.box for box in boxes], [box.score for box in boxes], [taxonomy.id_of(box.label) for box in boxes], size
    )


def _source(bits: int, names: Sequence[str]) -> str:
    return "+".join(name for index, name in enumerate(names) if bits >> index & 1)


def _boxes(rows: Sequence[Mapping[str, Any]]) -> tuple[Box, ...]:
    made = []
    for row in rows:
        x1, y1, x2, y2 = row["box"]
        made.append(Box(row["label"], row["score"], (x1, y1, x2, y2), row["source"]))
    return tuple(made)


def _labels(tasks: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, tuple[Label, ...]]:
    return {
        task: tuple(Label(row.get("label"), row.get("score"), row.get("value")) for row in rows)
        for task, rows in tasks.items()
    }
