"""Resampled figures, against the plain figures on images that are really there several times."""

from __future__ import annotations

import numpy as np
import pytest

from artdet.metrics.bootstrap import draw_resamples
from artdet.metrics.classification import task_figures
from artdet.metrics.classification_bootstrap import bootstrap_figures
from artdet.tasks import Task

LABEL = Task(name="genre", kind="label", classes=("a", "b", "c", "d", "never"))
LABELS = Task(name="materials", kind="labels", classes=("oil", "ink", "gold", "never"))
YEAR = Task(name="year", kind="number", tolerance=30)


def made(task, images, seed=3):
    """Answers that are often right, with many equal scores."""
    rng = np.random.default_rng(seed)
    if task.kind == "number":
        truth = rng.integers(1500, 1600, size=images).astype(np.float32)
        return (truth + rng.integers(-60, 60, size=images)).astype(np.float32)[:, None], truth
    scores = np.round(rng.dirichlet(np.ones(task.outputs), size=images), 1).astype(np.float32)
    if task.kind == "label":
        return scores, np.where(rng.random(images) < 0.6, np.minimum(scores.argmax(1), 3), rng.integers(4, size=images))
    truth = (scores + rng.normal(0, 0.2, scores.shape) > 0.4).astype(np.float32)
    truth[:, 3] = 0
    return scores, truth


@pytest.mark.parametrize("task", [LABEL, LABELS, YEAR], ids=lambda task: task.kind)
def test_a_resample_is_its_images_so_many_times(task):
    scores, truth = made(task, 30)
    weights = draw_resamples(30, 12, seed=1)
    resampled = bootstrap_figures(task, scores, truth, weights)
    for row, counts in enumerate(weights):
        plain = task_figures(task, scores.repeat(counts, axis=0), truth.repeat(counts, axis=0))
        there = {name: values[row] for name, values in resampled.figures.items()}
        assert there == pytest.approx({name: plain.figures[name] for name in there}, abs=1e-6)
        for figure, values in resampled.classes.items():
            expected = [getattr(each, figure) for each in plain.classes]
            assert values[row] == pytest.approx([np.nan if x is None else x for x in expected], abs=1e-6, nan_ok=True)
    assert set(task_figures(task, scores, truth).figures) - set(resampled.figures) <= {"map"}


def test_the_first_figures_are_of_all_images_where_each_is_there_once():
    scores, truth = made(LABELS, 25)
    once = bootstrap_figures(LABELS, scores, truth, np.ones((1, 25), np.uint16))
    assert once.figures["map"][0] == pytest.approx(task_figures(LABELS, scores, truth).figures["map"], abs=1e-6)


def test_blocks_give_what_the_whole_gives(monkeypatch):
    scores, truth = made(LABEL, 20)
    weights = draw_resamples(20, 9)
    whole = bootstrap_figures(LABEL, scores, truth, weights).figures
    monkeypatch.setattr("artdet.metrics.classification_bootstrap._BLOCK", 40)
    blocks = bootstrap_figures(LABEL, scores, truth, weights).figures
    assert all(np.array_equal(whole[name], blocks[name]) for name in whole if name != "loss")
    # Some processors add up a product of fewer rows in another order; the sums of the other figures are whole numbers.
    np.testing.assert_allclose(blocks["loss"], whole["loss"], rtol=1e-13)


def test_weights_for_other_images_are_refused():
    scores, truth = made(YEAR, 10)
    with pytest.raises(ValueError, match="11 images, but 10"):
        bootstrap_figures(YEAR, scores, truth, draw_resamples(11, 2))
