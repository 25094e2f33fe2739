"""Training of YOLOv5u and its relatives by the trainer of ultralytics."""

from __future__ import annotations

import math
import random
import shutil
import time
import traceback
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.utils import RANK
from ultralytics.utils.torch_utils import unwrap_model

from artdet.errors import ConfigError, TrainingStopped
from artdet.training.backends.checkpoints import are_in_bounds, load_checkpoint, save_checkpoint, save_weights
from artdet.training.backends.ema import kept_share
from artdet.training.backends.epoch_sampler import EpochSampler
from artdet.training.backends.half_epoch import HalfEpoch
from artdet.training.backends.memory import fitting_batch, is_out_of_memory, out_of_memory
from artdet.training.backends.precision import computes_in_bfloat16
from artdet.training.backends.yolo_data import EpochLoader, ExampleDataset
from artdet.training.backends.yolo_inference import detector_of
from artdet.training.backends.yolo_model import new_network
from artdet.training.backends.yolo_options import LEFT_BEHIND, NEW_OUTPUTS_RATE, card_of, trainer_options
from artdet.training.backends.yolo_start import anew_note, started
from artdet.training.backends.yolo_teacher import teacher_of
from artdet.training.course import Course
from artdet.training.folder import Epoch
from artdet.training.interruption import Interruption


def train(course: Course) -> None:
    """Trains until the course is finished.

    Raises:
        TrainingStopped: after Ctrl-C, when everything is saved.
        TrainingError: if memory ran out, or the loss is no number.
    """
    if course.finished:
        return
    with Interruption() as interruption:
        trainer = YoloTrainer(course, interruption)
        try:
            trainer.train()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            traceback.clear_frames(error.__traceback__)  # they hold what the step computed
            batch = course.task.settings.batch
            fitting = fitting_batch(batch, trainer.try_step) if RANK == -1 else None
            raise out_of_memory(batch, fitting=fitting) from error
        finally:
            shutil.rmtree(course.folder.path / LEFT_BEHIND, ignore_errors=True)
    if interruption.requested and not course.finished:
        raise TrainingStopped("stopped")


