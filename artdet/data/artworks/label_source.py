"""From what a user names (a source's yaml, a shipped one, a table or a folder) to its labels."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from artdet.config import find_yaml, read_yaml, validated, yaml_names
from artdet.data.artworks.answers import Rule
from artdet.data.artworks.collection import Artworks
from artdet.data.artworks.label_table import FOLDER_COLUMN, LabelTable, plain_name, read_table, tables_in
from artdet.data.artworks.settings import LabelFormat, LabelSource, TaskFile
from artdet.data.artworks.union import Union
from artdet.data.sources import DATA_VARIABLE, data_folder, data_place
from artdet.errors import InputError, MissingData, did_you_mean
from artdet.resources import shipped
from artdet.tasks import Task

_YAML = (".yaml", ".yml")
_TABLES = (".csv", ".tsv")


def load_artworks(source: str, tasks: Sequence[Task]) -> Artworks:
    """Reads a source with the answers to given tasks, for evaluation.

    How a column leads to the classes of a task says its shipped file where that lists the source; else the column has
    the task's name (of a folder of folders: their names are the values).

    Args:
        source: name of a shipped source of labels, its yaml, a CSV file, or a folder with one or of class folders.
        tasks: with their classes; values that are none of these are unknown, which is noted.

    Raises:
        InputError: if there is no such source, or it answers none of the tasks.
        ConfigError: if its yaml is wrong.
        MissingData: if its data are not on this machine.
    """
    table = load_table(source)
    union = Union()
    union.say(table.notes)
    for task in tasks:
        rules = _rules(task, table, source)
        if not rules:
            union.say([f"{table.name} has no column for the task {task.name}"])
        for rule in rules:
            union.add(table, rule)
    if not any(union.answers.values()):
        raise _no_answer(table, tasks, union)
    return union.artworks(tuple(tasks))


def _no_answer(table: LabelTable, tasks: Sequence[Task], union: Union) -> InputError:
    names = ", ".join(task.name for task in tasks)
    if not union.answers:
        return InputError(
            f"The source {table.name} answers none of the tasks {names}; its columns are {', '.join(table.columns)}. "
            "Give a column the name of a task and write its classes there."
        )
    strange = [note for note in union.notes if note.startswith(tuple(f"{name}: " for name in union.answers))]
    classes = next((", ".join(task.classes) for task in tasks if task.name in union.answers and task.classes), "")
    return InputError(
        f"The source {table.name} has no answer to {', '.join(union.answers)} that can be used"
        + (f" ({'; '.join(strange)})" if strange else "")
        + f". Write there what is known{f': {classes}' if classes else ''}."
    )


def load_table(source: str, *, beside: Path | None = None) -> LabelTable:
    """Reads a source as it stands.

    Args:
        source: as for :func:`load_artworks`.
        beside: a folder below which relative paths are looked for, too.

    Raises:
        InputError: as :func:`load_artworks`.
        ConfigError: likewise.
        MissingData: likewise.
    """
    settings, name = _settings(source, beside)
    return read_table(settings, name)


def shipped_label_sources() -> dict[str, Path]:
    """Name -> yaml of every source of labels that comes with artdet."""
    return _yamls("artworks")


def shipped_tasks() -> dict[str, Path]:
    """Name -> yaml of every task that comes with artdet."""
    return _yamls("tasks")


def task_yaml(name: str) -> Path:
    """The file of a task that a user names: a path, or the name of a shipped one.

    Raises:
        ConfigError: if there is none of that name.
    """
    return find_yaml(name, shipped("configs", "tasks"), kind="task")


def _yamls(kind: str) -> dict[str, Path]:
    folder = shipped("configs", kind)
    return {name: folder / f"{name}.yaml" for name in yaml_names(folder)}


def _settings(source: str, beside: Path | None) -> tuple[LabelSource, str]:
    """The settings of a source with an absolute ``path``, and its name."""
    known = shipped_label_sources()
    path = _place(source, beside)
    if path.suffix.lower() in _YAML and path.is_file():
        return _from_yaml(path), path.stem
    if source in known:
        return _from_yaml(known[source]), source
    if not path.exists():
        raise InputError(
            f"There is no source of labels '{source}': no file or folder of that name, and none that comes with artdet."
            f"{did_you_mean(source, known)}"
        )
    return LabelSource(format=_format(path), path=str(path)), path.stem if path.is_file() else path.name


def _place(source: str, beside: Path | None) -> Path:
    given = Path(source).expanduser()
    places = [Path(os.path.abspath(given))]
    if beside is not None:
        places.insert(0, Path(os.path.abspath(beside / given)))
    return next((place for place in places if place.exists()), places[-1])


def _format(path: Path) -> LabelFormat:
    if path.is_dir():
        return "csv" if len(tables_in(path)) == 1 else "folders"
    if path.suffix.lower() not in _TABLES:
        raise InputError(f"{path} is no source of labels. Name a CSV file, a folder of class folders, or a yaml.")
    return "csv"


def _from_yaml(path: Path) -> LabelSource:
    settings = validated(LabelSource, read_yaml(path), where=str(path))
    place = data_place(settings.path, path, origin=settings.origin)
    settings = settings.model_copy(update={"path": str(place)})
    images = settings.images
    if images is None or ((place.parent if place.is_file() else place) / images).exists():
        return settings
    # As with boxes: artdet has labels of its own of sets that are elsewhere.
    elsewhere = data_folder() / images
    if not elsewhere.exists():
        raise MissingData(
            f"The images of the source {path.stem} are not there: looked for {place / images} and {elsewhere}. "
            f"Set {DATA_VARIABLE} to the folder that has '{images}'.",
            source=path.stem,
            wanted=images,
            origin=settings.origin,
        )
    return settings.model_copy(update={"images": str(elsewhere)})


def _rules(task: Task, table: LabelTable, source: str) -> list[Rule]:
    yaml = shipped_tasks().get(task.name)
    if yaml is not None:
        file = validated(TaskFile, read_yaml(yaml), where=str(yaml))
        listed = [entry for entry in file.sources if entry.source in (source, table.name)]
        if listed:
            return [Rule.of(file, entry, task.name, task.classes) for entry in listed]
        plain = Rule.plain(task, file.column or task.name, file)
    else:
        plain = Rule.plain(task, task.name)
    if plain.column not in table.columns:
        plain = plain.on(_alike(plain.column, table) or _alike(task.name, table) or plain.column)
    if plain.column not in table.columns and table.columns == (FOLDER_COLUMN,):
        plain = plain.on(FOLDER_COLUMN)
    return [plain] if plain.column in table.columns else []


def _alike(column: str, table: LabelTable) -> str | None:
    """The first column of that name, whatever its case and punctuation."""
    return next((name for name in table.columns if plain_name(name) == plain_name(column)), None)
