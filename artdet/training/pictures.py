"""The pixels of training images: read once, reduced to what training needs, and kept in memory as far as that goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from artdet.errors import ImageError, InputError
from artdet.images import RGBImage
from artdet.images.reader import read_image

KEPT_BYTES = 3 << 30


class Pictures:
    """Reads training images and, of photographs, variants that look like art.

    Args:
        max_side: images are reduced to it, in pixels of the longer side.
        variants: photograph -> files to choose from; see :func:`artdet.data.artify_cache.variants`.
        kept_bytes: how much memory read images may take.
    """

    def __init__(
        self, *, max_side: int, variants: Mapping[Path, Sequence[Path]] | None = None, kept_bytes: int = KEPT_BYTES
    ) -> None:
        self._max_side = max_side
        self._variants = variants or {}
        self._kept: dict[Path, RGBImage] = {}
        self._room = kept_bytes

    def chosen(self, path: Path, rng: np.random.Generator) -> RGBImage:
        """RGB uint8 (H, W, 3) of an image, or of one of its variants by chance; not to be written to."""
        files = self._variants.get(path)
        return self.read(files[int(rng.integers(len(files)))] if files else path)

    def read(self, path: Path) -> RGBImage:
        """RGB uint8 (H, W, 3) of an image at most ``max_side`` pixels long; not to be written to.

        Raises:
            InputError: if it cannot be read.
        """
        if (kept := self._kept.get(path)) is not None:
            return kept
        try:
            pixels = read_image(path, max_side=self._max_side).pixels
        except ImageError as error:
            raise InputError(f"{path}: {error} Take the image out of its source, and train again.") from error
        if pixels.nbytes <= self._room:
            self._room -= pixels.nbytes
            self._kept[path] = pixels
        return pixels


def scaled_boxes(boxes: NDArray[np.float32], source: tuple[int, int], target: tuple[int, int]) -> NDArray[np.float32]:
    """Boxes (N, 4) xyxy in pixels of an image of ``source`` (height, width) -> of one of ``target``."""
    ratio = np.array([target[1] / source[1], target[0] / source[0]] * 2, dtype=np.float32)
    scaled: NDArray[np.float32] = (boxes * ratio).astype(np.float32)
    return scaled
