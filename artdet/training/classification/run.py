"""A classifier's training from its request to the figures on the test part."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from artdet.data.artworks.collection import Artworks
from artdet.data.artworks.partition import Partition, write_partition
from artdet.devices import cpu_threads, resolve_device
from artdet.errors import TrainingStopped
from artdet.metrics.classification import TaskFigures
from artdet.modelfiles import load_tensors
from artdet.training.backends.precision import computes_in_bfloat16
from artdet.training.classification.augmentations import augmentation
from artdet.training.classification.card import write_card
from artdet.training.classification.course import Course
from artdet.training.classification.curves import draw_curves, scalars
from artdet.training.classification.examples import Images
from artdet.training.classification.folder import ClassifierEpoch, ClassifierFolder
from artdet.training.classification.freezing import is_frozen
from artdet.training.classification.identity import refuse_others, written_down
from artdet.training.classification.inputs import FeatureInputs, ImageInputs, Inputs, fixed_features
from artdet.training.classification.loop import Setup, Training
from artdet.training.classification.measuring import Measuring, scores
from artdet.training.classification.parts import LINEAR, card_of, check_parts, parts_of, with_scales
from artdet.training.classification.recipe import Recipe
from artdet.training.classification.sources import trained_on
from artdet.training.classification.watch import Watch
from artdet.training.interruption import Interruption
from artdet.training.tensorboard import Log

_DRAW_EVERY = 15.0
"""Seconds between two pictures of the curves: where features are fixed, an epoch is quicker than its picture."""

_SMALL_HEADS = 2_000_000
"""Parameters up to which threads of a step on features wait for each other longer than they compute."""


@dataclass(frozen=True, eq=False)
class TrainingRequest:
    """What is to be trained.

    Attributes:
        artworks: images and what is known of them.
        partition: their parts.
        recipe: how.
        folder: of the run; what is there of the same training is gone on with.
        device: as ``--device`` names it.
        trusted: whether a start that is a pickle, which can run code, may be loaded.
        origin: how the artworks were read, for ``--resume``; see :mod:`artdet.training.classification.identity`.
    """

    artworks: Artworks
    partition: Partition
    recipe: Recipe
    folder: Path
    device: str = "auto"
    trusted: bool = False
    origin: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What came of a training.

    Attributes:
        folder: of the run.
        epochs: that were trained; 0 where a linear model was fitted.
        best: the epoch whose weights are kept.
        validation: figures of these weights on the validation part, of each task.
        test: on the test part.
        seconds: of training, with what features took, without validation.
    """

    folder: Path
    epochs: int
    best: int
    validation: tuple[TaskFigures, ...]
    test: tuple[TaskFigures, ...]
    seconds: float


def train(request: TrainingRequest, watch: Watch) -> Outcome:
    """Trains what the recipe says, or goes on where the folder's checkpoint ends; a finished training is only read.

    Raises:
        RunError: if the folder holds a training of other data or another recipe.
        InputError: if there is too little to learn from, or an image cannot be read.
        ModelError: if backbone or start are not here.
        TrainingStopped: after Ctrl-C, saying how to go on.
        TrainingError: if memory ran out, or the loss is no number.
    """
    check_parts(request.artworks, request.partition)
    folder = ClassifierFolder(request.folder)
    refuse_others(folder, request.artworks, request.partition, request.recipe)
    if found := folder.results():
        validation, test, facts = found
        watch.note(f"{folder.path} is finished.")
        return Outcome(request.folder, facts["epochs"], facts["best"], validation, test, facts["seconds"])
    if not folder.has_begun:
        device = resolve_device(request.device)
        written_down(folder, request.artworks, request.partition, request.recipe, {**request.origin, "device": device})
        write_partition(folder.split, request.artworks, request.partition)
    try:
        return _trained(request, folder, watch)
    except TrainingStopped as stopped:
        raise TrainingStopped(f"Stopped, and saved. Go on with: {_going_on(request)}") from stopped
    except KeyboardInterrupt as pressed:
        raise TrainingStopped(f"Stopped at once. Go on with: {_going_on(request)}") from pressed


