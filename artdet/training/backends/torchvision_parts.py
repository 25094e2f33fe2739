"""What a training of Faster R-CNN is made of: network, start, optimizer, card."""

from __future__ import annotations

import torch
from torchvision.models.detection import FasterRCNN
from torchvision.ops import FrozenBatchNorm2d

from artdet.detectors.torchvision import ARCHITECTURES
from artdet.detectors.torchvision import Settings as DetectorSettings
from artdet.detectors.torchvision_architectures import build_network
from artdet.errors import ConfigError, did_you_mean
from artdet.modelfiles import ModelCard
from artdet.training.backends.torchvision_start import Start, fill_start, from_cache, from_files, missing_note
from artdet.training.course import Course, Task
from artdet.training.provenance import described

ARCHITECTURE = "fasterrcnn_resnet50_fpn"
MOMENTUM = 0.9
FROZEN_STAGES = {"mobilenet_v3_large": 3}
"""Backbone -> its first stages that are left as they were pre-trained; 2 for residual networks."""


def network_of(course: Course, pretrained: bool | None) -> tuple[FasterRCNN, bool]:
    """The network to train, with the weights it starts from, and whether these were trained before.

    The normalisations of a network with trained weights are frozen, as few images make poor statistics, and so are its
    first stages; one with random weights learns all of them.

    Args:
        course: with the settings; it is told where there are no weights to start from.
        pretrained: how the run that goes on began; ``None`` for one that begins now.

    Raises:
        ConfigError: if the architecture is unknown.
        ModelError: if the weights do not fit.
    """
    task = course.task
    architecture = task.settings.architecture or ARCHITECTURE
    if architecture not in ARCHITECTURES:
        near = did_you_mean(architecture, ARCHITECTURES)
        raise ConfigError(f"training.architecture: torchvision trains no network '{architecture}' here.{near}")
    start = _start(course, architecture) if pretrained is None else None
    is_pretrained = start is not None if pretrained is None else pretrained
    side = task.category.settings.image_size
    network = build_network(
        architecture,
        1 + len(task.classes),
        detector_settings(),
        sizes=(side, side),
        norm=FrozenBatchNorm2d if is_pretrained else torch.nn.BatchNorm2d,
        frozen_stages=FROZEN_STAGES.get(ARCHITECTURES[architecture], 2) if is_pretrained else 0,
    )
    if start is not None:
        fill_start(network, start, task.classes)
    return network.train(), is_pretrained


def _start(course: Course, architecture: str) -> Start | None:
    task = course.task
    if task.start is not None:
        return from_files(task.start)
    if task.settings.start is not None:
        return None
    start = from_cache(architecture, task.category.taxonomy)
    course.watch.note(f"Training starts from torchvision's {start.where}." if start else missing_note(architecture))
    return start


def optimizer_of(network: torch.nn.Module, rate: float, weight_decay: float) -> torch.optim.Optimizer:
    """Stochastic gradient descent, with weight decay on the weights of convolutions and linear layers alone."""
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups = [
        {"params": [parameter for parameter in trained if parameter.ndim > 1], "weight_decay": weight_decay},
        {"params": [parameter for parameter in trained if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.SGD(groups, lr=rate, momentum=MOMENTUM)


def detector_settings() -> DetectorSettings:
    """Those that ``artdet predict`` has without further word."""
    return DetectorSettings(name="trained", weights="trained")


def card_of(task: Task) -> ModelCard:
    """The card of the model: its longer side is scaled to the size of training, as it was there."""
    settings = task.category.settings
    return ModelCard(
        backend="torchvision",
        architecture=settings.training.architecture or ARCHITECTURE,
        min_size=settings.image_size,
        max_size=settings.image_size,
        **described(task.data),
    )
