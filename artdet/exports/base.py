"""What all formats share: the protocol, the counts, and whose files may be replaced."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from artdet.atomic import cannot_write, make_folder, whole_file
from artdet.errors import LabelError, RunError
from artdet.runs import PREDICTIONS_FILE, Box, Label, Record, Run
from artdet.taxonomy import Taxonomy

_FILE_ENDINGS = {".csv", ".json", ".txt", ".tsv", ".xls", ".xlsx", ".xml", ".yaml", ".zip"}


@dataclass(frozen=True)
class Exported:
    """What an export wrote; iterating gives the paths.

    Attributes:
        folder: where it lies.
        paths: the files and folders of the export.
        images: how many images it holds, those without boxes included.
        boxes: how many boxes it holds.
        failures: how many images of the run could not be read; only ``csv`` lists them.
        notes: sentences that the user should see.
        labels: how many labels of whole images it holds.
    """

    folder: Path
    paths: tuple[Path, ...]
    images: int
    boxes: int
    failures: int
    notes: tuple[str, ...] = ()
    labels: int = 0

    def __iter__(self) -> Iterator[Path]:
        return iter(self.paths)


@dataclass(frozen=True)
class TruthBox(Box):
    """One true box; its score is 1, and no member gave it.

    Attributes:
        crowd: around objects that cannot be told apart.
        difficult: counts neither as hit nor as miss.
    """

    crowd: bool = False
    difficult: bool = False


@dataclass(frozen=True)
class Job:
    """What a format writes, and where to.

    Attributes:
        folder: where to.
        taxonomy: the classes that it names.
        truth: whether the boxes are true ones (``TruthBox``) and not detections: a file then has no scores and takes
            the form that trainings and evaluations read.
    """

    folder: Path
    taxonomy: Taxonomy
    truth: bool = False

    def label_id(self, box: Box, record: Record) -> int:
        """Id of the box's class in the taxonomy.

        Raises:
            LabelError: if it has none.
        """
        try:
            return self.taxonomy.id_of(box.label)
        except LabelError as error:
            raise LabelError(
                f"{record.file}: {error} Export with the taxonomy file that the run was made with."
            ) from error


class Exporter(Protocol):
    """What a module in ``EXPORTS`` offers."""

    NAMES: tuple[str, ...]
    """The files and folders that it may write."""

    def write(self, job: Job, records: Iterable[Record]) -> Sequence[str]:
        """Writes all of ``NAMES`` in ``job.folder``, each whole or not at all.

        Args:
            job: where to, and the classes.
            records: to be read once; those with ``error`` are images that could not be read.

        Returns:
            Sentences that the user should see.

        Raises:
            RunError: if the target cannot be written.
            LabelError: if the taxonomy does not know a label.
        """


class Tally:
    """The records of a run without the boxes and labels below a score, counted while they are read."""

    def __init__(self, run: Run, min_score: float) -> None:
        self._run, self._min_score = run, min_score
        self.images = self.boxes = self.labels = self.failures = 0

    def __iter__(self) -> Iterator[Record]:
        for record in self._lines():
            if record.error is not None or record.size is None:
                self.failures += 1
                yield record
                continue
            kept = tuple(box for box in record.detections if box.score >= self._min_score)
            labels = self._likely(record)
            self.images += 1
            self.boxes += len(kept)
            self.labels += sum(map(len, (labels or {}).values()))
            yield replace(record, detections=kept, classifications=labels)

    def _likely(self, record: Record) -> Mapping[str, tuple[Label, ...]] | None:
        """The labels from the score on; numbers have none and stay."""
        if record.classifications is None:
            return None
        return {
            task: tuple(label for label in labels if label.score is None or label.score >= self._min_score)
            for task, labels in record.classifications.items()
        }

    def _lines(self) -> Iterator[Record]:
        try:
            yield from self._run.records()
        except OSError as error:
            # Said here, where it is about reading: the formats take any other OSError for one of writing.
            path = self._run.folder / PREDICTIONS_FILE
            raise RunError(
                f"{path} cannot be read: {error.strerror}. Check that the disk is there and try again."
            ) from error


def readable(records: Iterable[Record]) -> Iterator[tuple[Record, tuple[int, int]]]:
    """The images that could be read, each with its size (height, width)."""
    for record in records:
        if record.error is None and record.size is not None:
            yield record, record.size


def claim(folder: Path, format: str, names: Iterable[str], origin: Path, *, truth: bool = False) -> None:
    """Makes the folder ready for an export of a run or of a truth, and marks it as one.

    Args:
        folder: the one to claim.
        format: of the export.
        names: what the export will write in it.
        origin: the run folder, or the folder of the truth's images.
        truth: which of both it is; neither replaces the other.

    Raises:
        RunError: if it cannot be made, or holds one of ``names`` that no such export wrote.
    """
    if folder.suffix.lower() in _FILE_ENDINGS and not folder.is_dir():
        raise RunError(
            f"{folder} looks like a file, but an export is a folder. Name one, such as {folder.with_suffix('')}."
        )
    make_folder(folder)
    marker = folder / (f".artdet_{format}_truth" if truth else f".artdet_{format}")
    try:
        foreign = [] if marker.exists() else [name for name in names if (folder / name).exists()]
    except OSError as error:
        raise cannot_write(folder, error) from error
    if foreign:
        kind = "conversion" if truth else "export"
        raise RunError(
            f"{folder} has {' and '.join(foreign)} already, and no {format} {kind} of artdet wrote that. "
            "Name another folder with --out."
        )
    with whole_file(marker) as stream:
        content = {"format": format, "truth" if truth else "run": str(origin)}
        stream.write(json.dumps(content).encode() + b"\n")
