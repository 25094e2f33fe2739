"""A training from its category to its model."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Sequence
from pathlib import Path

import artdet
from artdet.config import yaml_text
from artdet.data.category import Category, load_category, source_place
from artdet.data.merge import Merged, merged
from artdet.data.sources import shipped_sources
from artdet.data.training_settings import TrainingSettings
from artdet.devices import cpu_threads, resolve_device
from artdet.errors import ConfigError, ModelError, RunError, TrainingStopped
from artdet.modelfiles import TRAINED, ModelFiles, find_model, is_pickle
from artdet.taxonomy import Taxonomy
from artdet.training.backends.table import backend
from artdet.training.companions import Companion
from artdet.training.course import Course, SilentWatch, Task, Watch
from artdet.training.curves import draw_curves
from artdet.training.examples import examples
from artdet.training.folder import Epoch, TrainingFolder
from artdet.training.model_card import write_card
from artdet.training.pictures import Pictures
from artdet.training.statistics import refuse_other_data, write_statistics
from artdet.training.tensorboard import Log
from artdet.training.variants import Bar, training_pictures

RANDOM = "random"
BUNDLED_START = "persons"
"""Bundled model that other detectors of its architecture begin with."""

_TAXONOMY = "taxonomy.yaml"


def new_folder(name: str) -> TrainingFolder:
    """The folder of a new training.

    Raises:
        RunError: if there is a training in it already, saying how to go on with that.
    """
    folder = TrainingFolder(TRAINED / name)
    if folder.info_file.exists() and (folder.checkpoint.exists() or folder.metrics.exists()):
        done = len(list(folder.epochs()))
        raise RunError(
            f"{folder.path} holds a training with {done} finished epochs. Go on with it: "
            f"{_going_on(folder)}; or train into another folder: --name NAME."
        )
    return folder


def written_down(folder: TrainingFolder, data: Merged, taxonomy: Path | None) -> None:
    """Writes what is going to be trained, so that it can be gone on with from any folder."""
    category = data.category
    settings = category.settings.model_dump(mode="json", exclude_none=True)
    for part in (*settings["sources"], *settings["negatives"]):
        part["source"] = _anywhere(part["source"], category)
        if isinstance(part.get("split"), dict) and isinstance(works := part["split"]["validation"], str):
            part["split"] = {"validation": str((category.path.parent / works).absolute())}
    training = settings["training"]
    for part, found in (("start", _start(category)), ("teacher", _teacher(category))):
        if found and training.get(part):
            training[part] = str(found.model.absolute())
    if styles := training["artify"].get("styles"):
        training["artify"]["styles"] = str((category.path.parent / Path(styles).expanduser()).absolute())
    folder.write_info({"artdet": artdet.__version__, "category": category.name, "begun": time.time()})
    folder.write(folder.category, yaml_text(settings))
    if taxonomy is not None:
        folder.write(folder.path / _TAXONOMY, taxonomy.read_text(encoding="utf-8"))
    write_statistics(data, folder, cores=cpu_threads())


def reopened(path: Path) -> tuple[TrainingFolder, Merged]:
    """The folder and the data of a training that is to go on.

    Raises:
        RunError: if there is none, or its data are others now.
    """
    folder = TrainingFolder(path if path.is_dir() or path.parts[:1] == TRAINED.parts[:1] else TRAINED / path)
    name = folder.info()["category"]
    own = folder.path / _TAXONOMY
    category = load_category(str(folder.category), Taxonomy.load(own if own.is_file() else None))
    data = merged(Category(name, category.path, category.settings, category.taxonomy))
    refuse_other_data(data, folder)
    return folder, data


def task_of(data: Merged, *, device: str, bar: Bar, trusted: bool = False) -> Task:
    """Everything a backend needs to train on merged data.

    Args:
        data: of the category, with its settings.
        device: as ``--device`` names it.
        bar: shows the making of variants.
        trusted: whether pickles to start from may be loaded.

    Raises:
        ModelError: if the weights to start from are not here.
    """
    category = data.category
    learnt = examples(data)
    return Task(
        data=data,
        examples=learnt,
        pictures=training_pictures(category, learnt, bar),
        validation=data.validation,
        validation_pictures=Pictures(max_side=2 * category.settings.image_size),
        start=_start(category),
        teacher=_teacher(category),
        device=resolve_device(device),
        threads=cpu_threads(),
        seed=category.settings.seed,
        trusted=trusted,
    )


def run(task: Task, folder: TrainingFolder, watch: Watch) -> Course:
    """Trains, or goes on where the folder's checkpoint ends; card and curves follow every epoch.

    Raises:
        TrainingStopped: after Ctrl-C, saying how to go on.
        TrainingError: if memory ran out, or the loss is no number.
    """
    log = Log(folder, watch.note) if Companion.of_environment().is_first else None

    def after_epoch(epochs: Sequence[Epoch]) -> None:
        if log is not None:
            log.add(epochs)
        draw_curves(folder, epochs)
        write_card(task, folder, epochs)

    course = Course(task, folder, watch, after_epoch)
    if course.finished:
        watch.note(f"All of its {len(course.epochs)} epochs are done.")
        return course
    with contextlib.closing(log) if log is not None else contextlib.nullcontext():
        _train(course)
    return course


def follow(path: Path, *, device: str, trusted: bool = False) -> None:
    """What all processes of torchrun but the first do: their share of each batch, when the first has made the folder.

    Args:
        path: of the folder.
        device: as ``--device`` names it.
        trusted: whether pickles to start from may be loaded.
    """
    Companion.of_environment().wait(TrainingFolder(path))
    folder, data = reopened(path)
    task = task_of(data, device=device, trusted=trusted, bar=lambda total: contextlib.nullcontext(lambda done: None))
    run(task, folder, SilentWatch())


def _train(course: Course) -> None:
    folder = course.folder
    try:
        backend(course.task.settings.backend).train(course)
    except TrainingStopped as stopped:
        raise TrainingStopped(f"Stopped, and saved. Go on with: {_going_on(folder)}") from stopped
    except KeyboardInterrupt as pressed:
        raise TrainingStopped(f"Stopped at once. Go on from what was saved last with: {_going_on(folder)}") from pressed


def _going_on(folder: TrainingFolder) -> str:
    return f"artdet train --resume {shlex.quote(str(folder.path))}"


def _anywhere(source: str, category: Category) -> str:
    """A source that is named so that it is found from any folder; one that comes with artdet is found before files."""
    if source in shipped_sources():
        return source
    place = Path(source_place(source, category.path)).expanduser()
    return str(place.absolute()) if place.exists() else source


def _usual_start(settings: TrainingSettings) -> str:
    """What a training without a named start begins with: for the smallest YOLO, a network that has seen art."""
    return BUNDLED_START if settings.trains_yolov5n else RANDOM


def _start(category: Category) -> ModelFiles | None:
    settings = category.settings.training
    start = settings.start or _usual_start(settings)
    if start == RANDOM:
        return None
    return _weights(start, category, f"The weights to start from, '{start}', are", f"a file, or {RANDOM}")


def _teacher(category: Category) -> ModelFiles | None:
    settings = category.settings.training
    if settings.teacher is None:
        return None
    if settings.backend != "yolo":
        raise ConfigError(
            f"A network of the backend {settings.backend} does not learn from a teacher. "
            "Leave out training.teacher, or take --backend yolo."
        )
    return _weights(settings.teacher, category, f"The teacher '{settings.teacher}' is", "or a file")


def _weights(name: str, category: Category, what: str, other: str) -> ModelFiles:
    """Weights by a name or file.

    Raises:
        ModelError: if they are not here, with what they are called for and what else may be named.
    """
    found = find_model(name, category.path.parent)
    if found is None:
        fetch = (
            f" If they are ultralytics' own, it fetches them here: yolo predict model={name}"
            if is_pickle(Path(name))
            else ""
        )
        raise ModelError(f"{what} not here. Name a model that `artdet models` lists, {other}.{fetch}")
    return found
