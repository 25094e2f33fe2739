"""The loop of a prediction: images in, a line per image out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from artdet.detections import Detections
from artdet.errors import ImageError
from artdet.images import RGBImage
from artdet.images.reader import ReadImage
from artdet.predict.journal import Journal
from artdet.predict.reading import ReadSettings, read_ahead
from artdet.runs import Record, boxes_of
from artdet.taxonomy import Taxonomy

Answer = Callable[[Sequence[ReadImage]], Sequence[Record]]
"""What a run does with a batch of images: a record for each, in their order, whose ``file`` is still empty."""


class MemberedDetector(Protocol):
    """What a run needs of an ensemble: each member's boxes, and how they are fused."""

    @property
    def member_names(self) -> Sequence[str]:
        """Names of the members; bit i of ``Detections.sources`` is member i."""

    def detect_members(self, images: Sequence[RGBImage]) -> list[list[Detections]]:
        """For each image, each member's own boxes."""

    def fuse(self, per_member: Sequence[Detections]) -> Detections:
        """The boxes of one image, from its members' boxes."""


@dataclass(frozen=True)
class RunSettings:
    """How a run goes.

    Attributes:
        reading: how images are read.
        batch: how many images go through the detectors together; results do not depend on it.
        min_score: fused boxes below it are dropped.
        keep_members: whether each member's boxes before fusion are kept as well.
    """

    reading: ReadSettings
    batch: int
    min_score: float = 0.0
    keep_members: bool = False


@dataclass
class Tally:
    """What a run did.

    Attributes:
        images: images with a line, without failures.
        copies: those among them that have the same bytes as an earlier one.
        failures: causes of images that could not be read.
        partly_read: images of which only a part could be read.
        boxes: boxes by label.
        labels: images by task and by the likeliest of its classes; a task whose answer is a number counts under "".
        seconds: wall time, without loading the models.
    """

    images: int = 0
    copies: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    partly_read: int = 0
    boxes: Counter[str] = field(default_factory=Counter)
    labels: Counter[tuple[str, str]] = field(default_factory=Counter)
    seconds: float = 0.0

    def add(self, record: Record) -> None:
        """Counts one line."""
        if record.error is not None:
            self.failures[record.error[0]] += 1
            return
        self.images += 1
        self.partly_read += bool(record.warnings)
        self.boxes.update(box.label for box in record.detections)
        answers = record.classifications or {}
        self.labels.update((task, labels[0].label or "") for task, labels in answers.items() if labels)


def predict_files(
    files: Sequence[str],
    root: Path,
    detector: MemberedDetector,
    journal: Journal,
    *,
    settings: RunSettings,
    taxonomy: Taxonomy,
    progress: Callable[[Record], None],
) -> Tally:
    """Detects on all ``files`` (relative to ``root``) that the journal lacks, and writes a line for each, in order.

    Args:
        progress: called with each record after it is written.

    Raises:
        RunError: if a line cannot be written.
    """
    answer = _Detecting(detector, settings, taxonomy)
    return answer_files(files, root, answer, journal, reading=settings.reading, batch=settings.batch, progress=progress)


def answer_files(
    files: Sequence[str],
    root: Path,
    answer: Answer,
    journal: Journal,
    *,
    reading: ReadSettings,
    batch: int,
    progress: Callable[[Record], None],
) -> Tally:
    """Asks ``answer`` about all ``files`` (relative to ``root``) that the journal lacks; writes a line for each.

    Args:
        reading: how images are read.
        batch: how many images ``answer`` gets at once.
        progress: called with each record after it is written.

    Raises:
        RunError: if a line cannot be written.
    """
    loop = _Loop(answer, journal, progress)
    started = time.perf_counter()
    todo = [name for name in files if name not in journal.done]
    for chunk in _batches(read_ahead(todo, root, reading), batch):
        loop.process(chunk)
    loop.tally.seconds = time.perf_counter() - started
    return loop.tally


def _batches(
    read: Iterator[tuple[str, ReadImage | ImageError]], size: int
) -> Iterator[list[tuple[str, ReadImage | ImageError]]]:
    chunk: list[tuple[str, ReadImage | ImageError]] = []
    for item in read:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


class _Loop:
    def __init__(self, answer: Answer, journal: Journal, progress: Callable[[Record], None]) -> None:
        self._answer = answer
        self._journal = journal
        self._progress = progress
        self.tally = Tally()

    def process(self, chunk: Sequence[tuple[str, ReadImage | ImageError]]) -> None:
        """Asks about the images of a batch whose bytes are new, then writes all lines of the batch in order."""
        fresh: dict[str, ReadImage] = {}
        for _, read in chunk:
            if isinstance(read, ReadImage) and not self._journal.knows(read.sha256):
                fresh.setdefault(read.sha256, read)
        found = self._answer(list(fresh.values())) if fresh else []
        results = dict(zip(fresh, found, strict=True))
        for name, read in chunk:
            record = self._record(name, read, results)
            self._journal.append(record)
            self.tally.add(record)
            self._progress(record)

    def _record(self, name: str, read: ReadImage | ImageError, results: dict[str, Record]) -> Record:
        if isinstance(read, ImageError):
            return Record(name, None, None, error=(read.cause, str(read)))
        twin = self._journal.twin(read.sha256)
        if twin is not None:
            self.tally.copies += 1
            return replace(twin, file=name)
        return replace(results[read.sha256], file=name)


class _Detecting:
    """The boxes of images, as an :data:`Answer`."""

    def __init__(self, detector: MemberedDetector, settings: RunSettings, taxonomy: Taxonomy) -> None:
        self._detector = detector
        self._settings = settings
        self._taxonomy = taxonomy

    def __call__(self, images: Sequence[ReadImage]) -> list[Record]:
        found = self._detector.detect_members([image.pixels for image in images])
        return [self._record(image, members) for image, members in zip(images, found, strict=True)]

    def _record(self, read: ReadImage, members: list[Detections]) -> Record:
        names = self._detector.member_names
        fused = self._detector.fuse(members)
        fused = fused[fused.scores >= self._settings.min_score].rescaled(read.original_size)
        kept = None
        if self._settings.keep_members:
            originals = [part.from_source(i).rescaled(read.original_size) for i, part in enumerate(members)]
            kept = {own: boxes_of(part, self._taxonomy, names) for own, part in zip(names, originals, strict=True)}
        boxes = boxes_of(fused, self._taxonomy, names)
        return Record("", read.sha256, read.original_size, boxes, members=kept, warnings=read.warnings)
