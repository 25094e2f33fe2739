"""The result as text for a terminal: plain columns that also read well in a file."""

from __future__ import annotations

from collections.abc import Iterator

from artdet.evaluate.classification.measuring import ALL
from artdet.evaluate.classification.results import Difference, Report, RunResult, TaskResult
from artdet.evaluate.classification.words import figure_text, shown_figures, title_of
from artdet.evaluate.results import Estimate
from artdet.evaluate.tables import aligned

_MIXUPS = 5


def text(report: Report) -> str:
    """All tables: each run by itself, then the runs side by side."""
    part = f", {report.part} part" if report.part else ""
    parts = [f"{report.truth}{part}: {report.images:,} images"]
    for run in report.runs:
        parts += list(_of_run(run, several=len(report.runs) > 1))
    parts += list(_comparisons(report))
    if report.bootstrap:
        parts.append(f"[low, high]: 95 % interval, bootstrap of {report.bootstrap:,} resamples of the images")
    return "\n\n".join(parts)


def _of_run(run: RunResult, *, several: bool) -> Iterator[str]:
    name = f"{run.name}, " if several else ""
    for task in run.tasks:
        known = f"{task.images:,} images" + (f", {task.unknown:,} without an answer" if task.unknown else "")
        lines = [("", "")] + [(title_of(key, task), estimate(key, task.figures[key])) for key in shown_figures(task)]
        if task.reliability and task.reliability.ece is not None:
            lines.append(("ECE", f"{task.reliability.ece:.3f}"))
        yield f"{name}{task.task} ({known})\n" + aligned(lines[1:])
        if task.classes:
            yield aligned(_classes(task))
        if task.mixups:
            told = (f"{each.title} {each.count:,}" for each in task.mixups[:_MIXUPS])
            yield f"most frequent mistakes of {task.task}: {'; '.join(told)}"


def _classes(task: TaskResult) -> Iterator[tuple[str, ...]]:
    yield (task.task, "images", "found", "precision", "recall", "F1", "AP")
    for row in task.classes:
        figures = (row.precision, row.recall, row.f1)
        plain = "-" if row.ap.value is None else f"{row.ap.value:.3f}"
        yield (row.name, f"{row.images:,}", f"{row.found:,}", *(estimate("f1", each) for each in figures), plain)


def _comparisons(report: Report) -> Iterator[str]:
    """A table for each later run and task: both figures and their difference."""
    groups: dict[tuple[str, str], list[Difference]] = {}
    for difference in report.differences:
        groups.setdefault((difference.second, difference.task), []).append(difference)
    runs = {run.name: {task.task: task for task in run.tasks} for run in report.runs}
    for (second, task), differences in groups.items():
        sides = [runs[name][task] for name in (differences[0].first, second)]
        lines: list[tuple[str, ...]] = [("", differences[0].first, second, "difference")]
        for each in differences:
            if each.group == ALL and each.metric not in shown_figures(sides[1]):
                continue
            title = title_of(each.metric, sides[1]) if each.group == ALL else f"  {each.group}, F1"
            lines.append((title, *(_side(side, each) for side in sides), _difference(each)))
        yield f"{task}\n" + aligned(lines)
    if groups:
        yield "*: the interval of the difference leaves out 0"


def _side(task: TaskResult, difference: Difference) -> str:
    if difference.group == ALL:
        return estimate(difference.metric, task.figures[difference.metric])
    return estimate("f1", next(row.f1 for row in task.classes if row.name == difference.group))


def estimate(name: str, value: Estimate) -> str:
    """A figure and its interval.

    >>> estimate("accuracy", Estimate(0.5, 0.4, 0.6)), estimate("mae", Estimate(None))
    ('0.500 [0.400, 0.600]', '-')
    """
    if value.value is None:
        return "-"
    middle = figure_text(name, value.value).replace("\u2212", "-")
    if value.low is None or value.high is None:
        return middle
    low, high = (figure_text(name, each).replace("\u2212", "-") for each in (value.low, value.high))
    return f"{middle} [{low}, {high}]"


def _difference(difference: Difference) -> str:
    value = difference.estimate
    digits = 1 if difference.metric == "mae" else 3
    if value.value is None or value.low is None or value.high is None:
        return "-" if value.value is None else f"{value.value:+.{digits}f}"
    mark = " *" if value.low > 0 or value.high < 0 else ""
    return f"{value.value:+.{digits}f} [{value.low:+.{digits}f}, {value.high:+.{digits}f}]{mark}"
