"""Faster R-CNN networks of torchvision: building, loading and running them."""

from __future__ import annotations

import contextlib
import copy
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.models.detection import FasterRCNN, FasterRCNN_ResNet50_FPN_Weights
from torchvision.ops import FrozenBatchNorm2d

from artdet.detections import Detections
from artdet.detectors.base import to_detections
from artdet.detectors.slivers import thickened
from artdet.detectors.torchvision import Settings
from artdet.detectors.torchvision_architectures import as_named_now, build_network
from artdet.errors import ModelError
from artdet.images import RGBImage
from artdet.labelmaps import IGNORED_ID
from artdet.modelfiles import ModelCard, ModelFiles, first_mismatches, load_tensors

NO_OBJECT = frozenset({"__background__", "N/A"})
"""What torchvision calls those of its 91 COCO outputs that stand for no class."""


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
    fill(network, as_named_now(tensors), where="torchvision's COCO weights")
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
        # Training may scale to one of several sizes; testing takes the last.
        self._sides = (int(network.transform.min_size[-1]), int(network.transform.max_size))
        self.labels = frozenset(int(label) for label in class_ids if label != IGNORED_ID)

    @property
    def max_detections(self) -> int:
        """It gives at most so many boxes an image."""
        return self._settings.max_detections

    def at_scale(self, ratio: float) -> TorchvisionDetector:
        """The same network, with the short side and the limit of the long side ``ratio`` times as long."""
        scaled = copy.copy(self)
        short, long = self._sides
        scaled._sides = (max(1, round(short * ratio)), max(1, round(long * ratio)))
        return scaled

    def detect(self, images: Sequence[RGBImage]) -> list[Detections]:
        """Boxes of each image, RGB uint8 (H, W, 3)."""
        # One network serves all scales and perhaps a trainer, so its own sizes come back afterwards.
        transform = self._network.transform
        own = transform.min_size, transform.max_size
        transform.min_size, transform.max_size = (self._sides[0],), self._sides[1]
        try:
            return self._detect(images)
        finally:
            transform.min_size, transform.max_size = own

    def _detect(self, images: Sequence[RGBImage]) -> list[Detections]:
        found: list[Detections] = []
        for start in range(0, len(images), self._settings.batch):
            some = images[start : start + self._settings.batch]
            with torch.inference_mode():
                outputs = self._network([self._tensor(image) for image in some])
            found += [self._detections(output, image) for output, image in zip(outputs, some, strict=True)]
        return found

    def _tensor(self, image: RGBImage) -> torch.Tensor:
        thick = thickened(image, self._sides[1])
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
