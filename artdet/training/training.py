"""A training from its category to its model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from artdet.data.artify_cache import VariantSettings, variants
from artdet.data.category import Category
from artdet.data.merge import Merged
from artdet.devices import cpu_threads, resolve_device
from artdet.errors import ModelError
from artdet.modelfiles import ModelFiles, find_model
from artdet.resources import cache_folder
from artdet.training.backends.table import backend
from artdet.training.course import Course, Task, Watch
from artdet.training.examples import Example, examples
from artdet.training.folder import TrainingFolder
from artdet.training.pictures import Pictures

RANDOM = "random"


@dataclass(frozen=True)
class Progress:
    """How the parts before training are shown; each takes the number of images just done.

    Attributes:
        artify: of photographs whose variants are there.
    """

    artify: Callable[[int], None]


def task_of(data: Merged, *, device: str, progress: Progress) -> Task:
    """Everything a backend needs to train on merged data.

    Args:
        data: of the category, with its settings.
        device: as ``--device`` names it.
        progress: shows the making of variants.

    Raises:
        ModelError: if the weights to start from are not here.
    """
    category = data.category
    learnt = examples(data)
    side = category.settings.image_size
    return Task(
        data=data,
        examples=learnt,
        pictures=_pictures(category, learnt, progress),
        validation=data.validation,
        validation_pictures=Pictures(max_side=2 * side, kept_bytes=1 << 30),
        start=_start(category),
        device=resolve_device(device),
        threads=cpu_threads(),
        seed=category.settings.seed,
    )


def run(task: Task, folder: TrainingFolder, watch: Watch) -> Course:
    """Trains, or goes on where the folder's checkpoint ends."""
    course = Course(task, folder, watch)
    if not course.finished:
        backend(task.settings.backend).train(course)
    return course


def _pictures(category: Category, learnt: tuple[Example, ...], progress: Progress) -> Pictures:
    """Reads the examples; of photographs, variants that are made now where they are not there yet."""
    settings = category.settings.training.artify
    side = category.settings.image_size
    photographs = [example.path for example in learnt if example.photograph]
    if not (settings.variants and photographs):
        return Pictures(max_side=side)
    plain = settings.model_dump(exclude={"variants", "styles"})
    how = VariantSettings.model_validate({"artify": plain, "seed": category.settings.seed, "max_side": side})
    made = variants(photographs, cache_folder() / "artify", how, count=settings.variants, progress=progress.artify)
    return Pictures(max_side=side, variants=made.paths)


def _start(category: Category) -> ModelFiles | None:
    start = category.settings.training.start
    if start is None or start == RANDOM:
        return None
    found = find_model(start, Path(category.path).parent)
    if found is None:
        raise ModelError(
            f"the weights to start from, '{start}', are not here. Name a model that `artdet models` lists, a file, "
            f"or {RANDOM}."
        )
    return found
