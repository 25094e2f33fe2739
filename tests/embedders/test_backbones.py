import copy
import sys
from functools import cache

import numpy as np
import pytest
import torch

from artdet.embedders.backbones import NAMES, build
from artdet.errors import MissingBackend, ModelError

TABLE = {  # dimensions of the features, side of the input, blocks, side of the maps
    "alexnet": (4096, 224, 7, 6),
    "vgg16": (4096, 224, 15, 7),
    "resnet18": (512, 224, 9, 7),
    "resnet34": (512, 224, 17, 7),
    "resnet50": (2048, 224, 17, 7),
    "densenet201": (1920, 224, 8, 7),
    "inception_v3": (2048, 299, 16, 8),
    "mobilenet_v2": (1280, 224, 19, 7),
    "mobilenet_v2_tf": (1280, 224, 19, 7),
    "mobilenet_v3_large": (960, 224, 17, 7),
    "mobilenet_v3_small": (576, 224, 13, 7),
    "convnext_tiny": (768, 224, 22, 7),
    "vit_b_16": (768, 224, 13, 14),
    "caffenet": (4096, 227, 7, 6),
    "hybrid": (64, 224, 7, 14),
    "efficientnet_lite0": (1280, 224, 17, 7),
    "efficientnet_lite1": (1280, 240, 22, 8),
    "efficientnet_lite2": (1280, 260, 22, 9),
    "timm:vit_tiny_patch16_224": (192, 224, 13, 14),
    "timm:vit_small_patch14_reg4_dinov2": (384, 518, 13, 37),
    "timm:swin_tiny_patch4_window7_224": (768, 224, 13, 7),
    "timm:convnext_atto": (320, 224, 14, 7),
}


@cache
def shape_only(name):
    """A backbone without memory for its weights: it tells shapes, quickly."""
    if "timm" in name or "lite" in name:
        pytest.importorskip("timm")
    with torch.device("meta"):
        return build(name).eval()


def test_the_table_has_all_names():
    assert {name for name in TABLE if not name.startswith("timm:")} == set(NAMES)


@pytest.mark.parametrize("name", TABLE)
def test_dimensions_blocks_and_maps(name):
    backbone = shape_only(name)
    dim, side, blocks, maps = TABLE[name]
    x = torch.zeros(2, 3, side, side, device="meta")
    assert backbone.name == name
    assert (backbone.dim, backbone.preprocessing.image_size, len(backbone.blocks)) == (dim, side, blocks)
    assert backbone(x).shape == (2, dim)
    assert backbone.maps(x).shape[2:] == (maps, maps)


@pytest.mark.parametrize("name", TABLE)
def test_each_weight_is_in_one_block_and_blocks_are_in_the_order_of_the_network(name):
    backbone = shape_only(name)
    held = [id(parameter) for block in backbone.blocks for parameter in block.parameters()]
    assert len(held) == len(set(held))
    assert set(held) == {id(parameter) for parameter in backbone.parameters()}
    first, last = backbone.blocks[0], backbone.blocks[-1]
    names = {id(parameter): place for place, parameter in enumerate(backbone.parameters())}
    assert max(names[id(p)] for p in first.parameters()) < min(names[id(p)] for p in last.parameters())


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("hybrid", 48),
        ("resnet18", 64),
        ("mobilenet_v3_small", 64),
        ("mobilenet_v2", 64),
        ("convnext_tiny", 32),
        ("inception_v3", 80),
        ("densenet201", 32),
        ("timm:vit_tiny_patch16_224", 48),
        ("timm:swin_tiny_patch4_window7_224", 64),
    ],
)
def test_features_are_those_of_the_library_without_its_last_layer(name, side):
    if name.startswith("timm:"):
        pytest.importorskip("timm")
    torch.manual_seed(0)
    backbone = build(name, image_size=side).eval()
    x = torch.randn(2, 3, side, side)
    with torch.inference_mode():
        network = backbone.network
        expected = network.classifier(network.features(x).mean((2, 3))) if name == "hybrid" else network(x)
        found = backbone(x)
    # Relative: from random weights the features of deep networks are tiny.
    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()
    assert (found[0] - found[1]).abs().max() > 1e-3 * expected.abs().max()


@pytest.mark.parametrize("name", ["hybrid", "mobilenet_v3_small", "timm:vit_tiny_patch16_224"])
def test_maps_carry_the_gradient_of_an_answer(name):
    if name.startswith("timm:"):
        pytest.importorskip("timm")
    backbone = build(name, image_size=48).eval()
    seen = []
    backbone.maps_layer.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    answer = backbone(torch.randn(1, 3, 48, 48)).square().sum()
    (gradient,) = torch.autograd.grad(answer, seen[0])
    assert gradient.ndim == 4
    assert gradient.abs().sum() > 0


def test_maps_of_a_transformer_are_where_its_patches_are():
    pytest.importorskip("timm")
    backbone = build("timm:vit_tiny_patch16_224", image_size=48).eval()
    dark, spot = torch.zeros(1, 3, 48, 48), torch.zeros(1, 3, 48, 48)
    spot[:, :, 32:, 16:32] = 3
    with torch.inference_mode():
        change = (backbone.maps(spot) - backbone.maps(dark)).abs().sum(1)[0]
    assert np.unravel_index(int(change.argmax()), (3, 3)) == (2, 1)


def test_a_copy_sees_its_own_maps():
    pytest.importorskip("timm")
    backbone = build("timm:vit_tiny_patch16_224", image_size=32).eval()
    other = copy.deepcopy(backbone)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(0)
    x = torch.randn(1, 3, 32, 32)
    assert other.maps(x).abs().sum() == 0
    assert backbone.maps(x).abs().sum() > 0


def test_size_and_fit_travel_in_the_preprocessing():
    backbone = build("mobilenet_v3_small", image_size=96, fit="pad")
    assert (backbone.preprocessing.image_size, backbone.preprocessing.fit) == (96, "pad")
    assert backbone.preprocessing.mean == (0.485, 0.456, 0.406)
    assert build("hybrid").preprocessing.fit == "crop"


def test_tensorflows_input_is_minus_one_to_one_round_128():
    p = build("mobilenet_v2_tf").preprocessing
    for byte, value in ((0, -1), (128, 0), (255, 127 / 128)):
        assert (byte / 255 - p.mean[0]) / p.deviation[0] == pytest.approx(value)


@pytest.mark.parametrize(
    ("name", "size", "message"),
    [
        ("resnet81", None, "there is no backbone 'resnet81'. Did you mean 'resnet18'?"),
        ("alexnet", 48, "alexnet cannot take images of 48 px. Use image_size 63 or more."),
        ("vit_b_16", 100, "vit_b_16 takes images of 16, 32 ... px. Use image_size 224."),
        ("timm:resnet81", None, "timm knows no network 'resnet81'. Did you mean"),
    ],
)
def test_what_cannot_be_built_is_said(name, size, message):
    if name.startswith("timm:"):
        pytest.importorskip("timm")
    with pytest.raises(ModelError) as caught:
        build(name, image_size=size)
    assert message in str(caught.value)


def test_a_network_without_maps_says_so():
    pytest.importorskip("timm")
    backbone = shape_only("timm:levit_128s")
    with pytest.raises(ModelError, match="keeps no map"):
        backbone.maps(torch.zeros(1, 3, 224, 224, device="meta"))


@pytest.mark.parametrize("name", ["timm:resnet18", "efficientnet_lite0"])
def test_without_timm_the_remedy_is_named(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(MissingBackend, match=r"needs timm.*artdet\[timm\]"):
        build(name)
