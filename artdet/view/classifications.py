"""A run of ``artdet classify`` as a persistent FiftyOne dataset: a field for each task, the truth beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from artdet.data.artworks.collection import Artworks
from artdet.data.pairing import Images, paired
from artdet.errors import InputError, RunError
from artdet.runs import Label, Record, Run
from artdet.tasks import Task
from artdet.view.appearance import replace_views
from artdet.view.dataset import batches, dataset_of
from artdet.view.documents import Document
from artdet.view.writer import GONE, PARTLY_READ, Loaded, set_values

_THRESHOLD = 0.5
"""Of several labels, those with at least this probability are answers."""
_TAKEN = frozenset({"id", "filepath", "tags", "metadata", "sha256", "created_at", "last_modified_at"})
_DIGESTS = ("sha256", "run_line", "truth_line")
_OWN_TAGS = frozenset({GONE, PARTLY_READ})

_Answers = Mapping[str, Any]
"""Task -> name of a class, list of such names, number, or ``None``."""


def tasks_of(run: Run) -> tuple[Task, ...]:
    """What a run answers.

    Raises:
        RunError: if it does not say so.
    """
    try:
        return tuple(Task.model_validate(each) for each in run.info["tasks"])
    except (KeyError, TypeError, ValidationError) as error:
        raise RunError(
            f"{run.folder} does not say which tasks it answers. Name a folder that `artdet classify` made."
        ) from error


def update(
    run: Run,
    truth: Artworks | None,
    *,
    reset: bool = False,
    progress: Callable[[int], None] = lambda count: None,
) -> Loaded:
    """Makes or updates the dataset of a run; killed on the way, the next call completes it.

    A task has a field of its own name, and with a truth ``NAME_truth`` and ``NAME_right``. What people changed of the
    truth in the App stays.

    Args:
        run: which may still grow.
        truth: with the run's tasks; ``None`` leaves the truth that is there.
        reset: start anew, without what people did in the dataset.
        progress: takes the number of images just done.

    Raises:
        RunError: if the run does not say which tasks it answers.
        InputError: if the truth has no image of the run, or the run has no image.
    """
    tasks = tasks_of(run)
    known = _known(run, truth) if truth else {}
    dataset = dataset_of(run, reset=reset)
    has_truth = truth is not None or any(f"{field_of(task)}_truth" in dataset.get_field_schema() for task in tasks)
    _declare(dataset, tasks, truth=has_truth)
    loaded = Loaded(dataset.name)
    writer = _Writer(dataset, run, tasks, loaded, has_truth)
    for batch in batches(run.records()):
        writer.write(batch, known)
        progress(len(batch))
    if not loaded.images and not loaded.failed:
        raise InputError(f"the run {run.folder} has no image yet. Let `artdet classify` do some first.")
    writer.mark_gone()
    dataset.reload()
    replace_views(dataset, _views(dataset, tasks) if has_truth else [])
    return loaded


def field_of(task: Task) -> str:
    """Name of the field with the answers to a task."""
    return f"{task.name}_answer" if task.name in _TAKEN or task.name in _DIGESTS else task.name


class _Writer:
    """Writes batches of records into a dataset, in bulk, and only what changed."""

    def __init__(self, dataset: Any, run: Run, tasks: Sequence[Task], loaded: Loaded, has_truth: bool) -> None:
        self._dataset, self._run, self._tasks, self._loaded, self._has_truth = dataset, run, tasks, loaded, has_truth
        self._collection = dataset._sample_collection
        self._left = {row["filepath"]: row["_id"] for row in self._collection.find({}, {"filepath": 1})}

    def write(self, records: Sequence[Record], known: Mapping[str, _Answers]) -> None:
        """Adds and updates the samples of records, with what is known of them."""
        read = {str(self._run.image_path(each).absolute()): each for each in records if each.size is not None}
        for record in records:
            if record.error is not None and record.size is None:
                self._loaded.failed[record.error[0]] += 1
        self._add({path: record for path, record in read.items() if path not in self._left})
        ids = [self._left.pop(path) for path in read]
        there = {row["filepath"]: row for row in self._collection.find({"_id": {"$in": ids}})}
        changes = []
        for path, record in read.items():
            self._loaded.images += 1
            values = self._values(record, there[path], known.get(record.file))
            if changed := {key: value for key, value in values.items() if there[path].get(key) != value}:
                changes.append((there[path]["_id"], changed))
        set_values(self._dataset, changes)

    def mark_gone(self) -> None:
        """Takes the answers of images that no record is about any more, and tags them."""
        self._loaded.gone = len(self._left)
        if not self._left:
            return
        empty = dict.fromkeys(
            [*(field_of(task) for task in self._tasks), *(f"{field_of(task)}_right" for task in self._tasks)]
            if self._has_truth
            else [field_of(task) for task in self._tasks]
        )
        rows = self._collection.find({"_id": {"$in": list(self._left.values())}}, {"tags": 1})
        changes = [(row["_id"], {**empty, "run_line": None, "tags": sorted({*row["tags"], GONE})}) for row in rows]
        set_values(self._dataset, changes)

    def _add(self, records: Mapping[str, Record]) -> None:
        import fiftyone

        samples = [fiftyone.Sample(filepath=path, sha256=record.sha256) for path, record in records.items()]
        if not samples:
            return
        self._dataset.add_samples(samples, progress=False)
        self._loaded.added += len(samples)
        rows = self._collection.find({"filepath": {"$in": list(records)}}, {"filepath": 1})
        self._left |= {row["filepath"]: row["_id"] for row in rows}

    def _values(self, record: Record, there: Mapping[str, Any], known: _Answers | None) -> Document:
        height, width = record.size or (0, 0)
        values = self._answers(record, there) | self._truth(there, known)
        values["sha256"] = record.sha256
        values["metadata"] = {"_cls": "ImageMetadata", "width": width, "height": height}
        own = [PARTLY_READ] if record.warnings else []
        values["tags"] = [tag for tag in there["tags"] if tag not in _OWN_TAGS] + own
        if self._has_truth:
            now = {**there, **values}
            values |= {f"{field_of(task)}_right": _agree(task, now) for task in self._tasks}
        return values

    def _answers(self, record: Record, there: Mapping[str, Any]) -> Document:
        given = {task.name: (record.classifications or {}).get(task.name, ()) for task in self._tasks}
        fields = {field_of(task): _document(task, given[task.name]) for task in self._tasks}
        line = _digest(self._tasks, fields)
        written = there.get("run_line")
        if written == line:
            return {}
        if written is not None:
            self._loaded.changed += 1
            self._loaded.replaced += written != _digest(self._tasks, {name: there.get(name) for name in fields})
        return {**fields, "run_line": line}

    def _truth(self, there: Mapping[str, Any], known: _Answers | None) -> Document:
        if known is None:
            return {}
        self._loaded.with_truth += 1
        fields = {f"{field_of(task)}_truth": _known_document(task, known[task.name]) for task in self._tasks}
        line = _digest(self._tasks, fields, "_truth")
        if there.get("truth_line") == line:
            return {}
        before = _digest(self._tasks, {name: there.get(name) for name in fields}, "_truth")
        if there.get("truth_line") is not None and before != there["truth_line"]:
            self._loaded.kept += 1
            return {}
        self._loaded.truth_changed += 1
        return {**fields, "truth_line": line}


def _declare(dataset: Any, tasks: Sequence[Task], *, truth: bool) -> None:
    import fiftyone

    for name in _DIGESTS:
        dataset.add_sample_field(name, fiftyone.StringField)
    kinds = {"label": fiftyone.Classification, "labels": fiftyone.Classifications}
    for task in tasks:
        names = [field_of(task), *([f"{field_of(task)}_truth"] if truth else [])]
        for name in names:
            if task.kind == "number":
                dataset.add_sample_field(name, fiftyone.FloatField)
            elif name not in dataset.get_field_schema():
                embedded = fiftyone.EmbeddedDocumentField
                dataset.add_sample_field(name, embedded, embedded_doc_type=kinds[task.kind])
        if truth:
            dataset.add_sample_field(f"{field_of(task)}_right", fiftyone.BooleanField)


def _views(dataset: Any, tasks: Sequence[Task]) -> Iterator[tuple[str, Any]]:
    """For each task the images that it gets wrong, the surest mistakes first."""
    from fiftyone import ViewField

    for task in tasks:
        wrong = dataset.match(ViewField(f"{field_of(task)}_right") == False)  # noqa: E712 - a database's expression
        if task.kind == "label":
            wrong = wrong.sort_by(f"{field_of(task)}.confidence", reverse=True)
        yield f"{task.name} wrong", wrong


def _known(run: Run, truth: Artworks) -> dict[str, _Answers]:
    """File of a record -> what is known of its image.

    Raises:
        InputError: if the truth has no image of the run.
    """
    files = [record.file for record in run.records()]
    root = Path(truth.paths[0].anchor) if len(truth) else Path("/")
    places = {path.relative_to(root).as_posix(): place for place, path in enumerate(truth.paths)}
    same = paired(Images(run.root, files), Images(root, list(places)))
    if not same.files:
        raise InputError(
            f"no image of the truth is in the run {run.folder} (of {run.root}). "
            "Name the truth of the images that the run is about."
        )
    return {file: _answers_at(truth, places[other]) for other, file in same.files.items()}


def _answers_at(truth: Artworks, place: int) -> _Answers:
    answers: dict[str, Any] = {}
    for task in truth.tasks:
        value = truth.targets[task.name][place]
        if task.kind == "label":
            answers[task.name] = task.classes[int(value)] if value >= 0 else None
        elif np.isnan(value).any():
            answers[task.name] = None
        elif task.kind == "number":
            answers[task.name] = float(value)
        else:
            answers[task.name] = [name for name, has in zip(task.classes, value, strict=True) if has >= _THRESHOLD]
    return answers


def _document(task: Task, labels: Sequence[Label]) -> Any:
    """A field's value for what a run answered."""
    if task.kind == "number":
        return labels[0].value if labels else None
    if task.kind == "label":
        return _label(str(labels[0].label), labels[0].score) if labels else None
    given = [label for label in labels if (label.score or 0) >= _THRESHOLD]
    return {"_cls": "Classifications", "classifications": [_label(str(each.label), each.score) for each in given]}


