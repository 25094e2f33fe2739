"""Progress of ``artdet train`` on stderr: bars on a terminal, a line now and then in a log, a line for each epoch."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from artdet.cli.progress import LOG_EVERY, duration

if TYPE_CHECKING:
    from artdet.training.classification.folder import ClassifierEpoch
    from artdet.training.folder import Epoch

_RECENT = 100
"""Steps that the pace is taken from."""


class _Screen(Protocol):
    """Where progress is shown."""

    def step(self, step: _Step, done: int, total: int) -> None:
        """After a step."""

    def working(self, what: str, done: int, total: int) -> None:
        """After some images of what is no training."""

    def line(self, text: str) -> None:
        """A line that stays."""


@contextmanager
def train_watch(*, batch: int, line: Callable[[Any, int], str] | None = None) -> Iterator[_TrainWatch]:
    """What shows a training; the bars end with the block.

    Args:
        batch: images of a step, for images per second.
        line: of an epoch that is done, of at most so many; :func:`epoch_line` by default.
    """
    shown = line or epoch_line
    if not sys.stderr.isatty():
        yield _TrainWatch(_Log(), batch, shown)
        return
    from rich.progress import Progress

    with Progress(*_columns(), console=_console()) as bar:
        yield _TrainWatch(_Bar(bar), batch, shown)


@dataclass(frozen=True)
class _Step:
    """What is shown of a step.

    Attributes:
        place: which epoch.
        loss: the sum of the losses.
        rate: images per second; 0 where it is not known yet.
        left: seconds of this epoch; ``None`` where that is not known yet.
        whole_left: seconds of all epochs, likewise.
    """

    place: str
    loss: float
    rate: float
    left: float | None
    whole_left: float | None

    @property
    def pace(self) -> str:
        rate = f"  {self.rate:.1f} images/s" if self.rate else ""
        return f"loss {self.loss:.3f}{rate}"


class Pace:
    """How quick steps are, and how long all the rest takes.

    Steps before the first that is seen, and the first one itself, which waits for much that later ones find done, say
    nothing about it. What lies between the last step of an epoch and the first of the next, validation above all, is
    the pause of an epoch.
    """

    def __init__(self) -> None:
        self._recent: deque[tuple[float, int]] = deque(maxlen=_RECENT)
        self._epoch = 0
        self._pauses: list[float] = []
        self.seconds_per_step: float | None = None

    def step(self, epoch: int, done: int) -> None:
        """Takes note of a step that has just ended."""
        now = time.perf_counter()
        if epoch != self._epoch:
            if self._recent and self._epoch:
                self._pauses.append(now - self._recent[-1][0])
            self._recent.clear()
            self._epoch = epoch
        self._recent.append((now, done))
        (start, first), (end, last) = self._recent[0], self._recent[-1]
        if last > first:
            self.seconds_per_step = (end - start) / (last - first)

    def left(self, done: int, total: int) -> float | None:
        """Seconds to the last step of this epoch."""
        return None if self.seconds_per_step is None else (total - done) * self.seconds_per_step

    def whole_left(self, epoch: int, epochs: int, done: int, total: int) -> float | None:
        """Seconds to the end of all epochs; before a first pause was seen, without any."""
        if self.seconds_per_step is None:
            return None
        pause = sum(self._pauses) / len(self._pauses) if self._pauses else 0.0
        steps = total - done + (epochs - epoch) * total
        return steps * self.seconds_per_step + (epochs - epoch + 1) * pause


class _TrainWatch:
    """A :class:`artdet.training.course.Watch`, and that of :mod:`artdet.training.classification.watch`."""

    def __init__(self, screen: _Screen, batch: int, line: Callable[[Any, int], str]) -> None:
        self._screen, self._batch, self._line = screen, batch, line
        self._pace = Pace()

    def steps(self, epoch: int, epochs: int, done: int, total: int, losses: Mapping[str, float]) -> None:
        """After each step."""
        pace = self._pace
        pace.step(epoch, done)
        rate = self._batch / pace.seconds_per_step if pace.seconds_per_step else 0.0
        left, whole = pace.left(done, total), pace.whole_left(epoch, epochs, done, total)
        loss = losses.get("loss", sum(losses.values()))
        self._screen.step(_Step(f"epoch {epoch}/{epochs}", loss, rate, left, whole), done, total)

    def validating(self, done: int, total: int) -> None:
        """While validation runs."""
        self._screen.working("validating", done, total)

    def features(self, done: int, total: int) -> None:
        """While features of a frozen backbone are computed."""
        self._screen.working("features", done, total)

    def epoch(self, epoch: Any, epochs: int) -> None:
        """After each epoch."""
        self._screen.line(self._line(epoch, epochs))

    def note(self, text: str) -> None:
        """A sentence."""
        self._screen.line(text)


def epoch_line(epoch: Epoch, epochs: int) -> str:
    """The figures of an epoch in a line; ``*`` marks the best so far.

    Args:
        epoch: that is done.
        epochs: at most.
    """
    width = len(str(epochs))
    parts = [f"epoch {epoch.number:>{width}}/{epochs}"]
    parts += [f"loss {epoch.losses['loss']:.3f}"] if "loss" in epoch.losses else []
    figures = epoch.figures
    if figures is None:
        parts.append("not validated")
    else:
        means = (figures.ap50, figures.ap75, figures.ap)
        coarse = (figures.coarse_ap50, figures.coarse_ap75, figures.coarse_ap)
        parts.append(_means(means))
        parts += [f"categories {_means(coarse)}"] if coarse != means else []
    parts.append(duration(epoch.seconds))
    return "  ".join(parts + (["*"] if epoch.best else []))


def classifier_line(epoch: ClassifierEpoch, epochs: int, metric: str) -> str:
    """Losses and figures of a classifier's epoch in a line; ``*`` marks the best so far.

    Args:
        epoch: that is done.
        epochs: at most.
        metric: of the recipe.
    """
    from artdet.training.classification.course import main_figure

    parts = [f"epoch {epoch.number:>{len(str(epochs))}}/{epochs}"]
    parts += [f"loss {epoch.losses['loss']:.3f}"] if "loss" in epoch.losses else []
    parts += [f"validation {epoch.validation['loss']:.3f}"] if "loss" in epoch.validation else []
    for one in epoch.figures:
        name = main_figure(one, metric)
        parts += [f"{one.task} {name.replace('_', ' ')} {one.value(name):.3f}"] if one.images else []
    return "  ".join([*parts, duration(epoch.seconds), *(["*"] if epoch.best else [])])


def _means(values: tuple[float | None, ...]) -> str:
    names = ("AP50", "AP75", "AP")
    return " ".join(f"{name} {'-' if v is None else f'{v:.3f}'}" for name, v in zip(names, values, strict=True))


def clock(seconds: float) -> str:
    """A duration with few signs, for a line that is full.

    >>> [clock(seconds) for seconds in (5, 130, 93780)]
    ['0:00:05', '0:02:10', '26:03:00']
    """
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


class _Log:
    def __init__(self) -> None:
        self._said = time.perf_counter()

    def step(self, step: _Step, done: int, total: int) -> None:
        if not self._due():
            return
        text = f"{step.place}: step {done} of {total}, {step.pace.replace('  ', ', ')}"
        if step.left is not None and step.whole_left is not None:
            text += f", {duration(step.left)} left, of all epochs {duration(step.whole_left)}"
        self.line(text)

    def working(self, what: str, done: int, total: int) -> None:
        if self._due():
            self.line(f"{what}: {done} of {total}")

    def line(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def _due(self) -> bool:
        now = time.perf_counter()
        due = now - self._said >= LOG_EVERY
        if due:
            self._said = now
        return due


class _Bar:
    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._task = bar.add_task("starting", total=None, shown="", left="")

    def step(self, step: _Step, done: int, total: int) -> None:
        known = step.left is not None and step.whole_left is not None
        left = f"{clock(step.left or 0)} left, all {clock(step.whole_left or 0)}" if known else ""
        self._bar.update(self._task, description=step.place, completed=done, total=total, shown=step.pace, left=left)

    def working(self, what: str, done: int, total: int) -> None:
        self._bar.update(self._task, description=what, completed=done, total=total, shown="", left="")

    def line(self, text: str) -> None:
        self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)


def _columns() -> tuple[Any, ...]:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn

    shown = [TextColumn("{task.fields[shown]}"), TextColumn("{task.fields[left]}")]
    return TextColumn("{task.description}"), BarColumn(bar_width=16), MofNCompleteColumn(), *shown


def _console() -> Any:
    from rich.console import Console

    return Console(stderr=True)
