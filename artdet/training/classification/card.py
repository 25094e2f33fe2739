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

from artdet import __version__
from artdet.classifiers.base import ClassifierCard
from artdet.data.artworks.collection import Artworks
from artdet.data.artworks.partition import Partition
from artdet.metrics.classification import TaskFigures
from artdet.modelfiles import file_sha256
from artdet.training.classification.card_parts import (
    classes,
    figures,
    learnt,
    licences,
    limits,
    tells,
    titled,
    write_parts,
)
from artdet.training.classification.folder import ClassifierFolder
from artdet.training.classification.parts import RANDOM
from artdet.training.classification.recipe import Recipe
from artdet.training.classification.sources import sources_of
from artdet.training.markdown import duration
from artdet.training.repetition import shell_place


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
        tells(card.tasks, artworks, partition),
        learnt(sources, artworks, partition),
        _how(folder, card, recipe, facts),
        figures(folder, validation, test, commands_again(folder, artworks, recipe)),
        classes(test),
        limits(card.tasks, artworks, partition, test),
        licences(card.licence, sources),
    ]
    write_parts(folder, parts)


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
        *titled(folder, card.description),
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


def _how(folder: ClassifierFolder, card: ClassifierCard, recipe: Recipe, facts: Mapping[str, Any]) -> list[str]:
    info = folder.info()
    lines = [f"- **Start**: {facts['start']}"]
    if recipe.estimator == "network":
        own = recipe.optimizer
        names = ", ".join(str(one.get("name")) for one in recipe.augmentations) or "none"
        lines += [
            f"- **Trained layers**: {recipe.backbone.trained} of the backbone, and the head{_norms(recipe)}.",
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


def _norms(recipe: Recipe) -> str:
    kept = recipe.backbone.batch_norm == "frozen" and recipe.backbone.start != RANDOM
    return "; batch normalisation stays as it is" if kept else ""
