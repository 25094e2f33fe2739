"""Which sample of a truth belongs to which record of a run."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable

from artdet.data.dataset import Dataset, Sample
from artdet.runs import Record, Run


def pairing(run: Run, truth: Dataset) -> Callable[[Record], Sample | None]:
    """Gives what finds the sample of a record: the same file, else the only one of that name on both sides."""
    root = os.path.normpath(truth.root)
    by_place = {os.path.normpath(os.path.join(root, sample.file)): sample for sample in truth}
    by_name = {_name(sample.file): sample for sample in truth}
    once = {name for name, count in Counter(_name(sample.file) for sample in truth).items() if count == 1}
    once &= {name for name, count in Counter(_name(record.file) for record in run.records()).items() if count == 1}
    taken = {os.path.normpath(run.image_path(record)) for record in run.records()} & by_place.keys()
    places = {by_place[place].file for place in taken}

    def sample_of(record: Record) -> Sample | None:
        if here := by_place.get(os.path.normpath(run.image_path(record))):
            return here
        other = by_name.get(_name(record.file)) if _name(record.file) in once else None
        return other if other is not None and other.file not in places else None

    return sample_of


def _name(file: str) -> str:
    return file.rpartition("/")[2]
