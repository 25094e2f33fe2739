"""``report.html``: everything that an evaluation found out, in one file that needs nothing else."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from artdet.atomic import whole_file
from artdet.devices import cpu_threads
from artdet.errors import ImageError
from artdet.evaluate import charts
from artdet.evaluate.page import page_environment, page_parts
from artdet.evaluate.pictures import Picture, Scene, nearest, picture
from artdet.evaluate.report_colours import PAPER, category_variables, shaded, variables
from artdet.evaluate.report_tables import Matrix, Table, differences, figures, matrix, side_by_side
from artdet.evaluate.report_words import ERRORS, GLOSSARY, count, figure, interval, run_title, share, summary
from artdet.evaluate.results import Curve, ErrorType, LevelResult, Mistake, Report, Row, RunResult
from artdet.taxonomy import Taxonomy

__all__ = ["Scene", "SceneOf", "write_report"]

SceneOf = Callable[[RunResult, Mistake], Scene | None]
"""Gives the image and the boxes around a mistake; ``None`` where the image is not at hand."""

_PICTURES, _LARGEST, _SMALLEST = 48, 480, 240
"""Up to so many pictures have their longer side at the largest; more of them are smaller, so that the file is not."""
_BYTES = 1_800_000
"""Of all JPEGs together, as far as it can be had; in the page they take a third more."""


@dataclass(frozen=True)
class _Card:
    """One mistake as it is shown."""

    mistake: Mistake
    picture: Picture | None
    hint: str


@dataclass(frozen=True)
class _Gallery:
    """The mistakes of one kind, and what became of their pictures."""

    title: str
    cards: tuple[_Card, ...]
    missing: str


@dataclass(frozen=True)
class _CurveNote:
    """A curve in the legend: its name, a sample of the line, AP50, and the point of the best F1."""

    name: str
    sample: Markup
    ap50: str
    best: charts.Best | None


@dataclass(frozen=True)
class _ErrorBar:
    """One error type, with the length of its bar in percent of the longest."""

    error: ErrorType
    meaning: str
    width: float


@dataclass(frozen=True)
class _Section:
    """One run at one level."""

    anchor: str
    level: str
    result: LevelResult
    classes: Table
    categories: Table | None
    by: Mapping[str, Table]
    curves: Markup
    legend: tuple[_CurveNote, ...]
    not_drawn: tuple[_CurveNote, ...]
    reliability: Markup
    matrix: Matrix
    errors: tuple[_ErrorBar, ...]
    galleries: tuple[_Gallery, ...]


@dataclass(frozen=True)
class _Chapter:
    """One run."""

    anchor: str
    run: RunResult
    sections: tuple[_Section, ...]


def write_report(
    report: Report, path: Path, *, taxonomy: Taxonomy, scene: SceneOf | None = None, command: str = ""
) -> None:
    """Writes the report as one HTML file; the same report and images give the same bytes.

    Args:
        report: what was measured.
        path: of the file, whose folder must exist.
        taxonomy: for the colours of categories.
        scene: gives what the pictures of mistakes show; without it there are none, and the report says so.
        command: the command line, to be repeated by the reader.

    Raises:
        RunError: if the file cannot be written.
    """
    html = render(report, taxonomy=taxonomy, scene=scene, command=command)
    with whole_file(path) as stream:
        # A file name that is no valid text (Linux allows it) has no form in UTF-8.
        stream.write(html.encode("utf-8", "backslashreplace"))


def render(report: Report, *, taxonomy: Taxonomy, scene: SceneOf | None = None, command: str = "") -> str:
    """The text of the report; see :func:`write_report`."""
    environment = page_environment()
    environment.globals.update(count=count, figure=figure, interval=interval, run_title=run_title, share=share)
    levels = list(dict.fromkeys(level for run in report.runs for level in run.levels))
    html: str = environment.get_template("report.html.j2").render(
        report=report,
        command=command,
        levels=levels,
        summary=summary(report),
        side_by_side={level: side_by_side(report, level) for level in levels},
        differences={level: differences(report, level) for level in levels},
        chapters=_chapters(report, taxonomy, scene),
        glossary=GLOSSARY,
        colours={scheme: variables(taxonomy, paper) for scheme, paper in PAPER.items()},
        **page_parts(),
    )
    return html.lstrip()


def _chapters(report: Report, taxonomy: Taxonomy, scene: SceneOf | None) -> tuple[_Chapter, ...]:
    cards = _cards(report, taxonomy, scene)
    colours = category_variables(taxonomy)
    chapters = []
    for index, run in enumerate(report.runs, start=1):
        sections = tuple(
            _section(f"run{index}-{level}", result, colours, cards[index - 1, level])
            for level, result in run.levels.items()
        )
        chapters.append(_Chapter(f"run{index}", run, sections))
    return tuple(chapters)


def _section(anchor: str, result: LevelResult, colours: Mapping[str, str], cards: Sequence[_Card]) -> _Section:
    classes = sorted(result.curves, key=lambda curve: -_truths(result, curve.name))
    drawn = [curve for curve in classes if curve.recall][: charts.MOST_CURVES]
    shades = shaded([curve.name for curve in drawn], colours)
    lines = [charts.Line(curve, colour) for curve, colour in zip(drawn, shades, strict=True)]
    rest = [curve for curve in classes if curve not in drawn]
    label = f"{result.level} level, {anchor}"
    names = {row.name for row in result.classes}
    other = result.categories if {row.name for row in result.categories} != names else ()
    longest = max((error.cost for error in result.errors), default=0.0) or 1.0
    return _Section(
        anchor=anchor,
        level=result.level,
        result=result,
        classes=figures(result.classes, "Class" if result.level == "fine" else "Category", colours),
        categories=figures(other, "Category", colours) if other else None,
        by={field: figures(rows, field.capitalize(), brief=True) for field, rows in result.by.items()},
        curves=Markup(charts.precision_recall(lines, label=f"Precision over recall, {label}") if lines else ""),
        legend=tuple(_note(result, line.curve, charts.sample(i, line.colour)) for i, line in enumerate(lines)),
        not_drawn=tuple(_note(result, curve, "") for curve in rest),
        reliability=Markup(charts.reliability(result.reliability, label=f"Share of hits over score, {label}")),
        matrix=matrix(result.confusion),
        errors=tuple(
            _ErrorBar(error, ERRORS.get(error.name, ""), round(100 * max(error.cost, 0.0) / longest, 1))
            for error in result.errors
        ),
        galleries=tuple(
            _gallery(title, [card for card in cards if card.mistake.kind == kind])
            for kind, title in (("miss", "Worst misses"), ("false alarm", "Worst false alarms"))
        ),
    )


def _row(result: LevelResult, name: str) -> Row | None:
    return next((row for row in (*result.classes, *result.categories, result.overall) if row.name == name), None)


def _truths(result: LevelResult, name: str) -> int:
    row = _row(result, name)
    return row.truths if row else 0


def _note(result: LevelResult, curve: Curve, sample: str) -> _CurveNote:
    row = _row(result, curve.name)
    return _CurveNote(
        curve.name, Markup(sample), figure(row.ap50.value, 2) if row else figure(None), charts.best_point(curve)
    )


def _gallery(title: str, cards: Sequence[_Card]) -> _Gallery:
    without = Counter(card.hint for card in cards if card.picture is None)
    missing = ""
    if without:
        causes = ", ".join(f"{number:,} {cause}" for cause, number in sorted(without.items()))
        missing = f"{without.total():,} of {count(len(cards), 'picture')} cannot be shown: {causes}."
    return _Gallery(title, tuple(cards), missing)


def _cards(report: Report, taxonomy: Taxonomy, scene: SceneOf | None) -> dict[tuple[int, str], list[_Card]]:
    """Cards by run and level; pictures are made by several threads, ``scene`` is asked by this one."""
    keys, jobs = [], []
    for index, run in enumerate(report.runs):
        for level, result in run.levels.items():
            for mistake in result.mistakes:
                keys.append((index, level))
                jobs.append((mistake, scene(run, mistake) if scene else None))
    side = max(_SMALLEST, min(_LARGEST, round(_LARGEST * math.sqrt(_PICTURES / max(len(jobs), 1)))))
    limits = (side, _BYTES // max(len(jobs), 1))
    cards: dict[tuple[int, str], list[_Card]] = {
        (index, level): [] for index, run in enumerate(report.runs) for level in run.levels
    }
    with ThreadPoolExecutor(max(1, min(8, cpu_threads()))) as threads:
        made = threads.map(lambda job: _card(job[0], job[1], taxonomy, limits), jobs)
        for key, card in zip(keys, made, strict=True):
            cards[key].append(card)
    return cards


def _card(mistake: Mistake, scene: Scene | None, taxonomy: Taxonomy, limits: tuple[int, int]) -> _Card:
    """A card within ``limits`` (side in pixels, bytes); without a picture, ``hint`` is the reason."""
    if scene is None:
        return _Card(mistake, None, "not at hand")
    try:
        shown = picture(mistake, scene, taxonomy=taxonomy, side=limits[0], most_bytes=limits[1])
    except ImageError as error:
        return _Card(mistake, None, error.cause)
    near = nearest(mistake, scene)
    if near is None:
        return _Card(mistake, shown, "nothing found overlaps" if mistake.kind == "miss" else "nothing true overlaps")
    box, overlap = near
    what = f"found {box.label} {box.score:.2f}" if mistake.kind == "miss" else f"true {box.label}"
    return _Card(mistake, shown, f"nearest: {what} (IoU {overlap:.2f})")
