"""Progress on stderr: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LOG_EVERY = 30.0
"""Seconds between two lines where stderr is no terminal."""


@contextmanager
def progress_bar(verb: str, total: int, *, unit: str = "images") -> Iterator[Callable[[int], None]]:
    """Shows how far a work on ``total`` images is; yields what takes the number of images just done.

    The first call says how many were done before, which do not count into the rate.
    """
    if sys.stderr.isatty():
        with _bar(verb, total, unit) as advance:
            yield advance
    else:
        yield _Log(verb, total, unit).advance


@contextmanager
def _bar(verb: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn(verb),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(verb, total=total, rate="")
        meter = _Meter(unit)

        def advance(count: int) -> None:
            meter.add(count)
            bar.update(task, advance=count, rate=meter.text)

        yield advance


class _Meter:
    """Images per second, without those that were done before the first look at the clock."""

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._start: float | None = None
        self.count = 0
        self.before = 0

    def add(self, count: int) -> None:
        """Counts images that are through; the first call only says how many were so before."""
        if self._start is None:
            self._start = time.perf_counter()
            self.before = count
        else:
            self.count += count

    @property
    def rate(self) -> float:
        passed = time.perf_counter() - self._start if self._start is not None else 0.0
        return self.count / passed if passed > 0 else 0.0

    @property
    def text(self) -> str:
        return f"{self.rate:.1f} {self._unit}/s" if self.count else ""


class _Log:
    def __init__(self, verb: str, total: int, unit: str) -> None:
        self._verb = verb
        self._total = total
        self._meter = _Meter(unit)
        self._said = time.perf_counter()

    def advance(self, count: int) -> None:
        meter = self._meter
        meter.add(count)
        now = time.perf_counter()
        if now - self._said < LOG_EVERY or not meter.rate:
            return
        self._said = now
        done = meter.before + meter.count
        left = (self._total - done) / meter.rate
        print(f"{self._verb}: {done} of {self._total}, {meter.text}, {duration(left)} left", file=sys.stderr)


def duration(seconds: float) -> str:
    """For people: ``4 min 05 s``, ``2 h 10 min``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
