"""Detectron2's networks (Faster R-CNN with FPN on ResNet-50, -101, ResNeXt-101 and others) from config and checkpoint.

What needs the library is in ``detectron2_model``; the conversions here run without it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from artdet.config import read_yaml
from artdet.detections import Detections
from artdet.detectors.base import Detector, LoadContext, MemberSettings, ScalableSettings, class_ids, to_detections
from artdet.detectors.detectron2_trained import ARCHITECTURES, has_normalised_fpn, network_options
from artdet.devices import is_installed, resolve_device
from artdet.errors import ConfigError, MissingBackend, ModelError
from artdet.images import RGBImage
from artdet.modelfiles import (
    ModelFiles,
    file_sha256,
    find_model,
    load_tensors,
    missing_weights,
    read_card,
    refuse_pickle,
    require_model,
)

INSTALL = "pip install --no-build-isolation 'git+https://github.com/facebookresearch/detectron2.git'"
"""Its build asks for the torch that is installed already, which an isolated build does not see."""
CHECKPOINTS = frozenset({".safetensors", ".pth", ".pkl"})


class Settings(ScalableSettings):
    """A network of Detectron2.

    Attributes:
        config: a ``.yaml`` of Detectron2, or a name in its model zoo: ``COCO-Detection/faster_rcnn_R_50_FPN_3x.yaml``;
            not needed for weights that artdet trained, whose card tells it.
        weights: a checkpoint (``.safetensors`` of a state dict; ``.pth`` and ``.pkl`` are pickles).
        classes: names in the order of the network's outputs; by default those of a card beside the checkpoint, else
            those that Detectron2 knows for the config's test set.
        options: further keys of the config, such as ``MODEL.ROI_HEADS.SCORE_THRESH_TEST: 0.3``.
        batch: images that pass the network together. They pad each other to one size, so their scores then depend
            slightly on their company; with 1 they do not.
    """

    detector: Literal["detectron2"] = "detectron2"
    config: str | None = None
    weights: str
    classes: tuple[str, ...] | None = Field(default=None, min_length=1)
    options: dict[str, Any] = Field(default_factory=dict)
    batch: int = Field(default=1, ge=1, le=256)


def requirements(settings: MemberSettings, context: LoadContext) -> list[str]:
    """Missing library, config or checkpoint; see :class:`artdet.detectors.base.Backend`."""
    own = cast(Settings, settings)
    missing = []
    if not is_installed("detectron2"):
        missing.append(f"{own.name}: Detectron2 is not installed; get it with: {INSTALL}")
    elif own.config is not None and find_config(own.config, context.folder) is None:
        missing.append(_missing_config(own.name, own.config))
    if find_model(own.weights, context.folder) is None:
        missing.append(missing_weights(own.name, own.weights, own.get))
    return missing


def fingerprint(settings: MemberSettings, context: LoadContext) -> Mapping[str, str]:
    """Hashes of checkpoint, card and config, and the library's version; see :class:`artdet.detectors.base.Backend`."""
    own = cast(Settings, settings)
    files = _files(own, context)
    config = _config(own, context, files)
    hashes = "".join(file_sha256(path) for path in config_files(config))
    card = {"card_sha256": file_sha256(files.card)} if files.card else {}
    return {
        "weights_sha256": file_sha256(files.model),
        **card,
        "config_sha256": hashlib.sha256(hashes.encode()).hexdigest(),
        "detectron2": importlib.metadata.version("detectron2"),
    }


def load(settings: MemberSettings, context: LoadContext) -> Detector:
    """The detector, on the context's device."""
    own = cast(Settings, settings)
    if not is_installed("detectron2"):
        raise MissingBackend("Detectron2", f"the detector '{own.name}'", f"Install it with: {INSTALL}")
    files = _files(own, context)
    config = _config(own, context, files)
    refuse_pickle(files.model, trusted=context.trust_weights)
    list(config_files(config))  # refuses what Detectron2 would fetch or run
    from artdet.detectors import detectron2_model

    options = {**_card_options(own, files), **own.options, "MODEL.DEVICE": resolve_device(context.device)}
    cfg = detectron2_model.read_config(config, options)
    names = own.classes or _card_classes(files) or detectron2_model.catalog_classes(cfg, config)
    network = detectron2_model.load_network(cfg, files.model, classes=len(names))
    ids = class_ids(own, names, context)
    return detectron2_model.Detectron2Detector(network, cfg, own, ids, threads=context.threads)


