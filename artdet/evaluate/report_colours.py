"""The colours of the report: those of ``--draw``, made to show as lines on white and on dark paper."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from artdet.palette import RGB, category_colours, luminance
from artdet.taxonomy import Taxonomy

PAPER: dict[str, RGB] = {"light": (255, 255, 255), "dark": (22, 24, 29)}
_CONTRAST = 3.0
"""What WCAG 2 asks of lines and signs against what is behind them."""
_SHADES, _STEP = 3, 0.33
"""Shades of a category's colour for its classes, each so much nearer to the ink."""
_NO_CATEGORY = "var(--ink)"


def category_variables(taxonomy: Taxonomy) -> dict[str, str]:
    """Class or category -> the CSS colour of its category."""
    places = {name: index for index, name in enumerate(taxonomy.categories)}
    return {node.name: f"var(--k{places[node.category]})" for node in taxonomy.nodes}


def shaded(names: Sequence[str], colours: Mapping[str, str]) -> list[str]:
    """CSS colours for several classes: those of their categories; several of one category get several shades."""
    seen: Counter[str] = Counter()
    made = []
    for name in names:
        colour = colours.get(name, "")
        shade = seen[colour] % _SHADES
        seen[colour] += 1
        made.append(f"{colour[:-1]}s{shade})" if colour and shade else colour or _NO_CATEGORY)
    return made


def variables(taxonomy: Taxonomy, paper: RGB) -> dict[str, str]:
    """CSS variable -> the colour of a category, or a shade of it, made to show as a line on ``paper``."""
    ink = (0, 0, 0) if luminance(paper) > 0.5 else (255, 255, 255)
    made = {}
    for index, colour in enumerate(category_colours(taxonomy).values()):
        base = _legible(colour, paper, ink)
        for shade in range(_SHADES):
            mixed = (round(b + (i - b) * shade * _STEP) for b, i in zip(base, ink, strict=True))
            made[f"--k{index}" + (f"s{shade}" if shade else "")] = "#{:02x}{:02x}{:02x}".format(*mixed)
    return made


def _legible(colour: RGB, paper: RGB, ink: RGB) -> RGB:
    shown: NDArray[np.float64] = np.array(colour, dtype=np.float64)
    for step in np.linspace(0, 1, 21):
        shown = np.round((1 - step) * np.array(colour) + step * np.array(ink))
        light, dark = sorted((luminance(shown), luminance(paper)), reverse=True)
        if (light + 0.05) / (dark + 0.05) >= _CONTRAST:
            break
    return int(shown[0]), int(shown[1]), int(shown[2])
