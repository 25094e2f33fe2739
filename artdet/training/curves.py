"""The curves of a training as one picture, ``curves.png``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from artdet.atomic import whole_file
from artdet.plotting import own_matplotlib_cache, silent_matplotlib
from artdet.training.folder import Epoch, TrainingFolder

CURVES = "curves.png"
SIZE = (1200, 900)
"""Width and height in pixels."""

# Okabe and Ito 2008: told apart with any colour vision.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8A7A00")
_DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (7, 2, 1.5, 2)))
_DPI = 100
_DOTS_UP_TO = 30  # epochs; with more, dots would hide the line
_LEGEND_UP_TO = 22  # classes; with more, their names are set smaller
_SETTINGS = {"font.size": 10.0, "axes.titlesize": 11.0, "axes.titleweight": "bold", "legend.fontsize": 8.5}
_NAMES = {"ap50": "AP50", "ap75": "AP75", "ap": "AP"}


def draw_curves(folder: TrainingFolder, epochs: Sequence[Epoch]) -> Path | None:
    """Draws losses, learning rate, average precision and AP50 of the classes over the epochs.

    Args:
        folder: of the run; the picture replaces an older one.
        epochs: all so far.

    Returns:
        The picture; ``None`` where no epoch is done yet.

    Raises:
        RunError: if it cannot be written.
    """
    if not epochs:
        return None
    return draw_panels(folder.path / CURVES, epochs, (losses_panel, _precision, rate_panel, _classes))


def draw_panels(file: Path, epochs: Sequence[Any], panels: Sequence[Callable[[Any, Sequence[Any]], None]]) -> Path:
    """Draws four panels over the epochs.

    Args:
        file: PNG to write.
        epochs: one at least.
        panels: each paints its axes from the epochs.

    Raises:
        RunError: if it cannot be written.
    """
    with silent_matplotlib(), own_matplotlib_cache():
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    with silent_matplotlib(), mpl.rc_context():
        mpl.rcdefaults()  # a matplotlibrc of the user's own must not change the picture
        mpl.rcParams.update(_SETTINGS)
        figure = Figure(figsize=(SIZE[0] / _DPI, SIZE[1] / _DPI), dpi=_DPI, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        parts = figure.subplots(2, 2)
        for axes, paint in zip(parts.flat, panels, strict=True):
            paint(axes, epochs)
        with whole_file(file) as stream:
            canvas.print_png(stream)
    return file


def losses_panel(axes: Any, epochs: Sequence[Any]) -> None:
    """Paints the training losses."""
    names = list(dict.fromkeys(name for epoch in epochs for name in epoch.losses))
    for index, name in enumerate(names):
        rows = [(epoch.number, epoch.losses[name]) for epoch in epochs if name in epoch.losses]
        line(axes, rows, index, name.replace("_", " "), width=2.2 if name == "loss" else 1.5)
    finish(axes, epochs, "Training loss, mean of the epoch")


def _precision(axes: Any, epochs: Sequence[Epoch]) -> None:
    best = _best(epochs)
    for index, (key, name) in enumerate(_NAMES.items()):
        fine, coarse = _values(epochs, key), _values(epochs, f"coarse_{key}")
        line(axes, fine, index, f"{name}{_shown(fine, best)}")
        # Where there are categories only, both are the same.
        line(axes, coarse if coarse != fine else (), index, f"{name} of categories{_shown(coarse, best)}", dash=1)
    if best and best.figures:
        axes.axvline(best.number, color="0.45", linewidth=1, linestyle=(0, (2, 2)), zorder=1)
        shown = [(best.number, best.figures.ap50), (best.number, best.figures.ap75), (best.number, best.figures.ap)]
        there = [(x, y) for x, y in shown if y is not None]
        dots = {"marker": "*", "markersize": 11, "color": "#F0C800", "markeredgecolor": "black", "linestyle": "none"}
        axes.plot(*zip(*there, strict=True), label=f"best: epoch {best.number}", zorder=6, **dots)
    finish(axes, epochs, "Validation: average precision (numbers: best epoch)")


def rate_panel(axes: Any, epochs: Sequence[Any]) -> None:
    """Paints the learning rate."""
    line(axes, [(epoch.number, epoch.learning_rate) for epoch in epochs], 0, "")
    finish(axes, epochs, "Learning rate at the end of the epoch", legend=False)
    axes.set_xlabel("Epoch")


def _classes(axes: Any, epochs: Sequence[Epoch]) -> None:
    rows: dict[str, list[tuple[int, float]]] = {}
    for epoch in epochs:
        for one in epoch.figures.classes if epoch.figures else ():
            if one.level == "fine" and one.ap50 is not None:
                rows.setdefault(one.name, []).append((epoch.number, one.ap50))
    # A class keeps its colour from epoch to epoch; the legend has the lines' order.
    place = {name: index for index, name in enumerate(rows)}
    for name in sorted(rows, key=lambda name: -rows[name][-1][1]):
        dash = place[name] // len(_COLOURS) % len(_DASHES)
        line(axes, rows[name], place[name], f"{name}{_shown(rows[name], _best(epochs))}", dash=dash)
    few = len(rows) <= _LEGEND_UP_TO
    finish(axes, epochs, "Validation: AP50 of each class (numbers: best epoch)", small=not few)
    axes.set_xlabel("Epoch")


def _values(epochs: Sequence[Epoch], key: str) -> list[tuple[int, float]]:
    rows = [(epoch.number, getattr(epoch.figures, key)) for epoch in epochs if epoch.figures]
    return [(number, value) for number, value in rows if value is not None]


def _best(epochs: Sequence[Epoch]) -> Epoch | None:
    return next((epoch for epoch in reversed(epochs) if epoch.best), None)


def _shown(rows: Sequence[tuple[int, float]], best: Epoch | None) -> str:
    """The value at the best epoch, whose weights are kept."""
    value = dict(rows).get(best.number) if best else None
    return "" if value is None else f" {value:.3f}"


def line(
    axes: Any, rows: Sequence[tuple[int, float]], index: int, label: str, *, dash: int = 0, width: float = 1.8
) -> None:
    """Paints a line of (epoch, value); ``index`` picks its colour."""
    if not rows:
        return
    dots = {"marker": "o", "markersize": 3.5} if len(rows) <= _DOTS_UP_TO else {}
    colour = _COLOURS[index % len(_COLOURS)]
    axes.plot(
        *zip(*rows, strict=True), color=colour, linestyle=_DASHES[dash], linewidth=width, label=label or None, **dots
    )


def finish(axes: Any, epochs: Sequence[Any], title: str, *, legend: bool = True, small: bool = False) -> None:
    """Title, legend and limits of a panel."""
    from matplotlib.ticker import MaxNLocator

    axes.set_title(title, loc="left")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlim(epochs[0].number - 0.5, epochs[-1].number + 0.5)
    axes.grid(color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if not axes.lines:
        axes.text(0.5, 0.5, "not measured yet", transform=axes.transAxes, ha="center", color="0.4")
        return
    # The mark of the best epoch is as high as the axes and no data.
    data = [line for line in axes.lines if line.get_transform() == axes.transData]
    highest = max((value for line in data for value in line.get_ydata() if value == value), default=0.0)
    axes.set_ylim(0.0, max(axes.get_ylim()[1], 1.06 * highest))
    if legend:
        # Beside the lines: a legend upon them hides what it is about.
        size = {"fontsize": 7, "ncols": 2, "columnspacing": 0.8} if small else {}
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, handlelength=3.2, **size)
