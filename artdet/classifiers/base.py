"""What a classifier is, and the card of one. Light: imports no machine-learning library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from artdet.config import StrictModel
from artdet.embedders.base import Preprocessing
from artdet.images import RGBImage
from artdet.tasks import Task

Scores = Mapping[str, NDArray[np.float32]]
"""Task -> float32 (N, classes): probabilities that sum to 1 for ``label``, each by itself in 0..1 for ``labels``;
(N, 1) in its own unit for ``number``."""


class Classifier(Protocol):
    """Answers tasks about images."""

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What it answers."""

    def classify(self, images: Sequence[RGBImage]) -> Scores:
        """Answers for N images RGB uint8 (H, W, 3) of any size, in their order."""


class HeadCard(StrictModel):
    """The layers between the features of the backbone and the outputs of the tasks.

    Attributes:
        representation: width of a layer that all tasks share (Strezoski 2017: 6144); none by default.
        hidden: widths of the layers with ReLU before each task's own output.
        dropout: before each layer, while training.
    """

    representation: int | None = Field(default=None, ge=1)
    hidden: tuple[int, ...] = ()
    dropout: float = Field(default=0.0, ge=0, lt=1)


class ClassifierCard(StrictModel):
    """What the weights of a classifier need beside them (``model.yaml``).

    Attributes:
        backend: always ``classifier``.
        backbone: key of ``artdet.embedders.backbones``, such as ``mobilenet_v2`` or ``timm:vit_base_patch16_224``.
        preprocessing: of images.
        head: between features and outputs.
        tasks: in the order of training.
        description: a sentence for people.
        licence: of the weights.
        trained_on: the data.
        left_out: what it does not tell, and why.
    """

    backend: Literal["classifier"] = "classifier"
    backbone: str
    preprocessing: Preprocessing
    head: HeadCard = HeadCard()
    tasks: tuple[Task, ...] = Field(min_length=1)
    description: str = ""
    licence: str = ""
    trained_on: str = ""
    left_out: dict[str, str] = Field(default_factory=dict)
