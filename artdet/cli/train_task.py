"""``artdet train --task``: a classifier."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from artdet.data.artworks.collection import Artworks
    from artdet.data.artworks.partition import Partition
    from artdet.metrics.classification import TaskFigures
    from artdet.training.classification.recipe import Recipe
    from artdet.training.classification.run import Outcome, TrainingRequest

_DEFAULT = "default"
_KEYS = {
    "start": "backbone.start",
    "epochs": "epochs",
    "batch": "batch",
    "image_size": "backbone.image_size",
    "seed": "seed",
}
"""Option -> the key of a recipe that it stands for."""


@dataclass(frozen=True)
class Wanted:
    """What the command line asks for.

    Attributes:
        tasks: names or files.
        options: of ``artdet train``.
        device: as ``--device`` names it.
        trusted: whether pickles may be loaded.
        dry_run: whether to count only.
        as_json: whether to print JSON.
    """

    tasks: tuple[str, ...]
    options: dict[str, Any]
    device: str
    trusted: bool
    dry_run: bool
    as_json: bool

    @property
    def names(self) -> list[str]:
        """Of the tasks."""
        return [Path(task).stem if task.endswith((".yaml", ".yml")) else task for task in self.tasks]

    def overrides(self, *, of_tasks: bool) -> list[str]:
        """Those of ``--set`` that are about tasks, or about the recipe."""
        given = self.options["overrides"]
        return [text for text in given if (text.partition(".")[0] in self.names) == of_tasks]


def train_task(wanted: Wanted) -> None:
    """Trains, compares, or counts what would be trained."""
    from artdet.devices import resolve_device
    from artdet.modelfiles import TRAINED

    options = wanted.options
    recipe = recipe_of(options["recipe"] or _DEFAULT, _overrides(wanted))
    device = resolve_device(wanted.device)
    name = options["name"] or _name(wanted)
    folder = TRAINED / name
    several = options["compare"] or options["repeats"] or options["search"]
    if options["ranges"] and not options["search"]:
        raise click.UsageError("--range says what --search draws from; give --search N as well")
    if not wanted.dry_run and not several:
        _refuse_taken(folder)
    artworks = _artworks(wanted)
    split = _split(artworks, options["split"], recipe.seed)
    if wanted.dry_run:
        from artdet.cli.train_task_text import plan

        plan(_request(wanted, recipe, folder, artworks, split, device), as_json=wanted.as_json)
    elif several:
        from artdet.cli.train_comparison import compare

        compare(
            lambda own, place: _request(wanted, own, place, artworks, split, device),
            recipe,
            name,
            options["compare"],
            options["repeats"] or 1,
            options["search"],
            options["ranges"],
            wanted.as_json,
        )
    else:
        run(_request(wanted, recipe, folder, artworks, split, device), as_json=wanted.as_json)


def recipe_of(name: str, overrides: Sequence[str]) -> Recipe:
    """The checked recipe of a name or file.

    Raises:
        ConfigError: if there is none, or it is wrong.
    """
    from artdet.config import find_yaml, read_yaml, validated, with_overrides
    from artdet.resources import shipped
    from artdet.training.classification.augmentations import check_augmentations
    from artdet.training.classification.recipe import Recipe

    path = find_yaml(name, shipped("configs", "recipes"), kind="recipe")
    recipe = validated(Recipe, with_overrides(read_yaml(path), overrides), where=str(path))
    check_augmentations(recipe.augmentations)
    start = Path(recipe.backbone.start).expanduser()
    if not start.exists():
        return recipe
    # So that the run is gone on with from any folder.
    backbone = recipe.backbone.model_copy(update={"start": str(start.absolute())})
    return recipe.model_copy(update={"backbone": backbone})


def go_on(folder: Path, device: str, trusted: bool, as_json: bool) -> None:
    """Goes on with the training of a folder.

    Raises:
        RunError: if its data are others now, or it does not say where they are.
    """
    from artdet.data.artworks.partition import read_partition
    from artdet.data.artworks.task_file import load_tasks
    from artdet.errors import RunError
    from artdet.training.classification.folder import ClassifierFolder
    from artdet.training.classification.identity import recipe_of as recipe_of_run
    from artdet.training.classification.run import TrainingRequest

    own = ClassifierFolder(folder)
    origin = own.info()["origin"]
    if "tasks" not in origin:
        raise RunError(f"{folder} is part of a comparison. Give the command of the comparison again to go on with it.")
    artworks = load_tasks(origin["tasks"], overrides=origin["overrides"])
    split = read_partition(own.split, artworks)
    request = TrainingRequest(artworks, split, recipe_of_run(own), folder, device, trusted, origin)
    run(request, as_json=as_json)


def run(request: TrainingRequest, *, as_json: bool) -> None:
    """Trains, and says how good it is and where it lies."""
    from artdet.cli.train_watch import classifier_line, train_watch
    from artdet.training.classification.run import train

    metric = request.recipe.metric
    with train_watch(
        batch=request.recipe.batch, line=lambda epoch, most: classifier_line(epoch, most, metric)
    ) as watch:
        outcome = train(request, watch)
    click.echo(json.dumps(_as_json(outcome), indent=2) if as_json else _text(outcome))


def _overrides(wanted: Wanted) -> list[str]:
    given = {key: wanted.options[name] for name, key in _KEYS.items()}
    texts = [f"{key}={json.dumps(value)}" for key, value in given.items() if value is not None]
    return [*texts, *wanted.overrides(of_tasks=False)]


def _name(wanted: Wanted) -> str:
    recipe = wanted.options["recipe"]
    tail = [Path(recipe).stem] if recipe and recipe != _DEFAULT else []
    return "_".join([*wanted.names, *tail])


def _refuse_taken(folder: Path) -> None:
    from artdet.errors import RunError
    from artdet.training.classification.folder import ClassifierFolder

    if ClassifierFolder(folder).has_begun:
        raise RunError(
            f"{folder} holds a training. Go on with it: artdet train --resume {folder}; or train into another "
            "folder: --name NAME."
        )


def _artworks(wanted: Wanted) -> Artworks:
    from artdet.data.artworks.task_file import load_tasks

    artworks = load_tasks(wanted.tasks, overrides=wanted.overrides(of_tasks=True))
    for note in artworks.notes:
        click.echo(f"note: {note}", err=True)
    return artworks


def _split(artworks: Artworks, file: Path | None, seed: int) -> Partition:
    from artdet.cli.progress import progress_bar
    from artdet.data.artworks.partition import partition, read_partition

    if file is not None:
        return read_partition(file, artworks, subset=True)
    with progress_bar("looking for duplicates", len(artworks)) as advance:
        return partition(artworks, seed=seed, progress=advance)


def _request(
    wanted: Wanted, recipe: Recipe, folder: Path, artworks: Artworks, split: Partition, device: str
) -> TrainingRequest:
    from artdet.training.classification.run import TrainingRequest

    tasks = [str(Path(task).absolute()) if Path(task).is_file() else task for task in wanted.tasks]
    origin = {"tasks": tasks, "overrides": wanted.overrides(of_tasks=True)}
    return TrainingRequest(artworks, split, recipe, folder, device, wanted.trusted, origin)


def _as_json(outcome: Outcome) -> dict[str, Any]:
    parts = {"validation": outcome.validation, "test": outcome.test}
    figures = {name: {one.task: {**asdict(one)} for one in rows} for name, rows in parts.items()}
    facts = {"epochs": outcome.epochs, "best": outcome.best, "seconds": outcome.seconds}
    return {"folder": str(outcome.folder), **facts, **figures}


def _text(outcome: Outcome) -> str:
    lines = [f"model:   {outcome.folder}"]
    if outcome.epochs:
        lines.append(f"best:    epoch {outcome.best} of {outcome.epochs}")
    lines += [f"test:    {_figures(one)}" for one in outcome.test if one.images]
    lines += [f"card:    {outcome.folder / 'README.md'}", f"use it:  artdet classify FOLDER --model {outcome.folder}"]
    return "\n".join(lines)


def _figures(one: TaskFigures) -> str:
    names = {"label": ("accuracy", "top3", "macro_f1"), "labels": ("map", "macro_f1"), "number": ("within", "mae")}
    shown = ", ".join(f"{name.replace('_', ' ')} {one.figures[name]:.3f}" for name in names[one.kind])
    return f"{one.task}: {shown} ({one.images:,} images)"
