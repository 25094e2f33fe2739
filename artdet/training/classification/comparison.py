"""Comparisons: every combination of some values of a recipe, each trained with one or more seeds on the same split."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import yaml

from artdet.config import validated, with_overrides
from artdet.errors import ConfigError, did_you_mean
from artdet.training.classification.comparison_cells import Cell, Check, Result, Train, folder_name, run_cells
from artdet.training.classification.recipe import Recipe
from artdet.training.lock import locked

if TYPE_CHECKING:
    from artdet.data.artworks.collection import Artworks
    from artdet.training.classification.run import TrainingRequest

TASK = "task"
"""The key whose values are sets of tasks, ``style+genre``, and not of the recipe."""


@dataclass(frozen=True)
class Axis:
    """One key and the values that are compared.

    Attributes:
        key: dotted path in the recipe, or ``task``.
        values: as YAML reads them.
    """

    key: str
    values: tuple[Any, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """The values as tables show them."""
        return tuple(shown(value) for value in self.values)


@dataclass(frozen=True)
class Variant:
    """One combination of values.

    Attributes:
        name: of its folders.
        labels: key -> value as text, in the order of the axes.
        recipe: with these values.
        tasks: that it learns; all where empty.
    """

    name: str
    labels: Mapping[str, str]
    recipe: Recipe
    tasks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """A variant with its results.

    Attributes:
        variant: what was trained.
        results: of its seeds, those that are there so far.
        repeats: how many there will be.
    """

    variant: Variant
    results: tuple[Result, ...]
    repeats: int

    @property
    def good(self) -> tuple[Result, ...]:
        """Results with figures."""
        return tuple(result for result in self.results if not result.failure)

    def test(self, task: str, figure: str) -> list[float]:
        """A figure of the test images for each seed."""
        found = (result.test.get(task, {}).get(figure) for result in self.good)
        return [value for value in found if value is not None]

    @property
    def seconds(self) -> list[float]:
        """Of each seed's training."""
        return [result.seconds for result in self.good]


def shown(value: Any) -> str:
    """A value of a recipe as text."""
    return value if isinstance(value, str) else json.dumps(value)


def parse_axis(text: str) -> Axis:
    """The axis of ``--compare KEY=V1,V2``.

    >>> parse_axis("head.hidden=[],[256, 64]")
    Axis(key='head.hidden', values=([], [256, 64]))

    Raises:
        ConfigError: if it is not of that form, or names a value twice.
    """
    key, sign, rest = text.partition("=")
    try:
        values = yaml.safe_load(f"[{rest}]") if sign and key else None
    except yaml.YAMLError:
        values = None
    if not values or key == "seed":
        hint = "--repeats N varies the seed" if key == "seed" else "Write for example backbone.trained=all,only_last"
        raise ConfigError(f"--compare {text} is not of the form KEY=VALUE,VALUE. {hint}.")
    axis = Axis(key, tuple(values))
    if len(set(axis.texts)) < len(values):
        raise ConfigError(f"--compare {text} names a value twice. Name each once; --repeats N trains it N times.")
    return axis


def grid(recipe: Recipe, axes: Sequence[Axis], known_tasks: Sequence[str]) -> list[Variant]:
    """All combinations of the values; the last axis varies fastest.

    Raises:
        ConfigError: if a key or a value does not fit the recipe, a task is unknown, or a key comes twice.
    """
    keys = [axis.key for axis in axes]
    if len(set(keys)) < len(keys):
        raise ConfigError("--compare names a key twice. Name it once, with all of its values.")
    return [_variant(recipe, dict(zip(keys, values, strict=True)), known_tasks) for values in _combinations(axes)]


def changed(recipe: Recipe, values: Mapping[str, Any], *, where: str) -> Recipe:
    """The recipe with some of its values changed and checked again.

    Args:
        recipe: to begin with.
        values: dotted path -> value.
        where: what messages begin with.

    Raises:
        ConfigError: naming each value that does not fit.
    """
    overrides = [f"{key}={json.dumps(value)}" for key, value in values.items()]
    return validated(Recipe, with_overrides(recipe.model_dump(mode="json"), overrides), where=where)


