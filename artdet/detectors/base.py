"""What a detector is, and what a backend's module must offer. Light: imports no machine-learning library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from artdet.boxes import clipped
from artdet.config import StrictModel
from artdet.detections import Detections
from artdet.images import RGBImage
from artdet.labelmaps import IGNORED_ID, LabelMap
from artdet.taxonomy import Taxonomy

Scale = Annotated[float, Field(ge=0.25, le=4)]


class Detector(Protocol):
    """Finds objects in images. An ensemble is a detector too, and so is :class:`FakeDetector` in tests."""

    @property
    def labels(self) -> frozenset[int]:
        """Ids of the taxonomy nodes that it can give."""

    def detect(self, images: Sequence[RGBImage]) -> list[Detections]:
        """Boxes of each image, RGB uint8 (H, W, 3), in pixels of that image; one entry per image, in order."""


class ScalableDetector(Detector, Protocol):
    """A detector that takes pictures at any scale, so that it can see one at several; see ``artdet.ensemble.tta``."""

    @property
    def max_detections(self) -> int:
        """It gives at most so many boxes an image."""

    def at_scale(self, ratio: float) -> ScalableDetector:
        """The same network, not loaded again, on pictures ``ratio`` times as large as it takes them by itself."""


class Augmentation(StrictModel):
    """Test-time augmentation: the views of every image, and how what is found in them becomes one set.

    Attributes:
        flip: whether each scale is also seen mirrored, left and right exchanged.
        scales: sizes of the views in sizes that the member takes pictures at by itself.
        iou: boxes of different views that overlap by more than this are one object.
        min_score_share: fused boxes are kept from this share of the member's ``min_score`` on, since their score is the
            mean of all views, those that miss them with 0.
    """

    flip: bool = True
    scales: tuple[Scale, ...] = Field(default=(0.8, 1.0, 1.25, 1.5), min_length=1, max_length=8)
    iou: float = Field(default=0.6, gt=0, lt=1)
    min_score_share: float = Field(default=0.8, gt=0, le=1)

    @field_validator("scales")
    @classmethod
    def _scales_differ(cls, scales: tuple[float, ...]) -> tuple[float, ...]:
        if len(set(scales)) < len(scales):
            raise ValueError("each scale must appear once, since equal views would only cost time")
        return scales


class MemberSettings(StrictModel):
    """Settings that every detector has; each backend's ``Settings`` adds its own.

    Attributes:
        name: what the run folder calls this member; the same name appears once in an ensemble.
        detector: key in ``artdet.detectors.table.DETECTORS``.
        label_map: shipped label map or YAML file; none where the model's class names are the taxonomy's.
        only: where given, boxes of other classes are dropped; a category stands for itself and all its classes.
        min_score: boxes below it are dropped before fusion.
        weight: what its vote counts in Weighted Boxes Fusion.
        get: the command that trains or fetches the weights, shown when they are missing.
    """

    name: str = Field(min_length=1, pattern=r"^[A-Za-z0-9_.-]+$")
    detector: str
    label_map: str | None = None
    only: tuple[str, ...] | None = Field(default=None, min_length=1)
    min_score: float = Field(default=0.0, ge=0, le=1)
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    get: str | None = None


class ScalableSettings(MemberSettings):
    """Settings of a member that is a :class:`ScalableDetector`.

    Attributes:
        tta: test-time augmentation; ``None`` is a single view.
    """

    tta: Augmentation | None = None


@dataclass(frozen=True)
class LoadContext:
    """What a backend gets beside its settings.

    Attributes:
        taxonomy: the classes that detections may carry.
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"`` or ``"auto"``.
        engine: ``"auto"``, ``"torch"``, ``"onnx"`` or ``"openvino"``; backends with one engine ignore it.
        precision: ``"auto"`` (what is quickest) or ``"float32"``.
        threads: how many threads a model may use.
        trust_weights: whether pickles, which can run code, may be loaded.
        folder: where relative paths in an ensemble file start.
    """

    taxonomy: Taxonomy
    device: str = "auto"
    engine: str = "auto"
    precision: str = "auto"
    threads: int = 1
    trust_weights: bool = False
    folder: Path = field(default_factory=Path)


class Backend(Protocol):
    """What the module of a backend offers. It is imported to check settings, so heavy imports wait for ``load``."""

    Settings: type[MemberSettings]

    def requirements(self, settings: MemberSettings, context: LoadContext) -> list[str]:
        """What is missing to load this member (weights, a library), a sentence each; empty when all is there."""

    def fingerprint(self, settings: MemberSettings, context: LoadContext) -> Mapping[str, str]:
        """What decides the results beside the settings: hashes of weights, versions of model packages."""

    def load(self, settings: MemberSettings, context: LoadContext) -> Detector:
        """The detector, ready to run."""


def to_detections(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    classes: NDArray[np.int64],
    *,
    class_ids: NDArray[np.int64],
    image_size: tuple[int, int],
    min_score: float = 0.0,
) -> Detections:
    """Turns a model's plain output into ``Detections``; the last step of every adapter.

    Args:
        boxes: (N, 4) xyxy in pixels of the image; cut at its borders here, and dropped where nothing is left.
        scores: (N,).
        classes: (N,), the model's own class indices.
        class_ids: (C,), taxonomy id of each class of the model, ``IGNORED_ID`` where the label map ignores it.
        image_size: (height, width) in pixels.
        min_score: boxes with a lower score are dropped.
    """
    inside = clipped(np.asarray(boxes, dtype=np.float32).reshape(-1, 4), image_size)
    labels = class_ids[np.asarray(classes, dtype=np.int64)]
    solid = (inside[:, 2] > inside[:, 0]) & (inside[:, 3] > inside[:, 1]) & np.isfinite(inside).all(axis=1)
    keep = solid & (labels != IGNORED_ID) & (np.asarray(scores) >= min_score)
    bounded = np.clip(np.asarray(scores, dtype=np.float32)[keep], 0.0, 1.0)
    return Detections.of(inside[keep], bounded, labels[keep], image_size).sorted()


def class_ids(settings: MemberSettings, classes: Sequence[str], context: LoadContext) -> NDArray[np.int64]:
    """Taxonomy ids (len(classes),) of a model's class names under the member's label map and ``only``.

    Raises:
        LabelError: if the map does not know a class, or the taxonomy lacks one of ``only``.
        ConfigError: if there is no such map.
    """
    ids = LabelMap.load(settings.label_map).ids(classes, context.taxonomy)
    if settings.only is not None:
        ids[~np.isin(ids, sorted(context.taxonomy.expanded(settings.only)))] = IGNORED_ID
    return ids


class FakeDetector:
    """A detector for tests and for trying out ensembles: gives what a function says."""

    def __init__(self, give: Mapping[tuple[int, int], Detections], labels: frozenset[int]) -> None:
        """``give`` maps an image size (height, width) to the boxes found on images of that size; others get none."""
        self._give = give
        self.labels = labels

    def detect(self, images: Sequence[RGBImage]) -> list[Detections]:
        """The boxes planned for each image's size."""
        sizes = [(int(image.shape[0]), int(image.shape[1])) for image in images]
        return [self._give.get(size, Detections.empty(size)) for size in sizes]
