"""Which images an epoch sees, and how often, where classes differ in size."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from artdet.data.artworks.collection import UNKNOWN, Targets

Sampling = Literal["natural", "over", "under", "balanced"]

_ALONE = -1  # the stratum of images that belong to no class


def epoch_places(targets: Targets, sampling: Sampling, *, epoch: int, seed: int) -> NDArray[np.int64]:
    """The images of one epoch, shuffled.

    Args:
        targets: of the first task, of the N training images (see ``Artworks``).
        sampling: ``natural`` takes each image once; ``over`` as many images of each class as the largest has, ``under``
            as the smallest has, ``balanced`` as the mean class has. Images are repeated as evenly as it goes. Those of
            no class, known or unknown, keep their share of the epoch. An image of several classes counts as of its
            rarest. Numbers have no classes.
        epoch: every one draws anew.
        seed: with ``epoch`` it settles all that is drawn.

    Returns:
        (M,) places of ``targets``.
    """
    rng = np.random.default_rng([seed, epoch])
    strata = _strata(targets)
    classes, counts = np.unique(strata[strata != _ALONE], return_counts=True)
    if sampling == "natural" or len(classes) < 2:
        return rng.permutation(len(targets))
    wanted = _wanted(counts, sampling, rng)
    alone = np.flatnonzero(strata == _ALONE)
    share = round(len(alone) * int(wanted.sum()) / int(counts.sum()))
    drawn = [_drawn(np.flatnonzero(strata == label), count, rng) for label, count in zip(classes, wanted, strict=True)]
    return rng.permutation(np.concatenate([*drawn, _drawn(alone, share, rng)]))


def _wanted(counts: NDArray[np.int64], sampling: Sampling, rng: np.random.Generator) -> NDArray[np.int64]:
    """How many images of each class."""
    if sampling != "balanced":
        return np.full(len(counts), counts.max() if sampling == "over" else counts.min())
    each, rest = divmod(int(counts.sum()), len(counts))
    return each + rng.permutation(np.arange(len(counts)) < rest).astype(np.int64)


def _drawn(places: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """``count`` of these places: each as often as any other, but for one more of some."""
    if not len(places):
        return places
    rounds, rest = divmod(int(count), len(places))
    return np.concatenate([np.tile(places, rounds), rng.choice(places, rest, replace=False)])


def _strata(targets: Targets) -> NDArray[np.int64]:
    """(N,) class of each image, ``_ALONE`` for none."""
    if targets.ndim == 2:
        return _rarest(targets > 0.5)
    if np.issubdtype(targets.dtype, np.integer):
        return np.where(targets == UNKNOWN, _ALONE, targets).astype(np.int64)
    return np.full(len(targets), _ALONE, dtype=np.int64)


def _rarest(held: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(N,) of the classes that each image has (N, K), the one that fewest images have."""
    frequencies = np.where(held, held.sum(axis=0), len(held) + 1)
    return np.where(held.any(axis=1), frequencies.argmin(axis=1), _ALONE).astype(np.int64)
