"""Training images on their way to the network: read, changed and scaled by threads, some batches ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from artdet.embedders.base import Preprocessing
from artdet.embedders.preprocess import crops, prepared
from artdet.images import RGBImage
from artdet.training.classification.augmentations import Augment
from artdet.training.pictures import KEPT_BYTES, Pictures

_AHEAD = 3  # batches


class Images:
    """The images of a collection as inputs of a backbone, before normalisation.

    What is not changed by chance is scaled once and kept in memory as far as that goes.

    Args:
        paths: (N,) of all images.
        preprocessing: of the backbone.
        augment: changes training images; ``None`` where none are to be changed.
        seed: of what augmentation draws.
        threads: that read.
        kept_bytes: how much memory they may take, twice.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        preprocessing: Preprocessing,
        *,
        augment: Augment | None = None,
        seed: int = 0,
        threads: int = 1,
        kept_bytes: int = KEPT_BYTES,
    ) -> None:
        self._paths, self._preprocessing = paths, preprocessing
        self._augment, self._seed, self._threads = augment, seed, threads
        self._pictures = Pictures(max_side=preprocessing.reading_side, kept_bytes=kept_bytes)
        # Those that are scaled once are kept scaled.
        self._unkept = Pictures(max_side=preprocessing.reading_side, kept_bytes=0)
        self._scaled: dict[int, RGBImage] = {}
        self._room = kept_bytes

    def training_batches(self, groups: Sequence[NDArray[np.int64]], *, epoch: int, first: int) -> Iterator[RGBImage]:
        """Batches uint8 (B, S, S, 3) of an epoch, changed by chance.

        Args:
            groups: places of the images of each batch of the epoch.
            epoch: from 0; with the place in the epoch it settles what is drawn.
            first: batch to begin with.
        """
        if self._augment is None:
            return self._ahead(groups[first:], lambda place, _: self._plain(place), 0)
        drawn = sum(len(group) for group in groups[:first])
        return self._ahead(groups[first:], lambda place, position: self._changed(place, epoch, position), drawn)

    def batches(self, groups: Sequence[NDArray[np.int64]]) -> Iterator[RGBImage]:
        """Batches uint8 (B, S, S, 3) of images as they are."""
        return self._ahead(groups, lambda place, _: self._plain(place), 0)

    def views(self, groups: Sequence[NDArray[np.int64]], count: int) -> Iterator[RGBImage]:
        """Batches uint8 (B x count, S, S, 3) of ``count`` views of each image, those of an image one after another."""

        def viewed(place: int, _: int) -> RGBImage:
            return np.stack(crops(self._unkept.read(self._paths[place]), self._preprocessing, count))

        for batch in self._ahead(groups, viewed, 0):
            yield batch.reshape(-1, *batch.shape[2:])

    def _plain(self, place: int) -> RGBImage:
        if (kept := self._scaled.get(place)) is not None:
            return kept
        image = prepared(self._unkept.read(self._paths[place]), self._preprocessing)
        if image.nbytes <= self._room:
            self._room -= image.nbytes
            self._scaled[place] = image
        return image

    def _changed(self, place: int, epoch: int, position: int) -> RGBImage:
        assert self._augment is not None
        rng = np.random.default_rng((self._seed, epoch, position))
        return prepared(self._augment(self._pictures.read(self._paths[place]), rng), self._preprocessing)

    def _ahead(
        self, groups: Sequence[NDArray[np.int64]], make: Callable[[int, int], RGBImage], position: int
    ) -> Iterator[RGBImage]:
        waiting: deque[list[Future[RGBImage]]] = deque()
        pool = ThreadPoolExecutor(self._threads)
        try:
            for group in groups:
                waiting.append([pool.submit(make, int(place), position + at) for at, place in enumerate(group)])
                position += len(group)
                if len(waiting) > _AHEAD:
                    yield np.stack([future.result() for future in waiting.popleft()])
            while waiting:
                yield np.stack([future.result() for future in waiting.popleft()])
        finally:
            pool.shutdown(cancel_futures=True)


def grouped(places: NDArray[np.int64], batch: int) -> list[NDArray[np.int64]]:
    """Places of each batch. A single one that is left over joins the batch before: batch normalisation needs two.

    >>> [len(group) for group in grouped(np.arange(9), 4)]
    [4, 5]
    """
    groups = [places[first : first + batch] for first in range(0, len(places), batch)]
    if len(groups) > 1 and len(groups[-1]) == 1:
        groups[-2:] = [np.concatenate(groups[-2:])]
    return groups
