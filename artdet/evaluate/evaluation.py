"""From run folders and a truth to a ``Report``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artdet import __version__
from artdet.data.dataset import Dataset, Sample
from artdet.detections import Detections
from artdet.errors import InputError, LabelError, did_you_mean
from artdet.evaluate.alignment import Aligned, align, boxes_on
from artdet.evaluate.estimates import METRICS, Side, differences
from artdet.evaluate.levels import Images, level_result
from artdet.evaluate.measuring import measure
from artdet.evaluate.parallel import spread
from artdet.evaluate.results import Difference, LevelResult, Report, RunResult
from artdet.metrics.bootstrap import draw_resamples
from artdet.metrics.levels import LEVELS, Level, Levels
from artdet.runs import Record, Run, open_run
from artdet.taxonomy import Taxonomy

_WORTH = 10_000
"""Predictions from which on several processes are quicker than one."""


@dataclass(frozen=True)
class Request:
    """What the user asked for; the command line's options by their names.

    Attributes:
        runs: run folders; the later ones are compared with the first.
        level: ``fine``, ``coarse`` or ``both``.
        by: fields of the truth; figures are also given for the images of each of their values.
        bootstrap: resamples for the intervals, 0 for none.
        seed: of the resamples.
        min_score: predictions below it are left out.
    """

    runs: Sequence[Path]
    level: str = "both"
    by: Sequence[str] = ()
    bootstrap: int = 1000
    seed: int = 0
    min_score: float = 0.0


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A report and what it was made from.

    Attributes:
        report: all figures.
        truth: the truth.
        aligned: its images and the records of the runs, in the order of ``report.runs``.
        notes: of ``report.notes`` those that are not about the truth alone.
    """

    report: Report
    truth: Dataset
    aligned: Aligned
    notes: tuple[str, ...]


def evaluate(request: Request, truth: Dataset) -> Evaluation:
    """Measures runs against a truth.

    Raises:
        RunError: if a folder is no run.
        InputError: if runs and truth have no image in common, or a field is unknown.
        LabelError: if a run has labels that the truth's taxonomy does not know.
    """
    runs = [open_run(folder) for folder in request.runs]
    names = unique_names(request.runs)
    for run, name in zip(runs, names, strict=True):
        _check_classes(run, name, truth.taxonomy)
    aligned = align(runs, names, truth)
    groups = {field: _values(aligned.samples, field) for field in request.by}
    bench = _Bench(request, truth, aligned, groups)
    wanted, remark = bench.levels()
    tasks = [(place, level) for place in range(len(runs)) for level in wanted]
    outcomes = dict(zip(tasks, spread(bench.outcome, tasks, worth=bench.boxes > _WORTH), strict=True))
    results = tuple(
        RunResult(
            name=name,
            folder=str(run.folder.resolve()),
            root=str(run.root),
            ensemble=str(run.info.get("ensemble_name", "")),
            settings=settings,
            levels={level: outcomes[place, level].result for level in wanted},
        )
        for place, (run, name, settings) in enumerate(zip(runs, names, _settings(runs), strict=True))
    )
    report = Report(
        truth=truth.name,
        truth_root=str(truth.root),
        images=len(aligned.samples),
        notes=(*remark, *aligned.notes, *(f"{truth.name}: {finding}" for finding in truth.findings)),
        bootstrap=request.bootstrap,
        runs=results,
        differences=tuple(
            difference
            for place, name in enumerate(names[1:], start=1)
            for level in wanted
            for difference in bench.differences(level, (names[0], outcomes[0, level]), (name, outcomes[place, level]))
        ),
        versions={"artdet": __version__, "faster-coco-eval": version("faster-coco-eval")},
    )
    return Evaluation(report, truth, aligned, (*remark, *aligned.notes))


@dataclass(frozen=True, eq=False)
class _Outcome:
    """A run at a level: what is told, and what differences are made of."""

    result: LevelResult
    side: Side


