import pytest

from artdet.cli import progress
from artdet.cli.progress import progress_bar


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now[0])
    return now


def test_a_log_gets_a_line_now_and_then_with_rate_and_time_left(capsys, clock):
    with progress_bar("detecting", 1000) as advance:
        advance(100)  # done before: they say nothing about the pace
        for _ in range(40):
            clock[0] += 1
            advance(5)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["detecting: 250 of 1000, 5.0 images/s, 2 min 30 s left"]


def test_a_quick_run_says_nothing(capsys, clock):
    with progress_bar("detecting", 10) as advance:
        advance(0)
        for _ in range(10):
            clock[0] += 0.1
            advance(1)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 min 00 s"), (61, "1 min 01 s"), (3599.6, "1 h 00 min"), (36_000, "10 h 00 min")]
)
def test_durations(seconds, text):
    assert progress.duration(seconds) == text
