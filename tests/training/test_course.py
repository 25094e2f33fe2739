"""Which epoch is the best, when a training ends, and what it says when it goes wrong."""

import json
import math
from dataclasses import replace

import pytest

from artdet.errors import TrainingError
from artdet.training import history as history_module
from artdet.training.course import Course, SilentWatch
from artdet.training.folder import Epoch
from artdet.training.validation import ClassFigures, figures


@pytest.fixture
def make_course(task, folder):
    """A course of a task with these settings of training."""

    def make(**training):
        settings = task.category.settings
        settings = settings.model_copy(update={"training": settings.training.model_copy(update=training)})
        category = replace(task.category, settings=settings)
        return Course(replace(task, data=replace(task.data, category=category)), folder, SilentWatch())

    return make


def epoch(number, ap=None):
    rows = [ClassFigures("dog", "fine", 3, ap, ap, ap)]
    return Epoch(number, {"loss": 1.0}, 0.01, 1.0, 8, None if ap is None else figures(rows, 4))


def gone(course, *aps):
    """Trains until the course is finished; ``None`` is an epoch without figures. Gives the epochs that were trained."""
    for number, ap in enumerate(aps, start=len(course.epochs) + 1):
        if course.finished:
            break
        course.add(course.judged(epoch(number, ap)))
    return len(course.epochs)


def test_before_the_first_epoch(make_course):
    course = make_course()
    assert (course.epochs, course.best, course.finished) == ([], None, False)


@pytest.mark.parametrize(
    ("aps", "best"),
    [
        ((0.0,), [1]),
        ((0.1, 0.3, 0.2, 0.3, 0.4), [1, 2, 5]),
        ((None, 0.1, None, 0.2), [2, 4]),
        ((None, None), []),
    ],
    ids=["nothing found yet", "only what is better", "validated now and then", "never validated"],
)
def test_best(make_course, folder, aps, best):
    course = make_course(patience=0)
    gone(course, *aps)
    assert [made.number for made in course.epochs if made.best] == best
    assert (course.best and course.best.number) == (best[-1] if best else None)
    assert list(folder.epochs()) == course.epochs


@pytest.mark.parametrize(
    ("patience", "aps", "trained"),
    [
        (0, [0.5] + [0.1] * 8, 9),
        (2, [0.5] + [0.1] * 8, 3),
        (2, [0.1, 0.2, 0.1, 0.3, 0.1, 0.1, 0.9, 0.9, 0.9], 6),
        (2, [0.1] * 9, 3),
        (1, [None, 0.3, None, 0.4, None, 0.4, None, 0.9, 0.9], 6),
        (3, [None] * 9, 9),
    ],
    ids=["no patience asked for", "two worse ones", "a better one in between", "no better one", "every other", "never"],
)
def test_patience(make_course, patience, aps, trained):
    """An epoch that nobody looked at is no sign that it gets no better."""
    course = make_course(patience=patience, epochs=9)
    assert gone(course, *aps) == trained
    assert course.finished


def test_it_ends_with_its_last_epoch(make_course):
    course = make_course(epochs=3, patience=0)
    assert gone(course, *[0.1] * 9) == 3
    assert course.finished


@pytest.mark.parametrize(("every", "due"), [(1, [1, 2, 3, 4, 5]), (2, [2, 4, 5]), (5, [5]), (9, [5])])
def test_the_last_epoch_is_always_validated(make_course, every, due):
    course = make_course(epochs=5, validate_every=every)
    assert [number for number in range(1, 6) if course.due(number)] == due


def test_going_on_takes_up_what_is_written_and_forgets_what_has_no_checkpoint(make_course, folder):
    gone(make_course(), 0.3, 0.2, 0.5)
    course = make_course()
    assert len(course.epochs) == 3
    course.go_on_from(2)
    assert (course.best.number, len(course.epochs)) == (1, 2)
    course.add(course.judged(epoch(3, 0.4)))
    assert [json.loads(line)["best"] for line in folder.metrics.read_text().splitlines()] == [True, False, True]


def test_those_who_watch_see_every_epoch(make_course):
    course, seen = make_course(), []
    course._after_epoch = lambda epochs: seen.append(len(epochs))
    gone(course, 0.1, 0.2)
    assert seen == [1, 2]


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number(make_course, folder, loss):
    course = make_course()
    course.check_loss({"loss": 3.5, "box": 0.0})
    with pytest.raises(TrainingError) as told:
        course.check_loss({"loss": loss, "box": 1.0})
    assert "epoch 1: loss " in str(told.value)
    assert "good weights" not in str(told.value)
    folder.checkpoint.write_bytes(b"")
    gone(course, 0.1)
    with pytest.raises(TrainingError) as told:
        course.check_loss({"loss": loss})
    assert f"(epoch 2: loss {loss:.3g}). The last good weights are in {folder.path}. Train again" in str(told.value)
    assert "--set training.learning_rate=0.001" in str(told.value)


def test_a_checkpoint_is_due_after_a_while(make_course, monkeypatch):
    now = 1000.0
    monkeypatch.setattr(history_module.time, "monotonic", lambda: now)
    course = make_course()
    now += history_module.SAVE_EVERY
    assert not course.save_is_due
    now += 1
    assert course.save_is_due
    course.saved()
    assert not course.save_is_due
    now += history_module.SAVE_EVERY + 1
    gone(course, 0.1)
    assert not course.save_is_due
