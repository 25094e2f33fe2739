"""How the training of a classifier goes: its epochs, which one is the best, and when it ends."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from artdet.metrics.classification import TaskFigures
from artdet.training.classification.folder import ClassifierEpoch, ClassifierFolder
from artdet.training.classification.recipe import Recipe
from artdet.training.classification.watch import Watch
from artdet.training.history import History

_SMALLER_RATE = ("optimizer.learning_rate=0.0001", "precision=float32")


class Course(History[ClassifierEpoch]):
    """The epochs of a classifier.

    Args:
        recipe: how long, and what the best epoch is.
        folder: where everything is written.
        watch: shows progress.
        after_epoch: called with all epochs so far after each.
    """

    def __init__(
        self,
        recipe: Recipe,
        folder: ClassifierFolder,
        watch: Watch,
        after_epoch: Callable[[Sequence[ClassifierEpoch]], None] = lambda epochs: None,
    ) -> None:
        super().__init__(folder, list(folder.history()), smaller_rate=_SMALLER_RATE, after_epoch=after_epoch)
        self.recipe, self.watch = recipe, watch

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or none became better for as long as ``patience`` says."""
        if len(self.epochs) >= self.recipe.epochs:
            return True
        return bool(self.recipe.patience and self.best and self._since_best >= self.recipe.patience)

    @property
    def _since_best(self) -> int:
        return len(self.epochs) - self.best.number if self.best else 0

    def judged(self, epoch: ClassifierEpoch) -> ClassifierEpoch:
        """The epoch, marked if it is the best so far. Where nothing can be measured the latest is the best."""
        best = self.best
        if epoch.score is None or best is None or best.score is None:
            return replace(epoch, best=True)
        return replace(epoch, best=epoch.score > best.score)

    def add(self, epoch: ClassifierEpoch) -> None:
        """Writes down an epoch whose weights are saved."""
        super().add(epoch)
        self.watch.epoch(epoch, self.recipe.epochs)


def score(metric: str, figures: Sequence[TaskFigures], loss: float) -> float | None:
    """What the best epoch is chosen by; higher is better.

    Args:
        metric: of the recipe.
        figures: of each task on the validation part.
        loss: on the validation part.

    Returns:
        The mean over the tasks of that figure, or of what stands for it: mean average precision of several labels, the
        share within the tolerance of numbers. ``None`` where no task has an answer in the validation part.
    """
    if metric == "loss":
        return -loss if math.isfinite(loss) else None
    values = [one.value(main_figure(one, metric)) for one in figures]
    there = [value for value in values if math.isfinite(value)]
    return sum(there) / len(there) if there else None


def main_figure(figures: TaskFigures, metric: str) -> str:
    """The figure of a task by which epochs are compared."""
    if figures.kind == "number":
        return "within"
    if figures.kind == "labels" and metric == "accuracy":
        return "map"  # all labels of an image right at once is rare, and moves little
    return (
        metric
        if metric in figures.figures and metric != "loss"
        else ("map" if figures.kind == "labels" else "accuracy")
    )
