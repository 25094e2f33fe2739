"""Small networks that torchvision has not: Stanford's hybrid and CaffeNet."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import nn

from artdet.embedders.backbone import ConvolutionalBackbone, layers_with_weights


class _Inception(nn.Module):
    """One Inception module (Szegedy 2015): 1 x 1, 3 x 3 and 5 x 5 convolutions and pooling beside each other."""

    def __init__(self, channels: int, each: int) -> None:
        super().__init__()
        half = each // 2
        self.one = _convolution(channels, each, 1)
        self.three = nn.Sequential(_convolution(channels, half, 1), _convolution(half, each, 3))
        self.five = nn.Sequential(_convolution(channels, half, 1), _convolution(half, each, 5))
        self.pool = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), _convolution(channels, each, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, h, w) to (B, 4 * each, h, w)."""
        return torch.cat([self.one(x), self.three(x), self.five(x), self.pool(x)], dim=1)


class HybridNetwork(nn.Module):
    """Four 3 x 3 convolutions of 8, 16, 32 and 64 channels, an Inception module, dense layers of 256 and 64.

    The report on it gives these sizes; batch normalisation, pooling by 2 after each convolution and the mean over the
    image before the dense layers are ours, so that it learns from random weights at any size of input.
    """

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 8, 16, 32, 64)
        self.features = nn.Sequential(
            *(nn.Sequential(_convolution(before, after, 3), nn.MaxPool2d(2)) for before, after in pairwise(widths)),
            _Inception(64, 32),
        )
        self.classifier = nn.Sequential(nn.Linear(128, 256), nn.ReLU(), nn.Linear(256, 64), nn.ReLU())


class CaffeNet(nn.Module):
    """AlexNet as Caffe trained it (Jia 2014): pooling before normalisation, and its groups of two processors.

    Input 227 px; torchvision's ``alexnet`` is the later, narrower network without groups and normalisation.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 96, 11, stride=4),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
            nn.LocalResponseNorm(5),
            nn.Conv2d(96, 256, 5, padding=2, groups=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
            nn.LocalResponseNorm(5),
            nn.Conv2d(256, 384, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 384, 3, padding=1, groups=2),
            nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1, groups=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(6)
        self.classifier = nn.Sequential(
            nn.Linear(256 * 6 * 6, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout()
        )


class Hybrid(ConvolutionalBackbone):
    """The backbone round :class:`HybridNetwork`."""

    network: Any

    @property
    def blocks(self) -> tuple[nn.Module, ...]:
        """Four convolutions, the Inception module, two dense layers."""
        return (*self.network.features, *layers_with_weights(self.network.classifier))

    def spatial(self, x: torch.Tensor) -> torch.Tensor:
        """See :meth:`ConvolutionalBackbone.spatial`."""
        maps: torch.Tensor = self.network.features(x)
        return maps

    def pooled(self, maps: torch.Tensor) -> torch.Tensor:
        """Mean over the image, then the dense layers."""
        features: torch.Tensor = self.network.classifier(maps.mean((2, 3)))
        return features


class Caffe(Hybrid):
    """The backbone round :class:`CaffeNet`."""

    @property
    def blocks(self) -> tuple[nn.Module, ...]:
        """Five convolutions, two dense layers."""
        return layers_with_weights([*self.network.features, *self.network.classifier])

    def pooled(self, maps: torch.Tensor) -> torch.Tensor:
        """The features after the second layer of 4096."""
        features: torch.Tensor = self.network.classifier(torch.flatten(self.network.avgpool(maps), 1))
        return features


def _convolution(before: int, after: int, kernel: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(before, after, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(after), nn.ReLU()
    )
