"""A run as a persistent FiftyOne dataset: made once, then brought up to date without touching what people did there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from artdet.data.dataset import Dataset, Sample
from artdet.data.pairing import Images, paired
from artdet.errors import InputError, LabelError
from artdet.runs import Record, Run
from artdet.taxonomy import Taxonomy
from artdet.view import documents
from artdet.view.fields import declare, declare_facts
from artdet.view.writer import Loaded, Writer

PREFIX = "artdet-"
RUN_KEY = "artdet_run"
"""Key of the run folder's path in ``dataset.info``."""
FACTS_KEY = "artdet_facts"
"""Key of the fields that the truth brought along, name in the dataset -> name in the truth."""
ROOT_KEY = "artdet_root"
"""Key of the folder of the images."""
_BATCH = 500


def update(
    run: Run,
    truth: Dataset | None,
    *,
    taxonomy: Taxonomy,
    reset: bool = False,
    progress: Callable[[int], None] = lambda count: None,
) -> Loaded:
    """Makes or updates the dataset of a run; killed on the way, the next call completes it.

    Args:
        run: which may still grow.
        truth: ``None`` leaves the truth that is there.
        taxonomy: of the labels of both.
        reset: start anew, without what people did in the dataset.
        progress: takes the number of images just done.

    Raises:
        LabelError: if the taxonomy does not know a label of the run.
        InputError: if the truth has no image of the run, or the run has no image.
    """
    survey = _surveyed(run, taxonomy)
    samples = _samples(run, survey.files, truth) if truth else {}
    if truth and not samples:
        raise InputError(
            f"no image of {truth.name} (in {truth.root}) is in the run {run.folder} (of {run.root}). "
            "Name the truth of the images that the run is about."
        )
    dataset = dataset_of(run, reset=reset)
    has_truth = truth is not None or "truth" in dataset.get_field_schema()
    declare(dataset, [documents.member_field(name) for name in survey.members], truth=has_truth)
    kinds = declare_facts(dataset, truth) if truth else {}
    if truth:
        dataset.info[FACTS_KEY] = {target: name for name, (target, _) in kinds.items()}
        dataset.save()
    loaded = Loaded(dataset.name)
    writer = Writer(dataset, run, taxonomy, survey.able, loaded)
    for batch in batches(run.records()):
        writer.write([(record, samples.get(record.file)) for record in batch], kinds)
        progress(len(batch))
    if not loaded.images and not loaded.failed:
        raise InputError(f"the run {run.folder} has no image yet. Let `artdet predict` find some first.")
    writer.mark_gone()
    dataset.reload()
    return loaded


def find(name: str) -> Any:
    """The dataset of that name, or of the run in that folder, or of a run folder of that name.

    Raises:
        InputError: if there is none.
    """
    import fiftyone

    from artdet.errors import did_you_mean

    known = fiftyone.list_datasets()
    for candidate in (name, PREFIX + name):
        if candidate in known:
            return fiftyone.load_dataset(candidate)
    folder = str(Path(name).absolute())
    for candidate in known:
        if candidate.startswith(PREFIX) and fiftyone.load_dataset(candidate).info.get(RUN_KEY) == folder:
            return fiftyone.load_dataset(candidate)
    hint = did_you_mean(name, known) or " It is empty: load a run with `artdet app RUN`."
    raise InputError(f"the database has no dataset '{name}'.{hint}")


def dataset_of(run: Run, *, reset: bool) -> Any:
    """The dataset of this very run; one of another run with the same name is left alone."""
    import fiftyone

    folder = str(run.folder.absolute())
    plain = PREFIX + (run.folder.absolute().name or "run")
    name, number = plain, 1
    while fiftyone.dataset_exists(name):
        dataset = fiftyone.load_dataset(name)
        if dataset.info.get(RUN_KEY) == folder:
            if not reset:
                return dataset
            fiftyone.delete_dataset(name)
            break
        number += 1
        name = f"{plain}-{number}"
    dataset = fiftyone.Dataset(name, persistent=True)
    dataset.info[RUN_KEY] = folder
    dataset.info[ROOT_KEY] = str(run.root)
    dataset.save()
    return dataset


@dataclass(frozen=True)
class _Survey:
    """What must be known of a whole run before its first image is written.

    Attributes:
        files: of its images, in order.
        members: names of the ensemble members whose boxes it kept.
        able: category -> the members that gave a box of it anywhere in the run.
    """

    files: list[str]
    members: list[str]
    able: dict[str, frozenset[str]]


def _surveyed(run: Run, taxonomy: Taxonomy) -> _Survey:
    """Goes through the run once.

    Raises:
        LabelError: if the taxonomy does not know a label.
    """
    files: list[str] = []
    members: dict[str, None] = {}
    able: dict[str, set[str]] = defaultdict(set)
    for record in run.records():
        files.append(record.file)
        members |= dict.fromkeys(record.members or ())
        try:
            for name, boxes in (record.members or {}).items():
                for box in boxes:
                    able[documents.category(box, taxonomy)].add(name)
            for box in record.detections:
                taxonomy.id_of(box.label)
        except LabelError as error:
            raise LabelError(f"{run.folder}: {error} Name the classes of the run with --taxonomy.") from error
    return _Survey(files, list(members), {category: frozenset(names) for category, names in able.items()})


def _samples(run: Run, files: list[str], truth: Dataset) -> dict[str, Sample]:
    """File of a record -> the sample of the same image."""
    samples = {sample.file: sample for sample in truth}
    same = paired(Images(run.root, files), Images(truth.root, list(samples)))
    return {other: samples[file] for file, other in same.files.items()}


def batches(records: Iterator[Record]) -> Iterator[list[Record]]:
    """The records in lists that one write to the database takes."""
    while batch := list(islice(records, _BATCH)):
        yield batch