class _Bench:
    """What all runs and levels share: the images, the classes and the resamples.

    Attributes:
        boxes: predictions of all runs.
    """

    def __init__(
        self, request: Request, truth: Dataset, aligned: Aligned, groups: Mapping[str, Mapping[str, NDArray[np.bool_]]]
    ) -> None:
        self._request, self._truth, self._aligned, self._groups = request, truth, aligned, groups
        self._levels = Levels(truth.taxonomy)
        self._found = [
            [self._boxes(record, sample) for record, sample in zip(records, aligned.samples, strict=True)]
            for records in aligned.records
        ]
        self.boxes = sum(len(boxes) for found in self._found for boxes in found)
        images = len(aligned.samples)
        # One draw for everything: figures of two runs are then of the same resampled images.
        self._weights = draw_resamples(images, request.bootstrap, seed=request.seed) if request.bootstrap else None

    def levels(self) -> tuple[tuple[Level, ...], tuple[str, ...]]:
        """Which levels are to be measured, and a remark where two were asked for and are the same.

        Raises:
            InputError: if the truth has no class to measure.
        """
        fine, coarse = (self._levels.classes(self._aligned.samples, level) for level in LEVELS)
        if not fine:
            raise InputError(
                f"{self._truth.name} has no class that was labelled wherever it appears, so nothing can be measured. "
                "Name such classes under `exhaustive` in the source's yaml, or another truth."
            )
        if self._request.level == "coarse" and not coarse:
            raise InputError(
                f"{self._truth.name} labels no category as a whole, so only classes can be measured. Use --level fine."
            )
        if self._request.level != "both":
            return tuple(level for level in LEVELS if level == self._request.level), ()
        if not coarse:
            return ("fine",), ("the truth labels no category as a whole, so there is no coarse level",)
        if fine == coarse:
            return ("coarse",), ("the truth tells only categories apart, so the fine level would be the coarse one",)
        return LEVELS, ()

    def outcome(self, task: tuple[int, Level]) -> _Outcome:
        """One run, by its place, at one level."""
        place, level = task
        samples, records = self._aligned.samples, self._aligned.records[place]
        pairs = [
            self._levels.pair(boxes, sample, level) for boxes, sample in zip(self._found[place], samples, strict=True)
        ]
        classes = self._levels.classes(samples, level)
        measured = measure(pairs, classes, self._looked_for(classes, level), self._weights)
        images = Images(tuple(record.file for record in records), tuple(record.size for record in records))
        resamples = (self._request.bootstrap, self._request.seed)
        taxonomy = self._truth.taxonomy
        result = level_result(level, measured, taxonomy, images, groups=self._groups, resamples=resamples)
        return _Outcome(result, measured.side)

    def differences(
        self, level: Level, first: tuple[str, _Outcome], second: tuple[str, _Outcome]
    ) -> Iterator[Difference]:
        """Second minus first, each a name and its outcome: all classes together, and each."""
        names = [self._truth.taxonomy.names[each] for each in self._levels.classes(self._aligned.samples, level)]
        groups = {"all": list(range(len(names)))} | {name: [place] for place, name in enumerate(names)}
        made = {group: differences(first[1].side, second[1].side, places) for group, places in groups.items()}
        for metric in METRICS:
            for group, estimates in made.items():
                yield Difference(first[0], second[0], level, group, metric, estimates[metric])

    def _boxes(self, record: Record, sample: Sample) -> Detections:
        found = boxes_on(record, sample, self._truth.taxonomy)
        kept = found.scores >= np.float32(self._request.min_score)
        return found if kept.all() else found[kept]

    def _looked_for(self, classes: Sequence[int], level: Level) -> NDArray[np.bool_]:
        """Bool (I, C): whether a class counts in an image."""
        rows: dict[frozenset[int], list[bool]] = {}
        for sample in self._aligned.samples:
            if sample.labelled not in rows:
                counts = self._levels.measured(sample, level)
                rows[sample.labelled] = [each in counts for each in classes]
        looked = [rows[sample.labelled] for sample in self._aligned.samples]
        return np.array(looked, dtype=bool).reshape(len(looked), len(classes))


def unique_names(folders: Sequence[Path]) -> list[str]:
    """A short name for each run: that of its folder, with as much of its path as is needed to tell it from the others.

    >>> unique_names([Path("a/run"), Path("b/run"), Path("other")])
    ['a/run', 'b/run', 'other']
    """
    paths = [folder.resolve() for folder in folders]
    depths = dict.fromkeys(paths, 1)
    for _ in range(max(len(path.parts) for path in paths)):
        short = {path: "/".join(path.parts[-depth:]) for path, depth in depths.items()}
        doubled = {path for path, name in short.items() if list(short.values()).count(name) > 1}
        depths = {path: depth + (path in doubled) for path, depth in depths.items()}
    names = [short[path] for path in paths]
    return [
        name if (before := names[:i].count(name)) == 0 else f"{name} ({before + 1})" for i, name in enumerate(names)
    ]


def _check_classes(run: Run, name: str, taxonomy: Taxonomy) -> None:
    strange = [each for each in run.info.get("classes", ()) if each not in taxonomy.names]
    if strange:
        raise LabelError(
            f"{name} was made with other classes than these ({', '.join(strange[:3])}). Name its file with --taxonomy."
        )


def _values(samples: Sequence[Sample], field: str) -> dict[str, NDArray[np.bool_]]:
    """Value of a field -> bool (I,), which images have it.

    Raises:
        InputError: if no image has the field.
    """
    values = [sample.fields.get(field) for sample in samples]
    if not any(value is not None for value in values):
        known = sorted({name for sample in samples for name in sample.fields})
        raise InputError(f"The truth has no field '{field}' to compare by.{did_you_mean(field, known)}")
    column = np.array(["(none)" if value is None or value == "" else value for value in values], dtype=object)
    return {value: column == value for value in sorted(set(column))}


def _settings(runs: Sequence[Run]) -> list[str]:
    """For each run, those of its settings that are not the same in all."""
    flat = [dict(_flat({key: run.info.get(key) for key in ("ensemble", "min_score", "device")})) for run in runs]
    keys = sorted({key for each in flat for key in each})
    differing = [key for key in keys if len({repr(each.get(key)) for each in flat}) > 1]
    shown = [key for key in differing if not key.endswith("description")][:6]
    return [
        ", ".join(f"{key.removeprefix('ensemble.')} {each[key]}" for key in shown if each.get(key) is not None)
        for each in flat
    ]


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted path and value of everything below."""
    if isinstance(value, Mapping):
        below: Iterator[tuple[str, Any]] = ((str(key), each) for key, each in value.items())
    elif isinstance(value, list):
        names = [each.get("name", place) if isinstance(each, Mapping) else place for place, each in enumerate(value)]
        below = ((str(name), each) for name, each in zip(names, value, strict=True))
    else:
        yield path, value
        return
    for key, each in below:
        yield from _flat(each, f"{path}.{key}" if path else key)
