"""Heads on features: shapes, names of the state, and what raw outputs mean."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from artdet.classifiers.base import HeadCard
from artdet.classifiers.network import ClassifierNetwork, TaskHeads, answers
from artdet.embedders.backbone import Backbone
from artdet.embedders.base import Preprocessing
from artdet.tasks import Task

# ``type`` is a method of every torch module, and ``values`` one of ModuleDict.
TYPE = Task(name="type", kind="label", classes=("painting", "drawing", "print"))
MATERIAL = Task(name="values", kind="labels", classes=("oil", "canvas"))
YEAR = Task(name="year", kind="number", mean=1800.0, deviation=50.0)
TASKS = (TYPE, MATERIAL, YEAR)


class MeanColour(Backbone):
    """Features: the mean of each channel."""

    def __init__(self) -> None:
        super().__init__("mean_colour", nn.Conv2d(3, 3, 1), 3, Preprocessing())

    @property
    def blocks(self) -> tuple[nn.Module, ...]:
        return (self.network,)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(x).mean((2, 3))


@pytest.mark.parametrize(
    "head",
    [HeadCard(), HeadCard(representation=7), HeadCard(hidden=(6, 5, 4)), HeadCard(representation=7, hidden=(6,))],
    ids=["linear", "representation", "four layers", "both"],
)
def test_every_task_has_its_outputs(head):
    raw = TaskHeads(9, head, TASKS)(torch.randn(2, 9))
    assert {name: tuple(values.shape) for name, values in raw.items()} == {
        "type": (2, 3),
        "values": (2, 2),
        "year": (2, 1),
    }


def test_one_linear_layer_is_what_a_plain_head_is():
    heads = TaskHeads(4, HeadCard(dropout=0.5), [TYPE]).eval()
    weights = [parameter for parameter in heads.parameters() if parameter.ndim == 2]
    features = torch.randn(5, 4)
    assert [tuple(weight.shape) for weight in weights] == [(3, 4)]
    torch.testing.assert_close(heads(features)["type"], features @ weights[0].T + list(heads.parameters())[1])


def test_the_representation_is_shared_and_has_a_relu():
    heads = TaskHeads(4, HeadCard(representation=6), TASKS)
    seen = []
    for layers in heads.outputs.values():
        layers.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0]))
    heads(torch.randn(50, 4))
    assert seen[0].shape == (50, 6)
    assert seen[0] is seen[1] is seen[2]
    assert seen[0].min() == 0 < seen[0].max()


def test_dropout_is_for_training_only():
    heads = TaskHeads(400, HeadCard(dropout=0.5), [TYPE])
    features = torch.ones(1, 400)
    assert not torch.equal(heads(features)["type"], heads(features)["type"])
    heads.eval()
    assert torch.equal(heads(features)["type"], heads(features)["type"])


def test_the_state_has_backbone_and_heads_and_the_same_names_with_dropout():
    network = ClassifierNetwork(MeanColour(), TaskHeads(3, HeadCard(hidden=(2,)), TASKS))
    with_dropout = ClassifierNetwork(MeanColour(), TaskHeads(3, HeadCard(hidden=(2,), dropout=0.3), TASKS))
    assert {key.split(".")[0] for key in network.state_dict()} == {"backbone", "heads"}
    assert network.state_dict().keys() == with_dropout.state_dict().keys()
    images = torch.randn(2, 3, 8, 6)
    torch.testing.assert_close(network(images)["year"], network.heads(network.backbone(images))["year"])


def test_a_fitted_linear_model_becomes_the_last_layer():
    heads = TaskHeads(2, HeadCard(), TASKS)
    before = heads(torch.ones(1, 2))["year"]
    heads.set_linear("type", torch.tensor([[1.0, 2.0], [0.0, 1.0], [5.0, 0.0]]), torch.tensor([0.5, 0.0, -1.0]))
    raw = heads(torch.tensor([[3.0, 4.0]]))["type"]
    assert raw.tolist() == [[11.5, 4.0, 14.0]]
    assert torch.equal(heads(torch.ones(1, 2))["year"], before)


@pytest.mark.parametrize(
    ("task", "raw", "expected"),
    [
        (TYPE, [[0.0, math.log(2), math.log(5)]], [[1 / 8, 2 / 8, 5 / 8]]),
        (MATERIAL, [[0.0, math.log(3)]], [[0.5, 0.75]]),
        (YEAR, [[-2.0], [0.5]], [[1700.0], [1825.0]]),
    ],
    ids=["label", "labels", "number"],
)
def test_answers(task, raw, expected):
    given = answers(task, torch.tensor(raw, dtype=torch.float64))
    assert given.dtype == torch.float32
    torch.testing.assert_close(given, torch.tensor(expected))
