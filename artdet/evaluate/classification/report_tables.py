"""The report's tables as plain cells: what stands where, before it becomes HTML."""

from __future__ import annotations

import numpy as np

from artdet.evaluate.classification.measuring import ALL
from artdet.evaluate.classification.results import ClassRow, Difference, Report, TaskResult
from artdet.evaluate.classification.words import figure_text, interval_text, judged, shown_figures, title_of
from artdet.evaluate.report_tables import MARKS, Cell, Compared, Matrix, MatrixCell, Table, TableRow, spot
from artdet.evaluate.report_words import NOTHING, signed
from artdet.evaluate.results import Estimate

MOST_IN_MATRIX = 30
"""Classes that a matrix shows; of more, those with the most mistakes."""


def classes(task: TaskResult) -> Table:
    """A row of figures for each class, its F1 also drawn; the most frequent first."""
    heads = ("F1", "Precision", "Recall", "AP", "Images", "Found")
    rows = sorted(task.classes, key=lambda row: -row.images)
    return Table("Class", heads, tuple(TableRow(row.name, "", _cells(row), spot(row.f1)) for row in rows), "F1, 0 to 1")


def side_by_side(report: Report, task: str) -> Table:
    """The figures of every run on one task."""
    results = {run.name: each for run in report.runs for each in run.tasks if each.task == task}
    names = shown_figures(next(iter(results.values())))
    rows = [
        TableRow(run, "", (*(cell(name, result.figures[name]) for name in names), Cell(f"{result.images:,}")))
        for run, result in results.items()
    ]
    first = next(iter(results.values()))
    return Table("Run", (*(title_of(name, first) for name in names), "Images"), tuple(rows))


def differences(report: Report, task: str) -> tuple[Compared, ...]:
    """For each later run its differences from the first: all figures, and the F1 of each class."""
    made = []
    for run in report.runs[1:]:
        here = [each for each in report.differences if (each.second, each.task) == (run.name, task)]
        result = next((each for each in run.tasks if each.task == task), None)
        if not here or result is None:
            continue
        shown = shown_figures(result)
        rows = [
            TableRow(
                title_of(each.metric, result) if each.group == ALL else f"{each.group}, F1", "", (_difference(each),)
            )
            for each in here
            if each.group != ALL or each.metric in shown
        ]
        title = f"{run.name} minus {here[0].first}"
        made.append(Compared(title, Table("Figure", ("Difference",), tuple(rows))))
    return tuple(made)


def matrix(task: TaskResult) -> Matrix:
    """The confusion matrix as it is shown: each row adds up to 1, together with what is not shown."""
    counts = np.array(task.confusion, dtype=np.int64)
    names = [row.name for row in task.classes]
    content = counts.sum(axis=0) + counts.sum(axis=1)
    wrong = content - 2 * np.diag(counts)
    chosen = np.flatnonzero(content)
    if len(chosen) > MOST_IN_MATRIX:
        chosen = np.sort(chosen[np.argsort(-wrong[chosen], kind="stable")[:MOST_IN_MATRIX]])
    whole = np.maximum(counts.sum(axis=1), 1)
    rows = tuple(
        tuple(MatrixCell(int(counts[i, j]), float(counts[i, j] / whole[i])) for j in chosen.tolist())
        for i in chosen.tolist()
    )
    left_out = tuple(name for place, name in enumerate(names) if place not in set(chosen.tolist()))
    return Matrix(tuple(names[i] for i in chosen.tolist()), rows, 0.0, left_out)


def cell(name: str, estimate: Estimate) -> Cell:
    """A figure with its interval in small print."""
    return Cell(figure_text(name, estimate.value), interval_text(name, estimate), estimate.value)


def _cells(row: ClassRow) -> tuple[Cell, ...]:
    figures = (row.f1, row.precision, row.recall, row.ap)
    counts = (row.images, row.found)
    return (*(cell("f1", each) for each in figures), *(Cell(f"{number:,}", value=number) for number in counts))


def _difference(difference: Difference) -> Cell:
    estimate = difference.estimate
    if estimate.value is None:
        return Cell(NOTHING)
    kind, words = judged(difference)
    digits = 1 if difference.metric == "mae" else 3
    span = ""
    if estimate.low is not None and estimate.high is not None:
        span = f"{signed(estimate.low, digits)} to {signed(estimate.high, digits)}"
    return Cell(signed(estimate.value, digits), span, estimate.value, kind, MARKS[kind], words)
