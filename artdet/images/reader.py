"""Reads one image file: any raster format, however it is coloured, turned or damaged."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from artdet.errors import ImageError
from artdet.images import RGBImage
from artdet.images.decode import decode

DEFAULT_MAX_PIXELS = 1_000_000_000
_IN_MEMORY_BYTES = 64 << 20


@dataclass(frozen=True)
class ReadImage:
    """An image as detectors get it.

    Attributes:
        pixels: RGB uint8 (H, W, 3), C-contiguous, upright.
        original_size: (height, width) of the upright picture in pixels of the file at full resolution.
        sha256: of the file's bytes, in hexadecimal.
        warnings: what was odd about a file that could be read all the same, a sentence each.
    """

    pixels: RGBImage
    original_size: tuple[int, int]
    sha256: str
    warnings: tuple[str, ...]


def read_image(path: Path, *, max_side: int | None = None, max_pixels: int = DEFAULT_MAX_PIXELS) -> ReadImage:
    """Reads a file and decodes its first picture. May be called from several threads.

    The content decides about the format, not the extension. Orientation (EXIF) is applied, alpha is composited on
    white, 16-bit colours lose their lower 8 bits, float and 32-bit grey is stretched from its minimum to its maximum.
    An embedded ICC profile is ignored. Of a JPEG that ends early what is there is read, with a warning.

    Args:
        path: of a regular file.
        max_side: if the long side is longer, the picture is reduced by averaging until it is exactly this long. A JPEG
            is then decoded at 1/2, 1/4 or 1/8 where that suffices; rounding there can shift its right and lower edge by
            less than one pixel of the result.
        max_pixels: pictures with more pixels are refused from their header, before they take memory.

    Raises:
        ImageError: and nothing else, whatever the file holds. ``cause`` is one of "empty file", "not an image",
            "unsupported" (a format or kind that is not read), "truncated", "damaged", "too large", "unreadable" (no
            permission, vanished, not a file, a failing disk). The message does not repeat the path.
    """
    try:
        with opened(path) as (file, size):
            stream, digest = _hashed(file, size)
            decoded = decode(stream, max_side=max_side, max_pixels=max_pixels)
    except (OSError, ValueError) as error:
        raise unreadable(error) from error
    return ReadImage(decoded.pixels, decoded.original_size, digest, decoded.warnings)


@contextmanager
def opened(path: Path) -> Iterator[tuple[IO[bytes], int]]:
    """The open file and its size in bytes; a named pipe or a device, which could block for ever, is refused before."""
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ImageError("unreadable", "It is not a regular file but a folder, a pipe or a device. Name a file.")
    with open(path, "rb") as file:
        yield file, os.fstat(file.fileno()).st_size


def _hashed(file: IO[bytes], size: int) -> tuple[IO[bytes], str]:
    """A stream at the beginning of the file's bytes, and their SHA-256; a small file is read only once."""
    if size > _IN_MEMORY_BYTES:
        digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
        file.seek(0)
        return file, digest
    data = file.read()
    return io.BytesIO(data), hashlib.sha256(data).hexdigest()


def unreadable(error: OSError | ValueError) -> ImageError:
    """What the operating system says, and what to do; a path with a null byte is a ValueError."""
    if isinstance(error, FileNotFoundError):
        return ImageError("unreadable", "The file is not there (any more). Check the path, or a link's target.")
    if isinstance(error, PermissionError):
        return ImageError("unreadable", "There is no permission to read the file. Allow it with chmod +r.")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return ImageError("unreadable", f"The file cannot be read: {reason}. Check the disk or the network share.")
