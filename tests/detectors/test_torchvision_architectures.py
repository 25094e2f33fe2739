import pytest
import torch
from torchvision.models import get_model
from torchvision.ops import FrozenBatchNorm2d

from artdet.detectors.torchvision import ARCHITECTURES, Settings
from artdet.detectors.torchvision_architectures import as_named_now, build_network, without_epsilon
from artdet.detectors.torchvision_model import fill

SETTINGS = Settings(name="rcnn", weights="w", score_threshold=0.05, min_size=64, max_size=100)
OURS = ("fasterrcnn_resnet101_fpn", "fasterrcnn_resnext101_32x8d_fpn")
"""Those that torchvision has no name for."""

SLOW = ("fasterrcnn_resnet50_fpn", "fasterrcnn_resnet50_fpn_v2", "fasterrcnn_mobilenet_v3_large_fpn")


def varied(network):
    """The network with statistics and outputs that tell, so that different networks give different boxes."""
    torch.manual_seed(2)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_var, 0.9, 1.1)
            torch.nn.init.normal_(module.running_mean, std=0.01)
    torch.nn.init.normal_(network.roi_heads.box_predictor.cls_score.weight, std=0.05)
    torch.nn.init.normal_(network.rpn.head.cls_logits.weight, std=0.05)
    return network.eval()


@pytest.mark.parametrize(
    "architecture",
    [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in ARCHITECTURES if name not in OURS],
)
def test_networks_are_those_of_torchvision(architecture):
    torch.manual_seed(1)
    sizes = {"min_size": 64, "max_size": 100}
    theirs = varied(get_model(architecture, weights=None, weights_backbone=None, num_classes=4, **sizes))
    ours = build_network(architecture, 4, SETTINGS).eval()
    fill(ours, theirs.state_dict(), where="theirs")
    image = torch.rand(3, 90, 61)
    with torch.inference_mode():
        found, expected = ours([image])[0], theirs([image])[0]
    assert len(expected["scores"]) > 5
    for part in ("boxes", "scores", "labels"):
        torch.testing.assert_close(found[part], expected[part], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(
    ("architecture", "frozen", "first", "later"),
    [
        ("fasterrcnn_mobilenet_v3_large_320_fpn", 3, "body.0.0.weight", "body.16.0.weight"),
        pytest.param(
            "fasterrcnn_resnet50_fpn",
            2,
            "body.layer1.0.conv1.weight",
            "body.layer2.0.conv1.weight",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "fasterrcnn_resnet50_fpn_v2",
            2,
            "body.layer1.0.conv1.weight",
            "body.layer2.0.conv1.weight",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_the_first_stages_are_frozen_where_asked(architecture, frozen, first, later):
    network = build_network(architecture, 3, SETTINGS, frozen_stages=frozen)
    trains = {name: parameter.requires_grad for name, parameter in network.backbone.named_parameters()}
    assert not trains[first]
    assert trains[later]
    assert all(parameter.requires_grad for parameter in build_network(architecture, 3, SETTINGS).parameters())
    # Normalisations outside the backbone were never pre-trained by ImageNet, so they learn.
    live = [name for name, module in network.named_modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert bool(live) == architecture.endswith("_v2")
    assert not any(name.startswith("backbone.body") for name in live)


def test_older_files_have_other_names():
    now = build_network("fasterrcnn_mobilenet_v3_large_320_fpn", 3, SETTINGS).state_dict()
    old = {
        name.replace("rpn.head.conv.0.0.", "rpn.head.conv.")
        .replace(".0.0.", ".0.")
        .replace("_blocks.1.0.", "_blocks.1.")
        if "rpn.head" in name or "_blocks" in name
        else name: tensor
        for name, tensor in now.items()
    }
    assert "rpn.head.conv.weight" in old
    assert "backbone.fpn.layer_blocks.1.bias" in old
    assert as_named_now(old).keys() == now.keys()
    assert as_named_now(now).keys() == now.keys()


def test_an_epsilon_can_be_left_out_before():
    there = FrozenBatchNorm2d(3, eps=0.0)
    variances = torch.tensor([1e-7, 1e-3, 2.0])
    there.load_state_dict(
        {
            "weight": torch.tensor([0.5, -1.0, 2.0]),
            "bias": torch.tensor([0.1, 0.2, 0.3]),
            "running_mean": torch.tensor([0.0, 1.0, -1.0]),
            "running_var": variances,
        }
    )
    here = FrozenBatchNorm2d(3)
    mended = without_epsilon({f"bn.{name}": tensor for name, tensor in there.state_dict().items()})
    here.load_state_dict({name.removeprefix("bn."): tensor for name, tensor in mended.items()})
    values = torch.randn(1, 3, 2, 4)
    torch.testing.assert_close(here(values), there(values))
