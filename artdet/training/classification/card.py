"""The model card of a classifier, ``README.md`` in its folder: what it tells, learnt from, and cannot do.

After Mitchell et al. 2019, Model Cards for Model Reporting.
"""

from __future__ import annotations

import os
import platform
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artdet import __version__
from artdet.classifiers.base import ClassifierCard
from artdet.data.artworks.collection import Artworks, known
from artdet.data.artworks.partition import Partition
from artdet.metrics.classification import TaskFigures
from artdet.modelfiles import file_sha256
from artdet.tasks import Task
from artdet.training.classification.folder import ClassifierFolder
from artdet.training.classification.recipe import Recipe
from artdet.training.classification.sources import Source, sources_of
from artdet.training.curves import CURVES
from artdet.training.markdown import duration, number, table
from artdet.training.model_card import CARD
from artdet.training.repetition import shell_place

_NAMES = {"accuracy": "accuracy", "top3": "top 3", "macro_f1": "macro F1", "micro_f1": "micro F1", "mcc": "MCC"}
_NAMES |= {"map": "mAP", "within": "within tolerance", "mae": "mean absolute error", "loss": "loss"}
_FEW = 10  # test images of a class below which its figures say little


def write_card(
    folder: ClassifierFolder,
    card: ClassifierCard,
    artworks: Artworks,
    partition: Partition,
    recipe: Recipe,
    facts: Mapping[str, Any],
    validation: Sequence[TaskFigures],
    test: Sequence[TaskFigures],
) -> None:
    """Writes the card.

    Args:
        folder: with the weights.
        card: of them.
        artworks: learnt from.
        partition: their parts.
        recipe: how.
        facts: ``epochs``, ``best``, ``seconds`` and ``start``.
        validation: figures of the weights.
        test: likewise.

    Raises:
        RunError: if it cannot be written.
    """
    sources = sources_of(artworks, partition)
    parts = [
        _head(folder, card),
        _tells(card.tasks, artworks, partition),
        _learnt(sources, artworks, partition),
        _how(folder, card, recipe, facts),
        _figures(folder, validation, test, commands_again(folder, artworks, recipe)),
        _classes(test),
        _limits(card, artworks, partition, test),
        _licences(card, sources),
    ]
    folder.write(folder.path / CARD, "\n\n".join("\n".join(part) for part in parts if part) + "\n")


def commands_again(folder: ClassifierFolder, artworks: Artworks, recipe: Recipe) -> list[str]:
    """The commands that measure the weights on the test part again, source by source, for a shell."""
    run, out = shlex.quote(str(folder.path)), shlex.quote(f"runs/classify/{folder.path.name}")
    paths: dict[str, list[Path]] = {}
    for name, path in zip(artworks.names, artworks.paths, strict=True):
        paths.setdefault(name.partition("/")[0], []).append(path.parent)
    # Drawings made of paintings are kept in the cache, and are no source that one could name.
    folders = {name: Path(os.path.commonpath(found)) for name, found in paths.items() if "+" not in name}
    crops = f" --crops {recipe.crops}" if recipe.crops > 1 else ""
    places = " ".join(dict.fromkeys(shell_place(place) for place in folders.values()))
    lines = [f"artdet classify {places} --recursive --model {run}{crops} --out {out}"]
    return lines + [f"artdet evaluate {out} --truth {name} --split {run}/{folder.split.name}" for name in folders]


def _head(folder: ClassifierFolder, card: ClassifierCard) -> list[str]:
    size = folder.model.stat().st_size / 1e6
    pre = card.preprocessing
    return [
        f"# {folder.path.name}",
        "",
        card.description,
        "",
        f"- **Network**: `{card.backbone}` at {pre.image_size} px ({pre.fit}), with {_layers(card)}.",
        f"- **Weights**: `{folder.model.name}`, {size:.1f} MB, SHA-256 `{file_sha256(folder.model)}`.",
        f"- **Licence**: {card.licence}; see the end for that of the data.",
        f"- **Made by**: `artdet train`, version {__version__}.",
    ]


