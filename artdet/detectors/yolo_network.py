"""The ultralytics network behind a YOLO member: built, filled with weights, and exported to ONNX once.

Everything that imports ultralytics is here. Its import reads environment variables, so :func:`quiet_ultralytics` comes
first: no analytics, no look-ups, no installation of packages, no settings outside artdet's cache folder.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from artdet.errors import ModelError
from artdet.modelfiles import ModelCard, ModelFiles, file_sha256, is_pickle, load_tensors, read_card, refuse_pickle
from artdet.runtimes import cache_place, cached

if TYPE_CHECKING:
    import torch

EXPORT_VERSION = "1"
"""Part of the cache key; raise it when :func:`_adapted` or the export changes."""

DEFAULT_IMAGE_SIZE = 640


@dataclass(frozen=True)
class NetworkInfo:
    """What an engine must know of a network.

    Attributes:
        classes: class names in the order of the outputs.
        image_size: side in pixels that it was trained at.
        stride: both sides of an input must be multiples of it.
        end_to_end: whether outputs are final boxes (N, 6) instead of candidates (4 + classes, A) that need NMS.
    """

    classes: tuple[str, ...]
    image_size: int
    stride: int
    end_to_end: bool


def quiet_ultralytics() -> None:
    """Sets what ultralytics reads from the environment while it is imported; what the user set stays."""
    folder = cache_place("ultralytics")
    os.environ.setdefault("YOLO_CONFIG_DIR", str(folder))
    for name, value in (("YOLO_OFFLINE", "true"), ("YOLO_AUTOINSTALL", "false"), ("YOLO_VERBOSE", "false")):
        os.environ.setdefault(name, value)


def build_network(files: ModelFiles, *, trusted: bool) -> tuple[torch.nn.Module, NetworkInfo]:
    """The network in evaluation mode, layers fused, which takes uint8 RGB (N, H, W, 3).

    Raises:
        ModelError: if the weights are a pickle that is not trusted, are damaged, or do not fit.
    """
    network, card = trained_network(files, trusted=trusted)
    end_to_end = bool(getattr(network.model[-1], "end2end", False))
    info = NetworkInfo(card.classes, card.image_size or DEFAULT_IMAGE_SIZE, int(max(network.stride)), end_to_end)
    return for_inference(network, () if end_to_end else _parents(card)), info


def trained_network(files: ModelFiles, *, trusted: bool) -> tuple[Any, ModelCard]:
    """The network as it was trained, and what its card says, or its pickle.

    Raises:
        ModelError: if the weights are a pickle that is not trusted, are damaged, or do not fit.
    """
    quiet_ultralytics()
    if not is_pickle(files.model):
        return _from_safetensors(files)
    network, classes, size = network_of_pickle(files, trusted)
    architecture = Path(network.yaml.get("yaml_file", "")).name
    return network, ModelCard(backend="yolo", architecture=architecture, classes=classes, image_size=size)


def _parents(card: ModelCard) -> list[int]:
    """The place of each class's parent, its own where it has none."""
    return [card.classes.index(card.parents.get(name, name)) for name in card.classes]


def for_inference(network: Any, parents: Sequence[int] = ()) -> torch.nn.Module:
    """A detection network of ultralytics, in evaluation mode with layers fused, that takes uint8 RGB (N, H, W, 3).

    Args:
        network: it is changed.
        parents: the place of each class's parent, its own where it has none; see ``ModelCard.parents``. Empty for a
            network whose outputs are final boxes.
    """
    network = network.float().eval()
    network.fuse(verbose=False)
    head = network.model[-1]
    head.export, head.format, head.dynamic = True, "onnx", True
    for parameter in network.parameters():
        parameter.requires_grad = False
    return _adapted(network, parents)


