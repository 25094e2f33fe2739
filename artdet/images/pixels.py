"""From a decoded Pillow image, whatever its mode, to RGB uint8 (H, W, 3)."""

from __future__ import annotations

import math
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from artdet.images import RGBImage

Bytes8 = NDArray[np.uint8]

_BAND_BYTES = 1 << 26
# Averaging these before they become RGB is exact and keeps the peak of memory low.
_REDUCIBLE = frozenset({"L", "LA", "RGB", "RGBX", "RGBA", "CMYK", "YCbCr"})
_MIN_IS_WHITE = 0
_PHOTOMETRIC, _BITS_PER_SAMPLE = 262, 258


def fitted(size: tuple[int, int], max_side: int | None) -> tuple[int, int]:
    """``size`` in pixels, with the long side reduced to ``max_side`` if it is longer, and no side shorter than 1.

    >>> fitted((3000, 2000), 600)
    (600, 400)
    """
    long = max(size)
    if max_side is None or long <= max_side:
        return size
    first, second = (max(1, math.floor(side * max_side / long + 0.5)) for side in size)
    return first, second


def to_rgb(image: Image.Image, size: tuple[int, int], orientation: int) -> RGBImage:
    """The pixels of a loaded image, C-contiguous.

    Alpha is composited on white, 16 bits lose the lower 8, other wide grey values are stretched from their minimum to
    their maximum.

    Args:
        image: in any mode.
        size: (height, width) to reduce it to, by averaging areas, before it is turned upright.
        orientation: EXIF's number, 1 to 8.
    """
    factor = min(image.height // (2 * size[0]), image.width // (2 * size[1]))
    if factor > 1 and image.mode in _REDUCIBLE and "transparency" not in image.info:
        image = image.reduce(factor)
    return finished(_plain(image), size, orientation)


def finished(pixels: Bytes8, size: tuple[int, int], orientation: int) -> RGBImage:
    """Grey (H, W) or RGB (H, W, 3) pixels, reduced to ``size`` (height, width), then upright, as RGB."""
    if pixels.shape[:2] != size:
        pixels = cast(Bytes8, cv2.resize(pixels, (size[1], size[0]), interpolation=cv2.INTER_AREA))
    pixels = upright(pixels, orientation)
    if pixels.ndim == 2:
        return cast(RGBImage, cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_GRAY2RGB))
    return np.ascontiguousarray(pixels)


def upright(pixels: Bytes8, orientation: int) -> Bytes8:
    """A view of pixels (H, W, ...) as EXIF's ``orientation`` wants them shown; 5 to 8 swap height and width."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    rows = -1 if orientation in (3, 4, 7, 8) else 1
    columns = -1 if orientation in (2, 3, 6, 7) else 1
    return pixels[::rows, ::columns]


def _plain(image: Image.Image) -> Bytes8:
    """Grey (H, W) or RGB (H, W, 3)."""
    if image.mode.startswith("I;16"):
        return _from_16_bits(image)
    if image.mode in ("I", "F"):
        values = np.asarray(image)
        # Pillow's PNG and PPM readers give 16-bit grey as "I"; in a TIFF it is a signed or 32-bit value of any range.
        return stretched(values) if image.format == "TIFF" or image.mode == "F" else _high_byte(values)
    if image.has_transparency_data:
        image = _on_white(image)
    if image.mode in ("1", "L"):
        return _rows(image if image.mode == "L" else image.convert("L"))
    return _rows(image if image.mode == "RGB" else image.convert("RGB"))


def _rows(image: Image.Image) -> Bytes8:
    """The pixels of an "L" or "RGB" image; of a large one in bands, so that there are never three whole copies."""
    width, height = image.size
    channels = image.getbands()
    rows = max(1, _BAND_BYTES // (len(channels) * width))
    if rows >= height:
        return np.array(image)
    result = np.empty((height, width, 3) if len(channels) == 3 else (height, width), dtype=np.uint8)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        result[top:bottom] = np.asarray(image.crop((0, top, width, bottom)))
    return result


def _on_white(image: Image.Image) -> Image.Image:
    colours = image.convert("RGBA")
    if colours.getchannel("A").getextrema() == (255, 255):
        return colours.convert("RGB")
    background = Image.new("RGBA", colours.size, "white")
    background.alpha_composite(colours)
    return background.convert("RGB")


def _from_16_bits(image: Image.Image) -> Bytes8:
    tags: Any = getattr(image, "tag_v2", {})
    values = np.asarray(image)
    bits = _first(tags.get(_BITS_PER_SAMPLE, 16))
    result = _high_byte(values, bits if bits in (10, 12, 14) else 16)
    # Pillow turns 8-bit scans that count from white the right way round, and forgets to do so with 16 bits.
    return 255 - result if tags.get(_PHOTOMETRIC) == _MIN_IS_WHITE else result


def _first(value: Any) -> int:
    return int(value[0]) if isinstance(value, tuple) else int(value)


def _high_byte(values: NDArray[Any], bits: int = 16) -> Bytes8:
    result: Bytes8 = np.clip(values >> (bits - 8), 0, 255).astype(np.uint8)
    return result


def stretched(values: NDArray[Any]) -> Bytes8:
    """Numbers of any range as 0 (the smallest) to 255 (the largest); what is not finite, and a flat picture, as 0."""
    wide = values.astype(np.float32 if values.dtype == np.float32 else np.float64)
    finite = np.isfinite(wide)
    if not finite.any():
        return np.zeros(values.shape, dtype=np.uint8)
    low, high = float(wide.min(where=finite, initial=np.inf)), float(wide.max(where=finite, initial=-np.inf))
    span = high - low
    if not 0 < span < math.inf:
        return np.zeros(values.shape, dtype=np.uint8)
    scaled = (np.where(finite, wide, low) - low) * (255.0 / span) + 0.5
    return np.clip(scaled, 0, 255).astype(np.uint8)
