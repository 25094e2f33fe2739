"""From the bytes of an image file to pixels, through Pillow's raster plugins. Reentrant: any number of threads."""

from __future__ import annotations

import functools
import importlib
import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import IO, Any, TypeVar, cast

import cv2
import numpy as np
from PIL import Image, ImageFile

from artdet.errors import ImageError
from artdet.images import RGBImage, jpeg, png
from artdet.images.formats import HEAD_BYTES, ImageFormat, described, format_of
from artdet.images.pixels import finished, fitted, to_rgb
from artdet.images.quiet import quiet

LARGE_PIXELS = 50_000_000
"""Pictures with more pixels than this are decoded one at a time."""

COPY_AGAIN = "Copy or download it again."
_ENDS_EARLY = "The JPEG ends early: what is there was read, the missing part is grey."
# What Pillow's exceptions say.
_UNKNOWN_KIND = ("unknown pixel mode", "unknown raw mode")
_CUT_SHORT = ("runcated", "not enough image data", "buffer is not large enough", "but only got")
_HEADER_BYTES = 16 << 20  # more than the metadata before the pixels of any JPEG
_ORIENTATION = 274
_SAMPLES, _PLANES, _SEPARATE = 258, 284, 2

_one_large_picture = threading.RLock()

Result = TypeVar("Result")


@dataclass(frozen=True)
class Decoded:
    """What :func:`decode` gives: see :class:`artdet.images.reader.ReadImage`."""

    pixels: RGBImage
    original_size: tuple[int, int]
    warnings: tuple[str, ...]


def decode(stream: IO[bytes], *, max_side: int | None, max_pixels: int) -> Decoded:
    """Decodes the first picture of a seekable binary stream; its content decides what format it is.

    Raises:
        ImageError: for whatever is wrong with it.
    """
    return _explained_failures(
        lambda image_format: _decode(image_format, stream, max_side, max_pixels), stream, max_pixels
    )


def upright_size(stream: IO[bytes], *, max_pixels: int) -> tuple[int, int]:
    """The (height, width) of the first picture of a seekable binary stream, upright; no pixel is decoded.

    Raises:
        ImageError: for whatever is wrong with its header.
    """
    return _explained_failures(lambda image_format: _size(image_format, stream, max_pixels), stream, max_pixels)


def _explained_failures(work: Callable[[ImageFormat], Result], stream: IO[bytes], max_pixels: int) -> Result:
    image_format = _format(stream.read(HEAD_BYTES))
    try:
        with quiet():
            try:
                return work(image_format)
            except Image.DecompressionBombError:
                with _raised_pillow_limit(max_pixels):
                    return work(image_format)
    except ImageError:
        raise
    except Exception as error:
        # Pillow's plugins let through nearly any exception: struct.error, KeyError, OverflowError, zlib.error ...
        raise _explained(error, image_format, stream, max_pixels) from error


def _size(image_format: ImageFormat, stream: IO[bytes], max_pixels: int) -> tuple[int, int]:
    image = _opened(image_format, stream)
    check_pixels(image.size, max_pixels)
    if image.format == "PNG" and "exif" not in image.info:
        image.info.update(png.exif(stream))
    width, height = image.size
    return (width, height) if _orientation(image, []) >= 5 else (height, width)


def _format(head: bytes) -> ImageFormat:
    if not head:
        raise ImageError("empty file", f"The file is empty (0 bytes). {COPY_AGAIN}")
    image_format = format_of(head)
    if image_format is not None:
        return image_format
    words, is_picture = described(head)
    if is_picture:
        raise ImageError("unsupported", f"It is {words}, which is not read. Convert it to JPEG, PNG or TIFF.")
    raise ImageError("not an image", f"The content is not an image but {words}. Remove it, or put the image there.")