def find_config(config: str, folder: Path) -> Path | None:
    """A config by path, as given or below ``folder``, else by its name in the installed model zoo."""
    named = Path(config).expanduser()
    places = [named, folder / named]
    spec = importlib.util.find_spec("detectron2")
    for package in (spec.submodule_search_locations if spec else None) or ():
        places.append(Path(package) / "model_zoo" / "configs" / named)
    return next((place for place in places if place.is_file()), None)


def config_files(config: Path) -> Iterator[Path]:
    """The config and all that its ``_BASE_`` leads to.

    Raises:
        ConfigError: if one is missing, lies on the web, or holds more than plain YAML, such as Python objects, which
            Detectron2 would build and by that run programs.
    """
    yield config
    content = read_yaml(config)
    if not isinstance(content, dict):
        raise ConfigError(f"{config} holds no keys and values. Name a config of Detectron2.")
    bases = content.get("_BASE_", [])
    for base in bases if isinstance(bases, list) else [bases]:
        if "://" in str(base):
            raise ConfigError(f"{config}: _BASE_ {base} is on the web. Fetch it and name the file.")
        yield from config_files(config.parent / Path(str(base)).expanduser())


def in_order(image: RGBImage, order: str) -> NDArray[np.uint8]:
    """An image RGB uint8 (H, W, 3) in the colour order ``"RGB"`` or ``"BGR"`` that a network was trained with.

    Raises:
        ConfigError: for another order.
    """
    if order not in ("RGB", "BGR"):
        raise ConfigError(f"INPUT.FORMAT is '{order}', but only RGB and BGR are known here. Change the config.")
    return np.ascontiguousarray(image[:, :, ::-1]) if order == "BGR" else image


def from_instances(
    instances: Any, *, class_ids: NDArray[np.int64], image_size: tuple[int, int], min_score: float
) -> Detections:
    """Turns what a network of Detectron2 found on one image into ``Detections``.

    Args:
        instances: Detectron2's ``Instances`` with ``pred_boxes`` (xyxy in pixels of the image), ``scores``,
            ``pred_classes``.
        class_ids: (C,), taxonomy id of each class of the network.
        image_size: (height, width) in pixels.
        min_score: boxes with a lower score are dropped.
    """
    return to_detections(
        instances.pred_boxes.tensor.cpu().numpy(),
        instances.scores.cpu().numpy(),
        instances.pred_classes.cpu().numpy(),
        class_ids=class_ids,
        image_size=image_size,
        min_score=min_score,
    )


def _card_classes(files: ModelFiles) -> tuple[str, ...] | None:
    return None if files.card is None else read_card(files, backend="detectron2").classes


def _card_options(settings: Settings, files: ModelFiles) -> dict[str, Any]:
    """What card and tensors of a network that artdet trained tell; nothing where a config is named."""
    if settings.config is not None:
        return {}
    card = read_card(files, backend="detectron2")
    return network_options(
        len(card.classes),
        min_size=card.min_size,
        max_size=card.max_size,
        normalised_fpn=has_normalised_fpn(load_tensors(files.model)),
    )


def _missing_config(member: str, config: str) -> str:
    return (
        f"{member}: the config '{config}' is neither a file nor in Detectron2's model zoo; name a .yaml of Detectron2"
    )


def _config(settings: Settings, context: LoadContext, files: ModelFiles) -> Path:
    name = settings.config or _card_config(files)
    path = find_config(name, context.folder)
    if path is None:
        raise ConfigError(_missing_config(settings.name, name) + ".")
    return path


def _card_config(files: ModelFiles) -> str:
    card = read_card(files, backend="detectron2")
    if card.architecture not in ARCHITECTURES or files.model.suffix != ".safetensors":
        known = ", ".join(ARCHITECTURES)
        raise ModelError(
            f"{files.model} is no network that artdet trained ({known}, as .safetensors). "
            "Write the config that it was made by as `config:`."
        )
    return ARCHITECTURES[card.architecture]


def _files(settings: Settings, context: LoadContext) -> ModelFiles:
    files = require_model(settings.name, settings.weights, context.folder, settings.get)
    if files.model.suffix not in CHECKPOINTS:
        raise ModelError(f"{files.model} is no checkpoint. Name one of {', '.join(sorted(CHECKPOINTS))}.")
    return files
