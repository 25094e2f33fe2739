"""The TensorBoard log of a training: its numbers, an epoch a step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from artdet.atomic import cannot_write
from artdet.devices import is_installed
from artdet.training.folder import Epoch, TrainingFolder

MISSING = (
    "There is no TensorBoard log, as tensorboard is not installed. Install it with: pip install 'artdet[tensorboard]'"
)
"""What is said once where the package is absent."""

_PATTERN = "events.out.tfevents.*"


class TimedEpoch(Protocol):
    """An epoch of any training."""

    @property
    def number(self) -> int:
        """From 1."""

    @property
    def seconds(self) -> float:
        """Of training."""


class Log:
    """Writes each epoch once, whether the training is new or goes on.

    A training that goes on begins a new file with all its epochs and empties the older one, so that no point stands
    there twice and an epoch that was trained again shows its last figures. A TensorBoard that is open meanwhile is told
    by the first event to forget what it has.

    Args:
        folder: of the run.
        note: is told where the package is absent.
        numbers: of an epoch, by their tags.
    """

    def __init__(
        self,
        folder: TrainingFolder,
        note: Callable[[str], None],
        numbers: Callable[[Any], Mapping[str, float]] = lambda epoch: scalars(epoch),
    ) -> None:
        self._folder = folder
        self._numbers = numbers
        self._stream: BinaryIO | None = None
        self._written = 0
        self._installed = is_installed("tensorboard")
        if not self._installed:
            note(MISSING)

    def add(self, epochs: Sequence[TimedEpoch]) -> None:
        """Writes those of all epochs so far that are not in the log.

        Raises:
            RunError: if it cannot be written.
        """
        new = [epoch for epoch in epochs if epoch.number > self._written]
        if not (self._installed and new):
            return
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.summary.writer.record_writer import RecordWriter

        file = self._folder.tensorboard()
        try:
            if self._stream is None:
                self._begin(file, epochs[0].number)
            writer = RecordWriter(self._stream)
            for event in _events(new, Event, self._numbers):
                writer.write(event.SerializeToString())
            writer.flush()
        except OSError as error:
            raise cannot_write(file, error) from error
        self._written = new[-1].number

    def close(self) -> None:
        """Ends the file."""
        if self._stream:
            self._stream.close()

    def _begin(self, folder: Path, first: int) -> None:
        """Opens a new file in place of the older ones."""
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.summary.writer.record_writer import RecordWriter

        older = sorted(folder.glob(_PATTERN))
        # TensorBoard reads files in the order of their names, which must not fall back behind one that it has read.
        stamp = max([int(time.time()), *(_stamp(file) + 1 for file in older)])
        self._stream = (folder / f"events.out.tfevents.{stamp:010d}.artdet").open("wb")
        writer = RecordWriter(self._stream)
        now = time.time()
        writer.write(Event(wall_time=now, file_version="brain.Event:2").SerializeToString())
        start = SessionLog(status=SessionLog.START)
        writer.write(Event(wall_time=now, step=first, session_log=start).SerializeToString())
        writer.flush()
        for file in older:
            # A TensorBoard that is reading the last file would not get past it, were it gone.
            if file.stat().st_size:
                file.write_bytes(b"")
            else:
                file.unlink()


def scalars(epoch: Epoch) -> dict[str, float]:
    """The numbers of an epoch by their tags; what was not measured is not among them."""
    found: dict[str, float | None] = {f"loss/{name}": value for name, value in epoch.losses.items()}
    found |= {"training/learning_rate": epoch.learning_rate, "training/seconds": epoch.seconds}
    found["training/images_per_second"] = epoch.images / epoch.seconds if epoch.seconds else None
    if figures := epoch.figures:
        means = ("ap", "ap50", "ap75", "coarse_ap", "coarse_ap50", "coarse_ap75", "fitness")
        found |= {f"validation/{name}": getattr(figures, name) for name in means}
        found |= {f"ap50_{row.level}/{row.name}": row.ap50 for row in figures.classes}
    return {tag: value for tag, value in found.items() if value is not None}


def _events(epochs: Sequence[TimedEpoch], kind: Any, numbers: Callable[[Any], Mapping[str, float]]) -> Iterator[Any]:
    """An event for each epoch, at the time at which it ended as far as its training alone tells."""
    from tensorboard.compat.proto.summary_pb2 import Summary

    left = sum(epoch.seconds for epoch in epochs)
    now = time.time()
    for epoch in epochs:
        left -= epoch.seconds
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in numbers(epoch).items()]
        yield kind(wall_time=now - left, step=epoch.number, summary=Summary(value=values))


def _stamp(file: Path) -> int:
    part = file.name.split(".")[3]
    return int(part) if part.isdigit() else 0
