"""Networks of torchvision without their classifiers, with random weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional
from torchvision.models import get_model

from artdet.embedders.backbone import Backbone, ConvolutionalBackbone, layers_with_weights, unit
from artdet.embedders.base import Preprocessing
from artdet.embedders.same_padding import pad_as_tensorflow
from artdet.errors import ModelError

_HALF, _BYTE = 0.5, 255
_PATCH = 16


class Architecture(NamedTuple):
    """What distinguishes a network of torchvision for us.

    Attributes:
        network: its name there.
        kind: the class that knows its parts.
        dim: length of the features.
        preprocessing: of the weights that torchvision offers.
        library: whether these weights are for it.
    """

    network: str
    kind: Callable[[str, nn.Module, int, Preprocessing], Backbone]
    dim: int
    preprocessing: Preprocessing = Preprocessing()
    library: bool = True


class _Stacked(ConvolutionalBackbone):
    """Layers in ``features``, then global pooling: MobileNet."""

    network: Any

    @property
    def blocks(self) -> tuple[nn.Module, ...]:
        return layers_with_weights(self.network.features)

    def spatial(self, x: torch.Tensor) -> torch.Tensor:
        maps: torch.Tensor = self.network.features(x)
        return maps


class _FullyConnected(_Stacked):
    """AlexNet and VGG: the features are those after the second layer of 4096, dropout and ReLU included.

    Each convolution is a block of its own, so that AlexNet has 7 and, with its last layer, the 8 layers of Cetinic,
    Lipic and Grgic (2018).
    """

    @property
    def blocks(self) -> tuple[nn.Module, ...]:
        return layers_with_weights([*self.network.features, *self.network.classifier])

    def pooled(self, maps: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.network.classifier(torch.flatten(self.network.avgpool(maps), 1))
        return features


class _ConvNeXt(_Stacked):
    @property
    def blocks(self) -> tuple[nn.Module, ...]:
        parts = [part for stage in self.network.features for part in _split(stage)]
        return (*parts[:-1], unit(parts[-1], self.network.classifier))

    def pooled(self, maps: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.network.classifier(self.network.avgpool(maps))
        return features


class _DenseNet(_Stacked):
    @property
    def blocks(self) -> tuple[nn.Module, ...]:
        first, norm, _, _, *stages, last, last_norm = self.network.features
        return (unit(first, norm), *stages, unit(last, last_norm))

    def spatial(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu(super().spatial(x))


class _ResNet(ConvolutionalBackbone):
    network: Any

    @property
    def blocks(self) -> tuple[nn.Module, ...]:
        net = self.network
        return (unit(net.conv1, net.bn1), *net.layer1, *net.layer2, *net.layer3, *net.layer4)

    def spatial(self, x: torch.Tensor) -> torch.Tensor:
        net = self.network
        x = net.maxpool(net.relu(net.bn1(net.conv1(x))))
        maps: torch.Tensor = net.layer4(net.layer3(net.layer2(net.layer1(x))))
        return maps


class _Inception(ConvolutionalBackbone):
    """Inception v3: a run of modules in the order of their names, then dropout."""

    network: Any

    @property
    def blocks(self) -> tuple[nn.Module, ...]:
        return layers_with_weights(self._layers())

    def spatial(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self._layers():
            x = layer(x)
        return x

    def pooled(self, maps: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.network.dropout(maps.mean((2, 3)))
        return features

    def _layers(self) -> Iterator[nn.Module]:
        for name, layer in self.network.named_children():
            if name == "avgpool":
                return
            yield layer


class _VisionTransformer(Backbone):
    network: Any

    @property
    def blocks(self) -> tuple[nn.Module, ...]:
        net = self.network
        *layers, last = net.encoder.layers
        return (
            unit(net.conv_proj, net.class_token, net.encoder.pos_embedding),
            *layers,
            unit(last, net.encoder.ln),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        net = self.network
        patches = net._process_input(x)
        tokens = torch.cat([net.class_token.expand(len(x), -1, -1), patches], dim=1)
        tokens = net.encoder.layers[:-1](net.encoder.dropout(tokens + net.encoder.pos_embedding))
        tokens = net.encoder.layers[-1](through_maps(tokens, 1, self.maps_layer))
        features: torch.Tensor = net.encoder.ln(tokens)[:, 0]
        return features


def through_maps(tokens: torch.Tensor, prefix: int, layer: nn.Module) -> torch.Tensor:
    """Lets a layer see the tokens of the patches as maps of a square image.

    Args:
        tokens: (B, prefix + side * side, C).
        prefix: how many come before those of patches, such as the class token.
        layer: is given (B, C, side, side) and gives as much back.
    """
    patches = tokens[:, prefix:]
    side = round(patches.shape[1] ** 0.5)
    maps = layer(patches.transpose(1, 2).reshape(len(tokens), -1, side, side))
    return torch.cat([tokens[:, :prefix], maps.flatten(2).transpose(1, 2)], dim=1)


def _split(stage: nn.Module) -> list[nn.Module]:
    """Residual blocks of a stage of ConvNeXt one by one; a stem or a change of scale as a whole."""
    children = list(stage.children())
    return children if all(type(child).__name__ == "CNBlock" for child in children) else [stage]


_INCEPTION = Preprocessing(image_size=299, crop_share=299 / 342, mean=(_HALF,) * 3, deviation=(_HALF,) * 3)
_CONVNEXT = Preprocessing(crop_share=224 / 236)
_TENSORFLOW = Preprocessing(mean=(128 / _BYTE,) * 3, deviation=(128 / _BYTE,) * 3)

ARCHITECTURES: dict[str, Architecture] = {
    "alexnet": Architecture("alexnet", _FullyConnected, 4096),
    "vgg16": Architecture("vgg16", _FullyConnected, 4096),
    "resnet18": Architecture("resnet18", _ResNet, 512),
    "resnet34": Architecture("resnet34", _ResNet, 512),
    "resnet50": Architecture("resnet50", _ResNet, 2048),
    "densenet201": Architecture("densenet201", _DenseNet, 1920),
    "inception_v3": Architecture("inception_v3", _Inception, 2048, _INCEPTION),
    "mobilenet_v2": Architecture("mobilenet_v2", _Stacked, 1280),
    "mobilenet_v2_tf": Architecture("mobilenet_v2", _Stacked, 1280, _TENSORFLOW, library=False),
    "mobilenet_v3_large": Architecture("mobilenet_v3_large", _Stacked, 960),
    "mobilenet_v3_small": Architecture("mobilenet_v3_small", _Stacked, 576),
    "convnext_tiny": Architecture("convnext_tiny", _ConvNeXt, 768, _CONVNEXT),
    "vit_b_16": Architecture("vit_b_16", _VisionTransformer, 768),
}
"""Name -> network; their preprocessing is that of torchvision's first ImageNet weights (``IMAGENET1K_V1``)."""

