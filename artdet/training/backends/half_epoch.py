"""An epoch that training was stopped in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class HalfEpoch:
    """What was done of an epoch before training was stopped in it.

    Args:
        state: of the checkpoint, with ``step``, ``seconds`` and ``losses``; ``None`` if the epoch is begun anew.
    """

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        known = state or {}
        self.steps = int(known.get("step", 0))
        self.seconds = float(known.get("seconds", 0.0))
        self._losses = {name: value for name, value in known.get("losses", {}).items() if name != "loss"}

    def losses_with(self, since: Mapping[str, float], steps: int) -> dict[str, float]:
        """Mean losses of all steps of the epoch so far.

        Args:
            since: means over the steps since training goes on.
            steps: all of the epoch so far.

        >>> half = HalfEpoch({"step": 3, "losses": {"loss": 4.0, "box": 4.0}})
        >>> half.losses_with({"box": 8.0}, steps=4)
        {'box': 5.0}
        """
        if not self._losses:
            return dict(since)
        share = self.steps / steps
        return {name: share * mean + (1 - share) * since.get(name, mean) for name, mean in self._losses.items()}
