"""Detectron2's networks: building, loading and running them. Importing this module needs Detectron2."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from detectron2.checkpoint import DetectionCheckpointer
from detectron2.config import get_cfg
from detectron2.data import MetadataCatalog
from detectron2.data.transforms import ResizeShortestEdge, ResizeTransform
from detectron2.modeling import build_model
from numpy.typing import NDArray

from artdet.detections import Detections
from artdet.detectors.detectron2 import Settings, from_instances, in_order
from artdet.detectors.slivers import thickened
from artdet.errors import ArtdetError, ConfigError, ModelError
from artdet.images import RGBImage
from artdet.labelmaps import IGNORED_ID
from artdet.modelfiles import first_mismatches, load_tensors


def read_config(path: Path, options: Mapping[str, Any]) -> Any:
    """A config of Detectron2 with its bases and further options, in plain YAML only.

    Raises:
        ConfigError: if Detectron2 does not accept it.
    """
    cfg = get_cfg()
    try:
        cfg.merge_from_file(str(path), allow_unsafe=False)
        cfg.merge_from_list([part for pair in options.items() for part in pair])
    except Exception as error:  # yacs and fvcore raise KeyError, ValueError, AssertionError, YAMLError and others
        raise ConfigError(f"{path} and its options are no config of Detectron2: {error}. Mend that key.") from error
    if cfg.MODEL.META_ARCHITECTURE != "GeneralizedRCNN":
        raise ConfigError(f"{path} is of kind {cfg.MODEL.META_ARCHITECTURE}. Use one of kind GeneralizedRCNN.")
    return cfg


def catalog_classes(cfg: Any, path: Path) -> tuple[str, ...]:
    """The class names that Detectron2 knows for the config's test set.

    Raises:
        ModelError: if it knows none.
    """
    names = MetadataCatalog.get(cfg.DATASETS.TEST[0]).get("thing_classes") if cfg.DATASETS.TEST else None
    if not names:
        raise ModelError(
            f"the classes of {path.name} are unknown. Write them as `classes:`, or put a card beside the checkpoint."
        )
    return tuple(names)


def load_network(cfg: Any, checkpoint: Path, *, classes: int) -> torch.nn.Module:
    """The network of a config with the tensors of a checkpoint; a pickle must have been vouched for.

    Args:
        cfg: Detectron2's config.
        checkpoint: the file.
        classes: how many class names there are.

    Raises:
        ModelError: if config, class names and checkpoint do not fit each other, or the file is damaged.
    """
    outputs = cfg.MODEL.ROI_HEADS.NUM_CLASSES
    if classes != outputs:
        raise ModelError(
            f"the config has MODEL.ROI_HEADS.NUM_CLASSES {outputs}, but the number of class names is {classes}. "
            "Set that option or mend `classes:`."
        )
    network: torch.nn.Module = build_model(cfg)
    try:
        _StrictCheckpointer(network).load(str(checkpoint))
    except ArtdetError:
        raise
    except Exception as error:  # unpickling raises whatever the pickle's classes raise
        raise ModelError(f"{checkpoint} cannot be read ({error}). Save its state_dict as .safetensors.") from error
    return network.eval()


class _StrictCheckpointer(DetectionCheckpointer):  # type: ignore[misc]  # Detectron2 has no types
    """Reads safetensors too, and raises where Detectron2 only logs that tensors do not fit."""

    def _load_file(self, filename: str) -> Any:
        if filename.endswith(".safetensors"):
            return {"model": load_tensors(Path(filename))}
        return super()._load_file(filename)

    def _log_incompatible_keys(self, incompatible: Any) -> None:
        wrong = [f"{name} is missing" for name in incompatible.missing_keys]
        wrong += [f"{name} is unknown" for name in incompatible.unexpected_keys]
        wrong += [f"{name} is {given} instead of {wanted}" for name, given, wanted in incompatible.incorrect_shapes]
        if wrong:
            listed = first_mismatches(wrong)
            raise ModelError(f"the checkpoint does not fit its config: {listed}. Name the config it was made by.")


class Detectron2Detector:
    """A network of Detectron2 as a detector; sizes and colour order as in Detectron2's ``DefaultPredictor``."""

    def __init__(
        self, network: torch.nn.Module, cfg: Any, settings: Settings, class_ids: NDArray[np.int64], *, threads: int = 1
    ) -> None:
        """``class_ids`` (C,): taxonomy id of each class of the network."""
        if cfg.MODEL.DEVICE == "cpu":
            torch.set_num_threads(threads)
        self._network = network
        self._cfg = cfg
        self._settings = settings
        self._class_ids = class_ids
        self._ratio = 1.0
        self.labels = frozenset(int(label) for label in class_ids if label != IGNORED_ID)

    @property
    def max_detections(self) -> int:
        """It gives at most so many boxes an image."""
        return int(self._cfg.TEST.DETECTIONS_PER_IMAGE)

    def at_scale(self, ratio: float) -> Detectron2Detector:
        """The same network on pictures ``ratio`` times as large as the config says."""
        scaled = copy.copy(self)
        scaled._ratio = self._ratio * ratio
        return scaled

    def detect(self, images: Sequence[RGBImage]) -> list[Detections]:
        """Boxes of each image, RGB uint8 (H, W, 3)."""
        found: list[Detections] = []
        for start in range(0, len(images), self._settings.batch):
            some = images[start : start + self._settings.batch]
            with torch.inference_mode():
                outputs = self._network([self._input(image) for image in some])
            found += [self._detections(output["instances"], image) for output, image in zip(outputs, some, strict=True)]
        return found

    def _input(self, image: RGBImage) -> dict[str, Any]:
        sizes = self._cfg.INPUT
        short, long = (round(side * self._ratio) for side in (sizes.MIN_SIZE_TEST, sizes.MAX_SIZE_TEST))
        pixels = in_order(thickened(image, long), sizes.FORMAT)
        height, width = pixels.shape[:2]
        if short:
            new = ResizeShortestEdge.get_output_shape(height, width, short, long)
        else:  # 0 stands for the picture's own size
            new = (max(1, round(height * self._ratio)), max(1, round(width * self._ratio)))
        if new != (height, width):
            pixels = ResizeTransform(height, width, *new).apply_image(pixels)
        planes = torch.as_tensor(pixels.astype(np.float32).transpose(2, 0, 1))
        return {"image": planes, "height": height, "width": width}

    def _detections(self, instances: Any, image: RGBImage) -> Detections:
        return from_instances(
            instances,
            class_ids=self._class_ids,
            image_size=(image.shape[0], image.shape[1]),
            min_score=self._settings.min_score,
        )
