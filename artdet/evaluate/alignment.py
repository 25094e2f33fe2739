"""Which record of a run belongs to which image of the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from artdet.data.dataset import Dataset, Sample
from artdet.data.pairing import Images, paired
from artdet.detections import Detections
from artdet.errors import InputError, LabelError
from artdet.runs import Record, Run, detections_of
from artdet.taxonomy import Taxonomy

_ASPECT_TOLERANCE = 0.02
_SHOWN = 3


@dataclass(frozen=True)
class Aligned:
    """The images that are compared.

    Attributes:
        samples: of the truth, those that every run has.
        records: for each run, the record of each sample.
        notes: sentences about what was left out and why.
    """

    samples: tuple[Sample, ...]
    records: tuple[tuple[Record, ...], ...]
    notes: tuple[str, ...]


def align(runs: Sequence[Run], names: Sequence[str], truth: Dataset) -> Aligned:
    """Finds for every annotated image of the truth its record in every run.

    An image is known by its place on the disk; where the folders differ, by the end of its path, if only one image of
    the run ends so. An image that a run could not read stays, without boxes: it costs what it holds.

    Args:
        runs: at least one.
        names: of the runs, for messages.
        truth: whose images are compared.

    Raises:
        InputError: if no image is in all runs.
    """
    samples = [sample for sample in truth if sample.annotated]
    if not samples:
        raise InputError(f"{truth.name} has no annotated image, so there is nothing to measure by. Name another truth.")
    notes: list[str] = []
    found = [_records_of(run, name, truth.root, samples, notes) for run, name in zip(runs, names, strict=True)]
    common = [sample for sample in samples if all(sample.file in records for records in found)]
    fitting = [sample for sample in common if all(_fits(records[sample.file], sample) for records in found)]
    if odd := sorted({sample.file for sample in common} - {sample.file for sample in fitting}):
        notes.append(f"images of another shape in the run than in the truth, left out: {len(odd):,}{_few(odd)}")
    if not fitting:
        raise InputError(_nothing_in_common(runs, [bool(records) for records in found], truth))
    chosen = tuple(tuple(records[sample.file] for sample in fitting) for records in found)
    for records, name in zip(chosen, names, strict=True):
        if failed := [record.file for record in records if record.size is None]:
            notes.append(f"images that {name} could not read, counted without boxes: {len(failed):,}{_few(failed)}")
    return Aligned(tuple(fitting), chosen, tuple(notes))


def boxes_on(record: Record, sample: Sample, taxonomy: Taxonomy) -> Detections:
    """The boxes of a record in pixels of the sample's image; none where the run could not read it.

    Raises:
        LabelError: if the taxonomy does not know a label.
    """
    if record.size is None:
        return Detections.empty(sample.truth.image_size)
    try:
        return detections_of(record.detections, record.size, taxonomy).rescaled(sample.truth.image_size)
    except LabelError as error:
        raise LabelError(f"{record.file}: {error} Name the file of the run's classes with --taxonomy.") from error


def _records_of(run: Run, name: str, root: Path, samples: Sequence[Sample], notes: list[str]) -> dict[str, Record]:
    """File of a sample -> its record, for the samples that the run has."""
    records = {record.file: record for record in run.records()}
    same = paired(Images(run.root, list(records)), Images(root, [sample.file for sample in samples]))
    found = {file: records[other] for file, other in same.files.items()}
    if same.by_name:
        notes.append(f"images of {name} that lie elsewhere than the truth's, matched by name: {same.by_name:,}")
    if absent := [sample.file for sample in samples if sample.file not in found]:
        counted = f"{len(absent):,} of {len(samples):,}"
        notes.append(f"images of the truth that are not in {name}, left out: {counted}{_few(absent)}")
    if more := len(records) - len(found):
        notes.append(f"images of {name} that are not in the truth, not counted: {more:,}")
    return found


def _fits(record: Record, sample: Sample) -> bool:
    """Whether both sizes are those of one picture, reduced or not."""
    if record.size is None:
        return True
    (high, wide), (height, width) = record.size, sample.truth.image_size
    return abs(high * width / (wide * height) - 1) <= _ASPECT_TOLERANCE


def _nothing_in_common(runs: Sequence[Run], has_some: Sequence[bool], truth: Dataset) -> str:
    stranger = next((run for run, some in zip(runs, has_some, strict=True) if not some), None)
    if stranger is None:
        return f"The runs have no image of {truth.name} in common. Evaluate runs of the same images, or one at a time."
    return (
        f"No image of {truth.name} (in {truth.root}) is in the run {stranger.folder} (of {stranger.root}). "
        "Evaluate the run of the images that the truth describes, or name their folder with --images."
    )


def _few(files: Sequence[str]) -> str:
    return f" ({', '.join(files[:_SHOWN])}{', ...' if len(files) > _SHOWN else ''})"
