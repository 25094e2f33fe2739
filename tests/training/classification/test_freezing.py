"""Which weights learn, and that nothing else moves, statistics of batch norm included."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from artdet.classifiers.base import HeadCard
from artdet.classifiers.network import ClassifierNetwork, TaskHeads
from artdet.embedders.backbone import Backbone, unit
from artdet.embedders.base import Preprocessing
from artdet.errors import ConfigError
from artdet.tasks import Task
from artdet.training.classification.freezing import freeze, has_folded_norms, is_frozen, set_training_mode

GENRE = Task(name="genre", kind="label", classes=("portrait", "landscape"))


class FourBlocks(Backbone):
    """Convolution, batch norm and dropout four times, and a weight outside all blocks."""

    def __init__(self, count: int = 4) -> None:
        steps = [(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.Dropout(0.5)) for _ in range(count)]
        super().__init__("four", nn.Sequential(*(layer for step in steps for layer in step)), 3, Preprocessing())
        self.position = nn.Parameter(torch.zeros(3, 1, 1))

    @property
    def blocks(self) -> tuple[nn.Module, ...]:
        layers = list(self.network)
        return tuple(unit(*layers[start : start + 3]) for start in range(0, len(layers), 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(x + self.position).mean((2, 3))


def network_of(count: int = 4) -> ClassifierNetwork:
    return ClassifierNetwork(FourBlocks(count), TaskHeads(3, HeadCard(), [GENRE]))


def learning(network: ClassifierNetwork) -> list[bool]:
    """Of each block, whether its convolution learns."""
    return [layer.weight.requires_grad for layer in network.backbone.network if isinstance(layer, nn.Conv2d)]


CASES = {
    "all": [True, True, True, True],
    "skip_first": [False, True, True, True],
    "skip_first_2": [False, False, True, True],
    "only_last_3": [False, False, True, True],
    "only_last": [False, False, False, False],
    0: [False, False, False, False],
    1: [False, False, False, True],
    3: [False, True, True, True],
    4: [True, True, True, True],
}


@pytest.mark.parametrize(("trained", "expected"), CASES.items(), ids=str)
def test_blocks_that_learn(trained, expected):
    network = network_of()
    freeze(network, trained)
    assert learning(network) == expected
    assert network.backbone.position.requires_grad == expected[0]
    assert all(parameter.requires_grad for parameter in network.heads.parameters())
    assert is_frozen(network) == (not any(expected))


def test_freezing_anew_forgets_what_was_before():
    network = network_of()
    freeze(network, "only_last", "frozen")
    freeze(network, "all")
    assert all(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("batch_norm", ["learning", "frozen"])
@pytest.mark.parametrize(("trained", "expected"), CASES.items(), ids=str)
def test_a_step_moves_what_learns_and_nothing_else(trained, expected, batch_norm):
    torch.manual_seed(0)
    network = network_of()
    freeze(network, trained, batch_norm)
    set_training_mode(network)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=1.0)
    output = network(torch.randn(8, 3, 5, 4))["genre"]
    nn.functional.cross_entropy(output, torch.arange(8) % 2).backward()
    optimizer.step()
    moved = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    norms = [learns and batch_norm == "learning" for learns in expected]
    for index in range(4):
        assert (f"backbone.network.{3 * index}.weight" in moved) == expected[index]
        assert (f"backbone.network.{3 * index + 1}.weight" in moved) == norms[index]
        assert (f"backbone.network.{3 * index + 1}.running_mean" in moved) == norms[index]
    assert "heads.outputs.genre_head.1.weight" in moved


def test_dropout_of_frozen_blocks_rests():
    network = network_of()
    freeze(network, 2)
    network.eval()
    set_training_mode(network)
    drops = [layer.training for layer in network.backbone.network if isinstance(layer, nn.Dropout)]
    assert drops == [False, False, True, True]
    assert network.heads.training


@pytest.mark.parametrize(("trained", "count"), [(5, 4), (-1, 4), ("only_last_3", 1), ("skip_first_2", 1)], ids=str)
def test_too_few_blocks(trained, count):
    with pytest.raises(ConfigError, match=rf"^backbone.trained: {trained} does not fit a backbone of {count} block"):
        freeze(network_of(count), trained)


def _folded(network):
    for layer in network.backbone.network:
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_var.fill_(1 - layer.eps)
            layer.bias.data.uniform_(-9, 9)


def _counted(network):
    _folded(network)
    network.backbone.network[4].running_mean[1] = 0.1


@pytest.mark.parametrize(
    ("spoil", "trained", "batch_norm", "folded"),
    [
        (_folded, "all", "learning", True),
        (_folded, 1, "learning", True),
        (_folded, "all", "frozen", False),
        (_folded, "only_last", "learning", False),
        (_counted, "all", "learning", False),
    ],
    ids=["folded", "last block", "frozen", "nothing trained", "one with statistics"],
)
def test_norms_that_were_folded_into_convolutions_and_are_to_learn(spoil, trained, batch_norm, folded):
    network = network_of()
    spoil(network)
    freeze(network, trained, batch_norm)
    assert has_folded_norms(network) == folded


def test_a_network_without_norms_has_none_that_were_folded():
    network = network_of()
    network.backbone.network = nn.Sequential(nn.Conv2d(3, 3, 1))
    freeze(network, "all")
    assert not has_folded_norms(network)
