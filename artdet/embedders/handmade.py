"""Features made by hand, by name: what pictures were compared by before networks (baselines of DeepArt, Mao 2017)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from artdet.embedders.handmade_base import HandmadeEmbedder, HandmadeSettings
from artdet.embedders.handmade_fisher import Fisher
from artdet.embedders.handmade_gist import Gist
from artdet.embedders.handmade_lab import LabHistogram
from artdet.embedders.handmade_sift import SiftBag
from artdet.errors import ModelError, did_you_mean

__all__ = ["NAMES", "HandmadeEmbedder", "HandmadeSettings", "handmade"]

_KINDS: dict[str, type[HandmadeEmbedder]] = {kind.name: kind for kind in (LabHistogram, Gist, SiftBag, Fisher)}

NAMES = tuple(_KINDS)
"""All names."""


def handmade(
    name: str, tensors: Mapping[str, NDArray[np.generic]] | None = None, *, settings: HandmadeSettings | None = None
) -> HandmadeEmbedder:
    """The embedder of this name.

    Args:
        name: one of ``NAMES``.
        tensors: of ``HandmadeEmbedder.tensors``; without them ``fit`` has to be called where there is a codebook.
        settings: options; with ``tensors``, those that they hold are taken.

    Raises:
        ModelError: if there is no such embedder, or the tensors are not its own.
        MissingBackend: if it needs scikit-image, which is not installed.
    """
    if name not in _KINDS:
        raise ModelError(f"there are no features '{name}'.{did_you_mean(name, NAMES)}")
    kind = _KINDS[name]
    return kind.from_tensors(tensors) if tensors is not None else kind(settings or HandmadeSettings())
