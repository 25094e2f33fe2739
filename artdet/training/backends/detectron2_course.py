"""What happens between the steps of Detectron2's trainer: mean weights, validation, checkpoints, endings."""

from __future__ import annotations

import copy
import time
from typing import Any, Protocol

import torch
from detectron2.engine.hooks import HookBase

from artdet.detectors.detectron2 import Settings as DetectorSettings
from artdet.detectors.detectron2_model import Detectron2Detector
from artdet.errors import TrainingStopped
from artdet.modelfiles import ModelCard
from artdet.training.backends.checkpoints import save_checkpoint, save_weights
from artdet.training.backends.detectron2_config import architecture
from artdet.training.backends.ema import MeanWeights
from artdet.training.backends.processes import Processes
from artdet.training.course import Course
from artdet.training.folder import Epoch
from artdet.training.interruption import Interruption
from artdet.training.provenance import described

LOSSES = ("loss_cls", "loss_box_reg", "loss_rpn_cls", "loss_rpn_loc")
"""As Detectron2 names them; what is written leaves ``loss_`` out, and their sum is the ``loss``."""


class _Trainer(Protocol):
    """What a hook needs of its trainer."""

    network: torch.nn.Module
    optimizer: Any
    scheduler: Any
    storage: Any
    cfg: Any
    iter: int
    steps: int


class CourseHook(HookBase):  # type: ignore[misc]
    """Leads a course; all but the counting of steps is done by the first process.

    Args:
        course: what is trained and how it goes.
        interruption: says when to stop.
        group: this process among its like.
        state: of the checkpoint to go on from.
    """

    class Finished(Exception):
        """Ends the trainer's loop."""

    trainer: _Trainer

    def __init__(
        self, course: Course, interruption: Interruption, group: Processes, state: dict[str, Any] | None
    ) -> None:
        self._course, self._interruption, self._group = course, interruption, group
        self._task = course.task
        self._state = state
        self._sums = dict.fromkeys(LOSSES, 0.0)
        self._seconds, self._since = 0.0, 0.0
        self._mean: MeanWeights | None = None

    def before_train(self) -> None:
        """Begins the mean weights, or takes up those of the checkpoint."""
        state, self._state = self._state, None
        if self._task.settings.ema and self._group.is_first:
            self._mean = MeanWeights(self.trainer.network, state["updates"] if state else 0)
        if state is None:
            self._course.go_on_from(0)
            return
        if self._mean is not None:
            self._mean.network.load_state_dict(state["ema"])
        self._course.go_on_from(state["epoch"])
        self._sums, self._seconds = dict(state["losses"]), state["seconds"]

    def before_step(self) -> None:
        """Makes what is drawn in a step depend on nothing but the step, so that going on changes nothing."""
        torch.manual_seed(self._task.seed + 100_003 * self.trainer.iter + self._group.rank)
        self._since = time.monotonic()

    def after_step(self) -> None:
        """Counts; ends an epoch; saves and stops where that is asked for."""
        steps = self.trainer.steps
        epoch, step = self.trainer.iter // steps, self.trainer.iter % steps + 1
        if self._mean is not None:
            self._mean.update(self.trainer.network)
        self._seconds += time.monotonic() - self._since
        if self._group.is_first:
            self._count(epoch, step)
        if step == steps:
            if self._group.is_first:
                self._end_epoch(epoch + 1)
            if self._group.said_by_first(self._course.finished):
                raise self.Finished
            step, epoch = 0, epoch + 1
        self._pause(epoch, step)

    def _count(self, epoch: int, step: int) -> None:
        latest = self.trainer.storage.latest()
        for name in LOSSES:
            self._sums[name] += latest[name][0]
        epochs = self._task.settings.epochs
        self._course.watch.steps(epoch + 1, epochs, step, self.trainer.steps, self._losses(step))

    def _pause(self, epoch: int, step: int) -> None:
        """Saves inside an epoch, and stops after Ctrl-C; what ended an epoch is saved already."""
        stop = self._group.said_by_first(self._interruption.requested)
        if self._group.is_first and step and (stop or self._course.save_is_due):
            self._save(epoch, step)
            self._course.saved()
        if stop:
            raise TrainingStopped("stopped")

    def _losses(self, steps: int) -> dict[str, float]:
        means = {name.removeprefix("loss_"): total / steps for name, total in self._sums.items()}
        return {"loss": sum(means.values()), **means}

    def _end_epoch(self, number: int) -> None:
        """Figures, weights, the line of the epoch, checkpoint; a line without its checkpoint is forgotten later."""
        course = self._course
        figures = course.figures(self._detector()) if course.due(number) else None
        epoch = course.judged(
            Epoch(
                number=number,
                losses=self._losses(self.trainer.steps),
                learning_rate=float(self.trainer.storage.latest()["lr"][0]),
                seconds=self._seconds,
                images=self.trainer.steps * self._task.settings.batch,
                figures=figures,
            )
        )
        if epoch.best:
            kept = self._kept().state_dict()
            # Networks are rebuilt with frozen statistics, which do not count batches.
            tensors = {name: each for name, each in kept.items() if not name.endswith("num_batches_tracked")}
            save_weights(course.folder, tensors, self._card())
        self._sums, self._seconds = dict.fromkeys(LOSSES, 0.0), 0.0
        course.add(epoch)
        self._save(number, 0)

    def _kept(self) -> torch.nn.Module:
        return self._mean.network if self._mean is not None else self.trainer.network

    def _detector(self) -> Detectron2Detector:
        ids = self._task.detector_classes.ids
        network = self._mean.network if self._mean is not None else copy.deepcopy(self.trainer.network).eval()
        settings = DetectorSettings(name="trained", weights="trained")
        return Detectron2Detector(network, self.trainer.cfg, settings, ids, threads=self._task.threads)

    def _card(self) -> ModelCard:
        settings = self._task.category.settings
        return ModelCard(
            backend="detectron2",
            architecture=architecture(self._task.settings),
            min_size=settings.image_size,
            max_size=settings.image_size,
            **described(self._task.data),
        )

    def _save(self, epoch: int, step: int) -> None:
        """The state after ``epoch`` whole epochs and ``step`` steps of the next."""
        mean = self._mean
        state = {
            "epoch": epoch,
            "step": step,
            "losses": self._sums,
            "seconds": self._seconds,
            "model": self.trainer.network.state_dict(),
            "ema": mean.network.state_dict() if mean else {},
            "updates": mean.updates if mean else 0,
            "optimizer": self.trainer.optimizer.state_dict(),
            "scheduler": self.trainer.scheduler.state_dict(),
        }
        save_checkpoint(self._course.folder.checkpoint, state)
