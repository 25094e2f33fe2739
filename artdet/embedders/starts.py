"""The weights that a backbone starts from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch.nn import functional

from artdet.config import read_yaml
from artdet.embedders.backbone import Backbone
from artdet.embedders.library_weights import library_tensors
from artdet.embedders.lite_weights import is_lite, timm_names
from artdet.errors import ModelError
from artdet.modelfiles import (
    ModelFiles,
    file_sha256,
    find_model,
    first_mismatches,
    is_pickle,
    load_tensors,
    missing_weights,
    refuse_pickle,
)

RUN_PREFIX = "backbone."
"""What the names of a backbone's tensors begin with in the weights of a classifier."""

_NETWORK = "network."
_COUNTERS = "num_batches_tracked"

Tensors = Mapping[str, torch.Tensor]


def load_start(backbone: Backbone, start: str, *, trusted: bool = False) -> str:
    """Loads weights into a backbone, in place: all of them, or none.

    Args:
        backbone: with random weights.
        start: ``random``; ``library`` for those that torchvision or timm offer; a file with names of the backbone's
            library; or a file, folder or name of a classifier that artdet trained, of which the backbone is taken
            (domain-specific initialisation: Cetinic, Lipic and Grgic 2018).
        trusted: whether a pickle, which can run code, may be loaded.

    Returns:
        A sentence for the card of what is trained from here.

    Raises:
        ModelError: if there are no such weights, they are of another network, or a pickle is not trusted.
    """
    if start == "random":
        return "Random weights."
    if start == "library":
        tensors, sentence = library_tensors(backbone)
        fill_backbone(backbone, tensors, sentence)
        return sentence
    files = find_model(start, Path())
    if files is None:
        raise ModelError(missing_weights(backbone.name, start, None) + ", or random.")
    tensors = _tensors_of_file(files.model, trusted=trusted)
    if any(name.startswith(RUN_PREFIX) for name in tensors):
        fill_backbone(backbone, _of_run(files, tensors, backbone), str(files.model))
        return f"The backbone of '{files.model.parent.name}' (sha256 {file_sha256(files.model)[:12]})."
    fill_backbone(backbone, tensors, str(files.model))
    return f"Weights of {files.model.name} (sha256 {file_sha256(files.model)[:12]}){_told_by(files.model)}."


def fill_backbone(backbone: Backbone, tensors: Tensors, origin: str) -> None:
    """Loads tensors named as the library of the backbone does, in place; others, such as of classifiers, are left.

    Positions of a transformer that was trained at another image size are interpolated (Dosovitskiy 2021).

    Args:
        backbone: to fill.
        tensors: of its network, and maybe of a classifier on it.
        origin: where they are from, for the message.

    Raises:
        ModelError: if any tensor of the backbone is not there in its shape.
    """
    own = backbone.network.state_dict()
    fitting = {name: _sized(name, tensors[name], own[name]) for name in own if name in tensors}
    wrong = [f"{name} {_shape(own[name])} is not there" for name in own if not _there(name, fitting)]
    wrong += [
        f"{name} is {_shape(tensor)}, not {_shape(own[name])}"
        for name, tensor in fitting.items()
        if tensor.shape != own[name].shape
    ]
    if wrong:
        raise ModelError(
            f"{origin} fits {backbone.name} in only {max(len(own) - len(wrong), 0)} of {len(own)} tensors "
            f"({first_mismatches(wrong)}). Start from weights of the same network, or from random ones."
        )
    backbone.network.load_state_dict(fitting, strict=False)


def _there(name: str, fitting: Tensors) -> bool:
    return name in fitting or name.endswith(_COUNTERS)


def _shape(tensor: torch.Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a number"


def _sized(name: str, tensor: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """Positions (1, prefix + h * h, C) for another number of patches; any other tensor as it is."""
    if "pos_emb" not in name or tensor.ndim != 3 or tensor.shape == own.shape or tensor.shape[2] != own.shape[2]:
        return tensor
    there, here = int(tensor.shape[1] ** 0.5), int(own.shape[1] ** 0.5)
    prefix = tensor.shape[1] - there**2
    if own.shape[1] - here**2 != prefix:
        return tensor
    grid = tensor[:, prefix:].float().reshape(1, there, there, -1).permute(0, 3, 1, 2)
    grid = functional.interpolate(grid, size=(here, here), mode="bicubic", align_corners=False, antialias=True)
    return torch.cat([tensor[:, :prefix].float(), grid.flatten(2).transpose(1, 2)], dim=1)


def _of_run(files: ModelFiles, tensors: Tensors, backbone: Backbone) -> Tensors:
    """The tensors of the backbone of a classifier, as its library names them."""
    card = read_yaml(files.card) if files.card else {}
    other = card.get("backbone", backbone.name) if isinstance(card, dict) else backbone.name
    if other != backbone.name:
        raise ModelError(f"{files.model} has the backbone {other}, not {backbone.name}. Write backbone.name: {other}.")
    prefix = RUN_PREFIX + _NETWORK
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _tensors_of_file(path: Path, *, trusted: bool) -> Tensors:
    tensors = _unpickled(path, trusted=trusted) if is_pickle(path) else load_tensors(path)
    return timm_names(tensors) if is_lite(tensors) else tensors


def _unpickled(path: Path, *, trusted: bool) -> dict[str, torch.Tensor]:
    refuse_pickle(path, trusted=trusted)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds, pickle's own among them
        raise ModelError(f"{path} holds no plain tensors ({error}). Save its state_dict as safetensors.") from error
    inside = content.get("state_dict", content) if isinstance(content, dict) else {}
    return {str(name): tensor for name, tensor in inside.items() if isinstance(tensor, torch.Tensor)}


def _told_by(path: Path) -> str:
    """What a safetensors file says of itself."""
    if is_pickle(path):
        return ""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as stream:
        told: dict[str, str] = stream.metadata() or {}
    lines = [f"{key}: {told[key]}" for key in ("source", "licence", "input") if key in told]
    return f"; {'; '.join(lines)}" if lines else ""
