"""Which weights get which learning rate, and how it goes over the steps."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from artdet.classifiers.base import HeadCard
from artdet.classifiers.network import ClassifierNetwork, TaskHeads
from artdet.embedders.backbone import Backbone
from artdet.embedders.base import Preprocessing
from artdet.tasks import Task
from artdet.training.classification.optimization import Schedule, optimizer_of
from artdet.training.classification.recipe import OptimizerSettings

GENRE = Task(name="genre", kind="label", classes=("portrait", "landscape"))


class ConvolutionAndNorm(Backbone):
    def __init__(self) -> None:
        super().__init__("small", nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)), 4, Preprocessing())

    @property
    def blocks(self) -> tuple[nn.Module, ...]:
        return tuple(self.network)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(x).mean((2, 3))


def network_of() -> ClassifierNetwork:
    return ClassifierNetwork(ConvolutionAndNorm(), TaskHeads(4, HeadCard(), [GENRE]))


def schedule_of(epochs=6, steps_per_epoch=2, **settings):
    return Schedule(OptimizerSettings(**settings), epochs=epochs, steps_per_epoch=steps_per_epoch)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("sgd", torch.optim.SGD),
        ("adam", torch.optim.Adam),
        ("adamw", torch.optim.AdamW),
        ("adadelta", torch.optim.Adadelta),
    ],
)
def test_every_optimizer_brings_the_loss_down(name, kind):
    torch.manual_seed(0)
    network = network_of()
    optimizer = optimizer_of(network, OptimizerSettings(name=name, learning_rate=0.05, momentum=0.5))
    assert type(optimizer) is kind
    images, truth = torch.randn(8, 3, 3, 2), torch.arange(8) % 2
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        losses.append(nn.functional.cross_entropy(network(images)["genre"], truth))
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < losses[0]
    assert all(group.get("momentum", 0.5) == 0.5 and not group.get("nesterov") for group in optimizer.param_groups)


def test_groups_share_rates_and_decay():
    network = network_of()
    settings = OptimizerSettings(learning_rate=0.01, backbone_share=0.1, weight_decay=0.05)
    groups = optimizer_of(network, settings).param_groups
    found = {id(p): (group["lr"], group["weight_decay"]) for group in groups for p in group["params"]}
    expected = {
        "heads.outputs.genre_head.1.weight": (0.01, 0.05),
        "heads.outputs.genre_head.1.bias": (0.01, 0.0),
        "backbone.network.0.weight": (0.001, 0.05),
        "backbone.network.0.bias": (0.001, 0.0),
        "backbone.network.1.weight": (0.001, 0.0),
        "backbone.network.1.bias": (0.001, 0.0),
    }
    assert {name: found[id(parameter)] for name, parameter in network.named_parameters()} == expected


def test_frozen_weights_are_not_the_optimizers():
    network = network_of()
    network.backbone.requires_grad_(False)
    groups = optimizer_of(network, OptimizerSettings()).param_groups
    assert {p for group in groups for p in group["params"]} == set(network.heads.parameters())


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"schedule": "constant"}, [1.0] * 12),
        ({"schedule": "step", "step_epochs": 2, "step_factor": 0.5}, [1.0] * 4 + [0.5] * 4 + [0.25] * 4),
        ({"schedule": "constant", "warmup_epochs": 1.5}, [0.25, 0.5, 0.75] + [1.0] * 9),
        (
            {"schedule": "step", "step_epochs": 2, "step_factor": 0.5, "warmup_epochs": 0.5},
            [0.5, 1.0, 1.0, 1.0] + [0.5] * 4 + [0.25] * 4,
        ),
    ],
    ids=["constant", "step", "warm-up", "step after a warm-up"],
)
def test_factors(settings, expected):
    schedule = schedule_of(**settings)
    assert [schedule.factor(step) for step in range(12)] == pytest.approx(expected)


def test_cosine_is_torchs():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    torchs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=12)
    schedule = schedule_of(schedule="cosine")
    for step in range(12):
        assert schedule.factor(step) == pytest.approx(torchs.get_last_lr()[0])
        optimizer.step()
        torchs.step()
    assert schedule.factor(12) == schedule.factor(99) == pytest.approx(0, abs=1e-12)


def test_cosine_after_a_warmup():
    schedule = schedule_of(schedule="cosine", warmup_epochs=1)
    got = [schedule.factor(step) for step in (0, 1, 2, 7, 12)]
    assert got == pytest.approx([1 / 3, 2 / 3, 1.0, 0.5, 0.0])


def test_plateau_is_torchs():
    losses = [5, 4, 4, 4.5, 3, 3.1, math.nan, 2.9, 2.9, 2.9, 2.9, 2.9]
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    torchs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1, threshold=0)
    schedule = schedule_of(schedule="plateau", plateau_epochs=2, step_factor=0.5)
    factors = []
    for epoch, loss in enumerate(losses):
        torchs.step(loss)
        schedule.note_validation(loss)
        factors.append(schedule.factor(2 * epoch))
        assert factors[-1] == optimizer.param_groups[0]["lr"]
    assert factors[0] == 1
    assert factors[-1] == 0.0625


def test_plateau_survives_a_resume():
    schedule, resumed = (schedule_of(schedule="plateau", plateau_epochs=2) for _ in range(2))
    for loss in (1, 2, 2, 2):
        schedule.note_validation(loss)
    resumed.load_state_dict(schedule.state_dict())
    assert resumed.factor(0) == schedule.factor(0) == pytest.approx(0.1)
    resumed.note_validation(1.5)
    assert resumed.factor(0) == pytest.approx(0.01)


def test_rates_are_set_on_each_group():
    network = network_of()
    settings = OptimizerSettings(learning_rate=0.01, backbone_share=0.5, schedule="step", step_epochs=1)
    optimizer = optimizer_of(network, settings)
    schedule = Schedule(settings, epochs=3, steps_per_epoch=4)
    for step, factor in ((0, 1.0), (4, 0.1), (8, 0.01)):
        schedule.set_rates(optimizer, step)
        rates = {group["lr"] for group in optimizer.param_groups}
        assert sorted(rates) == pytest.approx([0.005 * factor, 0.01 * factor])


def test_rates_survive_the_optimizers_own_state():
    settings = OptimizerSettings(learning_rate=0.01, schedule="constant", warmup_epochs=1)
    first, second = (optimizer_of(network_of(), settings) for _ in range(2))
    schedule = Schedule(settings, epochs=3, steps_per_epoch=4)
    schedule.set_rates(first, 0)
    second.load_state_dict(first.state_dict())
    schedule.set_rates(second, 4)
    assert {group["lr"] for group in second.param_groups} == {0.01}
