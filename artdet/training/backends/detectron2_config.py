"""The settings of a training in the words of Detectron2's config; runs without the library."""

from __future__ import annotations

from typing import Any

from artdet.data.training_settings import TrainingSettings
from artdet.detectors.detectron2_trained import ARCHITECTURES
from artdet.errors import ConfigError, did_you_mean

ARCHITECTURE = "R50-FPN"
MOMENTUM = 0.9
_LEARNING_RATE = 0.02  # of Detectron2 for 16 images
_BATCH = 16
_CLIPPED_NORM = 1.0


def architecture(settings: TrainingSettings) -> str:
    """Name of the network.

    Raises:
        ConfigError: if it is unknown.
    """
    name = settings.architecture or ARCHITECTURE
    if name not in ARCHITECTURES:
        hint = did_you_mean(name, ARCHITECTURES)
        raise ConfigError(f"training.architecture: the backend detectron2 has no '{name}'.{hint}")
    return name


def steps_of_epoch(length: int, batch: int) -> int:
    """Steps of an epoch of so many images; all are full.

    >>> [steps_of_epoch(length, 4) for length in (1, 4, 5)]
    [1, 1, 2]
    """
    return max(1, -(-length // batch))


def learning_rate(settings: TrainingSettings) -> float:
    """The highest; by default Detectron2's, scaled with the batch (Goyal 2017).

    >>> learning_rate(TrainingSettings(batch=4))
    0.005
    """
    return settings.learning_rate or _LEARNING_RATE * settings.batch / _BATCH


def solver_options(settings: TrainingSettings, steps: int) -> dict[str, Any]:
    """Optimizer and plan of the learning rate.

    Args:
        settings: of the training.
        steps: of one epoch.
    """
    rate = learning_rate(settings)
    return {
        "SOLVER.BASE_LR": rate,
        "SOLVER.BASE_LR_END": rate * settings.final_share,
        "SOLVER.LR_SCHEDULER_NAME": "WarmupCosineLR",
        "SOLVER.MAX_ITER": settings.epochs * steps,
        "SOLVER.WARMUP_ITERS": min(round(settings.warmup_epochs * steps), settings.epochs * steps),
        "SOLVER.MOMENTUM": MOMENTUM,
        "SOLVER.WEIGHT_DECAY": settings.weight_decay,
        "SOLVER.WEIGHT_DECAY_NORM": 0.0,
        "SOLVER.WEIGHT_DECAY_BIAS": 0.0,
        "SOLVER.IMS_PER_BATCH": settings.batch,
        "SOLVER.CLIP_GRADIENTS.ENABLED": True,
        "SOLVER.CLIP_GRADIENTS.CLIP_TYPE": "norm",
        "SOLVER.CLIP_GRADIENTS.CLIP_VALUE": _CLIPPED_NORM,
        "DATALOADER.NUM_WORKERS": settings.workers,
    }


def normalisation_options(*, from_random: bool, normalised_fpn: bool) -> dict[str, Any]:
    """How the network normalises while it learns.

    Random weights diverge within a few steps without statistics of the batch. Weights that learnt before keep their
    statistics, which small batches would spoil, and their first two stages, as Detectron2 has it.

    Args:
        from_random: whether training begins with random weights.
        normalised_fpn: whether the weights to begin with have normalisation layers in the FPN.
    """
    if from_random:
        return {"MODEL.RESNETS.NORM": "BN", "MODEL.FPN.NORM": "BN", "MODEL.BACKBONE.FREEZE_AT": 0}
    return {
        "MODEL.RESNETS.NORM": "FrozenBN",
        "MODEL.FPN.NORM": "FrozenBN" if normalised_fpn else "",
        "MODEL.BACKBONE.FREEZE_AT": 2,
    }