def train_variants(
    variants: Sequence[Variant],
    base: TrainingRequest,
    *,
    repeats: int,
    train: Train,
    check: Check = lambda requests: None,
    after: Callable[[Sequence[Entry]], None] = lambda entries: None,
    say: Callable[[str], None],
) -> list[Entry]:
    """Trains each variant ``repeats`` times with seeds that count up, all variants once before any a second time.

    Args:
        variants: what to train.
        base: images, split and device of all; below its folder each training has one of its own.
        repeats: trainings of each variant.
        train: trains one.
        check: is given those that are to be trained, before any is.
        after: is told the entries so far, after each training.
        say: shows a sentence.

    Raises:
        RunError: before anything is trained, if a folder holds another training, or another process is in there.
        TrainingStopped: after Ctrl-C.
    """
    cells = {(v.name, n): _cell(v, base, n) for n in range(repeats) for v in variants}

    def entries(results: Mapping[str, Result]) -> list[Entry]:
        names = {v.name: [cells[v.name, n].name for n in range(repeats)] for v in variants}
        return [Entry(v, tuple(results[n] for n in names[v.name] if n in results), repeats) for v in variants]

    with locked(base.folder):
        told = run_cells(list(cells.values()), train, check=check, after=lambda found: after(entries(found)), say=say)
    return entries(told)


def of_tasks(request: TrainingRequest, names: Sequence[str]) -> TrainingRequest:
    """A request for some of its tasks. Each image stays in its part of the split; one without answers is left out.

    Nobody can read such a request again from its tasks, so it has no origin, and only its comparison goes on with it.
    """
    artworks = request.artworks
    kept: Artworks = replace(
        artworks,
        tasks=tuple(artworks.task(name) for name in names),
        targets={name: artworks.targets[name] for name in names},
    )
    there = kept.known(names[0])
    for name in names[1:]:
        there = there | kept.known(name)
    split = request.partition
    split = replace(
        split,
        train=split.train[there[split.train]],
        validation=split.validation[there[split.validation]],
        test=split.test[there[split.test]],
    )
    return replace(request, artworks=kept, partition=split, origin={})


def _combinations(axes: Sequence[Axis]) -> itertools.product[tuple[Any, ...]]:
    return itertools.product(*(axis.values for axis in axes))


def _variant(recipe: Recipe, values: Mapping[str, Any], known_tasks: Sequence[str]) -> Variant:
    labels = {key: shown(value) for key, value in values.items()}
    of_recipe = {key: value for key, value in values.items() if key != TASK}
    where = "--compare " + " ".join(f"{key}={labels[key]}" for key in of_recipe)
    tasks = tuple(labels[TASK].split("+")) if TASK in values else ()
    for name in tasks:
        if name not in known_tasks:
            raise ConfigError(
                f"--compare task={labels[TASK]}: there is no task '{name}' in this training."
                f"{did_you_mean(name, known_tasks)} Name all tasks with --task, and sets of them as style+genre."
            )
    # Sorted, so that the order of the options does not matter to what is trained already.
    name = "_".join(f"{key.split('.')[-1]}-{folder_name(labels[key])}" for key in sorted(labels)) or "recipe"
    return Variant(name, labels, changed(recipe, of_recipe, where=where), tasks)


def _cell(variant: Variant, base: TrainingRequest, number: int) -> Cell:
    seed = variant.recipe.seed + number
    name = f"{variant.name}_seed{seed}"
    recipe = variant.recipe.model_copy(update={"seed": seed})
    request = replace(base, recipe=recipe, folder=base.folder / name)
    if variant.tasks:
        request = of_tasks(request, variant.tasks)
    return Cell(name, request, {**variant.labels, "seed": str(seed)})