def _known_document(task: Task, answer: Any) -> Any:
    if answer is None or task.kind == "number":
        return answer
    if task.kind == "label":
        return _label(answer, None)
    return {"_cls": "Classifications", "classifications": [_label(name, None) for name in answer]}


def _label(name: str, score: float | None) -> Document:
    from bson import ObjectId

    made = {"_id": ObjectId(), "_cls": "Classification", "tags": [], "label": name}
    return made if score is None else {**made, "confidence": score}


def _content(task: Task, field: Any) -> Any:
    """What a person can change of a field's value."""
    if field is None or task.kind == "number":
        return field
    if task.kind == "label":
        return field.get("label")
    return sorted(each.get("label") for each in field.get("classifications") or [])


def _agree(task: Task, sample: Mapping[str, Any]) -> bool | None:
    found, true = (_content(task, sample.get(f"{field_of(task)}{end}")) for end in ("", "_truth"))
    if found is None or true is None:
        return None
    return bool(abs(found - true) <= task.tolerance) if task.kind == "number" else bool(found == true)


def _digest(tasks: Sequence[Task], fields: Mapping[str, Any], end: str = "") -> str:
    """A hash of answers with their probabilities."""
    rows: list[Any] = []
    for task in tasks:
        field = fields.get(f"{field_of(task)}{end}")
        score = field.get("confidence") if task.kind == "label" and field else None
        rows.append([task.name, _content(task, field), score])
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]
