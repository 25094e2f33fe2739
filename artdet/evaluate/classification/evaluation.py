"""From run folders of ``artdet classify`` and known labels to a ``Report``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from pydantic import ValidationError

from artdet import __version__
from artdet.data.artworks.collection import Artworks
from artdet.errors import InputError, RunError, did_you_mean
from artdet.evaluate.classification.alignment import Aligned, align
from artdet.evaluate.classification.courses import courses_of
from artdet.evaluate.classification.measuring import Measured, differences, measure
from artdet.evaluate.classification.results import Difference, Report, RunResult
from artdet.evaluate.classification.scores import answers_of
from artdet.evaluate.evaluation import unique_names
from artdet.runs import Run, open_run
from artdet.tasks import Task

KIND = "classify"
"""``kind`` in the ``run.json`` of these runs."""

_REST = {
    "label": "what they leave of the whole probability counts as shared evenly by the others, on which loss, mean "
    "average precision and calibration depend",
    "labels": "the others count as 0, on which loss, mean average precision and calibration depend",
}

Truth = Callable[[Sequence[Task]], Artworks]
"""Gives what is known of tasks."""


@dataclass(frozen=True)
class Request:
    """What the user asked for.

    Attributes:
        runs: run folders; the later ones are compared with the first.
        truth: what the user called the truth.
        tasks: only these; all that the runs answer by default.
        split: ``split.csv`` of a training, to measure one part of it.
        part: of the split.
        bootstrap: resamples for the intervals, 0 for none.
        seed: of the resamples.
    """

    runs: Sequence[Path]
    truth: str
    tasks: Sequence[str] = ()
    split: Path | None = None
    part: str = "test"
    bootstrap: int = 1000
    seed: int = 0


def evaluate(request: Request, truth: Truth) -> Report:
    """Measures runs against a truth.

    Raises:
        RunError: if a folder is no such run.
        InputError: if a task is unknown, or nothing is known of any image of the runs.
    """
    runs = [open_run(folder) for folder in request.runs]
    names = unique_names(request.runs)
    tasks = [_tasks(run, request.tasks) for run in runs]
    read: dict[tuple[Task, ...], Artworks] = {}
    for each in tasks:
        if each not in read:
            read[each] = _part(truth(each), request)
    aligned = align(runs, names, [read[each] for each in tasks], request.truth)
    measured = [_measured(run_tasks, aligned, place, request) for place, run_tasks in enumerate(tasks)]
    if not any(measured):
        raise InputError(
            f"{request.truth} knows no answer to {', '.join(task.name for task in tasks[0])} of any image of the runs. "
            "Name a truth that does, or other tasks with --task."
        )
    notes = [*aligned.notes, *_unmeasured(tasks, measured, names), *_incomparable(tasks, names)]
    return Report(
        truth=request.truth,
        part=request.part if request.split else None,
        images=len(aligned.paths),
        notes=tuple(dict.fromkeys(notes)),
        bootstrap=request.bootstrap,
        runs=tuple(_run_result(*each, request) for each in zip(runs, names, measured, strict=True)),
        differences=tuple(_differences(tasks, names, measured)),
        versions={"artdet": __version__, "scikit-learn": version("scikit-learn")},
    )


def _tasks(run: Run, wanted: Sequence[str]) -> tuple[Task, ...]:
    """The tasks that a run answers, or those of them that are wanted."""
    try:
        tasks = tuple(Task.model_validate(each) for each in run.info["tasks"])
    except (KeyError, TypeError, ValidationError) as error:
        raise RunError(
            f"{run.folder} does not say which tasks it answers. Name a folder that `artdet classify` made."
        ) from error
    there = [task.name for task in tasks]
    for name in wanted:
        if name not in there:
            hint = did_you_mean(name, there)
            raise InputError(f"{run.folder} has no task '{name}', but {', '.join(there)}.{hint}")
    return tuple(task for task in tasks if not wanted or task.name in wanted)


def _part(artworks: Artworks, request: Request) -> Artworks:
    if request.split is None:
        return artworks
    from artdet.data.artworks.partition import read_partition

    path = request.split / "split.csv" if request.split.is_dir() else request.split
    return artworks.taken(read_partition(path, artworks, subset=True).part(request.part))


def _measured(tasks: Sequence[Task], aligned: Aligned, place: int, request: Request) -> dict[str, Measured]:
    """Task -> its figures, for tasks with a known answer."""
    made = {}
    truth, records = aligned.truths[place], aligned.records[place]
    for task in tasks:
        if truth.known(task.name).any():
            answers = answers_of(task, records)
            made[task.name] = measure(
                task,
                answers,
                truth.targets[task.name],
                aligned.paths,
                resamples=request.bootstrap,
                seed=request.seed,
            )
    return made


def _run_result(run: Run, name: str, measured: Mapping[str, Measured], request: Request) -> RunResult:
    split = request.split
    folder = split if split is None or split.is_dir() else split.parent
    return RunResult(
        name=name,
        folder=str(run.folder.resolve()),
        root=str(run.root),
        model=_model(run),
        tasks=tuple(each.result for each in measured.values()),
        courses=courses_of(run, list(measured), folder),
    )


def _model(run: Run) -> str:
    return ", ".join(run.info.get("models") or ())


def _differences(
    tasks: Sequence[Sequence[Task]], names: Sequence[str], measured: Sequence[Mapping[str, Measured]]
) -> Iterator[Difference]:
    for place in range(1, len(names)):
        for task in _comparable(tasks[0], tasks[place]):
            if task in measured[0] and task in measured[place]:
                for group, metric, estimate in differences(measured[0][task], measured[place][task]):
                    yield Difference(names[0], names[place], task, group, metric, estimate)


def _comparable(first: Sequence[Task], second: Sequence[Task]) -> list[str]:
    """Names of the tasks that both answer with the same classes."""
    others = {task.name: task for task in second}
    return [task.name for task in first if task.name in others and _alike(task, others[task.name])]


def _alike(first: Task, second: Task) -> bool:
    same = (first.kind, set(first.classes)) == (second.kind, set(second.classes))
    return same and (first.kind != "number" or first.tolerance == second.tolerance)


def _incomparable(tasks: Sequence[Sequence[Task]], names: Sequence[str]) -> Iterator[str]:
    for place in range(1, len(names)):
        shared = {task.name for task in tasks[0]} & {task.name for task in tasks[place]}
        for task in sorted(shared - set(_comparable(tasks[0], tasks[place]))):
            yield f"{names[0]} and {names[place]} answer {task} with different classes: they are not compared in it"


def _unmeasured(
    tasks: Sequence[Sequence[Task]], measured: Sequence[Mapping[str, Measured]], names: Sequence[str]
) -> Iterator[str]:
    for run_tasks, made, name in zip(tasks, measured, names, strict=True):
        for task in run_tasks:
            if task.name not in made:
                yield f"no answer to {task.name} is known of any image, so {name} is not measured in it"
            elif (listed := made[task.name].result.listed) is not None:
                kept = f"of some images {listed} of {len(task.classes)}"
                yield f"{name} kept only the likeliest classes of {task.name}, {kept}: {_REST[task.kind]}"
