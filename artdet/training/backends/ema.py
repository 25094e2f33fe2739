"""The mean of a network's weights over its last steps (Polyak 1992)."""

from __future__ import annotations

import copy

import torch

SLOWEST = 0.9998
"""At most this much of the mean is kept at each step: it then spans about 5,000 steps."""


def kept_share(updates: int) -> float:
    """How much of the mean the next update keeps, after so many: it spans the last ninth of the steps so far."""
    return min(SLOWEST, (1 + updates) / (10 + updates))


class MeanWeights:
    """Exponential moving average of all weights and statistics of a network.

    The mean spans the last ninth of the steps so far until that reaches what ``SLOWEST`` gives, so that it follows
    closely at first.

    Args:
        network: whose weights it begins with.
        updates: steps that it has seen.
    """

    def __init__(self, network: torch.nn.Module, updates: int = 0) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.updates = updates

    @property
    def decay(self) -> float:
        """How much of the mean the next update keeps."""
        return kept_share(self.updates)

    @torch.no_grad()
    def update(self, network: torch.nn.Module) -> None:
        """Takes the weights after a step; numbers that are no floating point ones are copied."""
        keep = self.decay
        self.updates += 1
        now = network.state_dict()
        for name, mean in self.network.state_dict().items():
            if mean.is_floating_point():
                mean.lerp_(now[name].to(mean.dtype), 1 - keep)
            else:
                mean.copy_(now[name])
