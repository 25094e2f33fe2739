"""The processes of one training that torchrun started: the first makes the run folder, the others wait for it.

No torch here: the processes must be kept apart before any library meets the others.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from artdet.errors import TrainingError
from artdet.training.folder import TrainingFolder

_SIGN = ".companions"
_PAUSE = 0.5
_PATIENCE = 12 * 3600.0  # the first may make photographs look like art for hours


@dataclass(frozen=True)
class Companion:
    """This process among those that torchrun started on this machine.

    Attributes:
        rank: from 0.
        count: of processes.
        token: the same for all of one start, another one for the next.
    """

    rank: int
    count: int
    token: str

    @classmethod
    def of_environment(cls) -> Companion:
        """What torchrun says; the only one where it did not start us."""
        run = os.environ.get("TORCHELASTIC_RUN_ID", "")
        # All of them are children of one torchrun, whose restarts count on.
        again = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        rank, count = (int(os.environ.get(name, usual)) for name, usual in (("RANK", "0"), ("WORLD_SIZE", "1")))
        return cls(rank, count, f"{os.getppid()}-{run}-{again}")

    @property
    def is_first(self) -> bool:
        """Whether this process writes the run folder."""
        return self.rank == 0

    def announce(self, folder: TrainingFolder) -> None:
        """Tells the others, if there are any, that folder and variants are made."""
        if self.count > 1:
            folder.write(folder.path / _SIGN, self.token)

    def wait(self, folder: TrainingFolder, *, pause: Callable[[float], None] = time.sleep) -> None:
        """Until the first one has announced the folder; torchrun ends the waiting ones if that fails.

        Raises:
            TrainingError: after twelve hours.
        """
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            try:
                if (folder.path / _SIGN).read_text(encoding="utf-8") == self.token:
                    return
            except OSError:
                pass
            pause(_PAUSE)
        raise TrainingError(f"The first process has not made {folder.path}. Look at what it says, and start again.")
