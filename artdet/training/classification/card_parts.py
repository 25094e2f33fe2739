"""Parts of the cards of classifiers, of which each is a list of lines in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artdet.data.artworks.collection import Artworks, known
from artdet.data.artworks.partition import Partition
from artdet.metrics.classification import TaskFigures
from artdet.tasks import Task
from artdet.training.classification.folder import ClassifierFolder
from artdet.training.classification.sources import Source
from artdet.training.curves import CURVES
from artdet.training.markdown import number, table
from artdet.training.model_card import CARD

_NAMES = {"accuracy": "accuracy", "top3": "top 3", "macro_f1": "macro F1", "micro_f1": "micro F1", "mcc": "MCC"}
_NAMES |= {"map": "mAP", "within": "within tolerance", "mae": "mean absolute error", "loss": "loss"}
_FEW = 10  # test images of a class below which its figures say little


def write_parts(folder: ClassifierFolder, parts: Sequence[Sequence[str]]) -> None:
    """Writes the card of these parts, paragraphs of lines."""
    folder.write(folder.path / CARD, "\n\n".join("\n".join(part) for part in parts if part) + "\n")


def titled(folder: ClassifierFolder, description: str) -> list[str]:
    """The heading."""
    return [f"# {folder.path.name}", "", description]


def tells(tasks: Sequence[Task], artworks: Artworks, partition: Partition) -> list[str]:
    """Tasks, their answers and their images."""
    rows = []
    for task in tasks:
        counts = [
            f"{int(known(task, artworks.targets[task.name][places]).sum()):,}"
            for places in (partition.train, partition.validation, partition.test)
        ]
        what = f"{len(task.classes)} classes" if task.classes else f"a number, right within {task.tolerance:g}"
        rows.append((task.name, task.kind, what, *counts))
    head = ("task", "kind", "answers", "training images with an answer", "validation", "test")
    lists = [f"- {task.name}: {', '.join(task.classes)}." for task in tasks if task.classes]
    return ["## What it tells", "", *table(head, rows), "", *lists]


def learnt(sources: Sequence[Source], artworks: Artworks, partition: Partition) -> list[str]:
    """Where the images come from."""
    rows = [
        (
            one.name,
            f"{one.train:,}",
            f"{one.validation:,}",
            f"{one.test:,}",
            one.licence or "none stated",
            one.origin or "not stated",
        )
        for one in sources
    ]
    head = ("source", "training images", "validation", "test", "licence", "origin")
    groups = len({artworks.groups[place] for place in partition.train})
    return [
        "## What it learnt from",
        "",
        *table(head, rows),
        "",
        f"The parts are drawn by class; `split.csv` names every image. The training images are {groups:,} works or "
        "series: images of one, and duplicates, are always in the same part. The hash of data and split is in "
        "`training.json`, with every setting.",
        *([""] + [f"- {note}" for note in artworks.notes] if artworks.notes else []),
    ]


def figures(
    folder: ClassifierFolder, validation: Sequence[TaskFigures], test: Sequence[TaskFigures], commands: Sequence[str]
) -> list[str]:
    """Figures of all tasks, and how to measure them again."""
    lines = []
    for before, one in zip(validation, test, strict=True):
        rows = [
            (_NAMES.get(name, name), number(before.figures.get(name)), number(one.figures.get(name)))
            for name in (one.figures or before.figures)
        ]
        lines += [
            f"### {one.task}",
            "",
            *table(("figure", f"validation ({before.images:,})", f"test ({one.images:,})"), rows),
            "",
        ]
    drawn = (folder.path / CURVES).exists()
    return [
        "## Figures",
        "",
        "Training has not seen these images, but its best epoch was chosen by those of validation. Works of another "
        "kind or time will give lower figures.",
        "",
        *lines,
        "These commands measure the weights on the test images again, with intervals and a report, for each source; "
        "the first also reads images that do not count:",
        "",
        *(f"    {command}" for command in commands),
        *(["", f"![Losses, learning rate and figures over the epochs]({CURVES})"] if drawn else []),
    ]


def classes(test: Sequence[TaskFigures]) -> list[str]:
    """Figures of each class."""
    lines: list[str] = []
    for one in test:
        rows = [
            (row.name, f"{row.images:,}", number(row.precision), number(row.recall), number(row.f1))
            for row in one.classes
        ]
        if rows:
            lines += ["", f"### {one.task}", "", *table(("class", "test images", "precision", "recall", "F1"), rows)]
    return ["## Classes on the test part", *lines] if lines else []


def limits(tasks: Sequence[Task], artworks: Artworks, partition: Partition, test: Sequence[TaskFigures]) -> list[str]:
    """What is to be known before it is used."""
    lines = []
    for one in test:
        few = [f"{row.name} ({row.images})" for row in one.classes if row.images < _FEW]
        if few:
            lines.append(
                f"- {one.task}: fewer than {_FEW} test images, so that their figures say little: {', '.join(few)}."
            )
    for task in tasks:
        unanswered = int((~known(task, artworks.targets[task.name][partition.train])).sum())
        if unanswered:
            lines.append(f"- {task.name}: {unanswered:,} training images without an answer taught it nothing.")
        if task.kind == "label":
            lines.append(f"- {task.name}: it always names one of its classes, of whatever the picture is.")
        if task.kind == "number":
            low, high = _range(artworks.targets[task.name][partition.train])
            lines.append(f"- {task.name}: it has learnt from {low:g} to {high:g}; it says little outside.")
    return ["## Limits", "", *lines]


def _range(values: NDArray[Any]) -> tuple[float, float]:
    return float(np.nanmin(values)), float(np.nanmax(values))


def licences(licence: str, sources: Sequence[Source]) -> list[str]:
    """Of weights and data."""
    return [
        "## Licences",
        "",
        f"- Weights: {licence}.",
        *(f"- Data, {one.name}: {one.licence or 'none stated'}." for one in sources if one.train),
        "",
        "The weights hold no image of the data; whether their licences reach the weights is not settled everywhere.",
    ]
