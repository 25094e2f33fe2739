"""From the answers that a run wrote down back to a score for each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from artdet.errors import RunError
from artdet.runs import Label, Record
from artdet.tasks import Task


@dataclass(frozen=True, eq=False)
class Answers:
    """Answers to one task about N images.

    Attributes:
        scores: float32 (N, outputs).
        listed: least number of classes that the run kept of an image; ``None`` if it kept all, or for a number.
    """

    scores: NDArray[np.float32]
    listed: int | None


def answers_of(task: Task, records: Sequence[Record]) -> Answers:
    """Scores of all classes.

    Where a run kept only the likeliest classes of one label, what they leave of the whole probability is shared evenly
    by the others, none of which gets more than the least that is listed. Of several labels, others get 0.

    Raises:
        RunError: if a record does not answer the task, or has a class that the task does not know.
    """
    places = {name: place for place, name in enumerate(task.classes)}
    scores = np.zeros((len(records), task.outputs), dtype=np.float32)
    listed = task.outputs
    for row, record in zip(scores, records, strict=True):
        labels = (record.classifications or {}).get(task.name, ())
        if not labels and task.kind != "labels":
            raise RunError(f"{record.file} has no answer to {task.name}. Run `artdet classify` again with --overwrite.")
        _fill(row, task, labels, places, record.file)
        listed = min(listed, len(labels))
    return Answers(scores, None if task.kind == "number" or listed == task.outputs else listed)


def _fill(row: NDArray[np.float32], task: Task, labels: Sequence[Label], places: dict[str, int], file: str) -> None:
    if task.kind == "number":
        row[0] = np.nan if labels[0].value is None else labels[0].value
        return
    try:
        given = np.array([places[str(label.label)] for label in labels], dtype=np.int64)
    except KeyError as error:
        raise RunError(
            f"{file}: {task.name} has no class {error}. Run `artdet classify` again with --overwrite."
        ) from error
    values = np.array([label.score for label in labels], dtype=np.float32)
    if task.kind == "label" and len(given) < len(row):
        row[:] = min(max(0.0, 1.0 - float(values.sum())) / (len(row) - len(given)), float(values.min()))
    row[given] = values