_LAST_LAYER = {"densenet201": "classifier", "vit_b_16": "heads"}


def build_torchvision(name: str, preprocessing: Preprocessing) -> Backbone:
    """A backbone with random weights.

    Args:
        name: key of ``ARCHITECTURES``.
        preprocessing: of images; the size of a vision transformer follows it.

    Raises:
        ModelError: if patches do not fill an image of this size.
    """
    architecture = ARCHITECTURES[name]
    options: dict[str, Any] = {}
    if architecture.network == "inception_v3":
        options = {"aux_logits": False, "init_weights": False}
    elif architecture.network == "vit_b_16":
        if preprocessing.image_size % _PATCH:
            raise ModelError(f"{name} takes images of {_PATCH}, {2 * _PATCH} ... px. Use image_size {_PATCH * 14}.")
        options = {"image_size": preprocessing.image_size}
    network: Any = get_model(architecture.network, weights=None, **options)
    if architecture.kind in (_FullyConnected, _ConvNeXt):
        network.classifier = network.classifier[:-1]
    else:
        last = "fc" if architecture.kind in (_ResNet, _Inception) else "classifier"
        setattr(network, _LAST_LAYER.get(architecture.network, last), nn.Identity())
    if name == "mobilenet_v2_tf":
        pad_as_tensorflow(network)
    return architecture.kind(name, network, architecture.dim, preprocessing)
