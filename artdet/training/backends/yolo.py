"""Training of YOLOv5u and its relatives by the trainer of ultralytics."""

from __future__ import annotations

import copy
import os
import random
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.utils import RANK

from artdet.detectors.yolo import Settings as YoloSettings
from artdet.detectors.yolo_detector import YoloDetector
from artdet.detectors.yolo_engines import TorchEngine
from artdet.detectors.yolo_network import NetworkInfo, for_inference
from artdet.errors import TrainingError, TrainingStopped
from artdet.modelfiles import ModelCard
from artdet.training.backends.checkpoints import load_checkpoint, save_checkpoint, save_weights
from artdet.training.backends.precision import computes_in_bfloat16
from artdet.training.backends.yolo_data import EpochLoader, EpochSampler, ExampleDataset
from artdet.training.backends.yolo_model import TrainedNetwork, start_tensors
from artdet.training.course import Course
from artdet.training.folder import Epoch
from artdet.training.interruption import Interruption
from artdet.training.provenance import trained_on

ARCHITECTURE = "yolov5n.yaml"
LEARNING_RATE = 0.01
MOMENTUM = 0.937
_NOMINAL_BATCH = 64  # what ultralytics' weight decay is meant for


def train(course: Course) -> None:
    """Trains until the course is finished.

    Raises:
        TrainingStopped: after Ctrl-C, when everything is saved.
        TrainingError: if memory ran out, or the loss is no number.
    """
    with Interruption() as interruption:
        trainer = YoloTrainer(course, interruption)
        try:
            trainer.train()
        except torch.OutOfMemoryError as error:
            raise out_of_memory(course.task.settings.batch) from error
    if interruption.requested and not course.finished:
        raise TrainingStopped("stopped")


def out_of_memory(batch: int) -> TrainingError:
    """The sentence for it."""
    return TrainingError(
        f"The device ran out of memory with a batch of {batch}. Use --set training.batch={batch // 2}."
    )


