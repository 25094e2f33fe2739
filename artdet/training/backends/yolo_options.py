"""The settings of a training in the words of ultralytics."""

from __future__ import annotations

import os
from typing import Any

from artdet.modelfiles import ModelCard
from artdet.training.course import Task
from artdet.training.folder import TrainingFolder
from artdet.training.provenance import described

ARCHITECTURE = "yolov5n.yaml"
LEFT_BEHIND = "ultralytics"
"""Folder below a run's that its trainer makes; nothing is in it that we need."""
NEW_OUTPUTS_RATE = {"sgd": 0.1, "adamw": 0.01}
"""Of biases, at the begin of the warm-up: those of outputs that begin anew have far to go."""
_NAMES = {"sgd": "SGD", "adamw": "AdamW"}
_LEARNING_RATE = {"sgd": 0.0025, "adamw": 0.001}
_MOMENTUM = {"sgd": 0.937, "adamw": 0.9}
_NOMINAL_BATCH = 64  # what ultralytics' weight decay is meant for


def architecture(task: Task) -> str:
    """Name of the network."""
    return task.settings.architecture or ARCHITECTURE


def card_of(task: Task) -> ModelCard:
    """What the weights need beside them to be rebuilt."""
    size, classes = task.category.settings.image_size, task.detector_classes
    generals = {name: classes.general(place) for place, name in enumerate(classes.names)}
    return ModelCard(
        backend="yolo",
        architecture=architecture(task),
        image_size=size,
        parents={name: general for name, general in generals.items() if general},
        **described(task.data),
    )


def trainer_options(task: Task, folder: TrainingFolder) -> dict[str, Any]:
    """What a trainer of ultralytics is to be told."""
    own = task.settings
    rate = own.learning_rate or _LEARNING_RATE[own.optimizer]
    return {
        "model": architecture(task),
        "data": "artdet",
        "epochs": own.epochs,
        "batch": own.batch,
        "nbs": own.batch,
        "imgsz": task.category.settings.image_size,
        "device": _devices(task.device),
        "workers": own.workers,
        "project": str(folder.path.absolute()),
        "name": LEFT_BEHIND,
        "exist_ok": True,
        "optimizer": _NAMES[own.optimizer],
        "lr0": rate,
        "lrf": own.final_share,
        "cos_lr": True,
        "momentum": _MOMENTUM[own.optimizer],
        "weight_decay": own.weight_decay * own.batch / _NOMINAL_BATCH,
        "warmup_epochs": own.warmup_epochs,
        "warmup_bias_lr": rate,
        "freeze": own.freeze or None,
        "mosaic": own.mosaic,
        "close_mosaic": min(own.close_mosaic, own.epochs),
        "scale": own.scale,
        "seed": task.seed,
        "amp": False,
        "plots": False,
        "patience": 0,
        "verbose": False,
    }


def _devices(device: str) -> str:
    """The device as ultralytics names it; under torchrun one GPU for each process."""
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if processes > 1:
        return ",".join(str(number) for number in range(processes))
    return "0" if device == "cuda" else device.removeprefix("cuda:")
