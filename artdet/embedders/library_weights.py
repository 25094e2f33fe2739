"""The weights that libraries offer for a backbone, fetched by them, or carried by an installed package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torchvision.models import get_model_weights

from artdet.embedders.backbone import Backbone
from artdet.embedders.lite_weights import package_of, packaged_weights, timm_names
from artdet.embedders.timm_backbones import LITE, create
from artdet.embedders.torchvision_backbones import ARCHITECTURES
from artdet.errors import ModelError

_FIRST = "IMAGENET1K_V1"
"""Of several sets the first: those of later recipes score higher on ImageNet, yet their features serve other tasks less
(Kornblith, Chen, Lee and Norouzi 2021)."""

Found = tuple[Mapping[str, torch.Tensor], str]


def library_tensors(backbone: Backbone) -> Found:
    """The tensors that the library of a backbone offers, under its names, and a sentence on them.

    Raises:
        ModelError: if it offers none, or they cannot be fetched.
    """
    name = backbone.name
    if name in LITE:
        return _lite(name)
    if name.startswith("timm:"):
        return _timm(name.removeprefix("timm:"), backbone)
    if name in ARCHITECTURES and ARCHITECTURES[name].library:
        return _torchvision(name)
    raise ModelError(
        f"no library offers weights for {name}. Name a weights file or an earlier run, or train from random ones."
    )


def _torchvision(name: str) -> Found:
    weights: Any = get_model_weights(ARCHITECTURES[name].network)[_FIRST]
    try:
        tensors = weights.get_state_dict(progress=False)
    except (OSError, RuntimeError) as error:  # RuntimeError: what came has another hash
        raise _unreachable(name, f"torchvision's weights {weights}", error) from error
    return tensors, f"ImageNet weights of torchvision ({weights})."


def _lite(name: str) -> Found:
    path = packaged_weights(name)
    if path is None:
        return _timm(f"tf_{name}", None)
    tensors = torch.load(path, map_location="cpu", weights_only=True)
    return timm_names(tensors), f"ImageNet weights of the package {package_of(name)} ({path.name}, Apache-2.0)."


def _timm(model: str, backbone: Backbone | None) -> Found:
    size = backbone.preprocessing.image_size if backbone is not None else None
    try:
        network = create(model, image_size=size, pretrained=True)
    except ModelError:
        raise
    except Exception as error:  # timm fetches through huggingface_hub, which raises what its HTTP library does
        name = backbone.name if backbone is not None else model.removeprefix("tf_")
        raise _unreachable(name, f"timm's weights for {model}", error) from error
    tag = network.pretrained_cfg.get("tag") or "its default"
    return network.state_dict(), f"Weights of timm for {model} ({tag})."


def _unreachable(name: str, what: str, error: Exception) -> ModelError:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    package = f", install {package_of(name)}, which carries them" if name in LITE else ""
    return ModelError(
        f"{what} cannot be fetched ({first}). Name a weights file or an earlier run as start{package}, or repeat the "
        "command where the internet can be reached."
    )
