"""One training on several processes, started by torchrun: each has a device and a share of every batch."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist

_PATIENCE = timedelta(hours=12)  # all wait for the first one while it validates


@dataclass(frozen=True)
class Processes:
    """This process among its like.

    Attributes:
        rank: from 0; the first one validates and writes.
        count: of processes.
        device: of this one.
    """

    rank: int
    count: int
    device: str

    @property
    def is_first(self) -> bool:
        """Whether this process validates and writes."""
        return self.rank == 0

    def mean(self, values: Mapping[str, float]) -> dict[str, float]:
        """Means over all processes, which all have to call it."""
        if self.count == 1:
            return dict(values)
        held = torch.tensor(list(values.values()), dtype=torch.float64, device=self._place)
        dist.all_reduce(held)
        return dict(zip(values, (held / self.count).tolist(), strict=True))

    def said_by_first(self, value: bool) -> bool:
        """What the first process says; the others wait for it."""
        if self.count == 1:
            return value
        held = torch.tensor([int(value)], device=self._place)
        dist.broadcast(held, src=0)
        return bool(held.item())

    @property
    def _place(self) -> str:
        return self.device if self.device.startswith("cuda") else "cpu"


@contextmanager
def processes(device: str) -> Iterator[Processes]:
    """The processes that torchrun started, or this one alone.

    Args:
        device: ``"cuda"`` becomes one GPU for each process.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes(0, 1, device)
        return
    if device.startswith("cuda"):
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.startswith("cuda") else "gloo", timeout=_PATIENCE)
    try:
        yield Processes(dist.get_rank(), count, device)
    finally:
        dist.destroy_process_group()
