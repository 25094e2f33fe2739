"""What ``artdet train`` shows while it trains."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from artdet.cli import train_watch as module
from artdet.cli.train_watch import Pace, clock, epoch_line, train_watch
from artdet.training.folder import Epoch
from artdet.training.validation import ClassFigures, figures

ROWS = (ClassFigures("dog", "fine", 3, 0.25, 0.5, 0.125), ClassFigures("animals", "coarse", 4, 0.375, 0.625, 0.25))
EPOCH = Epoch(3, {"loss": 2.5, "box_loss": 1.5}, 0.01, 125.0, 320)


@pytest.fixture
def now(monkeypatch):
    time = [100.0]
    monkeypatch.setattr(module.time, "perf_counter", lambda: time[0])
    return time


@pytest.mark.parametrize(
    ("epoch", "line"),
    [
        (EPOCH, "epoch  3/60  loss 2.500  not validated  2 min 05 s"),
        (
            replace(EPOCH, figures=figures(ROWS, 2), best=True),
            "epoch  3/60  loss 2.500  AP50 0.500 AP75 0.125 AP 0.250  "
            "categories AP50 0.625 AP75 0.250 AP 0.375  2 min 05 s  *",
        ),
        (
            replace(EPOCH, figures=figures((ROWS[0], replace(ROWS[0], level="coarse")), 2)),
            "epoch  3/60  loss 2.500  AP50 0.500 AP75 0.125 AP 0.250  2 min 05 s",
        ),
        (
            replace(EPOCH, losses={}, figures=figures((), 0)),
            "epoch  3/60  AP50 - AP75 - AP -  2 min 05 s",
        ),
    ],
    ids=["not validated", "best", "categories only", "nothing to measure"],
)
def test_line_of_an_epoch(epoch, line):
    assert epoch_line(epoch, 60) == line


def test_pace_before_two_steps(now):
    pace = Pace()
    assert pace.left(0, 10) is None
    pace.step(1, 4)
    assert pace.left(4, 10) is None
    assert pace.whole_left(1, 3, 4, 10) is None


def test_pace_counts_steps_seen_and_pauses_of_epochs(now):
    """Goes on at step 4 of 10; steps of 2 s; 30 s pass between the last step of an epoch and the first of the next."""
    pace = Pace()
    for done in range(4, 11):
        now[0] += 2
        pace.step(1, done)
    assert pace.left(6, 10) == pytest.approx(8)
    assert pace.whole_left(1, 3, 10, 10) == pytest.approx(2 * 20)
    now[0] += 30
    pace.step(2, 1)
    assert pace.left(1, 10) == pytest.approx(18)
    # 9 steps and a pause of this epoch, 10 and a pause of the next
    assert pace.whole_left(2, 3, 1, 10) == pytest.approx(19 * 2 + 2 * 30)


def test_pace_is_that_of_the_latest_steps(now):
    pace = Pace()
    for done in range(1, 400):
        now[0] += 9 if done < 200 else 3
        pace.step(1, done)
    assert pace.left(399, 400) == pytest.approx(3)


def test_log_has_a_line_now_and_then_and_one_an_epoch(capsys, now):
    with train_watch(batch=8) as watch:
        watch.note("a note")
        for done in range(1, 41):
            now[0] += 1
            watch.steps(2, 4, done, 40, {"loss": 1.5, "box_loss": 0.5})
        now[0] += 31
        watch.validating(16, 64)
        watch.validating(32, 64)
        watch.epoch(EPOCH, 4)
    assert capsys.readouterr().err.splitlines() == [
        "a note",
        "epoch 2/4: step 30 of 40, loss 1.500, 8.0 images/s, 0 min 10 s left, of all epochs 1 min 30 s",
        "validating: 16 of 64",
        "epoch 3/4  loss 2.500  not validated  2 min 05 s",
    ]


def test_log_without_a_sum_adds_the_losses(capsys, now):
    with train_watch(batch=8) as watch:
        now[0] += 31
        watch.steps(1, 4, 1, 40, {"box": 1.0, "class": 0.25})
    assert capsys.readouterr().err == "epoch 1/4: step 1 of 40, loss 1.250\n"


def test_a_terminal_of_80_columns_has_room(monkeypatch, now):
    screen = io.StringIO()
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: True, raising=False)
    console = Console(file=screen, force_terminal=True, width=80, color_system=None)
    monkeypatch.setattr(module, "_console", lambda: console)
    with train_watch(batch=16) as watch:
        watch.note("there is [no] log")
        for done in range(1, 121):
            now[0] += 1.3
            watch.steps(12, 60, done, 144, {"loss": 6.412})
    shown = screen.getvalue()
    assert "there is [no] log" in shown
    last = shown.split("\n")[-2]
    for part in ("epoch 12/60", "120/144", "loss 6.412", "12.3 images/s", "0:00:31 left, all 2:30:17"):
        assert part in last


def test_clock_of_nothing():
    assert clock(0.4) == "0:00:00"
