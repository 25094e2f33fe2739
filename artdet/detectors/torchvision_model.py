"""Faster R-CNN networks of torchvision: building, loading and running them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.models.detection import FasterRCNN, FasterRCNN_ResNet50_FPN_Weights
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops import FrozenBatchNorm2d

from artdet.detections import Detections
from artdet.detectors.base import to_detections
from artdet.detectors.slivers import thickened
from artdet.detectors.torchvision import ARCHITECTURES, Settings
from artdet.errors import ModelError
from artdet.images import RGBImage
from artdet.labelmaps import IGNORED_ID
from artdet.modelfiles import ModelCard, ModelFiles, first_mismatches, load_tensors

SHORT_SIDE, LONG_SIDE = 800, 1333
"""Pixels; the sizes of the FPN paper (Lin 2017), where neither settings nor card give others."""

NO_OBJECT = frozenset({"__background__", "N/A"})
"""What torchvision calls those of its 91 COCO outputs that stand for no class."""


def build_network(
    architecture: str, outputs: int, settings: Settings, *, sizes: tuple[int | None, int | None] = (None, None)
) -> FasterRCNN:
    """A network with random weights, ready to load others.

    Batch normalisation is frozen: it takes the tensors of a trained ``BatchNorm2d`` as well.

    Args:
        architecture: key of ``ARCHITECTURES``.
        outputs: number of classes with background.
        settings: give thresholds and, where set, sizes.
        sizes: short side and limit of the long side in pixels that the model was trained at, where known.
    """
    backbone = resnet_fpn_backbone(
        backbone_name=ARCHITECTURES[architecture], weights=None, norm_layer=FrozenBatchNorm2d, trainable_layers=0
    )
    return FasterRCNN(
        backbone,
        num_classes=outputs,
        min_size=settings.min_size or sizes[0] or SHORT_SIDE,
        max_size=settings.max_size or sizes[1] or LONG_SIDE,
        box_score_thresh=settings.score_threshold,
        box_nms_thresh=settings.nms_iou,
        box_detections_per_img=settings.max_detections,
    )


def load_network(files: ModelFiles, card: ModelCard, settings: Settings) -> FasterRCNN:
    """The network of a card with the tensors of its safetensors file.

    Raises:
        ModelError: if the file is no safetensors file, or its tensors do not fit the card.
    """
    sizes = (card.min_size, card.max_size)
    network = build_network(card.architecture, 1 + len(card.classes), settings, sizes=sizes)
    fill(network, load_tensors(files.model), where=str(files.model))
    return network


def coco_network(settings: Settings) -> tuple[FasterRCNN, list[str | None]]:
    """The ResNet-50 network that torchvision offers, fetched at its first use, and the names of its 91 outputs.

    Raises:
        ModelError: if the weights are neither in torch's cache nor to be fetched.
    """
    weights = FasterRCNN_ResNet50_FPN_Weights.COCO_V1
    names = [None if name in NO_OBJECT else name for name in weights.meta["categories"]]
    try:
        with contextlib.redirect_stdout(sys.stderr):  # torch.hub prints there what it downloads
            tensors = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except (OSError, RuntimeError) as error:
        raise ModelError(
            f"torchvision could not fetch {weights.url} ({error}). "
            "Connect this machine to the internet, or put that file into torch's cache folder hub/checkpoints."
        ) from error
    network = build_network("fasterrcnn_resnet50_fpn", len(names), settings)
    for module in network.modules():
        if isinstance(module, FrozenBatchNorm2d):
            module.eps = 0.0  # as they were trained
    fill(network, tensors, where="torchvision's COCO weights")
    return network, names


def fill(network: torch.nn.Module, tensors: Mapping[str, torch.Tensor], *, where: str) -> None:
    """Loads tensors, all of them and nothing else.

    Raises:
        ModelError: naming the first tensors that are missing, too many or of another shape.
    """
    wanted = {name: tensor.shape for name, tensor in network.state_dict().items()}
    given = {name: tensor.shape for name, tensor in tensors.items() if not name.endswith(".num_batches_tracked")}
    wrong = [f"{name} is missing" for name in wanted.keys() - given.keys()]
    wrong += [f"{name} is unknown" for name in given.keys() - wanted.keys()]
    wrong += [
        f"{name} is {tuple(given[name])} instead of {tuple(wanted[name])}"
        for name in wanted.keys() & given.keys()
        if given[name] != wanted[name]
    ]
    if wrong:
        listed = first_mismatches(wrong)
        raise ModelError(f"{where} does not fit its network: {listed}. Check architecture and classes in the card.")
    network.load_state_dict(dict(tensors))


def output_ids(names: Sequence[str | None], ids_of: Callable[[Sequence[str]], NDArray[np.int64]]) -> NDArray[np.int64]:
    """Taxonomy ids (len(names),) of a network's outputs; ``IGNORED_ID`` for outputs without a name.

    Args:
        names: each output's class, ``None`` for background.
        ids_of: gives the ids of class names.
    """
    known = [index for index, name in enumerate(names) if name is not None]
    ids = np.full(len(names), IGNORED_ID, dtype=np.int64)
    ids[known] = ids_of([name for name in names if name is not None])
    return ids


class TorchvisionDetector:
    """A Faster R-CNN as a detector."""

    def __init__(
        self,
        network: FasterRCNN,
        settings: Settings,
        class_ids: NDArray[np.int64],
        *,
        device: str = "cpu",
        threads: int = 1,
    ) -> None:
        """``class_ids`` (C,): taxonomy id of each output of the network, background first."""
        if device == "cpu":
            torch.set_num_threads(threads)
        self._network = network.to(device).eval()
        self._settings = settings
        self._class_ids = class_ids
        self._device = device
        self.labels = frozenset(int(label) for label in class_ids if label != IGNORED_ID)

    def detect(self, images: Sequence[RGBImage]) -> list[Detections]:
        """Boxes of each image, RGB uint8 (H, W, 3)."""
        found: list[Detections] = []
        for start in range(0, len(images), self._settings.batch):
            some = images[start : start + self._settings.batch]
            with torch.inference_mode():
                outputs = self._network([self._tensor(image) for image in some])
            found += [self._detections(output, image) for output, image in zip(outputs, some, strict=True)]
        return found

    def _tensor(self, image: RGBImage) -> torch.Tensor:
        thick = thickened(image, self._network.transform.max_size)
        planes = torch.from_numpy(np.array(thick).transpose(2, 0, 1))
        return planes.to(self._device).float().div(255)

    def _detections(self, output: Mapping[str, Any], image: RGBImage) -> Detections:
        return to_detections(
            output["boxes"].cpu().numpy(),
            output["scores"].cpu().numpy(),
            output["labels"].cpu().numpy(),
            class_ids=self._class_ids,
            image_size=(image.shape[0], image.shape[1]),
            min_score=self._settings.min_score,
        )
