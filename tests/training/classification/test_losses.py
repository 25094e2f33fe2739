"""Losses against numbers worked out by hand and against torch's own."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from artdet.errors import ConfigError
from artdet.tasks import Task
from artdet.training.classification.losses import TaskLosses, soft_f1_loss
from artdet.training.classification.recipe import LossSettings

GENRE = Task(name="genre", kind="label", classes=("portrait", "landscape", "still life"))
MATERIAL = Task(name="material", kind="labels", classes=("oil", "canvas"))
YEAR = Task(name="year", kind="number", mean=1800.0, deviation=50.0)
TRAIN = {
    "genre": np.array([0, 0, 0, 1, 2, 2, -1]),
    "material": np.array([[1, 1], [1, 0], [1, 0], [0, 0], [np.nan, np.nan]], dtype=np.float32),
    "year": np.array([1700, np.nan], dtype=np.float32),
}
NAN = math.nan


def losses_of(*tasks, **settings):
    return TaskLosses(tasks, LossSettings(**settings), TRAIN)


def part(task, raw, targets, **settings):
    raw = {task.name: torch.tensor(raw, dtype=torch.float32)}
    return losses_of(task, **settings)(raw, {task.name: torch.tensor(targets)})[1][task.name].item()


@pytest.mark.parametrize("label", ["cross_entropy", "binary", "soft_f1"])
@pytest.mark.parametrize(
    ("task", "targets"),
    [(GENRE, [-1, -1]), (MATERIAL, [[NAN, NAN]] * 2), (YEAR, [NAN, NAN])],
    ids=["label", "labels", "number"],
)
@pytest.mark.parametrize("rows", [0, 2], ids=["no image", "no answer"])
def test_nothing_known_costs_nothing_and_moves_nothing(task, targets, label, rows):
    raw = torch.randn(rows, task.outputs, requires_grad=True)
    shape = (rows, *np.shape(targets)[1:])
    values = {task.name: torch.tensor(targets)[:rows].reshape(shape)}
    total, parts = losses_of(task, label=label, class_weights="balanced")({task.name: raw}, values)
    total.backward()
    assert total.item() == parts[task.name].item() == 0
    assert torch.equal(raw.grad, torch.zeros_like(raw))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_is_torchs_over_the_known(smoothing):
    raw, targets = torch.randn(5, 3), torch.tensor([0, -1, 2, 1, -1])
    expected = functional.cross_entropy(raw[[0, 2, 3]], targets[[0, 2, 3]], label_smoothing=smoothing)
    assert part(GENRE, raw.tolist(), targets.tolist(), smoothing=smoothing) == pytest.approx(expected.item(), abs=1e-6)


def test_cross_entropy_by_hand():
    # Probabilities 1/4 and 3/4 of the right classes: -(ln 1/4 + ln 3/4) / 2.
    raw = [[0.0, math.log(2), 0.0], [math.log(6), 0.0, 0.0]]
    assert part(GENRE, raw, [0, 0]) == pytest.approx(-(math.log(1 / 4) + math.log(6 / 8)) / 2)


def test_balanced_weights_are_the_mean_class_over_the_class():
    # 6 known images of 3 classes: the mean class has 2, these have 3, 1 and 2.
    raw = [[0.0, 0.0, 0.0]] * 3
    for targets, weight in (([0], 2 / 3), ([1], 2.0), ([2], 1.0), ([0, 1], 4 / 3)):
        got = part(GENRE, raw[: len(targets)], targets, class_weights="balanced")
        assert got == pytest.approx(weight * math.log(3))


def test_weights_of_classes_multiply():
    raw, own = [[0.0, 0.0, 0.0]], {"genre": {"landscape": 3.0}}
    assert part(GENRE, raw, [1], of_classes=own) == pytest.approx(3 * math.log(3))
    assert part(GENRE, raw, [0], of_classes=own) == pytest.approx(math.log(3))
    assert part(GENRE, raw, [1], of_classes=own, class_weights="balanced") == pytest.approx(6 * math.log(3))
    # Oil is there and weighs 5, canvas is not: (5 ln 2 + ln 2) / 2.
    weighed = part(MATERIAL, [[0.0, 0.0]], [[1.0, 0.0]], of_classes={"material": {"oil": 5.0, "canvas": 5.0}})
    assert weighed == pytest.approx(3 * math.log(2))


@pytest.mark.parametrize(
    ("own", "message"),
    [({"gender": {}}, "no task 'gender'"), ({"genre": {"portrat": 2.0}}, "Did you mean 'portrait'")],
    ids=["task", "class"],
)
def test_weights_of_strangers_are_refused(own, message):
    with pytest.raises(ConfigError, match=message):
        losses_of(GENRE, of_classes=own)


def test_a_class_without_training_images_weighs_as_an_image_does():
    train = {"genre": np.array([0, 0, 0, 2])}
    losses = TaskLosses([GENRE], LossSettings(class_weights="balanced"), train)
    _, parts = losses({"genre": torch.zeros(1, 3)}, {"genre": torch.tensor([1])})
    assert parts["genre"].item() == pytest.approx(math.log(3))


def test_binary_by_hand():
    # Each class by itself: right at 3/4, and wrong at 1/2 and 1/4.
    raw = [[math.log(3), 0.0, -math.log(3)]]
    expected = -(math.log(3 / 4) + math.log(1 / 2) + math.log(3 / 4)) / 3
    assert part(GENRE, raw, [0], label="binary") == pytest.approx(expected)
    assert part(GENRE, raw, [0], label="binary", class_weights="balanced") == pytest.approx(expected * 2 / 3)


def test_soft_f1_by_hand():
    probabilities = torch.tensor([[0.8, 0.2], [0.6, 0.4], [0.3, 0.7]])
    truth = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    # First class: hits 0.8, false 0.9, missed 0.2; second: hits 1.1, false 0.2, missed 0.9.
    expected = 1 - (1.6 / (1.6 + 0.9 + 0.2) + 2.2 / (2.2 + 0.2 + 0.9)) / 2
    assert soft_f1_loss(probabilities, truth).item() == pytest.approx(expected)
    raw = probabilities.log().tolist()
    two = Task(name="genre", kind="label", classes=("portrait", "landscape"))
    assert part(two, raw, [0, 1, 1], label="soft_f1") == pytest.approx(expected, abs=1e-6)


def test_soft_f1_leaves_out_classes_that_the_batch_lacks():
    with_class = soft_f1_loss(torch.tensor([[0.7, 0.2, 0.1]]), torch.tensor([[1.0, 0.0, 0.0]]))
    assert with_class.item() == pytest.approx(1 - 1.4 / 1.7)


def test_soft_f1_rises_with_the_right_answer():
    raw = torch.zeros(4, 3, requires_grad=True)
    total, _ = losses_of(GENRE, label="soft_f1")({"genre": raw}, {"genre": torch.tensor([0, 1, 2, 0])})
    total.backward()
    assert (raw.grad.argmin(dim=1) == torch.tensor([0, 1, 2, 0])).all()


def test_several_labels_are_binary():
    raw, targets = torch.randn(3, 2), torch.tensor([[1.0, 0.0], [NAN, NAN], [1.0, 1.0]])
    expected = functional.binary_cross_entropy_with_logits(raw[[0, 2]], targets[[0, 2]])
    assert part(MATERIAL, raw.tolist(), targets.tolist()) == pytest.approx(expected.item(), abs=1e-6)


def test_several_labels_balanced():
    # Oil: 3 have it, 1 has not; canvas: 1 has it, 3 have not. Weights 4 / (2 n).
    raw = [[0.0, math.log(3)]]
    expected = (4 / 2 * math.log(2) + 4 / 2 * -math.log(3 / 4)) / 2
    assert part(MATERIAL, raw, [[0.0, 1.0]], class_weights="balanced") == pytest.approx(expected)
    expected = (4 / 6 * math.log(2) + 4 / 6 * -math.log(1 / 4)) / 2
    assert part(MATERIAL, raw, [[1.0, 0.0]], class_weights="balanced") == pytest.approx(expected)


def test_several_labels_with_soft_f1():
    raw = [[0.0, 0.0], [math.log(3), 0.0]]
    # Oil: hits 3/4, said 5/4, true 1; canvas: hits 1/2, said 1, true 1.
    expected = 1 - (1.5 / 2.25 + 1 / 2) / 2
    assert part(MATERIAL, raw, [[0.0, 1.0], [1.0, 0.0]], label="soft_f1") == pytest.approx(expected)


def test_a_number_by_hand():
    # 1 deviation above the mean is 1850; off by 1 and by 2 deviations.
    assert part(YEAR, [[1.0], [9.0], [0.0]], [1800.0, NAN, 1900.0]) == pytest.approx(1.5)


def test_the_total_is_the_sum_of_weight_scale_and_loss():
    losses = losses_of(GENRE, YEAR, task_weights={"genre": 2.0, "year": 3.0}, number_scale=0.1)
    raw = {"genre": torch.zeros(2, 3), "year": torch.zeros(2, 1)}
    total, parts = losses(raw, {"genre": torch.tensor([0, -1]), "year": torch.tensor([1900.0, NAN])})
    assert parts["genre"].item() == pytest.approx(math.log(3))
    assert parts["year"].item() == pytest.approx(2.0)
    assert total.item() == pytest.approx(2 * math.log(3) + 3 * 0.1 * 2)
    assert losses.comparable({name: loss.item() for name, loss in parts.items()}) == pytest.approx(total.item())


def test_a_missing_answer_does_not_touch_the_other_images():
    raw = torch.randn(2, 3, requires_grad=True)
    losses_of(GENRE)({"genre": raw}, {"genre": torch.tensor([1, -1])})[0].backward()
    assert raw.grad[0].abs().sum() > 0
    assert raw.grad[1].abs().sum() == 0


def test_half_precision_is_computed_in_full():
    raw = torch.randn(4, 3).bfloat16()
    total, _ = losses_of(GENRE)({"genre": raw}, {"genre": torch.tensor([0, 1, 2, 0])})
    assert total.dtype == torch.float32


def test_the_learnt_scale_goes_to_the_size_of_the_others():
    losses = losses_of(GENRE, MATERIAL, YEAR, number_scale="learnt")
    assert losses.scales == {"genre": 1.0, "material": 1.0, "year": 0.1}
    parts = {"genre": 2.0, "material": 1.0, "year": 3.0}
    losses.learn_scale(parts)
    assert losses.scales["year"] == pytest.approx((0.1 + 0.5) / 2)
    for _ in range(30):
        losses.learn_scale(parts)
    assert losses.scales["year"] * parts["year"] == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("tasks", "parts", "scale"),
    [
        ((YEAR,), {"year": 4.0}, 1.0),
        ((GENRE, YEAR), {"genre": NAN, "year": 4.0}, 0.1),
        ((GENRE, YEAR), {"genre": 1.0, "year": 0.0}, 0.1),
        ((GENRE, YEAR), {"genre": 1.0, "year": NAN}, 0.1),
        ((GENRE, YEAR), {"year": 1.0}, 0.1),
        ((GENRE, YEAR), {"genre": 1.0}, 0.1),
    ],
    ids=["alone", "no number to compare with", "no error", "diverged", "others unknown", "itself unknown"],
)
def test_a_learnt_scale_stays_where_nothing_can_be_learnt(tasks, parts, scale):
    losses = losses_of(*tasks, number_scale="learnt")
    losses.learn_scale(parts)
    assert losses.scales["year"] == scale


def test_what_is_compared_does_not_change_with_the_learnt_scale():
    losses = losses_of(GENRE, YEAR, number_scale="learnt", task_weights={"year": 2.0})
    parts = {"genre": 1.0, "year": 0.5}
    assert losses.comparable({}) == 0
    assert losses.comparable(parts) == 2.0
    losses.learn_scale(parts)
    assert losses.scales["year"] != 0.1
    assert losses.comparable(parts) == 2.0


def test_a_fixed_scale_is_not_learnt():
    losses = losses_of(GENRE, YEAR, number_scale=0.25)
    losses.learn_scale({"genre": 1.0, "year": 9.0})
    assert losses.scales["year"] == 0.25


def test_the_learnt_scale_survives_a_resume():
    losses, resumed = (losses_of(GENRE, YEAR, number_scale="learnt") for _ in range(2))
    losses.learn_scale({"genre": 1.0, "year": 4.0})
    state = losses.state_dict()
    losses.learn_scale({"genre": 9.0, "year": 1.0})
    resumed.load_state_dict(state)
    assert resumed.scales["year"] == pytest.approx((0.1 + 0.25) / 2)


def test_a_weight_of_no_task_is_named():
    with pytest.raises(ConfigError, match=r"loss.task_weights: there is no task 'gendre'\. Did you mean 'genre'\?"):
        losses_of(GENRE, YEAR, task_weights={"gendre": 2.0})
