"""How the text in a column becomes an answer to a task."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from artdet.data.artworks.label_table import LabelTable, names_of, plain_name
from artdet.data.artworks.settings import TaskFile, TaskSource
from artdet.tasks import Kind, Task

Answer = frozenset[str] | frozenset[float]
"""Classes (more than one contradict each other for ``label``), or numbers."""

_YEAR = r"(?<!\d)(1\d{3}|20\d{2})(?!\d)"
_YEARS = re.compile(rf"{_YEAR}(?:\s*(?:[-\u2013/]|to|or)\s*(?:(1\d{{3}}|20\d{{2}})|(\d{{1,2}}))(?!\d))?")


@dataclass(frozen=True)
class Rule:
    """What of a source answers a task.

    Attributes:
        task: its name.
        kind: of it.
        column: of the source.
        classes: of the task, where they are settled: other values are unknown.
        values: see :class:`artdet.data.artworks.settings.Answers`.
        find: likewise.
        value: see :class:`artdet.data.artworks.settings.TaskSource`.
        where: likewise.
        transform: likewise.
        separator: between the values of a cell, for ``labels``.
    """

    task: str
    kind: Kind
    column: str
    classes: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    find: Mapping[str, str] = field(default_factory=dict)
    value: str | None = None
    where: Mapping[str, str] = field(default_factory=dict)
    transform: str | None = None
    separator: str = ";"

    @classmethod
    def of(cls, file: TaskFile, source: TaskSource, task: str, classes: tuple[str, ...]) -> Rule:
        """The rule of one source of a task's file."""
        return cls(
            task,
            file.kind,
            source.column or file.column or task,
            classes,
            {**file.values, **source.values},
            source.find or file.find,
            source.value,
            source.where,
            source.transform,
            file.separator,
        )

    @classmethod
    def plain(cls, task: Task, column: str, file: TaskFile | None = None) -> Rule:
        """The rule of a source that the task's file does not list."""
        if file is None:
            return cls(task.name, task.kind, column, task.classes)
        return cls(task.name, task.kind, column, task.classes, file.values, file.find, separator=file.separator)

    def on(self, column: str) -> Rule:
        """The same with another column."""
        return replace(self, column=column)


def answers(table: LabelTable, rule: Rule) -> tuple[dict[str, Answer | None], list[str]]:
    """File -> its answer, for all that ``where`` lets through; ``None`` where nobody knows one.

    Raises:
        InputError: if there is no such column.
    """
    for column in rule.where:
        table.check_column(column)
    if rule.value is None:
        table.check_column(rule.column)
    reader = _Reader(rule)
    found = {
        file: frozenset({rule.value}) if rule.value is not None else reader.read(cells.get(rule.column, ()))
        for file, cells in table.values.items()
        if all(_matches(cells.get(column, ()), text) for column, text in rule.where.items())
    }
    notes = []
    if reader.strange:
        names = names_of([f"'{value}'" for value, _ in reader.strange.most_common()])
        what = "that cannot be read as a number" if rule.kind == "number" else "that are none of its classes"
        where = f"{table.name}, column {rule.column}"
        notes.append(f"{rule.task}: {reader.strange.total()} values of {where} {what}, taken as unknown ({names})")
    return found, notes


def number_in(text: str) -> float | None:
    """The number that a text says; of a span of years its middle; ``None`` where it says none.

    >>> number_in("1671"), number_in("c. 1875\u201380"), number_in("1690/95"), number_in("early"), number_in("-300")
    (1671.0, 1877.5, 1692.5, None, -300.0)
    """
    try:
        value = float(text)
    except ValueError:
        found = _YEARS.search(text)
        if found is None:
            return None
        first = int(found[1])
        last = int(found[2]) if found[2] else first
        if found[3]:
            scale = int(10 ** len(found[3]))
            last = first - first % scale + int(found[3])
        return (first + last) / 2 if last >= first else float(first)
    return value if math.isfinite(value) else None


class _Reader:
    """Reads cells; counts what it cannot read."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._spelling = {plain_name(name): name for name in rule.classes}
        self._find = {name: re.compile(text, re.IGNORECASE) for name, text in rule.find.items()}
        self.strange: Counter[str] = Counter()

    def read(self, cells: tuple[str, ...]) -> Answer | None:
        if self._rule.kind == "number":
            return self._numbers(cells) or None
        if not cells:
            return None
        if self._rule.kind == "labels":
            return self._labels(cells)
        classes = [self._label(cell) for cell in cells]
        return frozenset(name for name in classes if name is not None) or None

    def _numbers(self, cells: tuple[str, ...]) -> frozenset[float]:
        found = set()
        for cell in cells:
            value = number_in(self._rule.values.get(cell, cell))
            if value is None:
                self.strange[cell] += 1
            else:
                found.add(value)
        return frozenset(found)

    def _label(self, cell: str) -> str | None:
        if cell in self._rule.values:
            name: str | None = self._rule.values[cell]
        elif self._find:
            name = next((name for name, text in self._find.items() if text.search(cell)), None)
        else:
            name = self._spelling.get(plain_name(cell), cell)
        if name is None or (self._rule.classes and name not in self._rule.classes):
            self.strange[cell] += 1
            return None
        return name

    def _labels(self, cells: tuple[str, ...]) -> frozenset[str]:
        """All that are in any of the cells; what a closed list does not have is no class of it, not unknown."""
        if self._find:
            return frozenset(name for name, text in self._find.items() if any(text.search(cell) for cell in cells))
        parts = [part.strip() for cell in cells for part in cell.split(self._rule.separator)]
        names = [self._rule.values.get(part, self._spelling.get(plain_name(part), part)) for part in parts if part]
        known = frozenset(name for name in names if not self._rule.classes or name in self._rule.classes)
        self.strange.update(name for name in names if name not in known)
        return known


def _matches(cells: tuple[str, ...], text: str) -> bool:
    return any(re.fullmatch(text, cell) for cell in cells or ("",))
