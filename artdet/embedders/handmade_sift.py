"""Descriptors of local patches by OpenCV's SIFT, and the bag of visual words that is made of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from artdet.embedders.handmade_base import HandmadeEmbedder, HandmadeSettings, quiet_fit, reduced, shaped
from artdet.errors import TrainingError
from artdet.images import RGBImage

LENGTH = 128
"""Of a descriptor."""

PATCHES = (16, 24, 36)
"""Sides of the patches of the grid in pixels."""

_PER_IMAGE = 200


def root_sift(image: RGBImage, points: int) -> NDArray[np.float32]:
    """Descriptors of patches on a regular grid, upright, of several sizes.

    A grid, unlike detected points, leaves no image without descriptors, and describes even surfaces, too. Descriptors
    are compared by the Hellinger kernel (Arandjelovic and Zisserman 2012): L1 norm 1, then square roots.

    Args:
        image: (H, W, 3).
        points: of each size of patch, about.

    Returns:
        (n, 128), at least one; zeros where a patch is of one colour.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    height, width = image.shape[:2]
    _, found = cv2.SIFT.create().compute(grey, list(_grid(height, width, points)))
    shares = found / np.maximum(found.sum(axis=1, keepdims=True), 1e-6)
    return np.asarray(np.sqrt(shares), dtype=np.float32)


def sampled(images: Iterable[RGBImage], settings: HandmadeSettings, *, least: int, seed: int) -> NDArray[np.float32]:
    """Descriptors drawn from training images, none more likely than another of its image.

    Returns:
        (n, 128), ``settings.sample`` at most.

    Raises:
        TrainingError: if there are fewer than ``least``.
    """
    rng = np.random.default_rng(seed)
    drawn = np.empty((0, LENGTH), dtype=np.float32)
    lots = np.empty(0)
    for image in images:
        found = root_sift(reduced(image, settings.long_side), settings.points)
        found = found[rng.permutation(len(found))[:_PER_IMAGE]]
        drawn, lots = np.concatenate([drawn, found]), np.concatenate([lots, rng.random(len(found))])
        # The smallest lots of all so far: a fair draw from images whose number is not known before.
        if len(lots) > 2 * settings.sample:
            drawn, lots = _smallest(drawn, lots, settings.sample)
    if len(drawn) < least:
        raise TrainingError(
            f"{len(drawn)} patches of training images are too few for a codebook of {least}. Give more images."
        )
    return _smallest(drawn, lots, settings.sample)[0]


def _smallest(
    rows: NDArray[np.float32], lots: NDArray[np.float64], count: int
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    places = np.argsort(lots)[:count]
    return rows[places], lots[places]


def _grid(height: int, width: int, points: int) -> Iterator[cv2.KeyPoint]:
    step = max(np.sqrt(height * width / points), 2.0)
    for side in PATCHES:
        for y in _line(height, step, side):
            for x in _line(width, step, side):
                # A descriptor of OpenCV covers six times the size of its point.
                yield cv2.KeyPoint(x, y, side / 6, 0)


def _line(length: int, step: float, side: int) -> list[float]:
    """Middles of patches along an axis: inside the image where they fit in, else one in its middle."""
    free = length - side
    if free <= 0:
        return [(length - 1) / 2]
    count = int(free // step) + 1
    return [float(place) for place in (length - 1 - (count - 1) * step) / 2 + step * np.arange(count)]


class SiftBag(HandmadeEmbedder):
    """Histogram of visual words: how often a patch is most like each entry of a codebook (Csurka 2004).

    The features are square roots of the shares of patches; their norm is 1.
    """

    name = "handmade:sift_bag"

    def __init__(self, settings: HandmadeSettings) -> None:
        super().__init__(settings)
        self._words: NDArray[np.float32] | None = None

    @property
    def dim(self) -> int:
        """Length D of the features."""
        return self.settings.words

    @property
    def fitted(self) -> bool:
        """Whether there is a codebook."""
        return self._words is not None

    def fit(self, images: Iterable[RGBImage], seed: int) -> None:
        """Clusters descriptors of training images by k-means.

        Raises:
            TrainingError: if they have fewer patches than words.
        """
        from sklearn.cluster import MiniBatchKMeans

        drawn = sampled(images, self.settings, least=self.dim, seed=seed)
        model = MiniBatchKMeans(self.dim, init="random", n_init=1, max_iter=30, batch_size=4096, random_state=seed)
        with quiet_fit():
            model.fit(drawn)
        self._words = np.ascontiguousarray(model.cluster_centers_, dtype=np.float32)

    def described(self, image: RGBImage) -> NDArray[np.float32]:
        """(D,) features of one image."""
        assert self._words is not None
        found = root_sift(image, self.settings.points)
        # The descriptor's own length is the same for all words.
        nearest = np.argmin((self._words**2).sum(axis=1) - 2 * found @ self._words.T, axis=1)
        return np.sqrt(np.bincount(nearest, minlength=self.dim) / len(found)).astype(np.float32)

    def codebook(self) -> dict[str, NDArray[np.float32]]:
        """Words (D, 128)."""
        assert self._words is not None
        return {"words": self._words}

    def take_codebook(self, tensors: Mapping[str, NDArray[np.generic]]) -> None:
        """Sets the words."""
        self._words = shaped(tensors["words"], self.dim, LENGTH)
