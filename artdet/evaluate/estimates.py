"""Figures with their intervals, and the differences of two runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from artdet.evaluate.results import Estimate
from artdet.metrics.bootstrap import interval, macro

METRICS = ("ap", "ap50", "ap75")
"""The figures that are resampled, in the order of the last axis."""

Figures = NDArray[np.float64]
"""float64 (..., C, 3): ``METRICS`` of C classes; NaN where a class has no truth."""

Side = tuple[Figures, Figures | None]
"""Figures (C, 3) and their resamples (B, C, 3)."""


def number(value: float) -> float | None:
    """A plain number; ``None`` for NaN, which JSON does not have."""
    return None if np.isnan(value) else float(value)


def estimates(side: Side, places: Sequence[int]) -> dict[str, Estimate]:
    """``METRICS``, means over the classes at ``places`` that have truth; with intervals where there are resamples."""
    values, spread = _means(side, places)
    return _with_intervals(values, spread, (0.0, 1.0))


def differences(first: Side, second: Side, places: Sequence[int]) -> dict[str, Estimate]:
    """Second minus first; the resamples of both must be of the same images, so that what they share cancels."""
    (before, before_spread), (after, after_spread) = _means(first, places), _means(second, places)
    spread = None if before_spread is None or after_spread is None else after_spread - before_spread
    return _with_intervals(after - before, spread, (-1.0, 1.0))


def _means(side: Side, places: Sequence[int]) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    values, resampled = side
    return macro(values[None], list(places))[0], None if resampled is None else macro(resampled, list(places))


def _with_intervals(
    values: NDArray[np.float64], spread: NDArray[np.float64] | None, limits: tuple[float, float]
) -> dict[str, Estimate]:
    nothing = np.full(len(METRICS), np.nan)
    low, high = (nothing, nothing) if spread is None else interval(spread, values, limits=limits)
    return {
        metric: Estimate(None)
        if np.isnan(values[place])
        else Estimate(float(values[place]), number(low[place]), number(high[place]))
        for place, metric in enumerate(METRICS)
    }
