"""``report.html`` of labels: everything that an evaluation found out, in one file that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup
from PIL import Image

from artdet.atomic import whole_file
from artdet.devices import cpu_threads
from artdet.errors import ImageError
from artdet.evaluate import charts
from artdet.evaluate.classification.learning_curves import learning_curves
from artdet.evaluate.classification.report_tables import cell, classes, differences, matrix, side_by_side
from artdet.evaluate.classification.results import Course, Example, Mixup, Report, RunResult, TaskResult
from artdet.evaluate.classification.words import GLOSSARY, shown_figures, summary, title_of
from artdet.evaluate.page import page_environment, page_parts
from artdet.evaluate.pictures import Picture, jpeg_uri
from artdet.evaluate.report_tables import Cell, Matrix, Table
from artdet.evaluate.report_words import count, figure
from artdet.images.reader import read_image

_SIDE = 220
_BYTES = 3_000_000
"""Of all JPEGs together, as far as it can be had; in the page they take a third more."""


@dataclass(frozen=True)
class _Card:
    """One image: a mistake, or for comparison one that was recognised."""

    example: Example
    picture: Picture | None
    hint: str
    right: bool


@dataclass(frozen=True)
class _Row:
    """One kind of mistake with its pictures."""

    mixup: Mixup
    cards: tuple[_Card, ...]


@dataclass(frozen=True)
class _Section:
    """One run on one task."""

    anchor: str
    result: TaskResult
    tiles: tuple[tuple[str, Cell], ...]
    classes: Table | None
    matrix: Matrix | None
    reliability: Markup
    rows: tuple[_Row, ...]


@dataclass(frozen=True)
class _Chapter:
    """One run."""

    anchor: str
    run: RunResult
    sections: tuple[_Section, ...]
    figures: Markup
    losses: Markup


def write_report(report: Report, path: Path, *, command: str = "") -> None:
    """Writes the report as one HTML file; the same report and images give the same bytes.

    Args:
        report: what was measured.
        path: of the file, whose folder must exist.
        command: the command line, to be repeated by the reader.

    Raises:
        RunError: if the file cannot be written.
    """
    html = render(report, command=command)
    with whole_file(path) as stream:
        # A file name that is no valid text (Linux allows it) has no form in UTF-8.
        stream.write(html.encode("utf-8", "backslashreplace"))


def render(report: Report, *, command: str = "") -> str:
    """The text of the report; see :func:`write_report`."""
    environment = page_environment()
    environment.globals.update(count=count, figure=figure)
    tasks = list(dict.fromkeys(task.task for run in report.runs for task in run.tasks))
    html: str = environment.get_template("labels.html.j2").render(
        report=report,
        command=command,
        tasks=tasks,
        summary=summary(report),
        side_by_side={task: side_by_side(report, task) for task in tasks},
        differences={task: differences(report, task) for task in tasks},
        chapters=_chapters(report),
        glossary=GLOSSARY,
        **page_parts(),
    )
    return html.lstrip()


def _chapters(report: Report) -> tuple[_Chapter, ...]:
    pictures = _pictures(report)
    made = []
    for index, run in enumerate(report.runs, start=1):
        anchor = f"run{index}"
        sections = tuple(_section(f"{anchor}-{task.task}", task, pictures) for task in run.tasks)
        figures, losses = (
            Markup(learning_curves(courses, label=f"{up} over epochs, {anchor}", up=up))
            for up, courses in (("Figure on validation", _of(run, loss=False)), ("Loss", _of(run, loss=True)))
        )
        made.append(_Chapter(anchor, run, sections, figures, losses))
    return tuple(made)


def _of(run: RunResult, *, loss: bool) -> list[Course]:
    return [course for course in run.courses if course.name.startswith("loss") == loss]


def _section(anchor: str, task: TaskResult, pictures: Mapping[str, Picture | str]) -> _Section:
    chart = ""
    if task.reliability:
        label = f"Share of right answers over probability, {anchor}"
        chart = charts.reliability(task.reliability, label=label, hits="Share that is right", counted="Answers")
    return _Section(
        anchor=anchor,
        result=task,
        tiles=tuple((title_of(name, task), cell(name, task.figures[name])) for name in shown_figures(task)),
        classes=classes(task) if task.classes else None,
        matrix=matrix(task) if task.confusion else None,
        reliability=Markup(chart),
        rows=tuple(_Row(mixup, tuple(_cards(mixup, pictures))) for mixup in task.mixups),
    )


def _cards(mixup: Mixup, pictures: Mapping[str, Picture | str]) -> Iterable[_Card]:
    for examples, right in ((mixup.examples, False), (mixup.right, True)):
        for example in examples:
            made = pictures[example.path]
            yield _Card(example, None if isinstance(made, str) else made, made if isinstance(made, str) else "", right)


def _pictures(report: Report) -> dict[str, Picture | str]:
    """Path -> a small picture, or why there is none; several threads make them."""
    mixups = [mixup for run in report.runs for task in run.tasks for mixup in task.mixups]
    paths = list(dict.fromkeys(each.path for mixup in mixups for each in (*mixup.examples, *mixup.right)))
    most = _BYTES // max(len(paths), 1)
    with ThreadPoolExecutor(max(1, min(8, cpu_threads()))) as threads:
        return dict(zip(paths, threads.map(lambda path: _picture(path, most), paths), strict=True))


def _picture(path: str, most_bytes: int) -> Picture | str:
    try:
        pixels = read_image(Path(path), max_side=_SIDE).pixels
    except ImageError as error:
        return error.cause
    image = Image.fromarray(pixels)
    image.thumbnail((_SIDE, _SIDE))
    return Picture(jpeg_uri(image, most_bytes), (image.height, image.width))
