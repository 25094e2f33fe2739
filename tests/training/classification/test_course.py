"""Which epoch is the best, and when a training ends."""

import math
from dataclasses import replace

import pytest

from artdet.metrics.classification import TaskFigures
from artdet.training.classification.course import Course, score
from artdet.training.classification.folder import ClassifierEpoch, ClassifierFolder
from artdet.training.classification.recipe import Recipe
from artdet.training.classification.watch import SilentWatch

LABEL = TaskFigures("style", "label", 9, {"accuracy": 0.5, "top3": 0.9, "macro_f1": 0.4, "map": 0.6, "loss": 2.0})
LABELS = TaskFigures("material", "labels", 9, {"accuracy": 0.1, "macro_f1": 0.2, "map": 0.7, "loss": 0.5})
NUMBER = TaskFigures("year", "number", 9, {"within": 0.3, "mae": 80.0, "loss": 80.0})
NOTHING = TaskFigures("genre", "label", 0, {})


@pytest.mark.parametrize(
    ("metric", "figures", "wanted"),
    [
        ("accuracy", (), None),
        ("accuracy", (NOTHING,), None),
        ("accuracy", (LABEL,), 0.5),
        ("accuracy", (LABEL, NOTHING), 0.5),
        ("accuracy", (LABEL, LABELS, NUMBER), (0.5 + 0.7 + 0.3) / 3),
        ("macro_f1", (LABEL, LABELS, NUMBER), (0.4 + 0.2 + 0.3) / 3),
        ("within", (LABEL, NUMBER), (0.5 + 0.3) / 2),
        ("top3", (LABEL, LABELS), (0.9 + 0.7) / 2),
        ("loss", (LABEL,), -1.25),
    ],
    ids=["no task", "no answer", "one", "one without answer", "kinds", "macro F1", "within", "top 3", "loss"],
)
def test_score(metric, figures, wanted):
    assert score(metric, figures, 1.25) == (None if wanted is None else pytest.approx(wanted))


def test_a_loss_that_nobody_could_measure_is_no_score():
    assert score("loss", (), math.nan) is None


@pytest.fixture
def course(tmp_path):
    def make(**recipe):
        return Course(Recipe(**recipe), ClassifierFolder(tmp_path), SilentWatch())

    return make


def gone(course, *scores):
    for value in scores:
        number = len(course.epochs) + 1
        epoch = ClassifierEpoch(number, {"loss": 1.0}, 0.1, 2.0, 8, {"loss": 1.5}, (LABEL, NOTHING), value)
        course.add(course.judged(epoch))
    return course


@pytest.mark.parametrize(
    ("scores", "best"),
    [((), None), ((0.2,), 1), ((0.2, 0.5, 0.4), 2), ((0.5, 0.5), 1), ((None, None), 2)],
    ids=["none yet", "first", "highest", "first of equals", "latest where nothing is measured"],
)
def test_the_best_epoch(course, scores, best):
    done = gone(course(), *scores)
    assert (done.best.number if done.best else None) == best


@pytest.mark.parametrize(
    ("recipe", "scores", "finished"),
    [
        ({"epochs": 2}, (), False),
        ({"epochs": 2}, (0.1,), False),
        ({"epochs": 2}, (0.1, 0.2), True),
        ({"patience": 2}, (0.3, 0.2), False),
        ({"patience": 2}, (0.3, 0.2, 0.1), True),
        ({"patience": 2}, (0.3, 0.2, 0.4, 0.1), False),
        ({"patience": 0}, (0.3, 0.2, 0.1, 0.1), False),
    ],
    ids=["nothing done", "half", "all", "patient", "patience is over", "better meanwhile", "no patience asked for"],
)
def test_the_end(course, recipe, scores, finished):
    assert gone(course(**recipe), *scores).finished == finished


def test_lines_are_read_as_they_were_written(course):
    gone(course(), 0.25, None)
    again = course()
    assert again.epochs == [replace(epoch) for epoch in again.folder.history()]
    first, second = again.epochs
    assert (first.score, first.best, second.score) == (0.25, True, None)
    assert first.figures == (LABEL, NOTHING)
