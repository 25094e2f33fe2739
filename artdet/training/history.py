"""How a training has gone so far, whatever it trains: its epochs, the best of them, and what is saved when."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from artdet.errors import TrainingError
from artdet.training.folder import Line, TrainingFolder

SAVE_EVERY = 600.0
"""Seconds between two checkpoints inside a long epoch."""


class AnyEpoch(Line, Protocol):
    """What all trainings' epochs have."""

    @property
    def number(self) -> int:
        """From 1."""

    @property
    def best(self) -> bool:
        """Whether its weights are the best so far."""


E = TypeVar("E", bound=AnyEpoch)


class History(Generic[E]):
    """The epochs that are done.

    Args:
        folder: where everything is written.
        epochs: that an earlier process has done.
        smaller_rate: what to write after ``--set`` against a loss that is no number.
        after_epoch: called with all epochs so far after each: curves, TensorBoard.
    """

    def __init__(
        self,
        folder: TrainingFolder,
        epochs: Sequence[E],
        *,
        smaller_rate: Sequence[str],
        after_epoch: Callable[[Sequence[E]], None] = lambda epochs: None,
    ) -> None:
        self.folder = folder
        self.epochs: list[E] = list(epochs)
        self._smaller_rate = smaller_rate
        self._after_epoch = after_epoch
        self._saved = time.monotonic()

    @property
    def best(self) -> E | None:
        """The epoch with the best figures so far."""
        return next((epoch for epoch in reversed(self.epochs) if epoch.best), None)

    def go_on_from(self, done: int) -> None:
        """Forgets epochs that the checkpoint does not hold: a killed process wrote their line and not their weights."""
        self.epochs = self.epochs[:done]

    def add(self, epoch: E) -> None:
        """Writes down an epoch whose weights are saved."""
        self.epochs.append(epoch)
        self.folder.write_epochs(self.epochs)
        self._saved = time.monotonic()
        self._after_epoch(self.epochs)

    def check_loss(self, losses: Mapping[str, float]) -> None:
        """Ends a training whose loss is no number.

        Raises:
            TrainingError: saying where the last good weights are.
        """
        if all(math.isfinite(value) for value in losses.values()):
            return
        where = len(self.epochs) + 1
        kept = f"The last good weights are in {self.folder.path}. " if self.folder.checkpoint.exists() else ""
        rate, precision = self._smaller_rate
        raise TrainingError(
            f"the loss is not a number any more (epoch {where}: {_shown(losses)}). {kept}"
            f"Train again with a smaller learning rate: --set {rate}, or with --set {precision}."
        )

    @property
    def save_is_due(self) -> bool:
        """Whether the last checkpoint is so old that one should be made inside the epoch."""
        return time.monotonic() - self._saved > SAVE_EVERY

    def saved(self) -> None:
        """Takes note of a checkpoint inside an epoch."""
        self._saved = time.monotonic()


def _shown(losses: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in losses.items())
