"""The report's tables as plain cells: what stands where, before it becomes HTML."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from artdet.evaluate.report_words import METRICS, NOTHING, figure, interval, run_title, signed, verdict
from artdet.evaluate.results import Confusion, Difference, Estimate, Report, Row

MARKS = {"better": "▲", "worse": "▼", "same": "≈", "unknown": ""}


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: what it says.
        small: below it, in small print; may be empty.
        value: to sort by; ``None`` comes last.
        kind: key of a mark: better, worse, same, unknown or nothing.
        mark: the sign of the mark.
        words: what the mark means.
    """

    text: str
    small: str = ""
    value: float | None = None
    kind: str = ""
    mark: str = ""
    words: str = ""


@dataclass(frozen=True)
class Spot:
    """A figure and its interval in percent of the width of a small plot."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class TableRow:
    """One row.

    Attributes:
        name: what the row is about.
        colour: CSS colour of a swatch, or nothing.
        cells: of the other columns.
        spot: a figure from 0 to 1 to be drawn, where the table does so.
    """

    name: str
    colour: str
    cells: tuple[Cell, ...]
    spot: Spot | None = None


@dataclass(frozen=True)
class Table:
    """A table: what its first column holds, the heads of the others, the rows, and the head of a small plot, if any."""

    corner: str
    heads: tuple[str, ...]
    rows: tuple[TableRow, ...]
    plot: str = ""


@dataclass(frozen=True)
class Compared:
    """The differences of one run from the first, at one level."""

    title: str
    table: Table


@dataclass(frozen=True)
class MatrixCell:
    """A count of the confusion matrix and its share of the row, 0 to 1."""

    count: int
    share: float


@dataclass(frozen=True)
class Matrix:
    """The confusion matrix without classes that have neither true nor found boxes.

    Attributes:
        names: of rows and columns; the last is background.
        rows: of cells; the last cell of the last row means nothing.
        min_score: predictions below it were left out.
        left_out: names of the classes without content.
    """

    names: tuple[str, ...]
    rows: tuple[tuple[MatrixCell, ...], ...]
    min_score: float
    left_out: tuple[str, ...]


def _number(value: int) -> Cell:
    return Cell(f"{value:,}", value=value)


def _figure(value: float | None, digits: int = 3) -> Cell:
    return Cell(figure(value, digits), value=value)


def _estimate(estimate: Estimate) -> Cell:
    return Cell(figure(estimate.value), interval(estimate), estimate.value)


_COLUMNS: tuple[tuple[str, Callable[[Row], Cell]], ...] = (
    ("AP50", lambda row: _estimate(row.ap50)),
    ("AP75", lambda row: _estimate(row.ap75)),
    ("AP", lambda row: _estimate(row.ap)),
    ("True boxes", lambda row: _number(row.truths)),
    ("Found", lambda row: _number(row.found)),
    ("Best F1", lambda row: _figure(row.best_f1)),
    ("at score", lambda row: _figure(row.best_score, 2)),
    ("Precision", lambda row: _figure(row.precision)),
    ("Recall", lambda row: _figure(row.recall)),
    ("ECE", lambda row: _figure(row.ece)),
    ("Images", lambda row: _number(row.images)),
    ("AP50 VOC", lambda row: _figure(row.ap50_voc)),
    ("AP small", lambda row: _figure(row.ap_small)),
    ("AP medium", lambda row: _figure(row.ap_medium)),
    ("AP large", lambda row: _figure(row.ap_large)),
    ("AR1", lambda row: _figure(row.ar1)),
    ("AR10", lambda row: _figure(row.ar10)),
    ("AR100", lambda row: _figure(row.ar100)),
)
_BRIEF = 11
"""So many columns suffice where rows are many."""


def figures(
    rows: Sequence[Row], corner: str, colours: Mapping[str, str] | None = None, *, brief: bool = False
) -> Table:
    """A row of figures for each group; columns without any figure are left out.

    Args:
        rows: the groups.
        corner: what the groups are.
        colours: group -> CSS colour.
        brief: fewer columns, and AP50 also drawn.
    """
    columns = _COLUMNS[:_BRIEF] if brief else _COLUMNS
    made = [[cell(row) for _, cell in columns] for row in rows]
    kept = [i for i in range(len(columns)) if any(cells[i].value is not None for cells in made)]
    return Table(
        corner,
        tuple(columns[i][0] for i in kept),
        tuple(
            TableRow(row.name, (colours or {}).get(row.name, ""), tuple(cells[i] for i in kept), spot(row.ap50))
            for row, cells in zip(rows, made, strict=True)
        ),
        plot="AP50 from 0 to 1" if brief else "",
    )


def spot(estimate: Estimate) -> Spot | None:
    """A figure to be drawn between 0 and 1; none where there is none."""
    if estimate.value is None:
        return None
    low = estimate.value if estimate.low is None else estimate.low
    high = estimate.value if estimate.high is None else estimate.high
    return Spot(*(round(100 * min(max(value, 0.0), 1.0), 1) for value in (estimate.value, low, high)))


def side_by_side(report: Report, level: str) -> Table:
    """The overall figures of every run at one level."""
    results = [(run_title(run), result) for run in report.runs for key, result in run.levels.items() if key == level]
    table = figures([result.overall for _, result in results], "Run")
    rows = zip(results, table.rows, strict=True)
    return Table(table.corner, table.heads, tuple(TableRow(title, "", row.cells) for (title, _), row in rows))


def differences(report: Report, level: str) -> tuple[Compared, ...]:
    """For each later run, its differences from the first: a row for each group, a column for each metric."""
    here = [each for each in report.differences if each.level == level]
    pairs = dict.fromkeys((each.first, each.second) for each in here)
    return tuple(
        Compared(f"{second} minus {first}", _compared([d for d in here if (d.first, d.second) == (first, second)]))
        for first, second in pairs
    )


def matrix(confusion: Confusion) -> Matrix:
    """The confusion matrix as it is shown: each row adds up to 1."""
    last = len(confusion.names) - 1
    columns = [sum(row[i] for row in confusion.counts) for i in range(last + 1)]
    kept = [i for i in range(last) if sum(confusion.counts[i]) or columns[i]] + ([last] if last >= 0 else [])
    rows = []
    for i in kept:
        counts = [confusion.counts[i][j] for j in kept]
        whole = sum(counts) or 1
        rows.append(tuple(MatrixCell(number, number / whole) for number in counts))
    left_out = tuple(confusion.names[i] for i in range(last) if i not in kept)
    return Matrix(tuple(confusion.names[i] for i in kept), tuple(rows), confusion.min_score, left_out)


def _compared(differences: Sequence[Difference]) -> Table:
    metrics = [key for key in METRICS if any(each.metric == key for each in differences)]
    metrics += sorted({each.metric for each in differences} - set(metrics))
    groups = sorted(dict.fromkeys(each.group for each in differences), key=lambda group: group != "all")
    by_key = {(each.group, each.metric): each for each in differences}
    rows = [
        TableRow(group, "", tuple(_difference(by_key.get((group, metric))) for metric in metrics)) for group in groups
    ]
    return Table("Class", tuple(METRICS.get(metric, metric) for metric in metrics), tuple(rows))


def _difference(difference: Difference | None) -> Cell:
    if difference is None:
        return Cell(NOTHING)
    kind, words = verdict(difference)
    estimate = difference.estimate
    span = ""
    if estimate.value is not None and estimate.low is not None and estimate.high is not None:
        span = f"{signed(estimate.low)} to {signed(estimate.high)}"
    return Cell(signed(estimate.value), span, estimate.value, kind, MARKS[kind], words)
