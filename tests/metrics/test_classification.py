"""Figures of classification, against counts by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from artdet.metrics.classification import FIGURES, LOWER_IS_BETTER, confusion, ranks, task_figures
from artdet.tasks import Task

GENRE = Task(name="genre", kind="label", classes=("portrait", "landscape", "still life", "other"))
MATERIALS = Task(name="materials", kind="labels", classes=("oil", "ink", "gold"))
YEAR = Task(name="year", kind="number", tolerance=50)

# True: portrait, portrait, landscape, still life, unknown. Found: portrait, landscape, landscape, other, portrait.
GENRE_SCORES = np.array(
    [
        [0.7, 0.1, 0.1, 0.1],
        [0.3, 0.4, 0.2, 0.1],
        [0.0, 1.0, 0.0, 0.0],
        [0.3, 0.25, 0.05, 0.4],
        [0.9, 0.1, 0.0, 0.0],
    ],
    dtype=np.float32,
)
GENRE_TRUTH = np.array([0, 0, 1, 2, -1])

# Oil is found in the first two, rightly in the first; ink once, rightly; gold is in no image.
MATERIAL_SCORES = np.array([[0.9, 0.2, 0.1], [0.6, 0.8, 0.1], [0.3, 0.4, 0.1], [0.5, 0.5, 0.5]], dtype=np.float32)
MATERIAL_TRUTH = np.array([[1, 0, 0], [0, 1, 0], [1, 0, 0], [np.nan] * 3], dtype=np.float32)


def test_without_images_there_are_no_figures():
    figures = task_figures(GENRE, np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    assert (figures.images, dict(figures.figures)) == (0, {})
    assert [each.name for each in figures.classes] == list(GENRE.classes)
    assert math.isnan(figures.value("accuracy"))


def test_only_images_with_an_answer_count():
    assert task_figures(GENRE, GENRE_SCORES, np.full(5, -1)).images == 0
    assert task_figures(GENRE, GENRE_SCORES, GENRE_TRUTH).images == 4


def test_one_label_by_hand():
    made = task_figures(GENRE, GENRE_SCORES, GENRE_TRUTH).figures
    # Of s = 4 images c = 2 are right; true counts 2, 1, 1, 0 and found counts 1, 2, 0, 1 (Gorodkin 2004).
    mcc = (2 * 4 - (2 * 1 + 1 * 2)) / math.sqrt((16 - 6) * (16 - 6))
    # Average precision: one portrait comes first, the other shares the next place with a still life, which makes
    # 2 of 3; the landscape comes first; the still life third.
    mean_ap = ((1 + 2 / 3) / 2 + 1 + 1 / 3) / 3
    expected = {
        "accuracy": 2 / 4,
        "top3": 3 / 4,  # the still life's own score is the last of four
        "macro_f1": (2 / 3 + 2 / 3 + 0) / 3,
        "micro_f1": 2 / 4,
        "mcc": mcc,
        "loss": -(math.log(0.7) + math.log(0.3) + math.log(1.0) + math.log(0.05)) / 4,
    }
    assert dict(made) == pytest.approx({**expected, "map": mean_ap}, abs=1e-6)


def test_each_class_by_hand():
    portrait, landscape, still_life, other = task_figures(GENRE, GENRE_SCORES, GENRE_TRUTH).classes
    assert (portrait.images, portrait.found, portrait.precision, portrait.recall) == (2, 1, 1.0, 0.5)
    assert (landscape.images, landscape.found, landscape.precision, landscape.recall) == (1, 2, 0.5, 1.0)
    assert (still_life.found, still_life.precision, still_life.recall, still_life.f1) == (0, None, 0.0, 0.0)
    assert (other.images, other.found, other.precision, other.recall, other.f1, other.ap) == (0, 1, 0.0, *[None] * 3)


def test_several_labels_by_hand():
    made = task_figures(MATERIALS, MATERIAL_SCORES, MATERIAL_TRUTH)
    # Oil: 1 right of 2 found, of 2 true. Ink: 1 of 1 of 1. Decisions: 2 hits, 1 false, 1 missed, 5 rightly not given.
    likelihood = [0.9, 0.8, 0.9, 0.4, 0.8, 0.9, 0.3, 0.6, 0.9]
    expected = {
        "accuracy": 1 / 3,
        "macro_f1": (0.5 + 1.0) / 2,
        "micro_f1": 4 / 6,
        "mcc": (2 * 5 - 1 * 1) / math.sqrt(3 * 3 * 6 * 6),
        "map": ((1 + 2 / 3) / 2 + 1) / 2,
        "loss": -sum(math.log(each) for each in likelihood) / 9,
    }
    assert made.images == 3
    assert dict(made.figures) == pytest.approx(expected, abs=1e-6)


def test_numbers_by_hand():
    truth = np.array([1900, 1500, np.nan, 1700], dtype=np.float32)
    made = task_figures(YEAR, np.array([[1950], [1449], [3], [1700]], dtype=np.float32), truth)
    assert (made.images, dict(made.figures)) == (3, {"within": 2 / 3, "mae": 101 / 3, "loss": 101 / 3})


@pytest.mark.parametrize(
    ("task", "scores", "truth"),
    [(GENRE, GENRE_SCORES, GENRE_TRUTH), (MATERIALS, MATERIAL_SCORES, MATERIAL_TRUTH)],
    ids=["label", "labels"],
)
def test_figures_have_their_announced_names(task, scores, truth):
    assert tuple(task_figures(task, scores, truth).figures) == FIGURES[task.kind]


@pytest.mark.parametrize("metric", ["accuracy", "top3", "macro_f1", "mcc", "map", "within", "loss"])
def test_one_metric_is_known_to_every_kind(metric):
    truth = np.array([1900.0], dtype=np.float32)
    made = (
        task_figures(GENRE, GENRE_SCORES, GENRE_TRUTH),
        task_figures(MATERIALS, MATERIAL_SCORES, MATERIAL_TRUTH),
        task_figures(YEAR, truth[:, None], truth),
    )
    assert all(math.isfinite(each.value(metric)) for each in made)
    assert made[2].value("accuracy") == 1.0
    assert (metric in LOWER_IS_BETTER) == (metric == "loss")


def test_a_class_that_is_never_asked_for_does_not_count():
    one = Task(name="t", kind="label", classes=("a", "b"))
    made = task_figures(one, np.array([[0.9, 0.1]] * 3, np.float32), np.zeros(3, np.int64))
    assert (made.figures["macro_f1"], made.figures["map"], made.figures["mcc"]) == (1.0, 1.0, 0.0)


def test_of_equal_scores_the_first_class_leads():
    scores = np.array([[0.25, 0.25, 0.25, 0.25]] * 4)
    assert ranks(scores, np.arange(4)).tolist() == [0, 1, 2, 3]


def test_confusion_is_true_by_found():
    counts = confusion(GENRE, GENRE_SCORES, GENRE_TRUTH)
    assert counts.tolist() == [[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
    assert confusion(GENRE, GENRE_SCORES, np.full(5, -1)).sum() == 0


@pytest.mark.parametrize(
    ("scores", "words"),
    [(np.zeros((5, 3), np.float32), "must be"), (np.full((5, 4), np.nan, np.float32), "finite")],
    ids=["shape", "not finite"],
)
def test_what_cannot_be_measured_is_refused(scores, words):
    with pytest.raises(ValueError, match=words):
        task_figures(GENRE, scores, GENRE_TRUTH)