class YoloTrainer(DetectionTrainer):  # type: ignore[misc]
    """The trainer of ultralytics with artdet's data, validation, checkpoints and endings."""

    def __init__(self, course: Course, interruption: Interruption) -> None:
        self._course, self._interruption = course, interruption
        self._task, self._settings = course.task, course.task.settings
        self._state = load_checkpoint(course.folder.checkpoint)
        self._step = int(self._state["step"]) if self._state else 0
        self._begun = 0.0
        super().__init__(overrides=self._options())
        for event, action in (
            ("on_train_start", YoloTrainer._threads),
            ("on_train_epoch_start", YoloTrainer._begin_epoch),
            ("on_train_batch_end", YoloTrainer._end_step),
        ):
            self.add_callback(event, action)

    def _options(self) -> dict[str, Any]:
        own, folder = self._settings, self._course.folder.path.absolute()
        device = self._task.device.removeprefix("cuda:")
        return {
            "model": own.architecture or ARCHITECTURE,
            "data": "artdet",
            "epochs": own.epochs,
            "batch": own.batch,
            "nbs": own.batch,
            "imgsz": self._task.category.settings.image_size,
            "device": "0" if device == "cuda" else device,
            "workers": own.workers,
            "project": str(folder),
            "name": "ultralytics",
            "exist_ok": True,
            "optimizer": "SGD",
            "lr0": own.learning_rate or LEARNING_RATE,
            "lrf": own.final_share,
            "cos_lr": True,
            "momentum": MOMENTUM,
            "weight_decay": own.weight_decay * own.batch / _NOMINAL_BATCH,
            "warmup_epochs": own.warmup_epochs,
            "warmup_bias_lr": own.learning_rate or LEARNING_RATE,
            "mosaic": own.mosaic,
            "close_mosaic": min(own.close_mosaic, own.epochs),
            "scale": own.scale,
            "seed": self._task.seed,
            "amp": False,
            "plots": False,
            "patience": 0,
            "verbose": False,
        }

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
        return batch

    # What is trained.

    def setup_model(self) -> None:
        """The network with the weights to start from, or to go on from."""
        low = computes_in_bfloat16(self._settings.precision, self._task.device)
        network = TrainedNetwork(
            self._settings.architecture or ARCHITECTURE, len(self._task.classes), low_precision=low
        )
        if self._state:
            network.load_state_dict(self._state["model"])
        elif self._task.start:
            network.load_state_dict(start_tensors(self._task.start, self._task.classes, network), strict=False)
        self.model = network.to(memory_format=torch.channels_last)

    def get_validator(self) -> Any:
        """Only its figures' names are asked for."""
        return SimpleNamespace(metrics=SimpleNamespace(keys=[]))

    def resume_training(self, ckpt: Any) -> None:
        """Takes up optimizer, mean weights and epoch."""
        self._interrupt_at(self._state)
        if not self._state:
            return
        self.start_epoch = int(self._state["epoch"])
        self._course.go_on_from(self.start_epoch)
        self.optimizer.load_state_dict(self._state["optimizer"])
        self.ema.ema.load_state_dict(self._state["ema"])
        self.ema.updates = int(self._state["updates"])
        self.ema.enabled = self._settings.ema
        self._state = None

    def _interrupt_at(self, state: Any) -> None:
        self.train_loader.sampler.epoch = int(state["epoch"]) if state else 0
        self.train_loader.sampler.skipped = self._step * self.args.batch
        self.ema.enabled = self._settings.ema

    # How it goes.

    @staticmethod
    def _threads(trainer: YoloTrainer) -> None:
        # Importing ultralytics, and choosing a device through it, lowers torch's threads.
        if trainer.device.type == "cpu":
            torch.set_num_threads(trainer._task.threads)

    @staticmethod
    def _begin_epoch(trainer: YoloTrainer) -> None:
        seed = trainer._task.seed + 1000 * trainer.epoch + max(RANK, 0)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)
        trainer.train_loader.sampler.set_epoch(trainer.epoch)
        trainer.train_loader.dataset.forget()
        trainer._begun = time.monotonic()

    @staticmethod
    def _end_step(trainer: YoloTrainer) -> None:
        trainer._step += 1
        losses = trainer._losses()
        course = trainer._course
        course.check_loss({"loss": float(trainer.loss.detach())})
        course.watch.steps(trainer.epoch + 1, trainer.epochs, trainer._step, len(trainer.train_loader), losses)
        if trainer._interruption.requested or course.save_is_due:
            trainer._save(trainer.epoch, trainer._step)
            course.saved()
        if trainer._interruption.requested:
            raise TrainingStopped("stopped")

    def _losses(self) -> dict[str, float]:
        parts = {name: float(value) for name, value in (self.tloss or {}).items()}
        return {"loss": sum(parts.values()), **parts}

    def validate(self) -> tuple[dict[str, float], float]:
        """Ends an epoch: figures, weights, checkpoint, the line of the epoch; in this order, so that none is lost."""
        course, number = self._course, self.epoch + 1
        seconds = time.monotonic() - self._begun
        figures = course.figures(self._detector()) if course.due(number) else None
        epoch = course.judged(
            Epoch(
                number=number,
                losses=self._losses(),
                learning_rate=float(self.optimizer.param_groups[0]["lr"]),
                seconds=seconds,
                images=self._step * self.args.batch,
                figures=figures,
            )
        )
        if epoch.best:
            save_weights(course.folder, self._kept().state_dict(), self._card())
        self._step = 0
        self._save(number, 0)
        course.add(epoch)
        self.stop = course.finished
        return {}, figures.fitness if figures else 0.0

    def _kept(self) -> torch.nn.Module:
        from ultralytics.utils.torch_utils import unwrap_model

        network: torch.nn.Module = self.ema.ema if self._settings.ema else unwrap_model(self.model)
        return network

    def _detector(self) -> YoloDetector:
        size = self._task.category.settings.image_size
        info = NetworkInfo(self._task.classes, size, int(self.stride), end_to_end=False)
        network = copy.deepcopy(self._kept())
        taxonomy = self._task.category.taxonomy
        ids = np.array([taxonomy.id_of(name) for name in self._task.classes], dtype=np.int64)
        engine = TorchEngine(for_inference(network), info, device=str(self.device), threads=self._task.threads)
        return YoloDetector(engine, YoloSettings(name="trained", weights="trained"), ids, image_size=size)

    def _card(self) -> ModelCard:
        settings = self._task.category.settings
        return ModelCard(
            backend="yolo",
            architecture=self._settings.architecture or ARCHITECTURE,
            classes=settings.classes,
            image_size=settings.image_size,
            description=settings.description,
            licence="AGPL-3.0-or-later",
            trained_on=trained_on(self._task.data),
        )

    def _save(self, epoch: int, step: int) -> None:
        """The state after ``epoch`` whole epochs and ``step`` steps of the next."""
        if RANK > 0:
            return
        from ultralytics.utils.torch_utils import unwrap_model

        state = {
            "epoch": epoch,
            "step": step,
            "model": unwrap_model(self.model).state_dict(),
            "ema": self.ema.ema.state_dict(),
            "updates": self.ema.updates,
            "optimizer": self.optimizer.state_dict(),
        }
        save_checkpoint(self._course.folder.checkpoint, state)

    def _handle_nan_recovery(self, epoch: int) -> bool:
        return False

    def save_model(self) -> bool:
        """Done in :meth:`validate`."""
        return False

    def save_metrics(self, metrics: dict[str, float]) -> None:
        """Done in :meth:`validate`."""

    def final_eval(self) -> None:
        """Nothing: the best weights were validated when they were made. What ultralytics leaves is taken away."""
        for file in (self.save_dir / "args.yaml", self.csv):
            Path(file).unlink(missing_ok=True)
        for folder in (self.wdir, self.save_dir):
            if folder.is_dir() and not os.listdir(folder):
                folder.rmdir()
