"""The result as text for a terminal: plain columns that also read well in a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from artdet.evaluate.results import Difference, Estimate, LevelResult, Report, Row, RunResult
from artdet.metrics.levels import Level

METRICS = {"ap50": "AP50", "ap75": "AP75", "ap": "AP"}
"""Field of ``Row`` -> what tables call it."""

_NONE = "-"
_Line = Sequence[str]


def text(report: Report) -> str:
    """All tables: each run by itself, then the runs side by side."""
    boxes = max((level.overall.truths for run in report.runs for level in run.levels.values()), default=0)
    parts = [f"{report.truth}: {report.images:,} images, {boxes:,} true boxes"]
    for run in report.runs:
        for level, result in run.levels.items():
            parts += list(_of_run(run, level, result, several=len(report.runs) > 1))
    parts += list(_comparisons(report))
    if report.bootstrap:
        parts.append(f"[low, high]: 95 % interval, bootstrap of {report.bootstrap:,} resamples of the images")
    return "\n\n".join(parts)


def _of_run(run: RunResult, level: Level, result: LevelResult, *, several: bool) -> Iterator[str]:
    name = f"{run.name}{f' ({run.settings})' if run.settings else ''}, " if several else ""
    absent = [row.name for row in result.classes if not row.truths and not row.found]
    rest = f"\nneither true nor found: {', '.join(absent)}" if absent else ""
    yield f"{name}{level}\n" + aligned([_HEAD, *_rows(result)]) + rest
    for field, rows in result.by.items():
        head = (field, "images", "boxes", "found", *METRICS.values())
        lines = [
            (row.name, f"{row.images:,}", f"{row.truths:,}", f"{row.found:,}", *(_estimate(e) for e in _main(row)))
            for row in rows
        ]
        yield f"{name}{level}, by {field}\n" + aligned([head, *lines])
    errors = ", ".join(f"{error.name} {error.cost * 100:.1f}" for error in result.errors)
    yield f"{name}{level}: points of AP50 that each kind of error costs\n{errors}"


_HEAD = (
    "",
    "boxes",
    "found",
    *METRICS.values(),
    "AP50 VOC",
    "small",
    "medium",
    "large",
    "AR100",
    "F1",
    "at score",
    "ECE",
)


def _rows(result: LevelResult) -> Iterator[_Line]:
    yield _row("all", result.overall)
    for row in result.categories:
        yield _row(f"{row.name}, mean", row)
    for row in result.classes:
        if row.truths or row.found:
            yield _row(f"  {row.name}", row)


def _row(name: str, row: Row) -> _Line:
    plain = (row.ap50_voc, row.ap_small, row.ap_medium, row.ap_large, row.ar100, row.best_f1, row.best_score, row.ece)
    counts = (f"{row.truths:,}", f"{row.found:,}")
    return (name, *counts, *(_estimate(estimate) for estimate in _main(row)), *(_number(value) for value in plain))


def _main(row: Row) -> tuple[Estimate, ...]:
    return tuple(getattr(row, metric) for metric in METRICS)


def _comparisons(report: Report) -> Iterator[str]:
    """A table for each level, metric and later run: both figures and their difference."""
    groups: dict[tuple[Level, str, str], list[Difference]] = {}
    for difference in report.differences:
        groups.setdefault((difference.level, difference.second, difference.metric), []).append(difference)
    runs = {run.name: run for run in report.runs}
    for (level, second, metric), differences in groups.items():
        first = differences[0].first
        sides = [_by_group(runs[name].levels[level]) for name in (first, second)]
        lines = [
            (d.group, *(_estimate(getattr(side[d.group], metric)) for side in sides), _difference(d.estimate))
            for d in differences
        ]
        yield f"{level}, {METRICS[metric]}\n" + aligned([("", first, second, "difference"), *lines])
    if groups:
        yield "*: the interval of the difference leaves out 0"


def _by_group(result: LevelResult) -> dict[str, Row]:
    return {"all": result.overall} | {row.name: row for row in result.classes}


def _number(value: float | None) -> str:
    return _NONE if value is None else f"{value:.3f}"


def _estimate(estimate: Estimate) -> str:
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return _number(estimate.value)
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def _difference(estimate: Estimate) -> str:
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return _NONE if estimate.value is None else f"{estimate.value:+.3f}"
    mark = " *" if estimate.low > 0 or estimate.high < 0 else ""
    return f"{estimate.value:+.3f} [{estimate.low:+.3f}, {estimate.high:+.3f}]{mark}"


def aligned(lines: Iterable[_Line]) -> str:
    """Columns, the first to the left, the others to the right.

    >>> print(aligned([("", "boxes"), ("persons", "7")]))
             boxes
    persons      7
    """
    table = [tuple(line) for line in lines]
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in table
    )
