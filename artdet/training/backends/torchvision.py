"""Training of Faster R-CNN with a feature pyramid: torchvision's networks in a plain loop."""

from __future__ import annotations

import copy
import time
from typing import Any

import numpy as np
import torch
from torch.nn.parallel import DistributedDataParallel
from torchvision.models.detection import FasterRCNN

from artdet.detectors.torchvision_model import TorchvisionDetector
from artdet.errors import TrainingStopped
from artdet.labelmaps import IGNORED_ID
from artdet.training.backends.checkpoints import load_checkpoint, save_checkpoint, save_weights
from artdet.training.backends.ema import MeanWeights
from artdet.training.backends.memory import fitting_batch, is_out_of_memory, out_of_memory
from artdet.training.backends.precision import computes_in_bfloat16
from artdet.training.backends.processes import Processes, processes
from artdet.training.backends.schedule import learning_rate_share
from artdet.training.backends.torchvision_data import ExampleImages, PlaceSampler, Shown, loader
from artdet.training.backends.torchvision_losses import Losses
from artdet.training.backends.torchvision_parts import card_of, detector_settings, network_of, optimizer_of
from artdet.training.course import Course
from artdet.training.folder import Epoch
from artdet.training.interruption import Interruption

MAX_NORM = 10.0
"""Of the gradients of a step; longer ones are shortened to it."""

LEARNING_RATE = 0.02
"""For a batch of ``NOMINAL_BATCH``; it grows with the batch (Goyal 2017)."""

NOMINAL_BATCH = 16


def train(course: Course) -> None:
    """Trains until the course is finished; goes on from its checkpoint, where there is one.

    Raises:
        TrainingStopped: after Ctrl-C, when everything is saved.
        TrainingError: if memory ran out, or the loss is no number.
        ConfigError: if the architecture is unknown.
        ModelError: if the weights to start from do not fit.
    """
    with processes(course.task.device) as group, Interruption() as interruption:
        Training(course, group, interruption).run()


