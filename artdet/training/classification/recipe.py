"""A recipe: how a classifier is trained (``configs/recipes/*.yaml``); published systems are recipes of one core."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from artdet.classifiers.base import HeadCard
from artdet.config import StrictModel
from artdet.embedders.base import HANDMADE

SCENARIOS = ("all", "skip_first", "skip_first_2", "only_last_3", "only_last")
"""What Cetinic, Lipic and Grgic (2018) train: all layers, all but the first or first two, the last three, the last."""

Count = Annotated[int, Field(ge=0, strict=True)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class BackboneSettings(StrictModel):
    """What features come from.

    Attributes:
        name: key of ``artdet.embedders.backbones``: ``mobilenet_v2``, ``hybrid``, ``efficientnet_lite0``,
            ``timm:NAME``.
        start: ``library`` (the library's own weights, fetched by it), ``random``, a weights file, or the folder or
            name of an earlier run, whose backbone is taken.
        image_size: side of the square input in pixels; the backbone's own by default.
        fit: see :class:`artdet.embedders.base.Preprocessing`.
        trained: one of ``SCENARIOS``, or a number: so many of the last blocks, and the head.
        batch_norm: whether statistics and weights of batch normalisation in trained layers go on learning. With random
            weights they always do: there is nothing yet to keep.
    """

    name: str = "mobilenet_v2"
    start: str = "library"
    image_size: int | None = Field(default=None, ge=32, le=1024)
    fit: Literal["crop", "squash", "pad"] = "squash"
    trained: Literal["all", "skip_first", "skip_first_2", "only_last_3", "only_last"] | Count = "all"
    batch_norm: Literal["learning", "frozen"] = "learning"


class LossSettings(StrictModel):
    """What is minimised: the sum over tasks of weight x scale x loss (Strezoski and Worring 2017).

    Attributes:
        label: for one label: cross entropy, binary cross entropy of each class, or soft F1. For several labels it is
            soft F1 where that is chosen, binary cross entropy otherwise. Whatever one label is learnt by, answers are
            probabilities that sum to 1 (softmax): after ``binary`` the odds of each class as a share of all odds.
        class_weights: ``balanced`` gives each class the same weight in sum; soft F1 does so anyway. For several labels,
            having a class and not having it weigh the same.
        of_classes: task -> class -> weight of its images beside the others, 1 by default; comes on top of
            ``class_weights``. Of several labels it is the weight of having the class.
        smoothing: of labels, for cross entropy.
        task_weights: task -> weight, 1 by default.
        number_scale: of the loss of numbers (mean absolute error in deviations): a factor (the paper: 0.1), or
            ``learnt``, which brings it to the mean size of the other tasks' validation losses. Losses are compared
            between epochs with the factor, or with 1 where it is learnt and so changes.
    """

    label: Literal["cross_entropy", "binary", "soft_f1"] = "cross_entropy"
    class_weights: Literal["none", "balanced"] = "none"
    of_classes: dict[str, dict[str, Weight]] = Field(default_factory=dict)
    smoothing: float = Field(default=0.0, ge=0, lt=1)
    task_weights: dict[str, Weight] = Field(default_factory=dict)
    number_scale: Weight | Literal["learnt"] = 0.1


class OptimizerSettings(StrictModel):
    """How weights move.

    Attributes:
        name: of the optimizer.
        learning_rate: at its highest, of the head.
        backbone_share: learning rate of the backbone as a share of the head's.
        momentum: of sgd.
        weight_decay: as the optimizer understands it.
        schedule: how the learning rate goes over the epochs.
        step_epochs: for ``step``: every so many epochs it is multiplied by ``step_factor``.
        step_factor: for ``step`` and ``plateau``.
        plateau_epochs: for ``plateau``: after so many epochs without a better validation loss.
        warmup_epochs: in which it rises from nothing.
    """

    name: Literal["sgd", "adam", "adamw", "adadelta"] = "adamw"
    learning_rate: float = Field(default=1e-3, gt=0)
    backbone_share: float = Field(default=1.0, gt=0, le=1)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float = Field(default=1e-4, ge=0)
    schedule: Literal["constant", "step", "cosine", "plateau"] = "cosine"
    step_epochs: int = Field(default=10, ge=1)
    step_factor: float = Field(default=0.1, gt=0, lt=1)
    plateau_epochs: int = Field(default=3, ge=1)
    warmup_epochs: float = Field(default=0.0, ge=0)


class Recipe(StrictModel):
    """How a classifier is trained.

    Attributes:
        description: a sentence for people.
        published: what it follows: paper and the figure that it gives.
        estimator: ``network`` trains layers; ``logistic`` and ``svm`` fit scikit-learn's linear models on frozen
            features; ``one_versus_rest`` trains a network per class, of which the most confident wins (HPI).
        backbone: features.
        head: layers after them.
        loss: what is minimised.
        optimizer: how.
        sampling: of training images: as they are; as many of each class as the largest has, or the smallest; or each
            class as often as any other in an epoch of the usual length. By the first task.
        augmentations: transforms of training images in their order: ``{name: perspective, distortion: 0.3}``.
        epochs: at most.
        batch: images of a step.
        patience: epochs without a better ``metric`` after which training ends; 0 for never.
        metric: by which the best epoch is chosen: a figure of :mod:`artdet.metrics.classification`, of the mean over
            tasks where there are several.
        precision: ``auto`` takes bfloat16 where the machine computes it faster.
        crops: views of an image at test time: 1, 5 or 10.
        seed: of all that is drawn.
        fixed_features: compute features of a frozen backbone once and keep them on the disk; ``auto`` does so where
            the backbone is frozen and nothing is augmented.
    """

    description: str = ""
    published: str = ""
    estimator: Literal["network", "logistic", "svm", "one_versus_rest"] = "network"
    backbone: BackboneSettings = BackboneSettings()
    head: HeadCard = HeadCard()
    loss: LossSettings = LossSettings()
    optimizer: OptimizerSettings = OptimizerSettings()
    sampling: Literal["natural", "over", "under", "balanced"] = "natural"
    augmentations: tuple[dict[str, Any], ...] = ()
    epochs: int = Field(default=20, ge=1)
    batch: int = Field(default=32, ge=1)
    patience: int = Field(default=0, ge=0)
    metric: Literal["accuracy", "top3", "macro_f1", "mcc", "map", "within", "loss"] = "accuracy"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    crops: Literal[1, 5, 10] = 1
    seed: int = Field(default=0, ge=0)
    fixed_features: Literal["auto", "never"] = "auto"

    @model_validator(mode="after")
    def _fits_together(self) -> Recipe:
        if self.estimator in ("logistic", "svm") and self.head != HeadCard():
            raise ValueError(f"head: {self.estimator} is a linear model on the features; leave head out")
        if self.estimator in ("logistic", "svm") and self.loss.of_classes:
            raise ValueError(f"loss.of_classes: {self.estimator} knows loss.class_weights alone; leave of_classes out")
        if self.estimator in ("logistic", "svm") and self.augmentations:
            raise ValueError(
                f"augmentations: {self.estimator} takes features of images as they are; write augmentations: []"
            )
        by_hand = self.backbone.name.startswith(HANDMADE)
        if by_hand and self.estimator not in ("logistic", "svm"):
            raise ValueError(
                f"estimator: {self.estimator} needs a network; of {self.backbone.name} take svm or logistic"
            )
        if by_hand and self.crops > 1:
            raise ValueError(f"crops: {self.backbone.name} describes whole images; write crops: 1")
        return self
