"""What ``artdet train --task`` does with ``--compare``, ``--repeats`` and ``--search``: many trainings, one table."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from artdet.tasks import Task
    from artdet.training.classification.comparison import Entry, Variant
    from artdet.training.classification.comparison_tables import Table
    from artdet.training.classification.recipe import Recipe
    from artdet.training.classification.run import Outcome, TrainingRequest

RequestOf = Callable[["Recipe", Path], "TrainingRequest"]
"""Gives what is to be trained with a recipe into a folder."""


def compare(
    request_of: RequestOf,
    recipe: Recipe,
    name: str,
    compare: Sequence[str],
    repeats: int,
    search: int | None,
    ranges: Sequence[str],
    as_json: bool,
) -> None:
    """Trains all that is compared or searched below runs/train/NAME, and prints its tables.

    The same command goes on after Ctrl-C or kill -9; what is finished is not trained again.

    Args:
        request_of: is called once, so that images and split are the same for all.
        recipe: that the values are changed in.
        name: of the folder below runs/train.
        compare: texts of ``--compare``.
        repeats: trainings of each combination or trial.
        search: how many trials; ``None`` or 0 without a search.
        ranges: texts of ``--range``.
        as_json: whether to print JSON.
    """
    from artdet.modelfiles import TRAINED
    from artdet.training.classification.comparison import train_variants
    from artdet.training.classification.comparison_check import check_requests

    if compare and search:
        raise click.UsageError("name either --compare or --search")
    if bool(search) != bool(ranges):
        raise click.UsageError("--search N and --range KEY=LOW..HIGH go together")
    folder = TRAINED / name
    _refuse_single_training(folder)
    base = replace(request_of(recipe, folder), folder=folder)
    variants = _variants(recipe, compare, search or 0, ranges, [task.name for task in base.artworks.tasks])
    kind = "search" if search else "comparison"
    tasks = base.artworks.tasks

    def after(entries: Sequence[Entry]) -> None:
        _write(folder, kind, entries, tasks)

    entries = train_variants(variants, base, repeats=repeats, train=_train, check=check_requests, after=after, say=_say)
    if as_json:
        click.echo(json.dumps(_content(kind, entries, tasks), indent=2))
        return
    click.echo("\n\n".join(table.text() for table in _tables(kind, entries, tasks)))
    click.echo(f"\ntables:  {folder / f'{kind}.md'}, {kind}.csv, {kind}.json")
    if search and (folder / "best.yaml").exists():
        click.echo(f"best:    {folder / 'best.yaml'}")


def _train(request: TrainingRequest) -> Outcome:
    """One training, with its progress."""
    from artdet.cli.train_watch import classifier_line, train_watch
    from artdet.training.classification.run import train

    recipe = request.recipe
    with train_watch(batch=recipe.batch, line=lambda epoch, most: classifier_line(epoch, most, recipe.metric)) as watch:
        return train(request, watch)


def _variants(
    recipe: Recipe, compare: Sequence[str], search: int, ranges: Sequence[str], tasks: Sequence[str]
) -> list[Variant]:
    if search:
        from artdet.training.classification.search import parse_range, trials

        return trials(recipe, [parse_range(text) for text in ranges], search)
    from artdet.training.classification.comparison import grid, parse_axis

    return grid(recipe, [parse_axis(text) for text in compare], tasks)


def _refuse_single_training(folder: Path) -> None:
    from artdet.errors import RunError
    from artdet.training.folder import TrainingFolder

    if TrainingFolder(folder).info_file.exists():
        raise RunError(f"{folder} holds a single training. Give this comparison a folder of its own: --name NAME.")


def _tables(kind: str, entries: Sequence[Entry], tasks: Sequence[Task]) -> list[Table]:
    if kind == "search":
        from artdet.training.classification.search import search_table

        return [search_table(entries, tasks)]
    from artdet.training.classification.comparison_tables import tables

    return tables(entries, tasks)


def _content(kind: str, entries: Sequence[Entry], tasks: Sequence[Task]) -> Mapping[str, Any]:
    """All that ``comparison.json`` or ``search.json`` says."""
    from artdet.training.classification.comparison_tables import entries_json

    return {
        "format": f"artdet {kind} 1",
        "tasks": [task.name for task in tasks],
        "tables": [table.as_json() for table in _tables(kind, entries, tasks)],
        "entries": entries_json(entries),
    }


def _write(folder: Path, kind: str, entries: Sequence[Entry], tasks: Sequence[Task]) -> None:
    from artdet.runs import json_text
    from artdet.training.classification.comparison_cells import write_text
    from artdet.training.classification.comparison_tables import csv_text

    write_text(folder / f"{kind}.md", "\n\n".join(table.text() for table in _tables(kind, entries, tasks)) + "\n")
    write_text(folder / f"{kind}.csv", csv_text(entries))
    write_text(folder / f"{kind}.json", json_text(_content(kind, entries, tasks), indent=2) + "\n")
    if kind == "search":
        from artdet.training.classification.search import best_recipe

        if (text := best_recipe(entries)) is not None:
            write_text(folder / "best.yaml", text)


def _say(text: str) -> None:
    click.echo(text, err=True)
