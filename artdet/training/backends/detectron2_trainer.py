"""Detectron2's ``DefaultTrainer`` with artdet's data, validation, checkpoints and endings. Needs Detectron2."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from detectron2.data import build_detection_train_loader
from detectron2.engine import DefaultTrainer
from detectron2.engine.hooks import HookBase, LRScheduler
from detectron2.structures import Boxes, Instances
from detectron2.utils import comm
from detectron2.utils.events import EventStorage
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import Dataset, Sampler

from artdet.detectors.detectron2 import find_config
from artdet.detectors.detectron2_model import read_config
from artdet.detectors.detectron2_trained import ARCHITECTURES, has_normalised_fpn, network_options
from artdet.errors import ConfigError, ModelError
from artdet.training.backends.checkpoints import load_checkpoint
from artdet.training.backends.detectron2_config import (
    architecture,
    normalisation_options,
    solver_options,
    steps_of_epoch,
)
from artdet.training.backends.detectron2_course import CourseHook
from artdet.training.backends.detectron2_data import Draw, draws, planes, varied
from artdet.training.backends.detectron2_network import TrainedNetwork, fits, fitting_tensors, start_tensors
from artdet.training.backends.precision import computes_in_bfloat16
from artdet.training.backends.processes import Processes
from artdet.training.course import Course, Task
from artdet.training.examples import epoch_length
from artdet.training.interruption import Interruption


class Detectron2Trainer(DefaultTrainer):  # type: ignore[misc]
    """The trainer of Detectron2 on a course.

    Args:
        course: what is trained and how it goes.
        interruption: says when to stop.
        group: this process among its like.
    """

    def __init__(self, course: Course, interruption: Interruption, group: Processes) -> None:
        self._course, self._interruption, self._group = course, interruption, group
        self._state = load_checkpoint(course.folder.checkpoint)
        self.steps = steps_of_epoch(epoch_length(course.task.data.factors), course.task.settings.batch)
        self._begin = self._state["epoch"] * self.steps + self._state["step"] if self._state else 0
        if group.device == "cpu":
            torch.set_num_threads(course.task.threads)
        if group.count > 1:
            _share_batch(course.task, group)
        torch.manual_seed(course.task.seed)
        super().__init__(_config(course, group, self.steps, self._state))
        self.start_iter = self._begin
        if self._state:
            self.optimizer.load_state_dict(self._state["optimizer"])
            self.scheduler.load_state_dict(self._state["scheduler"])
        self._state = None  # large, and the hooks have what they need

    @property
    def network(self) -> TrainedNetwork:
        """The one that learns."""
        model = self._trainer.model
        network: TrainedNetwork = model.module if isinstance(model, DistributedDataParallel) else model
        return network

    def train(self) -> None:
        """Until the course is finished.

        Raises:
            TrainingStopped: when it was asked to stop, and all is saved.
            FloatingPointError: of Detectron2, if the loss is no number.
        """
        try:
            super().train()
        except CourseHook.Finished:
            return

    def try_step(self, batch: int) -> None:
        """Computes a step with so many images and forgets it, to see whether it fits in memory."""
        task = self._course.task
        show = Shown(task)
        shown = [show[draw] for draw in islice(draws(task.data.factors, seed=task.seed, batch=batch), batch)]
        with EventStorage():
            sum(self.network(shown).values()).backward()
        self.optimizer.zero_grad()

    # What DefaultTrainer asks for.

    def build_model(self, cfg: Any) -> TrainedNetwork:
        """The network with the weights to begin with, or to go on from."""
        task = self._course.task
        network = TrainedNetwork(cfg)
        network.low_precision = computes_in_bfloat16(task.settings.precision, self._group.device)
        below = torch.from_numpy(task.detector_classes.below)
        network.roi_heads.box_predictor.register_buffer("below", below, persistent=False)
        if self._state:
            network.load_state_dict(self._state["model"])
        elif task.start:
            _load_start(network, task)
        network.to(self._group.device)
        return network

    def build_train_loader(self, cfg: Any) -> Any:
        """Batches of all epochs from where training begins, each a list of dicts as Detectron2 has them."""
        task = self._course.task
        return build_detection_train_loader(
            Shown(task),
            mapper=None,
            sampler=DrawSampler(task, step=self._begin, group=self._group),
            total_batch_size=task.settings.batch,
            aspect_ratio_grouping=False,
            num_workers=cfg.DATALOADER.NUM_WORKERS,
            seed=task.seed,  # else it draws from torch's numbers, in the first step after going on
        )

    def build_hooks(self) -> list[HookBase]:
        """The learning rate's plan, then the course."""
        return [LRScheduler(), CourseHook(self._course, self._interruption, self._group, self._state)]

    def build_writers(self) -> list[Any]:
        """None: the course writes."""
        return []