def _decode(image_format: ImageFormat, stream: IO[bytes], max_side: int | None, max_pixels: int) -> Decoded:
    image = _opened(image_format, stream)
    check_pixels(image.size, max_pixels)
    _refuse_separate_planes(image)
    # Several gigabytes at a time are enough: threads that each hold a large picture would run out of memory.
    large = image.width * image.height > LARGE_PIXELS
    with _one_large_picture if large else nullcontext():
        bits = _jpeg2000_bits(image, stream)
        if 8 < bits <= 16:
            image.load()  # OpenCV would write what it thinks of a damaged file to stderr
            return _with_opencv(stream, bits, max_side)
        return _with_pillow(image_format, image, stream, max_side)


def check_pixels(size: tuple[int, int], max_pixels: int) -> None:
    """Refuses a size (width, height) with too many pixels, before anything is decoded.

    Raises:
        ImageError: ``"too large"``.
    """
    count = size[0] * size[1]
    if count > max_pixels:
        raise ImageError(
            "too large",
            f"The file says that it holds {size[0]} x {size[1]} = {count:,} pixels, above the limit of {max_pixels:,}. "
            f"If you trust it, raise the limit: --max-pixels {count}.",
        )


def _opened(image_format: ImageFormat, stream: IO[bytes]) -> ImageFile.ImageFile:
    """The image with its header read.

    The plugin is called itself, not through ``Image.open``, because that applies the process-wide
    ``Image.MAX_IMAGE_PIXELS``, which is far below our limit and not ours to change.
    """
    stream.seek(0)
    return cast(ImageFile.ImageFile, _plugin(image_format.plugin)(stream))


