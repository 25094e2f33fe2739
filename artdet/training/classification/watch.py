"""Who is told how the training of a classifier goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from artdet.training.classification.folder import ClassifierEpoch


class Watch(Protocol):
    """Shows how the training goes; ``artdet train`` has one for terminals and logs."""

    def steps(self, epoch: int, epochs: int, done: int, total: int, losses: Mapping[str, float]) -> None:
        """After each step: of how many in this epoch it is."""

    def validating(self, done: int, total: int) -> None:
        """While validation runs: images."""

    def features(self, done: int, total: int) -> None:
        """While features are computed: images."""

    def epoch(self, epoch: ClassifierEpoch, epochs: int) -> None:
        """After each epoch."""

    def note(self, text: str) -> None:
        """Something worth knowing, a sentence."""


class SilentWatch:
    """Shows nothing; for tests and programs."""

    def steps(self, epoch: int, epochs: int, done: int, total: int, losses: Mapping[str, float]) -> None:
        """Nothing."""

    def validating(self, done: int, total: int) -> None:
        """Nothing."""

    def features(self, done: int, total: int) -> None:
        """Nothing."""

    def epoch(self, epoch: ClassifierEpoch, epochs: int) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""
