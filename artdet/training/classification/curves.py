"""The curves of a classifier's training as one picture, and its numbers for TensorBoard."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from artdet.training.classification.course import main_figure
from artdet.training.classification.folder import ClassifierEpoch, ClassifierFolder
from artdet.training.curves import CURVES, draw_panels, finish, line, losses_panel, rate_panel


def draw_curves(folder: ClassifierFolder, epochs: Sequence[ClassifierEpoch], metric: str) -> Path | None:
    """Draws losses of both parts, the learning rate and the figure of each task over the epochs.

    Args:
        folder: of the run; the picture replaces an older one.
        epochs: all so far.
        metric: of the recipe.

    Returns:
        The picture; ``None`` where no epoch is done yet.

    Raises:
        RunError: if it cannot be written.
    """
    if not epochs:
        return None
    return draw_panels(folder.path / CURVES, epochs, (losses_panel, _figures(metric), rate_panel, _validation))


def scalars(epoch: ClassifierEpoch) -> dict[str, float]:
    """The numbers of an epoch by their tags; what was not measured is not among them."""
    found = {f"loss/{name}": value for name, value in epoch.losses.items()}
    found |= {f"validation_loss/{name}": value for name, value in epoch.validation.items()}
    found |= {"training/learning_rate": epoch.learning_rate, "training/seconds": epoch.seconds}
    if epoch.seconds:
        found["training/images_per_second"] = epoch.images / epoch.seconds
    if epoch.score is not None:
        found["validation/score"] = epoch.score
    for one in epoch.figures:
        found |= {f"{one.task}/{name}": value for name, value in one.figures.items()}
    return {tag: value for tag, value in found.items() if math.isfinite(value)}


def _figures(metric: str) -> Callable[[Any, Sequence[ClassifierEpoch]], None]:
    def paint(axes: Any, epochs: Sequence[ClassifierEpoch]) -> None:
        best = next((epoch for epoch in reversed(epochs) if epoch.best), None)
        names = [one.task for one in epochs[-1].figures]
        for index, name in enumerate(names):
            rows = _rows(epochs, index, metric)
            shown = dict(rows).get(best.number) if best else None
            label = f"{name}: {main_figure(epochs[-1].figures[index], metric).replace('_', ' ')}"
            line(axes, rows, index, label + ("" if shown is None else f" {shown:.3f}"))
        if best:
            axes.axvline(best.number, color="0.45", linewidth=1, linestyle=(0, (2, 2)), label=f"best: {best.number}")
        finish(axes, epochs, "Validation (numbers: best epoch)")

    return paint


def _rows(epochs: Sequence[ClassifierEpoch], index: int, metric: str) -> list[tuple[int, float]]:
    rows = [(epoch.number, epoch.figures[index]) for epoch in epochs]
    values = [(number, one.value(main_figure(one, metric))) for number, one in rows]
    return [(number, value) for number, value in values if math.isfinite(value)]


def _validation(axes: Any, epochs: Sequence[ClassifierEpoch]) -> None:
    names = list(epochs[-1].validation)
    for index, name in enumerate(names):
        rows = [(epoch.number, epoch.validation[name]) for epoch in epochs if name in epoch.validation]
        line(axes, rows, index, name, width=2.2 if name == "loss" else 1.5)
    finish(axes, epochs, "Validation loss")
    axes.set_xlabel("Epoch")
