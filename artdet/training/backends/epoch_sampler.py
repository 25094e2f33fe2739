"""Which examples an epoch takes, as a sampler of torch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from artdet.training.examples import epoch_length, indices_of_epoch


class EpochSampler(Sampler[int]):
    """The examples of each epoch by their repeat factors; every process of several takes its share.

    Args:
        factors: (I,), how often each belongs in an epoch.
        seed: of the run.
        epoch: to begin with, from 0.
        skipped: images of that epoch that were seen before training was stopped.
    """

    def __init__(
        self,
        factors: NDArray[np.float64],
        *,
        seed: int,
        epoch: int = 0,
        skipped: int = 0,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        self._factors, self._seed, self._rank, self._processes = factors, seed, rank, processes
        self.epoch, self.skipped = epoch, skipped

    def set_epoch(self, epoch: int) -> None:
        """Which epoch comes next, from 0."""
        if epoch != self.epoch:
            self.epoch, self.skipped = epoch, 0

    def __len__(self) -> int:
        return epoch_length(self._factors) // self._processes

    def __iter__(self) -> Iterator[int]:
        drawn = indices_of_epoch(self._factors, epoch=self.epoch, seed=self._seed)
        own = drawn[self._rank :: self._processes][: len(self)]
        return iter(own[self.skipped :].tolist())
