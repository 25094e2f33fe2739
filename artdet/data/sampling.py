"""Repeat-factor sampling: images with rare classes are seen more often (Gupta, Dollar, Girshick, LVIS, CVPR 2019)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def class_frequencies(labels_per_image: Sequence[NDArray[np.int64]]) -> dict[int, float]:
    """Class -> share of the images that hold it, f(c); without classes that no image holds."""
    held = [np.unique(labels) for labels in labels_per_image if len(labels)]
    if not held:
        return {}
    classes, counts = np.unique(np.concatenate(held), return_counts=True)
    return dict(zip(classes.tolist(), (counts / len(labels_per_image)).tolist(), strict=True))


def class_factors(labels_per_image: Sequence[NDArray[np.int64]], threshold: float) -> dict[int, float]:
    """Class -> r(c) = max(1, sqrt(threshold / f(c)))."""
    shares = class_frequencies(labels_per_image)
    return {label: max(1.0, float(np.sqrt(threshold / share))) for label, share in shares.items()}


def repeat_factors(labels_per_image: Sequence[NDArray[np.int64]], threshold: float) -> NDArray[np.float64]:
    """How often each image belongs in an epoch, on average.

    Args:
        labels_per_image: class ids of an image's boxes, an array (N,) for each image.
        threshold: share of the images below which a class is rare; 0 repeats nothing.

    Returns:
        (I,), the largest r(c) of each image's classes; 1 for images without boxes.

    >>> repeat_factors([np.array([0]), np.array([0, 1]), np.array([0]), np.array([], dtype=int)], 1.0).round(3).tolist()
    [1.155, 2.0, 1.155, 1.0]
    """
    by_class = class_factors(labels_per_image, threshold)
    largest = [max((by_class[label] for label in labels.tolist()), default=1.0) for labels in labels_per_image]
    return np.array(largest, dtype=np.float64)


def epoch_indices(factors: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    """The images of one epoch, shuffled.

    Args:
        factors: (I,), how often each image belongs in an epoch on average; those below 1 are left out of some epochs.
        rng: drawn from anew for each epoch.

    Returns:
        (M,), indices of images; each stands there its factor's whole part, and once more with the probability of the
        rest (stochastic rounding).
    """
    whole = np.floor(factors)
    times = (whole + (rng.random(len(factors)) < factors - whole)).astype(np.int64)
    return rng.permutation(np.repeat(np.arange(len(factors), dtype=np.int64), times))
