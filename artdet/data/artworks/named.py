"""Artworks by whatever a user names on the command line: a task, a source of labels, or a folder of images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from artdet.data.artworks.collection import Artworks
from artdet.data.artworks.label_source import load_table, shipped_label_sources, shipped_tasks
from artdet.data.artworks.task_file import load_tasks
from artdet.errors import InputError, did_you_mean
from artdet.images.finder import find_images


@dataclass(frozen=True, eq=False)
class Named:
    """Images and, of a task, their answers.

    Attributes:
        name: as given.
        paths: of the images.
        names: of the images, for people.
        artworks: of a task.
        notes: what was odd, a sentence each.
    """

    name: str
    paths: tuple[Path, ...]
    names: tuple[str, ...]
    artworks: Artworks | None = None
    notes: tuple[str, ...] = ()


def named(name: str) -> Named:
    """Finds the images that a name means: a shipped task, a shipped source of labels, a yaml of either, or a folder.

    Raises:
        InputError: if it means nothing, or the data are not as it says.
        ConfigError: if its yaml is wrong.
    """
    if name in shipped_tasks() or (_is_yaml(name) and _is_task(name)):
        artworks = load_tasks([name])
        return Named(name, artworks.paths, artworks.names, artworks, artworks.notes)
    if name in shipped_label_sources() or _is_yaml(name) or Path(name).suffix.lower() in (".csv", ".tsv"):
        table = load_table(name)
        files = sorted(table.values)
        paths = tuple(table.root / file for file in files)
        return Named(name, paths, tuple(f"{table.name}/{file}" for file in files), None, table.notes)
    if not Path(name).exists():
        known = {**shipped_tasks(), **shipped_label_sources()}
        raise InputError(f"There is no folder, task or source of labels '{name}'.{did_you_mean(name, known)}")
    found = find_images([name], recursive=True)
    return Named(name, tuple(found.root / file for file in found.files), found.files)


def _is_yaml(name: str) -> bool:
    return Path(name).suffix.lower() in (".yaml", ".yml")


def _is_task(name: str) -> bool:
    from artdet.config import read_yaml

    content = read_yaml(Path(name))
    return isinstance(content, dict) and "sources" in content