def exported(files: ModelFiles, *, trusted: bool) -> tuple[Path, NetworkInfo]:
    """The network as an ONNX file with free batch and image size, from the cache or exported now.

    The file takes ``images`` uint8 RGB (N, H, W, 3) and gives ``boxes`` (N, 4 + classes, A) float32, xywh (centre)
    in pixels of the input; or (N, M, 6), xyxy, score, class, where the network is end to end.

    Raises:
        ModelError: as :func:`build_network`.
    """
    if is_pickle(files.model):
        refuse_pickle(files.model, trusted=trusted)
    folder = cache_place("yolo") / _key(files)
    cached(folder, "info.json", lambda draft: _export(files, draft, trusted=trusted))
    info = json.loads((folder / "info.json").read_text(encoding="utf-8"))
    return folder / "model.onnx", NetworkInfo(**{**info, "classes": tuple(info["classes"])})


def _key(files: ModelFiles) -> str:
    card = file_sha256(files.card)[:8] if files.card else "none"
    return f"{file_sha256(files.model)[:32]}-{card}-v{EXPORT_VERSION}"


def _export(files: ModelFiles, folder: Path, *, trusted: bool) -> None:
    import torch

    network, info = build_network(files, trusted=trusted)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.zeros(1, 4 * info.stride, 3 * info.stride, 3, dtype=torch.uint8),),
            str(folder / "model.onnx"),
            input_names=["images"],
            output_names=["boxes"],
            dynamic_axes={"images": {0: "batch", 1: "height", 2: "width"}, "boxes": {0: "batch", 2: "anchors"}},
            opset_version=17,
            dynamo=False,
        )
    (folder / "info.json").write_text(json.dumps(asdict(info)), encoding="utf-8")


def _from_safetensors(files: ModelFiles) -> tuple[Any, ModelCard]:
    card = read_card(files, backend="yolo")
    tensors = load_tensors(files.model)
    from ultralytics.nn.tasks import DetectionModel

    try:
        network = DetectionModel(card.architecture, nc=len(card.classes), verbose=False)
    except (FileNotFoundError, KeyError, ValueError) as error:
        raise ModelError(f"{files.card}: ultralytics knows no network '{card.architecture}'. Mend the card.") from error
    try:
        network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in tensors.items()})
    except RuntimeError as error:
        first = " ".join(str(error).split())[:300]
        raise ModelError(
            f"{files.model} does not fit {card.architecture} with {len(card.classes)} classes ({first}). "
            "Check architecture and classes in the card."
        ) from error
    return network, card


def network_of_pickle(files: ModelFiles, trusted: bool) -> tuple[Any, tuple[str, ...], int]:
    """Network, class names and image size of a ``.pt`` that the ultralytics package wrote.

    Raises:
        ModelError: if it is not trusted, or is none.
    """
    refuse_pickle(files.model, trusted=trusted)
    from ultralytics import YOLO

    try:
        loaded = YOLO(str(files.model.absolute()))
    except Exception as error:  # a pickle can fail in any way at all
        reason = (" ".join(str(error).split()) or type(error).__name__)[:300]
        raise ModelError(
            f"ultralytics cannot load {files.model} ({reason}). Name a .pt that the ultralytics package wrote."
        ) from error
    if loaded.task != "detect":
        raise ModelError(f"{files.model} is a model for '{loaded.task}', but artdet needs one for detection.")
    names = loaded.model.names
    size = loaded.model.args.get("imgsz") if isinstance(loaded.model.args, dict) else None
    return loaded.model, tuple(names[index] for index in sorted(names)), int(size or DEFAULT_IMAGE_SIZE)


def _adapted(network: Any, parents: Sequence[int]) -> torch.nn.Module:
    import torch

    below = [place for place, parent in enumerate(parents) if parent != place]

    class Adapted(torch.nn.Module):
        """Takes images as they are in artdet and gives scores that need no others, so that all engines are alike."""

        below: torch.Tensor
        above: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.network = network
            self.register_buffer("below", torch.tensor([4 + place for place in below]), persistent=False)
            self.register_buffer("above", torch.tensor([4 + parents[place] for place in below]), persistent=False)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            scaled = images.permute(0, 3, 1, 2).float() / 255.0
            found = self.network(scaled)
            boxes: torch.Tensor = found[0] if isinstance(found, tuple | list) else found
            if below:
                boxes = boxes.index_copy(1, self.below, boxes[:, self.below] * boxes[:, self.above])
            return boxes

    return Adapted().eval()
