"""From names of tasks to images with answers to learn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from artdet.config import read_yaml, validated, with_overrides
from artdet.data.artworks.answers import Rule
from artdet.data.artworks.collection import Artworks, known
from artdet.data.artworks.label_source import load_table, task_yaml
from artdet.data.artworks.label_table import LabelTable
from artdet.data.artworks.settings import LEAST_IMAGES, TaskFile, TaskSource
from artdet.data.artworks.union import Union
from artdet.errors import ConfigError, InputError, MissingData
from artdet.tasks import Task

_SHOWN = 6


def load_tasks(names: Sequence[str], *, sources: Sequence[str] = (), overrides: Sequence[str] = ()) -> Artworks:
    """Reads tasks with all their sources: the union of the images, and what is known of each.

    Sources whose data are not on this machine are left out with a note while a task has another one.

    Args:
        names: of shipped tasks, or their yaml files.
        sources: take only these, instead of those that the tasks name; a source that a task does not name has the
            task's column.
        overrides: ``key=value`` for all tasks, ``task.key=value`` for one.

    Raises:
        ConfigError: if a yaml is wrong.
        InputError: if a source or column is not there, a task has no labels, or a class has too few images.
        MissingData: if a task has no source on this machine.
    """
    files = _files(names, overrides)
    tables = _Tables()
    union = Union()
    tasks = tuple(_add(union, name, file, path.parent, sources, tables) for name, (file, path) in files.items())
    artworks = union.artworks(tasks)
    for task in tasks:
        if not known(task, artworks.targets[task.name]).any():
            raise InputError(
                f"Task {task.name}: none of its images has a label, or none is one of its classes. "
                f"Check 'column', 'values' and 'classes' in {files[task.name][1]}."
            )
    return artworks


def read_task(name: str, overrides: Sequence[str] = ()) -> tuple[TaskFile, Path]:
    """The checked file of a task, and where it lies.

    Raises:
        ConfigError: if it is not there or wrong.
    """
    path = task_yaml(name)
    return validated(TaskFile, with_overrides(read_yaml(path), overrides), where=str(path)), path


def _files(names: Sequence[str], overrides: Sequence[str]) -> dict[str, tuple[TaskFile, Path]]:
    if not names:
        raise ConfigError("No task was named. Name one, such as genre.")
    paths = {task_yaml(name).stem: name for name in names}
    if len(paths) < len(set(names)):
        raise ConfigError(f"Two of the tasks {', '.join(names)} have the same name. Give one file another name.")
    own: dict[str, list[str]] = {name: [] for name in paths}
    for override in overrides:
        first, _, rest = override.partition(".")
        if first in own and "=" in rest:
            own[first].append(rest)
        else:
            for entries in own.values():
                entries.append(override)
    return {name: read_task(given, own[name]) for name, given in paths.items()}


class _Tables:
    """Tables of sources, each read once."""

    def __init__(self) -> None:
        self._read: dict[tuple[str, Path], LabelTable | MissingData] = {}

    def get(self, source: str, beside: Path) -> LabelTable | MissingData:
        key = (source, beside)
        if key not in self._read:
            try:
                self._read[key] = load_table(source, beside=beside)
            except MissingData as error:
                self._read[key] = error
        return self._read[key]


def _add(union: Union, name: str, file: TaskFile, beside: Path, sources: Sequence[str], tables: _Tables) -> Task:
    """Adds one task with its sources to the union."""
    absent: list[MissingData] = []
    found = False
    for entry in _chosen(file, sources):
        table = tables.get(entry.source, beside)
        if isinstance(table, MissingData):
            absent.append(table)
            continue
        found = True
        union.say(table.notes)
        union.add(table, Rule.of(file, entry, name, file.classes))
    if not found:
        raise absent[0]
    union.say(f"{name}: left out the source {error.source}, whose data are not on this machine" for error in absent)
    if file.kind != "labels":
        union.settle(name)
    classes = () if file.kind == "number" else _classes(union, name, file)
    return Task(name=name, kind=file.kind, classes=classes, tolerance=file.tolerance)


def _chosen(file: TaskFile, sources: Sequence[str]) -> list[TaskSource]:
    if not sources:
        return list(file.sources)
    chosen = []
    for source in sources:
        listed = [entry for entry in file.sources if entry.source == source]
        chosen += listed or [TaskSource(source=source)]
    return chosen


def _classes(union: Union, name: str, file: TaskFile) -> tuple[str, ...]:
    """The classes of a task, each with enough images."""
    counts = union.counts(name)
    if not counts:
        raise InputError(
            f"Task {name}: none of its images has a label, or none is one of its classes. "
            "Check 'column', 'values' and 'classes' of the task."
        )
    if file.min_images is not None:
        return _frequent(union, name, counts, file.min_images)
    classes = file.classes or tuple(sorted(counts))
    if few := [label for label in classes if counts[label] < LEAST_IMAGES]:
        said = ", ".join(f"'{label}' ({counts[label]})" for label in few[:_SHOWN])
        more = f" and {len(few) - _SHOWN} more" if len(few) > _SHOWN else ""
        remedy = (
            "Take it out of 'classes'"
            if file.classes
            else f"Set min_images: {LEAST_IMAGES} in the task to leave it out"
        )
        raise InputError(
            f"Task {name}: a class needs at least {LEAST_IMAGES} images, to train, validate and test with, but these "
            f"have fewer: {said}{more}. {remedy}, or add images of it."
        )
    if len(classes) < 2:
        raise InputError(f"Task {name}: has only the class '{classes[0]}'. It needs two or more to tell apart.")
    return classes


def _frequent(union: Union, name: str, counts: Mapping[str, int], least: int) -> tuple[str, ...]:
    classes = tuple(sorted(label for label, count in counts.items() if count >= least))
    if len(classes) < 2:
        most = ", ".join(f"'{label}' ({count})" for label, count in sorted(counts.items(), key=lambda c: -c[1])[:2])
        raise InputError(
            f"Task {name}: min_images {least} leaves {len(classes)} of {len(counts)} classes; the largest are {most}. "
            "Set a lower min_images."
        )
    if rest := [label for label in counts if label not in classes]:
        images = sum(counts[label] for label in rest)
        said = f"{name}: {len(rest)} classes with fewer than {least} images are unknown ({images} images)"
        union.say([f"{said}; {len(classes)} stay"])
    return classes
