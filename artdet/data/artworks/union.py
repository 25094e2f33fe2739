"""Brings the images of all sources and tasks together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from artdet.data.artworks.answers import Answer, Rule, answers
from artdet.data.artworks.collection import UNKNOWN, Artworks, Targets
from artdet.data.artworks.label_table import LabelTable, names_of
from artdet.errors import InputError
from artdet.tasks import Task


@dataclass
class Union:
    """Images by name, and for each task what is known of them.

    Attributes:
        places: name -> path and group.
        answers: task -> name -> answer.
        notes: what was odd.
    """

    places: dict[str, tuple[Path, str]] = field(default_factory=dict)
    answers: dict[str, dict[str, Answer]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    _roots: dict[str, Path] = field(default_factory=dict)

    def say(self, notes: Iterable[str]) -> None:
        """Adds notes that are not there yet."""
        self.notes += [note for note in dict.fromkeys(notes) if note not in self.notes]

    def add(self, table: LabelTable, rule: Rule) -> None:
        """Adds the images of a source, and its answers to one task.

        Raises:
            InputError: if a column is not there, or another source has the same name.
        """
        if self._roots.setdefault(table.name, table.root) != table.root:
            raise InputError(
                f"Two sources are called {table.name}: {self._roots[table.name]} and {table.root}. "
                "Write a yaml for one of them; its name is the source's."
            )
        found, notes = answers(table, rule)
        self.say(notes)
        paths = {file: table.root / file for file in found}
        source = table.name
        if rule.transform is not None:
            paths, source = self._drawn(paths, table.name), f"{table.name}+{rule.transform}"
        known = self.answers.setdefault(rule.task, {})
        for file, path in paths.items():
            name = f"{source}/{file}"
            self.places[name] = (path, f"{table.name}/{table.groups[file]}")
            if (answer := found[file]) is not None:
                known[name] = known.get(name, frozenset()) | answer  # type: ignore[operator]

    def counts(self, task: str) -> Counter[str]:
        """Class -> its images; contradicting answers count for none."""
        kinds = self.answers.get(task, {}).values()
        return Counter(str(name) for answer in kinds for name in answer)

    def settle(self, task: str) -> None:
        """Takes contradicting answers to a task with one answer as unknown, and notes it."""
        known = self.answers.get(task, {})
        contradicting = sorted(name for name, answer in known.items() if len(answer) > 1)
        for name in contradicting:
            del known[name]
        if contradicting:
            self.say(
                [
                    f"{task}: {len(contradicting)} images have labels that contradict each other, taken as unknown "
                    f"({names_of(contradicting)})"
                ]
            )

    def artworks(self, tasks: tuple[Task, ...]) -> Artworks:
        """Everything, in the order of names."""
        for task in tasks:
            if task.kind != "labels":
                self.settle(task.name)
        names = tuple(sorted(self.places))
        targets = {task.name: _targets(task, names, self.answers.get(task.name, {})) for task in tasks}
        return Artworks(
            tasks,
            tuple(self.places[name][0] for name in names),
            names,
            tuple(self.places[name][1] for name in names),
            targets,
            tuple(self.notes),
        )

    def _drawn(self, paths: Mapping[str, Path], source: str) -> dict[str, Path]:
        from artdet.data.artworks.drawings import drawings

        made, failures = drawings(list(paths.values()))
        if failures:
            first = next(iter(failures))
            self.say(
                [f"{source}: {len(failures)} images cannot be read to draw them ({first.name}: {failures[first]})"]
            )
        return {file: made[path] for file, path in paths.items() if path in made}


def _targets(task: Task, names: Sequence[str], known: Mapping[str, Answer]) -> Targets:
    if task.kind == "number":
        return np.array([min(known[name]) if name in known else np.nan for name in names], dtype=np.float32)
    at = {name: index for index, name in enumerate(task.classes)}
    if task.kind == "label":
        first = (next(iter(known[name]), None) if name in known else None for name in names)
        return np.array([at.get(str(answer), UNKNOWN) for answer in first], dtype=np.int64)
    values = np.full((len(names), len(task.classes)), np.nan, dtype=np.float32)
    for place, name in enumerate(names):
        if name in known:
            values[place] = [float(label in known[name]) for label in task.classes]
    return values