@functools.cache
def _plugin(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _with_pillow(
    image_format: ImageFormat, image: ImageFile.ImageFile, stream: IO[bytes], max_side: int | None
) -> Decoded:
    full = image.size
    target = fitted(full, max_side)
    notes: list[str] = []
    try:
        _load(image, target)
    except OSError as error:
        if image_format.name != "JPEG" or "truncated" not in str(error):
            raise
        image = _rest_of_jpeg(image_format, stream)
        _load(image, target)
        notes.append(_ENDS_EARLY)
    orientation = _orientation(image, notes)
    pixels = to_rgb(image, (target[1], target[0]), orientation)
    # Pillow turns a TIFF upright while it loads it, but other formats not.
    return Decoded(pixels, (full[0], full[1]) if orientation >= 5 else (full[1], full[0]), tuple(notes))


def _load(image: ImageFile.ImageFile, target: tuple[int, int]) -> None:
    if image.size != target:
        image.draft(None, target)  # a JPEG decodes at 1/2, 1/4 or 1/8 of its size; for others this does nothing
    image.load()


def _rest_of_jpeg(image_format: ImageFormat, stream: IO[bytes]) -> ImageFile.ImageFile:
    stream.seek(0)
    data = jpeg.closed(stream.read())
    if data is None:
        raise _no_pixels()
    return _opened(image_format, io.BytesIO(data))


def _no_pixels() -> ImageError:
    return ImageError("truncated", f"The JPEG ends before its first pixel. {COPY_AGAIN}")


def _orientation(image: ImageFile.ImageFile, notes: list[str]) -> int:
    """EXIF's orientation of an image, 1 to 8; 1, with a note, where the EXIF data is damaged."""
    if image.format == "TIFF":
        return 1
    try:
        # Not the PNG plugin's own method, which would decode the pixels to see what is behind them.
        value = Image.Image.getexif(image).get(_ORIENTATION, 1)
    except Exception:
        notes.append("The EXIF data is damaged: the picture is taken as upright.")
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _refuse_separate_planes(image: ImageFile.ImageFile) -> None:
    """Refuses a TIFF that keeps each colour in a plane of its own, with more than 8 bits.

    Pillow reads a third of it, in silence, and leaves the rest to what the memory held before. OpenCV mixes it up too.
    """
    if image.format != "TIFF":
        return
    tags = cast(Any, image).tag_v2
    if tags.get(_PLANES) == _SEPARATE and max(tags.get(_SAMPLES, (8,))) > 8:
        raise ImageError(
            "unsupported",
            "A TIFF with 16 bits and separate planes is not read. Save it with interleaved channels (contiguous).",
        )


def _jpeg2000_bits(image: ImageFile.ImageFile, stream: IO[bytes]) -> int:
    """Bits per colour of a JPEG 2000 in colour; 8 for any other image."""
    if image.format != "JPEG2000" or len(image.getbands()) == 1:
        return 8
    stream.seek(0)
    data = stream.read(1 << 16)
    start = data.find(b"\xff\x4f\xff\x51")  # the codestream; 42 bytes on are the bits of the first component, less 1
    return (data[start + 42] & 0x7F) + 1 if 0 <= start < len(data) - 42 else 8


def _with_opencv(stream: IO[bytes], bits: int, max_side: int | None) -> Decoded:
    """Decodes a JPEG 2000 with colours of more than 8 bits, whose brightest values Pillow turns black."""
    stream.seek(0)
    values = cast(Any, cv2.imdecode(np.frombuffer(stream.read(), dtype=np.uint8), cv2.IMREAD_UNCHANGED))
    if values is None:
        raise OSError("broken data stream")
    levels = (values >> (bits - 8 if values.dtype == np.uint16 else 0)).astype(np.uint8)
    colours = levels[..., :3]
    if levels.shape[2] == 4:
        alpha = levels[..., 3:].astype(np.uint16)
        colours = ((colours * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    size = (values.shape[0], values.shape[1])
    pixels = cast(RGBImage, cv2.cvtColor(colours, cv2.COLOR_BGR2RGB))
    return Decoded(finished(pixels, fitted(size, max_side), 1), size, ())


@contextmanager
def _raised_pillow_limit(max_pixels: int) -> Iterator[None]:
    """Lets Pillow's WebP and TIFF readers, which check the size themselves, go as far as ``max_pixels``.

    Only entered for a picture that such a check has refused (more than 179 megapixels, as Pillow comes). There is no
    limit per image or per thread, so the one of the process is raised for that time, never lowered; the lock keeps two
    of our threads from restoring each other's value.
    """
    with _one_large_picture:
        before = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = None if before is None else max(before, max_pixels)
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def _explained(error: Exception, image_format: ImageFormat, stream: IO[bytes], max_pixels: int) -> ImageError:
    """What an exception of a decoder means to the owner of the file."""
    name, text = image_format.name, str(error) or type(error).__name__
    if isinstance(error, OSError) and error.errno is not None:
        return ImageError("unreadable", f"The file cannot be read to its end: {error.strerror}. Check the disk.")
    if isinstance(error, Image.DecompressionBombError):
        limit = f"above the limit of {max_pixels:,}. If you trust it, raise the limit with --max-pixels"
        return ImageError("too large", f"The {name} says that it holds more pixels than allowed, {limit}.")
    if isinstance(error, MemoryError):
        return ImageError("too large", f"The {name} does not fit into memory. Reduce the picture, or close programs.")
    if isinstance(error, ImportError | NotImplementedError) or any(sign in text for sign in _UNKNOWN_KIND):
        return ImageError("unsupported", f"This kind of {name} is not read ({text}). Save it with 8 bits per colour.")
    size = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    head = stream.read(_HEADER_BYTES)
    if name == "JPEG" and jpeg.first_scan(head) is None:
        return _no_pixels()
    if any(sign in text for sign in _CUT_SHORT) or _is_shorter_than_it_says(name, head, size):
        return ImageError("truncated", f"The {name} ends early. {COPY_AGAIN}")
    return ImageError("damaged", f"The {name} is damaged ({text}). {COPY_AGAIN}")


def _is_shorter_than_it_says(name: str, head: bytes, size: int) -> bool:
    """Whether a WebP or a TIFF, whose decoders do not tell, ends before its length or before its directory."""
    if name == "WebP":
        return size < int.from_bytes(head[4:8], "little") + 8
    if name == "TIFF" and head[2:4] in (b"*\0", b"\0*"):
        return size <= int.from_bytes(head[4:8], "little" if head[:2] == b"II" else "big")
    return False
