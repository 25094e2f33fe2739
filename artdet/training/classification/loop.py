"""Training of a classifier's network: a plain loop that can be stopped and gone on with at any step."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from artdet.classifiers.base import ClassifierCard
from artdet.classifiers.network import ClassifierNetwork
from artdet.data.artworks.collection import Artworks
from artdet.data.artworks.partition import Partition
from artdet.errors import TrainingStopped
from artdet.metrics.classification import TaskFigures
from artdet.training.backends.checkpoints import are_in_bounds, load_checkpoint, save_checkpoint, save_weights
from artdet.training.backends.memory import fitting_batch, is_out_of_memory, out_of_memory
from artdet.training.backends.precision import autocast
from artdet.training.classification.course import Course, score
from artdet.training.classification.examples import grouped
from artdet.training.classification.folder import ClassifierEpoch
from artdet.training.classification.freezing import set_training_mode
from artdet.training.classification.inputs import Inputs
from artdet.training.classification.losses import TaskLosses
from artdet.training.classification.measuring import Measuring, scores
from artdet.training.classification.optimization import Schedule, optimizer_of
from artdet.training.classification.parts import as_tensors, taken
from artdet.training.classification.sampling import epoch_places
from artdet.training.interruption import Interruption

MAX_NORM = 10.0
"""Of the gradients of a step; longer ones are shortened to it."""


@dataclass(frozen=True, eq=False)
class Setup:
    """What a loop trains with.

    Attributes:
        artworks: all images, with the scales of numbers in their tasks.
        partition: their parts.
        network: on the device.
        card: of its weights.
        inputs: of the network, or of its heads.
        measuring: of the network.
        device: name that torch understands.
        low: whether it computes in bfloat16.
    """

    artworks: Artworks
    partition: Partition
    network: ClassifierNetwork
    card: ClassifierCard
    inputs: Inputs
    measuring: Measuring
    device: str
    low: bool


class Training:
    """A training between two stops.

    Args:
        setup: what is trained.
        course: how it goes.
        interruption: tells when to stop.
    """

    def __init__(self, setup: Setup, course: Course, interruption: Interruption) -> None:
        self._setup, self._course, self._interruption = setup, course, interruption
        self._recipe, self._network = course.recipe, setup.network
        tasks, targets = setup.artworks.tasks, setup.artworks.targets
        self._train = setup.partition.train
        self._losses = TaskLosses(tasks, self._recipe.loss, taken(targets, self._train))
        self._targets = as_tensors(targets)
        self._optimizer = optimizer_of(self._network, self._recipe.optimizer)
        self._learning = [one for group in self._optimizer.param_groups for one in group["params"]]
        self._steps = len(self._groups(0))
        self._schedule = Schedule(self._recipe.optimizer, epochs=self._recipe.epochs, steps_per_epoch=self._steps)
        self._epoch, self._step, self._seconds, self._rate, self._seen = 0, 0, 0.0, 0.0, 0
        self._sums: dict[str, float] = {}
        self._counts: dict[str, int] = {}
        state = load_checkpoint(course.folder.checkpoint)
        if state is None:
            course.go_on_from(0)
        else:
            self._take_up(state)

    def run(self) -> None:
        """Trains until the course is finished, or someone asks to stop.

        Raises:
            TrainingStopped: after Ctrl-C, when everything is saved.
            TrainingError: if memory ran out, or the loss is no number.
        """
        while not self._course.finished:
            self._train_epoch()
            self._end_epoch()
            if self._interruption.requested and not self._course.finished:
                raise TrainingStopped("stopped")

    def _groups(self, epoch: int) -> list[NDArray[np.int64]]:
        """Places of the images of each batch of an epoch."""
        first = self._setup.artworks.tasks[0].name
        targets = self._setup.artworks.targets[first][self._train]
        drawn = epoch_places(targets, self._recipe.sampling, epoch=epoch, seed=self._recipe.seed)
        return grouped(self._train[drawn], self._recipe.batch)

    def _train_epoch(self) -> None:
        begun = time.monotonic() - self._seconds
        if self._setup.inputs.is_fixed:
            self._network.heads.train()
        else:
            set_training_mode(self._network)
        groups = self._groups(self._epoch)
        batches = self._setup.inputs.training(groups, epoch=self._epoch, first=self._step)
        for group, batch in zip(groups[self._step :], batches, strict=True):
            self._train_step(group, batch)
            self._seconds = time.monotonic() - begun
            self._step += 1
            self._seen += len(group)
            self._course.watch.steps(self._epoch + 1, self._recipe.epochs, self._step, self._steps, self._mean_losses())
            if self._interruption.requested or self._course.save_is_due:
                self._save()
                self._course.saved()
            if self._interruption.requested:
                raise TrainingStopped("stopped")

    def _train_step(self, group: NDArray[np.int64], batch: Tensor) -> None:
        # Dropout draws the same in this step, whether training was stopped before it or not.
        _seed(self._seed_of_step(), self._setup.device)
        self._schedule.set_rates(self._optimizer, self._epoch * self._steps + self._step)
        self._rate = self._optimizer.param_groups[0]["lr"]
        places = torch.from_numpy(group)
        targets = {name: values[places].to(self._setup.device) for name, values in self._targets.items()}
        try:
            losses = self._with_gradients(batch, targets)
            torch.nn.utils.clip_grad_norm_(self._learning, MAX_NORM)
            self._optimizer.step()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            error.__traceback__ = None  # it holds what filled the memory
            fitting = fitting_batch(len(batch), lambda count: self._with_gradients(batch[:count], _cut(targets, count)))
            raise out_of_memory(self._recipe.batch, fitting=fitting, key="batch", smaller="--image-size 160") from error
        self._note(losses, targets, len(group))

    def _with_gradients(self, batch: Tensor, targets: dict[str, Tensor]) -> dict[str, float]:
        self._optimizer.zero_grad(set_to_none=True)
        with autocast(self._setup.device, low=self._setup.low):
            raw = self._setup.inputs.raw(self._network, batch)
        total, parts = self._losses(raw, targets)
        values = {"loss": float(total.detach()), **{name: float(part) for name, part in parts.items()}}
        self._course.check_loss(values)
        total.backward()  # type: ignore[no-untyped-call]
        return values

    def _note(self, losses: dict[str, float], targets: dict[str, Tensor], images: int) -> None:
        """Adds the losses of a step to those of the epoch, each weighted by the images that have an answer."""
        for name, value in losses.items():
            count = images if name == "loss" else _answers(targets[name])
            self._sums[name] = self._sums.get(name, 0.0) + value * count
            self._counts[name] = self._counts.get(name, 0) + count

    def _seed_of_step(self) -> int:
        return int(np.random.SeedSequence((self._recipe.seed, self._epoch, self._step)).generate_state(1)[0])

    def _mean_losses(self) -> dict[str, float]:
        return {name: value / max(self._counts[name], 1) for name, value in self._sums.items()}

    # The end of an epoch, and what is kept.

    def _end_epoch(self) -> None:
        """Figures, weights, the line of the epoch, checkpoint; a line without its checkpoint is forgotten later."""
        course, setup = self._course, self._setup
        state = self._network.state_dict()
        if not are_in_bounds({name: tensor for name, tensor in state.items() if tensor.is_floating_point()}):
            course.check_loss({"weights": float("nan")})
        epoch = self._measured()
        if epoch.best:
            save_weights(course.folder, state, setup.card)
        self._epoch, self._step, self._seconds, self._seen = epoch.number, 0, 0.0, 0
        self._sums, self._counts = {}, {}
        course.add(epoch)
        self._save()

    def _measured(self) -> ClassifierEpoch:
        setup, places = self._setup, self._setup.partition.validation
        raw = setup.measuring.raw(self._network, places)
        losses = setup.measuring.losses(raw, places, self._losses)
        figures = setup.measuring.figures(scores(setup.artworks.tasks, raw), places)
        parts = {name: value for name, value in losses.items() if name != "loss"}
        loss = self._losses.comparable(parts) if parts else float("nan")
        self._losses.learn_scale(parts)
        if parts:
            self._schedule.note_validation(loss)
        return self._course.judged(
            ClassifierEpoch(
                number=self._epoch + 1,
                losses=self._mean_losses(),
                learning_rate=self._rate,
                seconds=self._seconds,
                images=self._seen,
                validation=losses,
                figures=tuple(_short(one) for one in figures),
                score=score(self._recipe.metric, figures, loss),
            )
        )

    def _save(self) -> None:
        """The state after whole epochs and steps of the next."""
        network = self._network.heads if self._setup.inputs.is_fixed else self._network
        state: dict[str, Any] = {
            "epoch": self._epoch,
            "step": self._step,
            "seconds": self._seconds,
            "rate": self._rate,
            "seen": self._seen,
            "sums": self._sums,
            "counts": self._counts,
            "network": network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "losses": self._losses.state_dict(),
            "schedule": self._schedule.state_dict(),
        }
        save_checkpoint(self._course.folder.checkpoint, state)

    def _take_up(self, state: dict[str, Any]) -> None:
        self._epoch, self._step = int(state["epoch"]), int(state["step"])
        self._seconds, self._rate, self._seen = float(state["seconds"]), float(state["rate"]), int(state["seen"])
        self._sums, self._counts = dict(state["sums"]), dict(state["counts"])
        (self._network.heads if self._setup.inputs.is_fixed else self._network).load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._losses.load_state_dict(state["losses"])
        self._schedule.load_state_dict(state["schedule"])
        self._course.go_on_from(self._epoch)


def _seed(seed: int, device: str) -> None:
    """Seeds what dropout draws from. ``torch.manual_seed`` notes its caller each time where no GPU is in use yet."""
    torch.default_generator.manual_seed(seed)
    if device.startswith("cuda"):
        torch.cuda.manual_seed(seed)


def _cut(targets: dict[str, Tensor], count: int) -> dict[str, Tensor]:
    return {name: values[:count] for name, values in targets.items()}


def _answers(targets: Tensor) -> int:
    """How many images have an answer."""
    if not targets.is_floating_point():
        return int((targets >= 0).sum())
    return int((~targets.isnan().reshape(len(targets), -1).any(dim=1)).sum())


def _short(figures: TaskFigures) -> TaskFigures:
    """Figures without those of each class, which would make long lines."""
    return replace(figures, classes=())