class YoloTrainer(DetectionTrainer):  # type: ignore[misc]
    """The trainer of ultralytics with artdet's data, validation, checkpoints and endings."""

    def __init__(self, course: Course, interruption: Interruption) -> None:
        self._course, self._interruption = course, interruption
        self._task, self._settings = course.task, course.task.settings
        self._state = load_checkpoint(course.folder.checkpoint)
        self._step = int(self._state["step"]) if self._state else 0
        self._before = HalfEpoch(self._state)
        self._rate = float(self._state.get("learning_rate", 0.0)) if self._state else 0.0
        self._begun = 0.0
        try:
            super().__init__(overrides=trainer_options(self._task, course.folder))
        except (ValueError, TypeError) as error:  # of the check of its options
            raise ConfigError(f"ultralytics does not train with these settings: {error} Change them.") from error
        for event, action in (
            ("on_train_start", YoloTrainer._threads),
            ("on_train_epoch_start", YoloTrainer._begin_epoch),
            ("on_train_batch_start", YoloTrainer._warm_up),
            ("on_train_batch_end", YoloTrainer._end_step),
        ):
            self.add_callback(event, action)

    # What is trained on.

    def check_resume(self, overrides: dict[str, Any]) -> None:
        """Going on is artdet's own affair."""
        self.resume = False

    def get_dataset(self) -> dict[str, Any]:
        """What ultralytics wants to know of the data."""
        classes = self._task.classes
        return {"train": "train", "val": "val", "nc": len(classes), "names": dict(enumerate(classes)), "channels": 3}

    def get_dataloader(self, dataset_path: str, batch_size: int = 16, rank: int = 0, mode: str = "train") -> Any:
        """A loader of the examples; for validation only what is asked for its length."""
        if mode != "train":
            return SimpleNamespace(dataset=self._task.validation)
        task = self._task
        dataset = ExampleDataset(
            task.examples,
            task.pictures,
            task.classes,
            imgsz=self.args.imgsz,
            hyp=self.args,
            batch_size=batch_size,
            stride=self.stride,
        )
        sampler = EpochSampler(task.data.factors, seed=task.seed, rank=max(rank, 0), processes=max(self.world_size, 1))
        return EpochLoader(
            dataset, batch_size, sampler=sampler, num_workers=self.args.workers, collate_fn=dataset.collate_fn
        )

    def _build_train_pipeline(self) -> None:
        # DetectionTrainer's own looks through the boxes of a validation set of ultralytics, which there is none of.
        super(DetectionTrainer, self)._build_train_pipeline()

    def preprocess_batch(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Pixels from 0 to 1, channels last, and what was looked for in each image."""
        batch = super().preprocess_batch(batch)
        batch["img"] = batch["img"].contiguous(memory_format=torch.channels_last)
        shown = [self._task.examples[index] for index in batch["index"]]
        for name in ("labelled", "covered"):
            batch[name] = torch.from_numpy(np.stack([getattr(one, name) for one in shown])).to(self.device)
        if self._teacher is not None:
            batch["taught"] = self._teacher(batch["img"])
        return batch

    # What is trained.

    def setup_model(self) -> None:
        """The network with the weights to start from, or to go on from."""
        low = computes_in_bfloat16(self._settings.precision, self._task.device)
        network = new_network(self._task, low_precision=low)
        if self._state:
            network.load_state_dict(self._state["model"])
            self.args.warmup_bias_lr = self._state.get("warmup_bias_lr", self.args.warmup_bias_lr)
        elif not started(network, self._task):
            self.args.warmup_bias_lr = NEW_OUTPUTS_RATE[self._settings.optimizer]
            if self._task.start:
                self._course.watch.note(anew_note(self._task.start))
        self.model = network.to(memory_format=torch.channels_last)
        self._teacher = teacher_of(self._task, network, self.device, low_precision=low)

    def get_validator(self) -> Any:
        """Only its figures' names are asked for."""
        return SimpleNamespace(metrics=SimpleNamespace(keys=[]))

    def resume_training(self, ckpt: Any) -> None:
        """Takes up optimizer, mean weights and epoch."""
        self.ema.decay = kept_share  # the usual one is for hundreds of epochs
        self.ema.enabled = self._settings.ema
        self.start_epoch = int(self._state["epoch"]) if self._state else 0
        self._course.go_on_from(self.start_epoch)
        self.train_loader.sampler.epoch = self.start_epoch
        self.train_loader.sampler.skipped = self._step * self.train_loader.batch_size
        if not self._state:
            return
        self.optimizer.load_state_dict(self._state["optimizer"])
        self.ema.ema.load_state_dict(self._state["ema"])
        self.ema.updates = int(self._state["updates"])
        self._state = None

    def try_step(self, count: int) -> None:
        """Computes a step with so many images and forgets it, to see whether it fits in memory."""
        dataset = self.train_loader.dataset
        shown = [dataset[index % len(dataset)] for index in range(count)]
        loss, _ = self.model(self.preprocess_batch(dataset.collate_fn(shown)))
        loss.sum().backward()
        self.optimizer.zero_grad()

    # How it goes.

    @staticmethod
    def _threads(trainer: YoloTrainer) -> None:
        # Importing ultralytics, and choosing a device through it, lowers torch's threads.
        if trainer.device.type == "cpu":
            torch.set_num_threads(trainer._task.threads)

    @staticmethod
    def _begin_epoch(trainer: YoloTrainer) -> None:
        trainer._oom_retries = math.inf  # or ultralytics goes on with smaller batches, by another plan
        seed = trainer._task.seed + 1000 * trainer.epoch + max(RANK, 0) + 100_003 * trainer._step
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)
        trainer.train_loader.sampler.set_epoch(trainer.epoch)
        trainer.train_loader.dataset.forget()
        trainer._begun = time.monotonic()

    def _get_warmup_iterations(self, num_batches: int) -> int:
        return 0  # ultralytics counts from the step where training went on

    @staticmethod
    def _warm_up(trainer: YoloTrainer) -> None:
        """Rates and momentum of the first steps, as ultralytics has them."""
        steps, options = len(trainer.train_loader), trainer.args
        last = DetectionTrainer._get_warmup_iterations(trainer, steps)
        step = trainer.epoch * steps + trainer._step
        if not last or step > last:
            return
        for group in trainer.optimizer.param_groups:
            first = options.warmup_bias_lr if group.get("param_group") == "bias" else 0.0
            group["lr"] = float(np.interp(step, [0, last], [first, group["initial_lr"] * trainer.lf(trainer.epoch)]))
            group["momentum"] = float(np.interp(step, [0, last], [options.warmup_momentum, options.momentum]))

    @staticmethod
    def _end_step(trainer: YoloTrainer) -> None:
        trainer._step += 1
        trainer._rate = float(trainer.optimizer.param_groups[0]["lr"])
        losses = trainer._losses()
        course = trainer._course
        course.check_loss({"loss": float(trainer.loss.detach())})
        course.watch.steps(trainer.epoch + 1, trainer.epochs, trainer._step, len(trainer.train_loader), losses)
        if trainer._interruption.requested or course.save_is_due:
            trainer._check_weights()
            trainer._save(trainer.epoch, trainer._step)
            course.saved()
        if trainer._interruption.requested:
            raise TrainingStopped("stopped")

    def _losses(self) -> dict[str, float]:
        """Means over the epoch, and their sum."""
        since = {name: float(value) for name, value in (self.tloss or {}).items()}
        parts = self._before.losses_with(since, self._step)
        return {"loss": sum(parts.values()), **parts}

    def _seconds(self) -> float:
        return self._before.seconds + time.monotonic() - self._begun

    def _check_weights(self) -> None:
        """Ends a training before it saves weights that are no numbers: the loss shows it one step too late."""
        if not are_in_bounds(self._kept().state_dict()):
            self._course.check_loss({"weights": math.nan})

    def validate(self) -> tuple[dict[str, float], float]:
        """Ends an epoch: figures, weights, the line of the epoch, checkpoint; in this order, so that none is lost."""
        course, number = self._course, self.epoch + 1
        if RANK > 0:  # the first process looks, writes and says when to stop
            self._step, self._before = 0, HalfEpoch()
            return {}, 0.0
        self._check_weights()
        seconds = self._seconds()
        figures = (
            course.figures(detector_of(self._kept(), self._task, str(self.device))) if course.due(number) else None
        )
        epoch = course.judged(
            Epoch(
                number=number,
                losses=self._losses(),
                learning_rate=self._rate,
                seconds=seconds,
                images=len(self.train_loader.sampler) * max(self.world_size, 1),
                figures=figures,
            )
        )
        if epoch.best:
            save_weights(course.folder, self._kept().state_dict(), card_of(self._task))
        # Its line comes first: a line without its checkpoint is forgotten on going on, and the epoch done again.
        course.add(epoch)
        self._step, self._before = 0, HalfEpoch()
        self._save(number, 0)
        self.stop = course.finished
        return {}, figures.fitness if figures else 0.0

    def _kept(self) -> torch.nn.Module:
        network: torch.nn.Module = self.ema.ema if self._settings.ema else unwrap_model(self.model)
        return network

    def _save(self, epoch: int, step: int) -> None:
        """The state after ``epoch`` whole epochs and ``step`` steps of the next."""
        if RANK > 0:
            return
        state = {
            "epoch": epoch,
            "step": step,
            "losses": self._losses() if step else {},
            "seconds": self._seconds() if step else 0.0,
            "model": unwrap_model(self.model).state_dict(),
            "ema": self.ema.ema.state_dict(),
            "updates": self.ema.updates,
            "learning_rate": self._rate,
            "warmup_bias_lr": self.args.warmup_bias_lr,
            "optimizer": self.optimizer.state_dict(),
        }
        save_checkpoint(self._course.folder.checkpoint, state)

    def _handle_nan_recovery(self, epoch: int) -> bool:
        return False

    def label_loss_items(self, loss_items: Any = None, prefix: str = "train") -> Any:
        """As ultralytics has them; none of an epoch that was stopped after its last step, and of which none is left."""
        return {} if loss_items is None and prefix == "train" else super().label_loss_items(loss_items, prefix)

    def save_model(self) -> bool:
        """Done in :meth:`validate`."""
        return False

    def save_metrics(self, metrics: dict[str, float]) -> None:
        """Done in :meth:`validate`."""

    def final_eval(self) -> None:
        """Nothing: the best weights were validated when they were made."""
