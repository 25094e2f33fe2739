"""How a category's detector is trained: the part ``training`` of its yaml."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from artdet.config import StrictModel
from artdet.data.artify import Artify

BackendName = Literal["yolo", "torchvision", "detectron2"]


class ArtifySettings(Artify):
    """Photographs made to look like art while training; see :class:`artdet.data.artify.Artify`.

    Attributes:
        variants: of each photograph, made before training; an epoch takes one of them by chance. 0 leaves all as they
            are.
        styles: folder of paintings for the neural effect, where its weight is not 0.
    """

    variants: int = Field(default=8, ge=0, le=100)
    styles: str | None = None


class TrainingSettings(StrictModel):
    """How to train. ``None`` takes what suits the backend.

    Attributes:
        backend: library that trains.
        architecture: the network in the words of its library: ``yolov5n.yaml``, ``fasterrcnn_resnet50_fpn``.
        start: weights to start from: a name or file as ``artdet models`` knows them, or ``random``. By default YOLOv5n
            starts from the bundled ``persons``, and all others as their backend says.
        teacher: a trained network, as a rule a larger one, whose answers are learnt beside the boxes; a name or file
            (YOLO only).
        teacher_weight: how much its answers count; 1 weighs them as the boxes.
        epochs: at most.
        patience: epochs without a better result on validation before training ends; 0 never ends it so.
        batch: images of one step, on all devices together.
        optimizer: ``sgd``, or ``adamw``, which needs fewer steps where outputs begin anew (YOLO only).
        learning_rate: the highest; it rises to it in ``warmup_epochs`` and falls as a half cosine to ``final_share`` of
            it.
        final_share: of the learning rate, at the end.
        warmup_epochs: may be a part of one.
        weight_decay: L2 penalty on convolutions' and linear layers' weights.
        ema: whether the mean of the weights over the last steps is what is validated and kept.
        precision: ``bfloat16`` where the processor or GPU is quick with it (``auto``), or as named.
        freeze: first layers that stay as they are, for few labels or little time: of a YOLOv5, 10 are the backbone and
            24 all but the head (YOLO only).
        mosaic: probability that four images are joined into one (YOLO only).
        close_mosaic: last epochs without mosaics, in which the network sees whole works.
        scale: images are resized by up to 1 -+ this.
        validate_every: epochs between two looks at the validation images; the last epoch always has one.
        workers: processes that load images, beside the one that trains.
        artify: see :class:`ArtifySettings`.
    """

    backend: BackendName = "yolo"
    architecture: str | None = None
    start: str | None = None
    teacher: str | None = None
    teacher_weight: float = Field(default=1.0, gt=0)
    epochs: int = Field(default=60, ge=1)
    patience: int = Field(default=20, ge=0)
    batch: int = Field(default=16, ge=1)
    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float | None = Field(default=None, gt=0)
    final_share: float = Field(default=0.01, gt=0, le=1)
    warmup_epochs: float = Field(default=1.0, ge=0)
    weight_decay: float = Field(default=0.0005, ge=0)
    ema: bool = True
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    freeze: int = Field(default=0, ge=0)
    mosaic: float = Field(default=1.0, ge=0, le=1)
    close_mosaic: int = Field(default=10, ge=0)
    scale: float = Field(default=0.5, ge=0, lt=1)
    validate_every: int = Field(default=1, ge=1)
    workers: int = Field(default=0, ge=0)
    artify: ArtifySettings = ArtifySettings()

    @property
    def trains_yolov5n(self) -> bool:
        """Whether the network is the smallest YOLO, which is what bundled detectors are."""
        return self.backend == "yolo" and self.architecture in (None, "yolov5n.yaml")
