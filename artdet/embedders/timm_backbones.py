"""Any network of timm as a backbone, with random weights."""

from __future__ import annotations

from collections.abc import Iterator
from math import isqrt
from types import ModuleType
from typing import Any

import torch
from torch import nn

from artdet.embedders.backbone import Backbone, unit
from artdet.embedders.base import Preprocessing
from artdet.embedders.torchvision_backbones import through_maps
from artdet.errors import MissingBackend, ModelError, did_you_mean

_LITE = {"mean": (127 / 255,) * 3, "deviation": (128 / 255,) * 3}

LITE = {
    "efficientnet_lite0": Preprocessing(image_size=224, crop_share=0.875, **_LITE),
    "efficientnet_lite1": Preprocessing(image_size=240, crop_share=0.882, **_LITE),
    "efficientnet_lite2": Preprocessing(image_size=260, crop_share=0.89, **_LITE),
}
"""EfficientNet-Lite as TensorFlow trained it: input ``(x - 127) / 128``."""


class TimmBackbone(Backbone):
    """A network of timm with its classifier taken off.

    Maps are the last feature maps of a convolutional network, and the tokens of the patches before the last block of a
    vision transformer.
    """

    network: Any

    def __init__(self, name: str, network: nn.Module, dim: int, preprocessing: Preprocessing) -> None:
        super().__init__(name, network, dim, preprocessing)
        layers = getattr(network, "blocks", None)
        if isinstance(layers, nn.Sequential | nn.ModuleList):
            layers[-1].register_forward_pre_hook(self._see_tokens)

    @property
    def blocks(self) -> tuple[nn.Module, ...]:
        """As timm groups layers for learning rates that fall from layer to layer."""
        from timm.models import group_parameters

        matcher = self.network.group_matcher(coarse=False)
        groups: dict[int, set[str]] = {}
        for name, place in group_parameters(self.network, matcher, reverse=True).items():
            groups.setdefault(place, set()).add(name)
        return tuple(unit(*_parts(self.network, groups[place])) for place in sorted(groups))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See :meth:`Backbone.forward`."""
        maps = self.network.forward_features(x)
        if maps.ndim == 4 and getattr(self.network, "output_fmt", "NCHW") == "NHWC":
            maps = self.maps_layer(maps.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        elif maps.ndim == 4:
            maps = self.maps_layer(maps)
        features: torch.Tensor = self.network.forward_head(maps, pre_logits=True)
        return features

    def _see_tokens(self, _module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
        tokens = inputs[0]
        if tokens.ndim != 3:
            return None
        # Some networks add the class token only after these blocks.
        for prefix in (getattr(self.network, "num_prefix_tokens", 0), 0):
            patches = tokens.shape[1] - prefix
            if isqrt(patches) ** 2 == patches:
                return (through_maps(tokens, prefix, self.maps_layer), *inputs[1:])
        return None


def build_timm(name: str, model: str, *, image_size: int | None, own: Preprocessing | None = None) -> TimmBackbone:
    """A backbone with random weights.

    Args:
        name: that it goes by here.
        model: its name in timm.
        image_size: side of the square input in pixels; timm's own by default.
        own: preprocessing; timm's by default.

    Raises:
        MissingBackend: if timm is not installed.
        ModelError: if timm knows no such network, or cannot build it at this size.
    """
    network = create(model, image_size=image_size)
    own = own or _preprocessing(network)
    preprocessing = Preprocessing.model_validate({**own.model_dump(), "image_size": image_size or own.image_size})
    return TimmBackbone(name, network, network.head_hidden_size or network.num_features, preprocessing)


def create(model: str, *, image_size: int | None, pretrained: bool = False) -> Any:
    """A network of timm without classifier.

    Raises:
        MissingBackend: if timm is not installed.
        ModelError: if timm knows no such network, or cannot build it at this size.
    """
    timm = timm_library(f"the backbone timm:{model}")
    if not timm.is_model(model.partition(".")[0]):
        raise ModelError(f"timm knows no network '{model}'.{did_you_mean(model, timm.list_models())}")
    sized = timm.models.get_pretrained_cfg(model, allow_unregistered=True)
    options = {"img_size": image_size} if image_size and sized is not None and sized.fixed_input_size else {}
    try:
        return timm.create_model(model, pretrained=pretrained, num_classes=0, **options)
    except (AssertionError, TypeError, ValueError) as error:
        raise ModelError(
            f"timm cannot build '{model}' at {image_size or 'its own'} px ({error}). Leave image_size out, or take "
            "another backbone."
        ) from error


def timm_library(purpose: str) -> ModuleType:
    """The library itself.

    Raises:
        MissingBackend: if it is not installed.
    """
    try:
        import timm
    except ImportError as error:
        raise MissingBackend("timm", purpose, 'Install it with: pip install "artdet[timm]".') from error
    module: ModuleType = timm
    return module


def _preprocessing(network: Any) -> Preprocessing:
    """As timm evaluates the weights that it offers."""
    config: dict[str, Any] = timm_library("a backbone").data.resolve_model_data_config(network)
    return Preprocessing(
        image_size=config["input_size"][-1],
        fit="squash" if config["crop_mode"] == "squash" else "crop",
        crop_share=config["crop_pct"],
        mean=config["mean"],
        deviation=config["std"],
    )


def _parts(network: nn.Module, names: set[str]) -> Iterator[nn.Module | nn.Parameter]:
    """The modules whose weights all are among the names, as large as they come, and single weights beside them."""
    for name, parameter in network.named_parameters(recurse=False):
        if name in names:
            yield parameter
    for child, module in network.named_children():
        inside = {f"{child}.{name}" for name, _ in module.named_parameters()}
        if inside and inside <= names:
            yield module
        elif inside & names:
            below = {name.removeprefix(f"{child}.") for name in inside & names}
            yield from _parts(module, below)
