"""Backbones by name. Their weights come from :mod:`artdet.embedders.starts`."""

from __future__ import annotations

from typing import Literal

from artdet.embedders.backbone import Backbone
from artdet.embedders.base import Preprocessing
from artdet.embedders.hybrid import Caffe, CaffeNet, Hybrid, HybridNetwork
from artdet.embedders.timm_backbones import LITE, build_timm
from artdet.embedders.torchvision_backbones import ARCHITECTURES, build_torchvision
from artdet.errors import ModelError, did_you_mean

__all__ = ["NAMES", "TIMM", "Backbone", "build"]

TIMM = "timm:"
"""What comes before the name of a network of timm."""

_OWN = {
    "caffenet": Preprocessing(image_size=227, crop_share=227 / 256),
    "hybrid": Preprocessing(),
}

_SMALLEST = {"alexnet": 63, "caffenet": 67, "inception_v3": 75}
"""Side in pixels below which nothing is left after the last pooling; others take 32."""

NAMES = (*ARCHITECTURES, *_OWN, *LITE)
"""All names but those of timm."""


def build(name: str, *, image_size: int | None = None, fit: Literal["crop", "squash", "pad"] | None = None) -> Backbone:
    """A backbone with random weights.

    Args:
        name: one of ``NAMES``, or ``timm:`` and a name of timm.
        image_size: side of the square input in pixels; the network's own by default.
        fit: see :class:`artdet.embedders.base.Preprocessing`; the network's own by default.

    Raises:
        ModelError: if there is no such network, or it cannot take images of this size.
        MissingBackend: if it needs timm, which is not installed.
    """
    if image_size is not None and image_size < _SMALLEST.get(name, 32):
        raise ModelError(
            f"{name} cannot take images of {image_size} px. Use image_size {_SMALLEST.get(name, 32)} or more."
        )
    backbone = _built(name, image_size)
    if fit is not None:
        backbone.preprocessing = backbone.preprocessing.model_copy(update={"fit": fit})
    return backbone


def _built(name: str, image_size: int | None) -> Backbone:
    if name.startswith(TIMM):
        return build_timm(name, name.removeprefix(TIMM), image_size=image_size)
    if name in LITE:
        return build_timm(name, f"tf_{name}", image_size=image_size, own=LITE[name])
    if name in ARCHITECTURES:
        return build_torchvision(name, _sized(ARCHITECTURES[name].preprocessing, image_size))
    if name == "hybrid":
        return Hybrid(name, HybridNetwork(), 64, _sized(_OWN[name], image_size))
    if name == "caffenet":
        return Caffe(name, CaffeNet(), 4096, _sized(_OWN[name], image_size))
    raise ModelError(f"there is no backbone '{name}'.{did_you_mean(name, (*NAMES, TIMM + 'NAME'))}")


def _sized(own: Preprocessing, image_size: int | None) -> Preprocessing:
    return Preprocessing.model_validate({**own.model_dump(), "image_size": image_size or own.image_size})