class Training:
    """A training between two stops.

    Args:
        course: what is trained, and how it goes.
        group: this process among those that train.
        interruption: tells when to stop.
    """

    def __init__(self, course: Course, group: Processes, interruption: Interruption) -> None:
        self._course, self._group, self._interruption = course, group, interruption
        self._task, self._settings = course.task, course.task.settings
        if group.device == "cpu":
            torch.set_num_threads(self._task.threads)
        torch.manual_seed(self._task.seed)
        state = load_checkpoint(course.folder.checkpoint)
        self._network, self._is_pretrained = network_of(course, None if state is None else state["pretrained"])
        self._network.to(group.device, memory_format=torch.channels_last)
        low = computes_in_bfloat16(self._settings.precision, group.device)
        below = self._task.detector_classes.below
        losses = Losses(self._network, below, low_precision=low).to(group.device)
        self._losses: torch.nn.Module = losses if group.count == 1 else DistributedDataParallel(losses)
        self._optimizer = optimizer_of(self._network, self._highest_rate, self._settings.weight_decay)
        self._mean = MeanWeights(self._network) if self._settings.ema else None
        self._epoch, self._step, self._seconds, self._rate = 0, 0, 0.0, 0.0
        self._sums: dict[str, float] = {}
        if state is None:
            course.go_on_from(0)
        else:
            self._take_up(state)
        self._prepare_data()

    def _prepare_data(self) -> None:
        task, group = self._task, self._group
        self._share = max(1, self._settings.batch // group.count)
        self._sampler = PlaceSampler(
            task.data.factors,
            seed=task.seed,
            epoch=self._epoch,
            skipped=self._step * self._share,
            rank=group.rank,
            processes=group.count,
        )
        images = ExampleImages(
            task.examples,
            task.pictures,
            side=task.category.settings.image_size,
            scale=self._settings.scale,
            seed=task.seed,
        )
        self._loader = loader(images, self._sampler, batch=self._share, workers=self._settings.workers)
        self._steps = len(self._loader)

    @property
    def _highest_rate(self) -> float:
        return self._settings.learning_rate or LEARNING_RATE * self._settings.batch / NOMINAL_BATCH

    def run(self) -> None:
        """Trains until the course is finished, or someone asks to stop."""
        finished = self._group.said_by_first(self._course.finished)
        while not finished:
            self._train_epoch()
            self._end_epoch()
            finished = self._group.said_by_first(self._course.finished)
            if not finished and self._is_to_stop():
                raise TrainingStopped("stopped")

    def _is_to_stop(self) -> bool:
        """Whether one of the processes was asked to stop; all have to agree, or the others would wait for it."""
        return self._group.mean({"stop": float(self._interruption.requested)})["stop"] > 0

    def _train_epoch(self) -> None:
        self._sampler.set_epoch(self._epoch)
        begun = time.monotonic() - self._seconds
        for batch in self._loader:
            losses = self._train_step(batch)
            self._seconds = time.monotonic() - begun
            for name, value in losses.items():
                self._sums[name] = self._sums.get(name, 0.0) + value
            self._step += 1
            self._course.watch.steps(
                self._epoch + 1, self._settings.epochs, self._step, self._steps, self._mean_losses()
            )
            stop = self._is_to_stop()
            if stop or self._course.save_is_due:
                self._save()
                self._course.saved()
            if stop:
                raise TrainingStopped("stopped")

    def _train_step(self, batch: list[Shown]) -> dict[str, float]:
        """One step of the optimizer; the losses before it, as means over all processes."""
        # Proposals are drawn by chance: the same ones in this step, whether training was stopped before it or not.
        torch.manual_seed(self._seed_of_step())
        self._set_learning_rate()
        try:
            values = self._with_gradients(batch)
            torch.nn.utils.clip_grad_norm_(self._network.parameters(), MAX_NORM)
            self._optimizer.step()
            if self._mean is not None:
                self._mean.update(self._network)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            error.__traceback__ = None  # it holds what filled the memory
            raise out_of_memory(self._settings.batch, fitting=self._fitting(batch)) from error
        return values

    def _with_gradients(self, batch: list[Shown]) -> dict[str, float]:
        self._optimizer.zero_grad(set_to_none=True)
        device = self._group.device
        images = [image.to(device, non_blocking=True) for image, _ in batch]
        losses: dict[str, torch.Tensor] = self._losses(images, [target.to(device) for _, target in batch])
        values = {name: float(loss.detach()) for name, loss in losses.items()}
        values = self._group.mean({"loss": sum(values.values()), **values})
        self._course.check_loss(values)
        torch.autograd.backward(list(losses.values()))
        return values

    def _fitting(self, batch: list[Shown]) -> int | None:
        """A batch that fits, tried with the images that did not; with several processes, nothing is tried."""
        if self._group.count > 1:
            return None
        return fitting_batch(len(batch), lambda count: self._with_gradients(batch[:count]))

    def _seed_of_step(self) -> int:
        task, group = self._task, self._group
        return int(np.random.SeedSequence((task.seed, self._epoch, self._step, group.rank)).generate_state(1)[0])

    def _set_learning_rate(self) -> None:
        share = learning_rate_share(
            self._epoch * self._steps + self._step,
            warmup=self._settings.warmup_epochs * self._steps,
            total=self._settings.epochs * self._steps,
            final_share=self._settings.final_share,
        )
        self._rate = self._highest_rate * share
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate

    def _mean_losses(self) -> dict[str, float]:
        return {name: value / self._step for name, value in self._sums.items()}

    # The end of an epoch, and what is kept.

    def _end_epoch(self) -> None:
        """Figures, weights, the line of the epoch, checkpoint; a line without its checkpoint is forgotten later."""
        course, number = self._course, self._epoch + 1
        losses, seconds = self._mean_losses(), self._seconds
        self._epoch, self._step, self._seconds, self._sums = number, 0, 0.0, {}
        if not self._group.is_first:
            return
        figures = course.figures(self._detector()) if course.due(number) else None
        epoch = course.judged(
            Epoch(
                number=number,
                losses=losses,
                learning_rate=self._rate,
                seconds=seconds,
                images=len(self._sampler) * self._group.count,
                figures=figures,
            )
        )
        if epoch.best:
            save_weights(course.folder, self._kept.state_dict(), card_of(self._task))
        course.add(epoch)
        self._save()

    @property
    def _kept(self) -> FasterRCNN:
        return self._network if self._mean is None else self._mean.network

    def _detector(self) -> TorchvisionDetector:
        """The detector that would be loaded from the run, with the weights as they are now."""
        network = copy.deepcopy(self._network) if self._mean is None else self._mean.network
        ids = np.array([IGNORED_ID, *self._task.detector_classes.ids], dtype=np.int64)
        return TorchvisionDetector(
            network, detector_settings(), ids, device=self._group.device, threads=self._task.threads
        )

    def _save(self) -> None:
        """The state after whole epochs and steps of the next; the first process alone writes it."""
        if not self._group.is_first:
            return
        state: dict[str, Any] = {
            "epoch": self._epoch,
            "step": self._step,
            "seconds": self._seconds,
            "sums": self._sums,
            "rate": self._rate,
            "pretrained": self._is_pretrained,
            "model": self._network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }
        if self._mean is not None:
            state |= {"ema": self._mean.network.state_dict(), "updates": self._mean.updates}
        save_checkpoint(self._course.folder.checkpoint, state)

    def _take_up(self, state: dict[str, Any]) -> None:
        self._epoch, self._step = int(state["epoch"]), int(state["step"])
        self._seconds, self._sums, self._rate = float(state["seconds"]), dict(state["sums"]), float(state["rate"])
        self._network.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        if self._mean is not None:
            self._mean.network.load_state_dict(state["ema"])
            self._mean.updates = int(state["updates"])
        self._course.go_on_from(self._epoch)
