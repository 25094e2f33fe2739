"""Which record of a run belongs to which artwork of the truth."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from artdet.data.artworks.collection import Artworks
from artdet.data.pairing import Images, paired
from artdet.errors import InputError
from artdet.runs import Record, Run

_SHOWN = 3


@dataclass(frozen=True)
class Aligned:
    """The images that are compared.

    Attributes:
        paths: of the images.
        truths: for each run, its truth of these images.
        records: for each run, the record of each image.
        notes: sentences about what was left out and why.
    """

    paths: tuple[Path, ...]
    truths: tuple[Artworks, ...]
    records: tuple[tuple[Record, ...], ...]
    notes: tuple[str, ...]


def align(runs: Sequence[Run], names: Sequence[str], truths: Sequence[Artworks], truth: str) -> Aligned:
    """Finds for every image of the truth its record in every run.

    An image is known by its place on the disk; where the folders differ, by the end of its path, if only one image of
    the run ends so. An image that a run could not read is left out.

    Args:
        runs: at least one.
        names: of the runs, for messages.
        truths: what is known of the run's tasks, for each run.
        truth: its name, for messages.

    Raises:
        InputError: if no image is in all runs.
    """
    notes = list(dict.fromkeys(note for each in truths for note in each.notes))
    found = [_records_of(*each, notes) for each in zip(runs, names, truths, strict=True)]
    common = [path for path in truths[0].paths if all(path in records for records in found)]
    if not common:
        raise InputError(
            f"No image of {truth} is in {'all the runs' if len(runs) > 1 else runs[0].folder}. "
            "Evaluate runs of the images that the truth describes."
        )
    places = [{path: place for place, path in enumerate(each.paths)} for each in truths]
    return Aligned(
        tuple(common),
        tuple(each.taken([at[path] for path in common]) for each, at in zip(truths, places, strict=True)),
        tuple(tuple(records[path] for path in common) for records in found),
        tuple(notes),
    )


def _records_of(run: Run, name: str, truth: Artworks, notes: list[str]) -> Mapping[Path, Record]:
    """Path of an artwork -> its record, for those that the run could read."""
    records = {record.file: record for record in run.records()}
    root = Path(os.path.commonpath([path.parent for path in truth.paths])) if len(truth) else Path()
    paths = {path.relative_to(root).as_posix(): path for path in truth.paths}
    same = paired(Images(run.root, list(records)), Images(root, list(paths)))
    if same.by_name:
        notes.append(f"images of {name} that lie elsewhere than the truth's, matched by name: {same.by_name:,}")
    if absent := [file for file in paths if file not in same.files]:
        notes.append(
            f"images of the truth that are not in {name}, left out: {len(absent):,} of {len(paths):,}{_few(absent)}"
        )
    if more := len(records) - len(same.files):
        notes.append(f"images of {name} that are not in the truth or its part, not counted: {more:,}")
    there = {paths[file]: records[other] for file, other in same.files.items()}
    if failed := [record.file for record in there.values() if record.size is None]:
        notes.append(f"images that {name} could not read, left out: {len(failed):,}{_few(failed)}")
    return {path: record for path, record in there.items() if record.size is not None}


def _few(files: Sequence[str]) -> str:
    return f" ({', '.join(files[:_SHOWN])}{', ...' if len(files) > _SHOWN else ''})"
