"""Draws the profile of a collection: sizes, aspect ratios, and the classes of each task."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from artdet.atomic import make_folder, whole_file
from artdet.data.artworks.profile import Profile, TaskProfile
from artdet.plotting import own_matplotlib_cache, silent_matplotlib

_INK, _BLUE = "#333333", "#3b6ea5"
_SETTINGS = {
    "font.size": 10.0,
    "axes.edgecolor": "#999999",
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_DPI = 110
_MOST_BARS = 60
_RATIO_TICKS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)


def write_plots(profile: Profile, folder: Path) -> tuple[Path, ...]:
    """Writes ``sizes.png``, ``aspect_ratios.png`` and ``classes_TASK.png`` into a folder, which is made.

    Raises:
        RunError: if they cannot be written.
    """
    make_folder(folder)
    plots: dict[str, tuple[tuple[float, float], Callable[[Any], None]]] = {}
    if len(profile.sizes):
        plots["sizes"] = ((6.4, 5.6), lambda axes: _sizes(axes, profile))
        plots["aspect_ratios"] = ((6.4, 4.0), lambda axes: _ratios(axes, profile))
    for found in profile.tasks:
        plots[f"classes_{found.task.name}"] = _task_plot(found)
    return tuple(_write(folder / f"{name}.png", inches, paint) for name, (inches, paint) in plots.items())


def _task_plot(found: TaskProfile) -> tuple[tuple[float, float], Callable[[Any], None]]:
    if found.task.kind == "number":
        return (6.4, 4.0), lambda axes: _values(axes, found)
    bars = min(len(found.counts), _MOST_BARS)
    return (7.0, 1.2 + 0.24 * bars), lambda axes: _bars(axes, found)


def _write(path: Path, inches: tuple[float, float], paint: Callable[[Any], None]) -> Path:
    with silent_matplotlib(), own_matplotlib_cache():
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    stream = io.BytesIO()
    with silent_matplotlib(), mpl.rc_context():
        mpl.rcdefaults()  # a matplotlibrc of the user's own must not change the charts
        mpl.rcParams.update(_SETTINGS)
        figure = Figure(figsize=inches, dpi=_DPI, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        paint(figure.add_subplot())
        canvas.print_png(stream)
    with whole_file(path) as file:
        file.write(stream.getvalue())
    return path


def _sizes(axes: Any, profile: Profile) -> None:
    points, counts = np.unique(profile.sizes, axis=0, return_counts=True)
    area = 12 + 60 * np.sqrt(counts / counts.max())
    axes.scatter(points[:, 0], points[:, 1], s=area, color=_BLUE, alpha=0.45, linewidths=0)
    most = float(points.max()) * 1.05
    axes.plot([0, most], [0, most], color="#aaaaaa", linewidth=0.8, linestyle=(0, (4, 3)))
    axes.set(xlim=(0, most), ylim=(0, most), aspect="equal", xlabel="width in pixels", ylabel="height in pixels")
    axes.set_title(f"Sizes of {len(profile.sizes):,} images")


def _ratios(axes: Any, profile: Profile) -> None:
    logs = np.log2(profile.ratios)
    span = max(2.0, float(np.abs(logs).max()))
    axes.hist(logs, bins=np.linspace(-span, span, 49), color=_BLUE)
    ticks = [ratio for ratio in _RATIO_TICKS if abs(np.log2(ratio)) <= span]
    axes.set_xticks([float(np.log2(ratio)) for ratio in ticks], [f"{ratio:g}" for ratio in ticks])
    axes.axvline(0, color="#aaaaaa", linewidth=0.8, linestyle=(0, (4, 3)))
    axes.set(xlabel="width / height", ylabel="images")
    axes.set_title("Aspect ratios: upright left, wide right")


def _bars(axes: Any, found: TaskProfile) -> None:
    shown: Mapping[str, int] = dict(list(found.counts.items())[:_MOST_BARS])
    places = np.arange(len(shown))
    drawn = axes.barh(places, list(shown.values()), color=_BLUE, height=0.75)
    axes.bar_label(drawn, padding=3, fontsize=8)
    axes.set_yticks(places, list(shown))
    axes.invert_yaxis()
    axes.margins(x=0.1, y=0.02)
    axes.set_xlabel("images")
    rest = f", the first {len(shown)} of {len(found.counts)} classes" if len(found.counts) > len(shown) else ""
    axes.set_title(f"{found.task.name}: {found.known:,} images with an answer, {found.unknown:,} without{rest}")


def _values(axes: Any, found: TaskProfile) -> None:
    axes.hist(found.values, bins=40, color=_BLUE)
    axes.set(xlabel=found.task.name, ylabel="images")
    axes.set_title(f"{found.task.name}: {found.known:,} images with an answer, {found.unknown:,} without")
