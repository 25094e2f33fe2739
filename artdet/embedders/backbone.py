"""What every backbone has: pooled features, the maps they are pooled from, and blocks to freeze."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

import torch
from torch import nn

from artdet.embedders.base import Preprocessing
from artdet.errors import ModelError


class Backbone(nn.Module, ABC):
    """A network without its classifier.

    ``network`` keeps the names of tensors that its library gives them. What becomes the features goes through the
    layer ``maps_layer``, which changes nothing: a hook there sees maps (B, C, h, w) and the gradient of the answer to
    them, as Grad-CAM needs.

    Attributes:
        name: key of :func:`artdet.embedders.backbones.build`.
        dim: length of the features.
        preprocessing: of images.
    """

    def __init__(self, name: str, network: nn.Module, dim: int, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.name, self.dim, self.preprocessing = name, dim, preprocessing
        self.network = network
        self.maps_layer = nn.Identity()

    @property
    @abstractmethod
    def blocks(self) -> tuple[nn.Module, ...]:
        """The units of freezing, from input to features: each weight in exactly one.

        They are made when asked for, of the network's own modules: set ``requires_grad`` and ``train`` through them.
        """

    @abstractmethod
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features (B, dim) of normalised images (B, 3, S, S) float32."""

    def maps(self, x: torch.Tensor) -> torch.Tensor:
        """The last spatial maps (B, C, h, w) of normalised images (B, 3, S, S) float32.

        Of a vision transformer: the tokens of the patches where its last block takes them in, as after that block the
        class token alone is read.

        Raises:
            ModelError: if the network has no maps.
        """
        seen: list[torch.Tensor] = []
        handle = self.maps_layer.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
        try:
            self(x)
        finally:
            handle.remove()
        if not seen:
            raise ModelError(
                f"{self.name} keeps no map of where in the image something is. Take a convolutional network or a "
                "vision transformer, such as mobilenet_v2 or vit_b_16."
            )
        return seen[0]


class ConvolutionalBackbone(Backbone):
    """A network in two halves: to the maps, and from them to the features."""

    @abstractmethod
    def spatial(self, x: torch.Tensor) -> torch.Tensor:
        """Images (B, 3, S, S) to maps (B, C, h, w)."""

    def pooled(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps (B, C, h, w) to features (B, dim): their mean over the image, where a network does nothing else."""
        return maps.mean((2, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See :meth:`Backbone.forward`."""
        return self.pooled(self.maps_layer(self.spatial(x)))


def unit(*parts: nn.Module | nn.Parameter) -> nn.Module:
    """One block of several modules and weights, which stay those of the network."""
    modules = nn.ModuleList(part for part in parts if isinstance(part, nn.Module))
    for place, part in enumerate(parts):
        if isinstance(part, nn.Parameter):
            modules.register_parameter(f"weight{place}", part)
    return modules


def layers_with_weights(modules: Iterable[nn.Module]) -> tuple[nn.Module, ...]:
    """Those that have something to learn."""
    return tuple(module for module in modules if next(module.parameters(), None) is not None)
