"""Learning curves as inline SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from artdet.evaluate.charts import DASHES, INK, MOST_CURVES, stand_in, svg
from artdet.evaluate.classification.results import Course

_COLOURS = ("var(--accent)", "var(--worse)", "var(--better)", "var(--ink)")


def learning_curves(courses: Sequence[Course], *, label: str, up: str) -> str:
    """Figures over the epochs of a training, each line with its name at its end; nothing where there are none.

    Args:
        courses: of one kind, such as losses; at most ``MOST_CURVES`` are drawn.
        label: what the picture shows, for those who cannot see it.
        up: what the figures are.
    """
    drawn = [course for course in courses if course.epochs][:MOST_CURVES]
    if not drawn:
        return ""

    def paint(figure: Any) -> Mapping[str, str]:
        axes = figure.add_axes((0.13, 0.14, 0.84, 0.83))
        for index, course in enumerate(drawn):
            dash = DASHES[index]
            style = {"color": stand_in(index), "linewidth": 1.8, "linestyle": (0, dash) if dash else "-"}
            axes.plot(course.epochs, course.values, label=course.name, marker="o", markersize=3, **style)
        axes.set_xlabel("Epoch")
        axes.set_ylabel(up)
        epochs = [epoch for course in drawn for epoch in course.epochs]
        axes.set_xlim(min(epochs) - 0.5, max(epochs) + 0.5)
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        highest = max(value for course in drawn for value in course.values)
        axes.set_ylim(0, 1.02 if up != "Loss" else 1.1 * max(highest, 1e-9))
        axes.grid(color=INK, alpha=0.12, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=9)
        return {stand_in(index): _COLOURS[index % len(_COLOURS)] for index in range(len(drawn))}

    return svg((5.0, 3.6), paint, label)
