"""A network for each class that tells it from the rest; the surest of them says what an image is (HPI)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from artdet.classifiers.base import Classifier
from artdet.classifiers.committee import COMMITTEE_FILE, REST, CommitteeSettings, committee_text
from artdet.data.artworks.collection import UNKNOWN, Artworks
from artdet.errors import ConfigError, TrainingError
from artdet.metrics.classification import TaskFigures, task_figures
from artdet.tasks import Task
from artdet.training.classification.comparison_cells import Cell, Result, Train, folder_name, run_cells, write_text
from artdet.training.lock import locked
from artdet.training.pictures import Pictures

if TYPE_CHECKING:
    from artdet.training.classification.run import TrainingRequest

_AT_A_TIME = 32


def train_one_versus_rest(request: TrainingRequest, train: Train, *, say: Callable[[str], None]) -> list[Result]:
    """Trains a network for each class and writes ``committee.yaml``, which ``artdet classify`` takes as a model.

    Each class has a folder of its own below the request's. What is finished is not trained again.

    Args:
        request: with one task of one label.
        train: trains one network.
        say: shows a sentence.

    Returns:
        The result of each class, in their order.

    Raises:
        ConfigError: if there are several tasks, or one of another kind.
        RunError: if the folder of a class holds another training, or another process is in there.
        TrainingStopped: after Ctrl-C.
        TrainingError: if a class failed; the others are kept.
    """
    task = only_task(request)
    # Several views are for all of them together.
    recipe = request.recipe.model_copy(update={"estimator": "network", "crops": 1})
    cells = []
    for place, name in enumerate(task.classes):
        folder = request.folder / folder_name(name)
        binary = against_rest(request.artworks, task, place)
        own = replace(request, artworks=binary, recipe=recipe, folder=folder, origin={})
        cells.append(Cell(folder.name, own, {task.name: name}))
    with locked(request.folder):
        results = run_cells(cells, train, say=say)
    _refuse_failures(results)
    settings = CommitteeSettings(
        description=f"{task.name}: a network for each of {len(task.classes)} classes, the surest wins.",
        method="most_confident",
        members=tuple(cell.name for cell in cells),
    )
    write_text(request.folder / COMMITTEE_FILE, committee_text(settings))
    return [results[cell.name] for cell in cells]


def measured(
    request: TrainingRequest, committee: Classifier, reading_side: int, advance: Callable[[int, int], None]
) -> tuple[TaskFigures, TaskFigures]:
    """Figures of the trained committee on the validation and the test images.

    Args:
        request: that was trained.
        committee: of it.
        reading_side: of its networks, see :class:`artdet.embedders.base.Preprocessing`.
        advance: is told of how many images how many are done.

    Raises:
        InputError: if an image cannot be read.
    """
    task, artworks = only_task(request), request.artworks
    pictures = Pictures(max_side=reading_side, kept_bytes=0)
    parts = (request.partition.validation, request.partition.test)
    total, done = sum(len(part) for part in parts), 0
    figures = []
    for part in parts:
        scores = [np.zeros((0, task.outputs), dtype=np.float32)]
        for first in range(0, len(part), _AT_A_TIME):
            places = part[first : first + _AT_A_TIME]
            scores.append(committee.classify([pictures.read(artworks.paths[place]) for place in places])[task.name])
            done += len(places)
            advance(done, total)
        figures.append(task_figures(task, np.concatenate(scores), artworks.targets[task.name][part]))
    return figures[0], figures[1]


def only_task(request: TrainingRequest) -> Task:
    """The one task of a one-versus-rest training.

    Raises:
        ConfigError: if there are several, or it is of another kind, or has a class with the name of all else.
    """
    tasks = request.artworks.tasks
    if len(tasks) != 1 or tasks[0].kind != "label":
        told = ", ".join(f"{task.name} ({task.kind})" for task in tasks)
        raise ConfigError(
            f"one_versus_rest answers one task of one label, but is given {told}. Name one such task: --task genre."
        )
    if REST in tasks[0].classes:
        raise ConfigError(
            f"one_versus_rest calls all other classes '{REST}', which is a class of {tasks[0].name}. Rename that class."
        )
    return tasks[0]


def against_rest(artworks: Artworks, task: Task, place: int) -> Artworks:
    """The same images with one question: this class of the task, or the rest. Unknown stays unknown."""
    truth = artworks.targets[task.name]
    binary = np.where(truth == UNKNOWN, UNKNOWN, truth == place).astype(np.int64)
    own = Task(name=task.name, kind="label", classes=(REST, task.classes[place]))
    return replace(artworks, tasks=(own,), targets={task.name: binary})


def _refuse_failures(results: dict[str, Result]) -> None:
    failed = [name for name, result in results.items() if result.failure]
    if failed:
        raise TrainingError(
            f"{len(failed)} of {len(results)} classes could not be trained ({', '.join(failed[:3])}): "
            f"{results[failed[0]].failure} Give the same command again to go on with the others kept."
        )
