"""Charts as inline SVG: text and lines take the page's colours, so that they can be read on light, dark and paper."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from artdet.evaluate.results import Curve, Reliability
from artdet.plotting import own_matplotlib_cache, silent_matplotlib

MOST_CURVES = 8
"""More lines in one chart cannot be told apart."""
DASHES: tuple[tuple[float, ...], ...] = (
    (), (5, 2), (1.5, 1.5), (7, 2, 1.5, 2), (3, 1.5), (9, 3), (5, 1.5, 1.5, 1.5, 1.5, 1.5), (2, 4),
)  # fmt: skip
"""Lengths of dashes and gaps in widths of the line: one pattern a curve, so that a grey print tells them apart."""

INK = "#010203"
"""Stands for the colour of the page's text until the SVG is done."""
_SETTINGS = {
    "svg.fonttype": "none",
    "font.size": 10.0,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "axes.linewidth": 0.8,
    "path.simplify": True,
    "path.simplify_threshold": 0.2,
    "lines.scale_dashes": True,
}
_LEVELS = (0.2, 0.4, 0.6, 0.8)
_NUMBER = re.compile(r"-?\d+\.\d{3,}")


@dataclass(frozen=True)
class Line:
    """One curve to draw.

    Attributes:
        curve: the data.
        colour: a CSS colour, such as ``var(--persons)``.
    """

    curve: Curve
    colour: str


@dataclass(frozen=True)
class Best:
    """The point of a curve with the best F1."""

    recall: float
    precision: float
    score: float
    f1: float


def best_point(curve: Curve) -> Best | None:
    """Where F1 is highest; the highest such score. ``None`` for an empty curve.

    >>> best_point(Curve("cat", (0.5, 1.0), (1.0, 0.5), (0.9, 0.2))).score
    0.9
    """
    points = [
        Best(recall, precision, score, 2 * precision * recall / (precision + recall) if precision + recall else 0.0)
        for recall, precision, score in zip(curve.recall, curve.precision, curve.score, strict=True)
    ]
    return max(points, key=lambda point: (point.f1, point.score), default=None)


def precision_recall(lines: Sequence[Line], *, label: str) -> str:
    """Precision over recall, at most ``MOST_CURVES`` lines, each with a dot and its number at its best F1.

    Args:
        lines: in the order of ``DASHES``.
        label: what the picture shows, for those who cannot see it.
    """

    def paint(figure: Any) -> Mapping[str, str]:
        axes = figure.add_axes((0.13, 0.13, 0.84, 0.84))
        unit_square(axes, "Recall", "Precision")
        for f1 in _LEVELS:
            recall = f1 / np.linspace(2 - f1, f1, 120)
            axes.plot(recall, f1 * recall / (2 * recall - f1), color=INK, alpha=0.25, linewidth=0.6)
            axes.text(0.99, f1 / (2 - f1) + 0.012, f"F1 {f1}", fontsize=7, alpha=0.7, ha="right")
        return {stand_in(i): _curve(axes, line, i) for i, line in enumerate(lines[:MOST_CURVES])}

    return svg((5.0, 4.4), paint, label)


def reliability(
    data: Reliability, *, label: str, colour: str = "var(--accent)", hits: str = "Share of hits", counted: str = "Boxes"
) -> str:
    """The share of hits over the score, with the diagonal of perfect scores; below it how many boxes each bin has.

    Args:
        data: the bins.
        label: what the picture shows, for those who cannot see it.
        colour: CSS colour of the bars.
        hits: words for their height.
        counted: words for what is in the bins.
    """

    def paint(figure: Any) -> Mapping[str, str]:
        axes = figure.add_axes((0.13, 0.36, 0.84, 0.61))
        unit_square(axes, "", hits)
        axes.plot((0, 1), (0, 1), color=INK, linewidth=1, linestyle=(0, (4, 3)))
        edges = np.array(data.edges)
        middles, widths = (edges[:-1] + edges[1:]) / 2, np.diff(edges)
        heights = [0.0 if value is None else value for value in data.hits]
        axes.bar(middles, heights, widths * 0.9, color=stand_in(0), alpha=0.35, edgecolor=stand_in(0), linewidth=1)
        dots = [(s, h) for s, h in zip(data.score, data.hits, strict=True) if s is not None and h is not None]
        if dots:
            axes.plot(*zip(*dots, strict=True), "o", color=stand_in(0), markersize=5, markeredgecolor=INK)
        axes.tick_params(labelbottom=False)
        _counts(figure.add_axes((0.13, 0.12, 0.84, 0.19)), middles, widths, data.count, counted)
        return {stand_in(0): colour}

    return svg((5.0, 5.2), paint, label)