def _trained(request: TrainingRequest, folder: ClassifierFolder, watch: Watch) -> Outcome:
    if request.recipe.estimator == "one_versus_rest":
        from artdet.training.classification.committee_run import train_committee

        return train_committee(request, folder, watch)
    if request.recipe.estimator in LINEAR:
        from artdet.training.classification.linear_run import train_linear

        return train_linear(request, folder, watch)
    return _train_network(request, folder, watch)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A setup, and what is said of it.

    Attributes:
        setup: of the loop.
        images: inputs as images, whatever the loop takes; ``None`` where there is no network to take them.
        start: what the backbone began with.
        seconds: that computing features took, or reading them.
    """

    setup: Setup
    images: ImageInputs | None
    start: str
    seconds: float


def prepared(request: TrainingRequest, watch: Watch, *, features: bool | None = None) -> Prepared:
    """Builds network and inputs.

    Args:
        request: what is to be trained.
        watch: shows how far features are.
        features: whether the backbone's features are computed once; by default as the recipe says.
    """
    recipe, device, threads = request.recipe, resolve_device(request.device), cpu_threads()
    if device == "cpu":
        torch.set_num_threads(threads)
    artworks = with_scales(request.artworks, request.partition)
    parts = parts_of(recipe, artworks.tasks, trusted=request.trusted)
    network = parts.network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    low = computes_in_bfloat16(recipe.precision, device)
    augment = augmentation(recipe.augmentations) if recipe.augmentations else None
    reader = Images(
        artworks.paths, network.backbone.preprocessing, augment=augment, seed=recipe.seed, threads=max(threads, 2)
    )
    images, begun = ImageInputs(reader, network, device), time.monotonic()
    inputs: Inputs = images
    if features or (features is None and takes_fixed_features(recipe, is_frozen=is_frozen(network))):
        watch.note("The backbone is frozen: its features are computed once.")
        computed = fixed_features(artworks, network, device=device, low=low, advance=watch.features)
        inputs = FeatureInputs(computed, device)
        if device == "cpu" and sum(one.numel() for one in network.heads.parameters()) < _SMALL_HEADS:
            torch.set_num_threads(1)
    card = card_of(network, recipe, artworks.tasks, trained_on=trained_on(artworks, request.partition))
    setup = Setup(
        artworks=artworks,
        partition=request.partition,
        network=network,
        card=card,
        inputs=inputs,
        measuring=Measuring(artworks, inputs, device, low, watch.validating),
        device=device,
        low=low,
    )
    return Prepared(setup, images, parts.start, time.monotonic() - begun if inputs.is_fixed else 0.0)


def takes_fixed_features(recipe: Recipe, *, is_frozen: bool) -> bool:
    """Whether features are computed once: nothing of the backbone learns, and no image is changed."""
    return recipe.fixed_features == "auto" and is_frozen and not recipe.augmentations


def _train_network(request: TrainingRequest, folder: ClassifierFolder, watch: Watch) -> Outcome:
    ready = prepared(request, watch)
    log, drawn = Log(folder, watch.note, scalars), time.monotonic()

    def after_epoch(epochs: Sequence[ClassifierEpoch]) -> None:
        nonlocal drawn
        log.add(epochs)
        if time.monotonic() - drawn >= _DRAW_EVERY:
            draw_curves(folder, epochs, request.recipe.metric)
            drawn = time.monotonic()

    course = Course(request.recipe, folder, watch, after_epoch)
    with contextlib.closing(log), Interruption() as interruption:
        Training(ready.setup, course, interruption).run()
    draw_curves(folder, course.epochs, request.recipe.metric)
    seconds = sum(epoch.seconds for epoch in course.epochs) + ready.seconds
    return finished(request, folder, ready, course.epochs, seconds=seconds)


def finished(
    request: TrainingRequest,
    folder: ClassifierFolder,
    ready: Prepared,
    epochs: Sequence[ClassifierEpoch],
    *,
    seconds: float,
) -> Outcome:
    """Measures the weights that are kept, as they lie in the folder, and writes figures and card."""
    setup, recipe = ready.setup, request.recipe
    network, tasks = setup.network, setup.artworks.tasks
    own = network.state_dict()
    network.load_state_dict({name: value.float() for name, value in load_tensors(folder.model).items() if name in own})
    figures = []
    for places in (setup.partition.validation, setup.partition.test):
        if recipe.crops > 1 and ready.images and len(places):
            torch.set_num_threads(cpu_threads())  # those of steps on features are fewer
            answers = setup.measuring.scores_of_views(network, ready.images, places, recipe.crops)
        else:
            answers = scores(tasks, setup.measuring.raw(network, places))
        figures.append(setup.measuring.figures(answers, places))
    best = next((epoch.number for epoch in reversed(epochs) if epoch.best), 0)
    facts = {"epochs": len(epochs), "best": best, "seconds": seconds, "start": ready.start}
    outcome = Outcome(request.folder, len(epochs), best, figures[0], figures[1], seconds)
    write_card(folder, setup.card, request.artworks, request.partition, recipe, facts, figures[0], figures[1])
    # Last: what has this file is finished.
    folder.write_results(outcome.validation, outcome.test, facts)
    return outcome


def _going_on(request: TrainingRequest) -> str:
    if not request.origin:
        return "the same command"
    return f"artdet train --resume {shlex.quote(str(request.folder))}"
