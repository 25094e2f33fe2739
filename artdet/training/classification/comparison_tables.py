"""Tables of comparisons: figures of the test images, their mean and deviation over seeds, and over other settings."""

from __future__ import annotations

import csv
import io
import itertools
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from artdet.tasks import Kind, Task
from artdet.training.classification.comparison import TASK, Entry

MAIN: Mapping[Kind, tuple[str, ...]] = {"label": ("accuracy",), "labels": ("map",), "number": ("mae", "within")}
"""Kind of task -> the figures that tables show; all others are in the CSV and JSON."""

_MISSING = "-"
_IN_OWN_UNIT = ("mae", "loss")


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Attributes:
        title: a line above it.
        header: names of the columns.
        rows: as many texts each.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def text(self) -> str:
        """As aligned Markdown, which is for eyes as well."""
        widths = [max(len(cell) for cell in column) for column in zip(self.header, *self.rows, strict=True)]
        lines = ["| " + " | ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)) + " |" for row in self._lines]
        lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
        return "\n".join([self.title, "", *lines])

    def as_json(self) -> dict[str, Any]:
        """As JSON: rows of texts by the names of their columns."""
        return {"title": self.title, "rows": [dict(zip(self.header, row, strict=True)) for row in self.rows]}

    @property
    def _lines(self) -> tuple[tuple[str, ...], ...]:
        return (self.header, *self.rows)


def tables(entries: Sequence[Entry], tasks: Sequence[Task]) -> list[Table]:
    """All tables of a comparison: of sets of tasks if it compares such, else one for each task and figure.

    Args:
        entries: of all combinations, in the order of the grid.
        tasks: of the images.
    """
    if not entries:
        return []
    if TASK in entries[0].variant.labels:
        return _tables_of_task_sets(entries, tasks)
    return [_grid_table(entries, task, figure) for task in tasks for figure in MAIN[task.kind]]


def percent(values: Sequence[float], figure: str) -> str:
    """Mean and sample standard deviation over seeds; in percent but for figures in their own unit.

    >>> percent([0.5, 0.52], "accuracy"), percent([41.25], "mae"), percent([], "accuracy")
    ('51.0 ± 1.4', '41.2', '-')
    """
    if not values:
        return _MISSING
    scaled = [value if figure in _IN_OWN_UNIT else 100 * value for value in values]
    deviation = f" ± {statistics.stdev(scaled):.1f}" if len(scaled) > 1 else ""
    return f"{statistics.fmean(scaled):.1f}{deviation}"


def unit(figure: str) -> str:
    """What the numbers of a figure are in, for titles."""
    return figure if figure in _IN_OWN_UNIT else f"{figure} in percent"


def csv_text(entries: Sequence[Entry]) -> str:
    """A row for each training: values, seed, seconds, best epoch, and all figures of validation and test images."""
    rows = [row for entry in entries for row in _csv_rows(entry)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    stream = io.StringIO()
    writer = csv.DictWriter(stream, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def entries_json(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """Entries as JSON."""
    return [
        {
            "name": entry.variant.name,
            "values": dict(entry.variant.labels),
            "repeats": entry.repeats,
            "results": [asdict(result) for result in entry.results],
        }
        for entry in entries
    ]


def _csv_rows(entry: Entry) -> list[dict[str, Any]]:
    rows = []
    for result in entry.results:
        row: dict[str, Any] = dict(entry.variant.labels)
        row |= {"name": entry.variant.name, "seed": result.seed, "seconds": round(result.seconds, 1)}
        row |= {"best_epoch": result.best, "failure": result.failure}
        for part, figures in (("validation", result.validation), ("test", result.test)):
            row |= {f"{part}.{task}.{name}": v for task, of in figures.items() for name, v in of.items()}
        rows.append(row)
    return rows


def _cell(entry: Entry | None, task: str, figure: str) -> str:
    if entry is None or not entry.results:
        return _MISSING
    if not entry.good:
        return "failed"
    text = percent(entry.test(task, figure), figure)
    return text if len(entry.good) == entry.repeats else f"{text} ({len(entry.good)} of {entry.repeats})"


def _grid_table(entries: Sequence[Entry], task: Task, figure: str) -> Table:
    """Rows are the values of the first key, columns the combinations of the others; margins over both."""
    keys = list(entries[0].variant.labels)
    by_place = {_place(entry): entry for entry in entries}
    rows, columns = (list(dict.fromkeys(place[side] for place in by_place)) for side in (0, 1))
    title = f"{task.name}: {unit(figure)} on the test images{_of_repeats(entries)}"
    corner = keys[0] if len(keys) == 1 else f"{keys[0]} \\ {', '.join(keys[1:])}" if keys else ""
    wide, tall = len(columns) > 1, len(rows) > 1
    lines = []
    for row in rows:
        found = [by_place.get((row, column)) for column in columns]
        lines.append((row or "recipe", *(_cell(e, task.name, figure) for e in found)))
        if wide:
            lines[-1] += _margin(found, task.name, figure)
    if tall:
        down = [_margin([by_place.get((row, column)) for row in rows], task.name, figure) for column in columns]
        corners = (_MISSING, _MISSING) if wide else ()
        lines += [(name, *(m[i] for m in down), *corners) for i, name in enumerate(("mean", "variance"))]
    header = (corner, *(column or unit(figure) for column in columns), *(("mean", "variance") if wide else ()))
    return Table(title, header, tuple(lines))


def _place(entry: Entry) -> tuple[str, str]:
    values = list(entry.variant.labels.values())
    return (values[0] if values else "", ", ".join(values[1:]))


def _margin(entries: Sequence[Entry | None], task: str, figure: str) -> tuple[str, str]:
    """Mean and sample variance over cells of their means over seeds; of a row that is whole only."""
    means = [statistics.fmean(found) for e in entries if e is not None and (found := e.test(task, figure))]
    if len(means) < max(len(entries), 2):
        return (_MISSING, _MISSING)
    scaled = [mean if figure in _IN_OWN_UNIT else 100 * mean for mean in means]
    return (f"{statistics.fmean(scaled):.1f}", f"{statistics.variance(scaled):.2f}")


def _of_repeats(entries: Sequence[Entry]) -> str:
    repeats = entries[0].repeats
    return f", mean ± standard deviation of {repeats} seeds" if repeats > 1 else ""


def _tables_of_task_sets(entries: Sequence[Entry], tasks: Sequence[Task]) -> list[Table]:
    """A table for each combination of the other keys."""

    def others(entry: Entry) -> tuple[str, ...]:
        return tuple(f"{key}={value}" for key, value in entry.variant.labels.items() if key != TASK)

    groups = itertools.groupby(sorted(entries, key=others), key=others)
    return [_task_set_table(list(group), tasks, " ".join(named)) for named, group in groups]


def _task_set_table(entries: Sequence[Entry], tasks: Sequence[Task], named: str) -> Table:
    """Rows are sets of tasks; below each set of several, the same tasks learnt one by one, and their seconds in sum."""
    columns = [(task.name, figure) for task in tasks for figure in MAIN[task.kind]]
    single = {entry.variant.tasks[0]: entry for entry in entries if len(entry.variant.tasks) == 1}
    rows = []
    for entry in entries:
        learnt = entry.variant.tasks
        rows.append((entry.variant.labels[TASK], *_row(columns, dict.fromkeys(learnt, entry)), _seconds([entry])))
        if len(learnt) > 1 and all(task in single for task in learnt):
            alone = {task: single[task] for task in learnt}
            rows.append(("  each by itself", *_row(columns, alone), _seconds(list(alone.values()))))
    title = f"Sets of tasks: figures on the test images{_of_repeats(entries)}" + (f" ({named})" if named else "")
    header = ("task", *(f"{task} {unit(figure)}" for task, figure in columns), "seconds of training")
    return Table(title, header, tuple(rows))


def _row(columns: Sequence[tuple[str, str]], entries: Mapping[str, Entry]) -> tuple[str, ...]:
    return tuple(_cell(entries[task], task, figure) if task in entries else "" for task, figure in columns)


def _seconds(entries: Sequence[Entry]) -> str:
    """Of a training, the mean over seeds; of several trainings in sum."""
    if not all(entry.seconds for entry in entries):
        return _MISSING
    return f"{sum(statistics.fmean(entry.seconds) for entry in entries):.0f}"