def _layers(card: ClassifierCard) -> str:
    head, count = card.head, len(card.tasks)
    shared = f"a shared layer of {head.representation}, then " if head.representation else ""
    hidden = f"hidden layers of {', '.join(map(str, head.hidden))} and " if head.hidden else ""
    return f"{shared}{hidden}a linear layer for {'each task' if count > 1 else 'the task'}"


def _tells(tasks: Sequence[Task], artworks: Artworks, partition: Partition) -> list[str]:
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


def _learnt(sources: Sequence[Source], artworks: Artworks, partition: Partition) -> list[str]:
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


def _how(folder: ClassifierFolder, card: ClassifierCard, recipe: Recipe, facts: Mapping[str, Any]) -> list[str]:
    info = folder.info()
    lines = [f"- **Start**: {facts['start']}"]
    if recipe.estimator == "network":
        own = recipe.optimizer
        names = ", ".join(str(one.get("name")) for one in recipe.augmentations) or "none"
        lines += [
            f"- **Trained layers**: {recipe.backbone.trained} of the backbone, and the head.",
            f"- **Epochs**: {facts['epochs']} of at most {recipe.epochs}; the weights are those after epoch "
            f"{facts['best']}, chosen by {recipe.metric} on validation.",
            f"- **Steps**: batches of {recipe.batch}; {own.name}, learning rate at most {own.learning_rate:g} "
            f"({own.backbone_share:g} of it for the backbone), {own.schedule}; weight decay {own.weight_decay:g}; "
            f"seed {recipe.seed}.",
            f"- **Augmentation**: {names}.",
        ]
    else:
        lines.append(f"- **Estimator**: {recipe.estimator} on the features of the backbone, which stays as it is.")
    device = info["origin"].get("device", "cpu")
    lines.append(
        f"- **Time**: {duration(facts['seconds'])} of training, validation not counted, on {device} "
        f"({platform.machine()})."
    )
    if recipe.published:
        lines.append(f"- **Follows**: {recipe.published}")
    return ["## How", "", *lines]


def _figures(
    folder: ClassifierFolder, validation: Sequence[TaskFigures], test: Sequence[TaskFigures], commands: Sequence[str]
) -> list[str]:
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


def _classes(test: Sequence[TaskFigures]) -> list[str]:
    lines: list[str] = []
    for one in test:
        rows = [
            (row.name, f"{row.images:,}", number(row.precision), number(row.recall), number(row.f1))
            for row in one.classes
        ]
        if rows:
            lines += ["", f"### {one.task}", "", *table(("class", "test images", "precision", "recall", "F1"), rows)]
    return ["## Classes on the test part", *lines] if lines else []


def _limits(card: ClassifierCard, artworks: Artworks, partition: Partition, test: Sequence[TaskFigures]) -> list[str]:
    lines = []
    for one in test:
        few = [f"{row.name} ({row.images})" for row in one.classes if row.images < _FEW]
        if few:
            lines.append(
                f"- {one.task}: fewer than {_FEW} test images, so that their figures say little: {', '.join(few)}."
            )
    for task in card.tasks:
        unanswered = int((~known(task, artworks.targets[task.name][partition.train])).sum())
        if unanswered:
            lines.append(f"- {task.name}: {unanswered:,} training images without an answer taught it nothing.")
        if task.kind == "label":
            lines.append(f"- {task.name}: it always names one of its classes, of whatever the picture is.")
        if task.kind == "number":
            low, high = _range(artworks.targets[task.name][partition.train])
            lines.append(f"- {task.name}: it has learnt from {low:g} to {high:g}; it says little outside.")
    lines += [f"- {name}: {why}" for name, why in card.left_out.items()]
    return ["## Limits", "", *lines]


def _range(values: NDArray[Any]) -> tuple[float, float]:
    return float(np.nanmin(values)), float(np.nanmax(values))


def _licences(card: ClassifierCard, sources: Sequence[Source]) -> list[str]:
    return [
        "## Licences",
        "",
        f"- Weights: {card.licence}.",
        *(f"- Data, {one.name}: {one.licence or 'none stated'}." for one in sources if one.train),
        "",
        "The weights hold no image of the data; whether their licences reach the weights is not settled everywhere.",
    ]