def sample(index: int, colour: str) -> str:
    """A short line as curve ``index`` has it, for a legend in HTML."""
    dash = " ".join(f"{2 * length:g}" for length in DASHES[index])
    style = f"stroke:{escape(colour)};stroke-width:2" + (f";stroke-dasharray:{dash}" if dash else "")
    return (
        '<svg class="sample" viewBox="0 0 48 8" aria-hidden="true" focusable="false">'
        f'<line x1="0" y1="4" x2="48" y2="4" style="{style}"/></svg>'
    )


def _curve(axes: Any, line: Line, index: int) -> str:
    curve = line.curve
    dash = DASHES[index]
    style = {"color": stand_in(index), "linewidth": 1.8, "linestyle": (0, dash) if dash else "-"}
    axes.plot(curve.recall, curve.precision, **style)
    best = best_point(curve)
    if best:
        dot = {"marker": "o", "markersize": 6, "markeredgecolor": INK, "markeredgewidth": 0.8}
        axes.plot([best.recall], [best.precision], color=stand_in(index), clip_on=False, zorder=5, **dot)
        place = {"xytext": (5, 3), "textcoords": "offset points", "fontsize": 9, "fontweight": "bold"}
        axes.annotate(str(index + 1), (best.recall, best.precision), zorder=6, annotation_clip=False, **place)
    return line.colour


def _counts(axes: Any, middles: Any, widths: Any, counts: Sequence[int], counted: str) -> None:
    axes.bar(middles, counts, widths * 0.9, color=INK, alpha=0.3)
    for middle, number in zip(middles, counts, strict=True):
        if number:
            axes.text(middle, number, _short(number), ha="center", va="bottom", fontsize=7.5)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.3 * max([*counts, 1]))
    axes.set_yticks([])
    axes.set_xlabel("Score")
    axes.set_ylabel(counted)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _short(number: int) -> str:
    """A count in at most four signs.

    >>> [_short(number) for number in (7, 999, 1249, 12800, 3_400_000)]
    ['7', '999', '1.2k', '13k', '3.4M']
    """
    for size, unit in ((1_000_000, "M"), (1000, "k")):
        if number >= size:
            return f"{number / size:.1f}{unit}" if number < 10 * size else f"{number / size:.0f}{unit}"
    return str(number)


def unit_square(axes: Any, across: str, up: str) -> None:
    """Axes from 0 to 1 with a light grid."""
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(color=INK, alpha=0.12, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def stand_in(index: int) -> str:
    """Stands for the colour of curve ``index`` until the SVG is done."""
    return f"#0102{index + 16:02x}"


def svg(inches: tuple[float, float], paint: Callable[[Any], Mapping[str, str]], label: str) -> str:
    """Draws with matplotlib and makes the result fit to stand in a page.

    Args:
        inches: width and height.
        paint: draws on a figure; gives for each :func:`stand_in` that it used the CSS colour.
        label: what the picture shows, for those who cannot see it.
    """
    stream = io.StringIO()
    with silent_matplotlib(), own_matplotlib_cache():
        import matplotlib as mpl
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    with silent_matplotlib(), mpl.rc_context():
        mpl.rcdefaults()  # a matplotlibrc of the user's own must not change the charts
        mpl.rcParams.update({**_SETTINGS, "svg.hashsalt": label})
        figure = Figure(figsize=inches)
        colours = paint(figure)
        canvas = FigureCanvasSVG(figure)
        figure.patch.set_visible(False)
        for axes in figure.axes:
            axes.patch.set_visible(False)
        canvas.print_svg(stream, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _inline(stream.getvalue(), {INK: "currentColor", **colours}, label)


def _inline(svg: str, colours: Mapping[str, str], label: str) -> str:
    """Without what only a file of its own needs: header, size, fonts, and names that nothing in it refers to."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL)
    box = re.search(r'viewBox="([^"]+)"', body)
    assert box, "matplotlib gives every figure a viewBox"
    inside = body[body.index(">") + 1 :].strip()
    used = set(re.findall(r'(?:url\(#|href="#)([^")]+)', inside))
    inside = re.sub(r' id="([^"]+)"', lambda found: found.group(0) if found.group(1) in used else "", inside)
    inside = re.sub(
        r"<defs>\s*<style.*?</style>\s*</defs>", "", inside, flags=re.DOTALL
    )  # it is meant for all the page
    inside = re.sub(r"font-family: [^;\"]*; ?", "", inside)
    inside = re.sub(r' transform="rotate\(-0 [^)]*\)"', "", inside)
    inside = _NUMBER.sub(lambda found: f"{float(found.group(0)):.2f}", inside).replace("xlink:href", "href")
    inside = re.sub(r"\n\s*", "\n", inside)
    for stand_in, colour in colours.items():
        inside = inside.replace(stand_in, escape(colour))
    return f'<svg class="chart" viewBox="{box.group(1)}" role="img" aria-label="{escape(label)}">\n{inside}'
