"""Plain words of the tables and the report: every sentence is computed from the figures that it names."""

from __future__ import annotations

from collections.abc import Iterator

from artdet.evaluate.classification.results import ClassRow, Difference, Report, RunResult, TaskResult
from artdet.evaluate.report_words import count, figure, interval, share, signed, verdict
from artdet.evaluate.results import Estimate
from artdet.metrics.classification import LOWER_IS_BETTER

TITLES = {
    "accuracy": "Accuracy",
    "top3": "Top 3",
    "macro_f1": "Macro F1",
    "micro_f1": "Micro F1",
    "mcc": "Matthews",
    "map": "Mean AP",
    "loss": "Loss",
    "mae": "Mean error",
    "within": "Within",
    "f1": "F1",
}
"""Figure -> what tables call it."""
GLOSSARY = {
    "Accuracy": "The share of images whose likeliest class is the right one; of several labels, the share of images "
    "with all labels right.",
    "Top 3": "The share of images whose right class is among the three likeliest.",
    "Precision": "Of the images that were given a class, the share that has it.",
    "Recall": "Of the images that have a class, the share that was given it.",
    "F1": "One number for both, the harmonic mean of precision and recall. Macro F1 is its mean over the classes that "
    "have images, so that rare classes count as much as frequent ones; micro F1 counts every answer alike.",
    "Matthews": "Matthews' correlation of truth and answers (Gorodkin 2004): 1 is perfect, 0 is no better than "
    "guessing by the frequency of the classes.",
    "Mean AP": "The mean over the classes of average precision, the area under the precision-recall curve when all "
    "images are put in the order of their score for the class.",
    "Loss": "The mean of the negative logarithm of the probability that was given to the truth: 0 is perfect. Of a "
    "number it is the mean error.",
    "Mean error": "The mean distance of a number from the true one, in its own unit (mean absolute error).",
    "Within": "The share of numbers that are off by no more than the tolerance of the task.",
    "ECE": "Expected calibration error, the mean distance between the probabilities and the share of right answers: 0 "
    "means that of answers with probability 0.8, 8 of 10 are right.",
    "95 % interval": "A range, in square brackets or small print, found by resampling the images (bootstrap): measured "
    "on other images of the same kind, 95 of 100 such ranges would hold the true figure.",
    "–": "There is nothing to measure, such as the recall of a class without images.",
}
_FEW = 10
"""Images below which the F1 of a class is hardly more than chance."""
_CLEAR = 4


def figure_text(name: str, value: float | None) -> str:
    """A figure with the digits that suit it.

    >>> figure_text("accuracy", 0.61234), figure_text("mae", 61.234), figure_text("mae", None)
    ('0.612', '61.2', '–')
    """
    return figure(value, 1) if name == "mae" or (value is not None and abs(value) >= 10) else figure(value)


def interval_text(name: str, estimate: Estimate) -> str:
    """The 95 % interval, or an empty text."""
    return interval(estimate, 1 if name == "mae" or (estimate.value or 0) >= 10 else 2)


def title_of(name: str, task: TaskResult | None = None) -> str:
    """What a figure is called; ``Within 50`` where the task is known."""
    title = TITLES.get(name, name)
    return f"{title} {task.tolerance:g}" if task and name == "within" else title


def shown_figures(task: TaskResult) -> list[str]:
    """Names of the figures of a task, without those that repeat another."""
    same = {"number": ("loss",), "label": ("micro_f1",), "labels": ()}[task.kind]
    return [name for name in task.figures if name not in same]


def judged(difference: Difference) -> tuple[str, str]:
    """A key (``better``, ``worse``, ``same`` or ``unknown``) and its words; a lower loss is better."""
    kind, words = verdict(difference)  # type: ignore[arg-type]
    if difference.metric in LOWER_IS_BETTER:
        kind = {"better": "worse", "worse": "better"}.get(kind, kind)
    return kind, words


def summary(report: Report) -> list[tuple[str, list[str]]]:
    """Title and sentences for each run, and for each later run what changed."""
    several = len(report.runs) > 1
    parts = [
        (run.name if several else "", [text for task in run.tasks for text in _of_task(task)]) for run in report.runs
    ]
    for run in report.runs[1:]:
        here = [each for each in report.differences if each.second == run.name]
        parts.append((f"{run.name} beside {report.runs[0].name}", list(_of_differences(here, run))))
    return parts


def _of_task(task: TaskResult) -> Iterator[str]:
    where = f"{task.task}, {count(task.images, 'image')}: "
    if task.kind == "number":
        within, mae = task.figures["within"], task.figures["mae"]
        yield (
            f"{where}{share(within.value or 0)} are within {task.tolerance:g} ({_with_range('within', within)}); the "
            f"mean error is {_with_range('mae', mae)}."
        )
        return
    if task.kind == "label":
        accuracy, top3 = task.figures["accuracy"], task.figures["top3"]
        among = "" if top3.value is None else f", {share(top3.value)} have it among the three likeliest"
        yield (
            f"{where}{share(accuracy.value or 0)} are given the right one of {len(task.classes)} classes "
            f"({_with_range('accuracy', accuracy)}){among}."
        )
    else:
        measured_by = _with_range("map", task.figures["map"])
        yield f"{where}mean average precision over {len(task.classes)} classes is {measured_by}."
    measured = [row for row in task.classes if row.images >= _FEW and row.f1.value is not None]
    if len(measured) > 1:
        best, worst = max(measured, key=_f1), min(measured, key=_f1)
        yield (
            f"{task.task}: best is {best.name} (F1 {figure(_f1(best), 2)}), worst {worst.name} "
            f"(F1 {figure(_f1(worst), 2)})."
        )
    if task.mixups:
        most = task.mixups[0]
        part = f", {100 * most.share:.0f} % of them" if most.share is not None else ""
        yield f"{task.task}: the most frequent mistake is {most.title} ({count(most.count, 'image')}{part})."


def _of_differences(differences: list[Difference], run: RunResult) -> Iterator[str]:
    for task in run.tasks:
        name = {"label": "accuracy", "labels": "map", "number": "within"}[task.kind]
        here = [each for each in differences if each.task == task.task]
        main = next((each for each in here if (each.group, each.metric) == ("all", name)), None)
        if main is None:
            continue
        value = main.estimate.value or 0.0
        yield f"{task.task}: {title_of(name, task).lower()} changes by {signed(value)}: {judged(main)[1]}."
        clear = [each.group for each in here if each.metric == "f1" and judged(each)[0] in ("better", "worse")]
        if clear:
            more = f" and {len(clear) - _CLEAR} more" if len(clear) > _CLEAR else ""
            yield f"{task.task}: the F1 of single classes clearly changes for {', '.join(clear[:_CLEAR])}{more}."


def _f1(row: ClassRow) -> float:
    return row.f1.value or 0.0


def _with_range(name: str, estimate: Estimate) -> str:
    span = interval_text(name, estimate)
    return figure_text(name, estimate.value) + (f", {span}" if span else "")
