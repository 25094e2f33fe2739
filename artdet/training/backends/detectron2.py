"""Training of Faster R-CNN by the trainer of Detectron2. This module can be imported without that library."""

from __future__ import annotations

import contextlib
import logging
import math
import traceback
import warnings
from collections.abc import Iterator

from artdet.detectors.detectron2 import INSTALL
from artdet.devices import is_installed
from artdet.errors import MissingBackend, TrainingError, TrainingStopped
from artdet.training.backends.memory import fitting_batch, is_out_of_memory, out_of_memory
from artdet.training.backends.processes import processes
from artdet.training.course import Course
from artdet.training.interruption import Interruption

_LOGGERS = ("detectron2", "fvcore", "torch.fx._symbolic_trace")


def train(course: Course) -> None:
    """Trains until the course is finished. Several GPUs: start it by torchrun, with a process for each.

    Raises:
        MissingBackend: if Detectron2 is not installed.
        TrainingStopped: after Ctrl-C, when everything is saved.
        TrainingError: if memory ran out, or the loss is no number.
    """
    if not is_installed("detectron2"):
        raise MissingBackend("Detectron2", "training.backend: detectron2", f"Install it with: {INSTALL}")
    with quiet_detectron2(), processes(course.task.device) as group, Interruption() as interruption:
        from artdet.training.backends.detectron2_trainer import Detectron2Trainer

        trainer = Detectron2Trainer(course, interruption, group)
        try:
            trainer.train()
        except FloatingPointError as error:  # Detectron2's for losses and for boxes that are no numbers
            raise _not_a_number(course, error) from error
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            traceback.clear_frames(error.__traceback__)  # they hold what the step computed
            batch = course.task.settings.batch
            fitting = fitting_batch(batch, trainer.try_step) if group.count == 1 else None
            raise out_of_memory(batch, fitting=fitting) from error
    if interruption.requested and not course.finished:
        raise TrainingStopped("stopped")


@contextlib.contextmanager
def quiet_detectron2() -> Iterator[None]:
    """Keeps Detectron2 from writing anything: its trainer sets up a logger of its own, torch warns of its old calls."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [(logger.level, logger.propagate, list(logger.handlers)) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.INFO)  # the trainer takes this for a logger that is set up
        logger.propagate = False
        logger.handlers = [logging.NullHandler()]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"detectron2|fvcore|torch\.(jit|functional)")
        try:
            yield
        finally:
            for logger, (level, propagate, handlers) in zip(loggers, before, strict=True):
                logger.setLevel(level)
                logger.propagate, logger.handlers = propagate, handlers


def _not_a_number(course: Course, error: FloatingPointError) -> Exception:
    try:
        course.check_loss({"loss": math.nan})
    except TrainingError as told:
        return told
    return error
