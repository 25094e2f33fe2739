"""Colours of categories: told apart also by colour-blind eyes, the same in pictures and in the viewer."""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import ArrayLike, NDArray

from artdet.taxonomy import Taxonomy

RGB = tuple[int, int, int]

OKABE_ITO: tuple[RGB, ...] = (
    (213, 94, 0),  # vermillion
    (86, 180, 233),  # sky blue
    (0, 158, 115),  # bluish green
    (204, 121, 167),  # reddish purple
    (0, 114, 178),  # blue
    (240, 228, 66),  # yellow
    (230, 159, 0),  # orange
)
"""The palette of Okabe and Ito, "Color universal design" (2008), without black; in the order in which it is used."""


def category_colours(taxonomy: Taxonomy) -> dict[str, RGB]:
    """A colour of its own for each category; beyond the palette, those farthest from all before them.

    >>> category_colours(Taxonomy.load())["faces"]
    (240, 228, 66)
    """
    names = taxonomy.categories
    return dict(zip(names, _colours(len(names)), strict=True))


def contrasting(colour: RGB) -> RGB:
    """Black or white, whichever reads better on ``colour`` (contrast ratio of WCAG 2).

    >>> contrasting((240, 228, 66)), contrasting((0, 60, 120))
    ((0, 0, 0), (255, 255, 255))
    """
    light = luminance(colour)
    return (0, 0, 0) if (light + 0.05) / 0.05 >= 1.05 / (light + 0.05) else (255, 255, 255)


def luminance(colour: ArrayLike) -> float:
    """Relative luminance (WCAG 2), from 0 to 1, of an sRGB colour (3,) from 0 to 255."""
    return float(_linear(colour) @ (0.2126, 0.7152, 0.0722))


def _colours(count: int) -> list[RGB]:
    chosen = list(OKABE_ITO[:count])
    if count <= len(chosen):
        return chosen
    hues = np.linspace(0, 1, 36, endpoint=False)
    grid = [colorsys.hls_to_rgb(h, light, s) for light in (0.35, 0.5, 0.65, 0.8) for h in hues for s in (0.5, 1.0)]
    offers = [(round(255 * r), round(255 * g), round(255 * b)) for r, g, b in grid]
    places = _oklab(offers)
    nearest = np.linalg.norm(places[:, None] - _oklab(chosen)[None], axis=2).min(axis=1)
    while len(chosen) < count:
        best = int(np.argmax(nearest))
        chosen.append(offers[best])
        nearest = np.minimum(nearest, np.linalg.norm(places - places[best], axis=1))
    return chosen


def _linear(colours: ArrayLike) -> NDArray[np.float64]:
    """Linear light in [0, 1] of sRGB values (..., 3) from 0 to 255."""
    share = np.asarray(colours, dtype=np.float64) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def _oklab(colours: ArrayLike) -> NDArray[np.float64]:
    """Coordinates (N, 3) in Oklab (Ottosson 2020), where distances are about those that eyes see."""
    to_cones = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    to_lab = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    lab: NDArray[np.float64] = np.cbrt(_linear(colours) @ to_cones.T) @ to_lab.T
    return lab