class DrawSampler(Sampler[Draw]):
    """The images of this process, epoch after epoch without end, as :func:`draws` gives them.

    Args:
        task: with factors, seed and batch.
        step: to begin with, over all epochs.
        group: this process among its like.
    """

    def __init__(self, task: Task, *, step: int, group: Processes) -> None:
        self._task, self._step, self._group = task, step, group

    def __iter__(self) -> Iterator[Draw]:
        task = self._task
        endless = draws(task.data.factors, seed=task.seed, batch=task.settings.batch, step=self._step)
        return islice(endless, self._group.rank, None, self._group.count)


class Shown(Dataset[dict[str, Any]]):
    """Drawn examples as Detectron2 wants them, with what was looked for in them."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def __getitem__(self, draw: Draw) -> dict[str, Any]:
        task = self._task
        example = task.examples[draw.example]
        rng = np.random.default_rng((task.seed, draw.epoch, draw.place))
        size = task.category.settings.image_size
        view = varied(example, task.pictures, rng, size=size, scale=task.settings.scale)
        height, width = view.pixels.shape[:2]
        instances = Instances((height, width))
        instances.gt_boxes = Boxes(torch.from_numpy(view.boxes.copy()))
        instances.gt_classes = torch.from_numpy(view.labels.copy())
        return {
            "image": torch.from_numpy(planes(view.pixels)),
            "height": height,
            "width": width,
            "instances": instances,
            "labelled": torch.from_numpy(example.labelled),
            "covered": torch.from_numpy(example.covered),
        }


def _config(course: Course, group: Processes, steps: int, state: dict[str, Any] | None) -> Any:
    """Detectron2's config of a training."""
    task = course.task
    name = architecture(task.settings)
    path = find_config(ARCHITECTURES[name], Path())
    if path is None:
        raise ConfigError(f"Detectron2's model zoo lacks {ARCHITECTURES[name]}. Install Detectron2 again.")
    size, start = task.category.settings.image_size, task.start
    normalised = has_normalised_fpn(state["model"] if state else start_tensors(start)[0] if start else ())
    options = {
        **network_options(len(task.classes), min_size=size, max_size=size, normalised_fpn=normalised),
        **normalisation_options(from_random=start is None, normalised_fpn=normalised),
        **solver_options(task.settings, steps),
        "MODEL.DEVICE": group.device,
        "OUTPUT_DIR": str(course.folder.path),
    }
    return read_config(path, options)


def _share_batch(task: Task, group: Processes) -> None:
    """Tells Detectron2 of the processes that torchrun started."""
    if task.settings.batch % group.count:
        fitting = max(1, task.settings.batch // group.count) * group.count
        raise ConfigError(
            f"a batch of {task.settings.batch} cannot be shared by {group.count} processes. "
            f"Use --set training.batch={fitting}."
        )
    comm.create_local_process_group(group.count)


def _load_start(network: TrainedNetwork, task: Task) -> None:
    assert task.start is not None
    tensors, names = start_tensors(task.start)
    own = network.state_dict()
    fitting = fitting_tensors(tensors, own, names, task.classes)
    if not fits(fitting, own):
        raise ModelError(
            f"{task.start.model} fits this network in only {len(fitting)} of {len(own)} tensors. "
            "Start from weights of the same architecture, or from random ones: training.start=random."
        )
    network.load_state_dict(fitting, strict=False)
