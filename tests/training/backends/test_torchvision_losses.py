import math

import numpy as np
import pytest
import torch

from artdet.detectors.torchvision import Settings
from artdet.detectors.torchvision_architectures import build_network
from artdet.training.backends.torchvision_data import Target
from artdet.training.backends.torchvision_losses import Losses, doubts, unknown_outputs
from artdet.training.examples import PARTLY, DetectorClasses

CLASSES = ["persons", "angel", "ship", "mary"]


def target(labelled, covered, boxes=(), labels=()):
    return Target(
        torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        torch.tensor(labels, dtype=torch.int64),
        torch.tensor(labelled, dtype=torch.bool),
        torch.tensor(covered, dtype=torch.bool),
    )


def test_classes_below_their_category(taxonomy):
    assert np.argwhere(DetectorClasses.of(tuple(CLASSES), taxonomy).below).tolist() == [[0, 1], [0, 3]]
    assert DetectorClasses.of((), taxonomy).below.shape == (0, 0)


@pytest.mark.parametrize(
    ("label", "labelled", "covered", "unknown"),
    [
        (0, [0, 0, 0, 0], [0, 0, 0, 0], ["persons", "angel", "ship", "mary"]),
        (0, [1, 1, 1, 1], [1, 1, 1, 1], []),
        (0, [1, 0, 0, 0], [1, 1, 0, 1], ["ship"]),
        (1, [1, 0, 0, 0], [1, 1, 0, 1], ["angel", "mary"]),
        (1, [1, 1, 0, 0], [1, 1, 0, 1], ["mary"]),
        (2, [0, 0, 0, 0], [0, 0, 0, 0], []),
        (3, [0, 0, 1, 0], [0, 0, 1, 0], []),
    ],
    ids=["nothing known", "all known", "no ship sought", "coarse", "coarse, angels sought", "fine", "other category"],
)
def test_what_nobody_knows_of_a_proposal(label, labelled, covered, unknown, taxonomy):
    below = torch.from_numpy(DetectorClasses.of(tuple(CLASSES), taxonomy).below)
    found = unknown_outputs(torch.tensor([label]), target(labelled, covered), below)
    assert found.shape == (1, 5)
    assert not found[0, 0]
    assert [name for name, is_unknown in zip(CLASSES, found[0, 1:].tolist(), strict=True) if is_unknown] == unknown


def test_background_counts_little_where_there_are_boxes_that_need_not_be_all(taxonomy):
    below = torch.from_numpy(DetectorClasses.of(tuple(CLASSES), taxonomy).below)
    shown = target([1, 0, 0, 0], [1, 0, 0, 0], boxes=[[1, 2, 9, 8]] * 2, labels=[3, 1])
    found = doubts(torch.tensor([0, 3]), shown, below).tolist()
    assert found[0] == [0, 0, -math.inf, pytest.approx(math.log(PARTLY)), -math.inf]  # a ship is there, and one angel?
    assert found[1] == [0, 0, 0, 0, 0]


def test_no_proposals(taxonomy):
    below = torch.from_numpy(DetectorClasses.of(tuple(CLASSES), taxonomy).below)
    assert unknown_outputs(torch.zeros(0, dtype=torch.int64), target([1] * 4, [1] * 4), below).shape == (0, 5)


def made_network():
    torch.manual_seed(0)
    return build_network(
        "fasterrcnn_mobilenet_v3_large_320_fpn", 5, Settings(name="a", weights="b"), norm=torch.nn.BatchNorm2d
    ).train()


class FixedOutputs(torch.nn.Module):
    """Gives every proposal the same logits, and boxes that are not moved."""

    def __init__(self, logits):
        super().__init__()
        self.logits = torch.nn.Parameter(torch.tensor(logits))

    def forward(self, features):
        return self.logits.expand(len(features), -1), features.new_zeros(len(features), 4 * len(self.logits))


def test_the_classification_loss_by_hand(taxonomy):
    network = made_network()
    network.roi_heads.box_predictor = FixedOutputs([0.0, 1.0, 2.0, 3.0, 4.0])
    losses = Losses(network, DetectorClasses.of(tuple(CLASSES), taxonomy).below, low_precision=False)
    image = torch.randint(0, 256, (3, 64, 96), dtype=torch.uint8)
    # Persons were looked for and none is there: angels and Marys are known to be absent, ships are not.
    found = losses([image], [target([1, 0, 0, 0], [1, 1, 0, 1])])
    e = math.e
    assert found["classifier"].item() == pytest.approx(-math.log(1 / (1 + e + e**2 + e**4)), abs=1e-5)
    found["classifier"].backward()
    gradient = network.roi_heads.box_predictor.logits.grad
    assert float(gradient[3]) == 0
    assert gradient[[1, 2, 4]].min() > 0
    assert set(found) == {"classifier", "box_reg", "objectness", "rpn_box_reg"}


def test_a_batch_without_boxes_and_proposals_has_a_loss(taxonomy):
    network = made_network()
    network.rpn.score_thresh = 2.0
    losses = Losses(network, DetectorClasses.of(tuple(CLASSES), taxonomy).below, low_precision=False)
    found = losses([torch.zeros(3, 40, 50, dtype=torch.uint8)], [target([1] * 4, [1] * 4)])
    assert found["classifier"].item() == found["box_reg"].item() == 0
    torch.autograd.backward(list(found.values()))
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())


def test_bfloat16_gives_nearly_the_same_losses_in_float32(taxonomy):
    image = torch.randint(0, 256, (3, 64, 96), dtype=torch.uint8)
    known = target([1] * 4, [1] * 4, boxes=[[10, 10, 60, 50]], labels=[2])
    found = []
    for low in (False, True):
        torch.manual_seed(1)
        network = made_network()
        losses = Losses(network, DetectorClasses.of(tuple(CLASSES), taxonomy).below, low_precision=low)(
            [image], [known]
        )
        assert all(loss.dtype == torch.float32 for loss in losses.values())
        found.append({name: loss.item() for name, loss in losses.items()})
    assert found[1]["objectness"] == pytest.approx(found[0]["objectness"], rel=0.05)
    assert found[1]["classifier"] == pytest.approx(found[0]["classifier"], rel=0.05)
    assert found[0] != found[1]
