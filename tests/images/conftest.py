"""Makes small image files of every kind; none is square, none is symmetrical."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

HEIGHT, WIDTH = 40, 60


def _colours() -> NDArray[np.uint8]:
    """Smooth, asymmetrical RGB uint8 (40, 60, 3); smooth so that JPEG keeps it within a few levels."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.stack([columns * 4, rows * 6, 250 - rows * 2 - columns * 2], axis=-1).astype(np.uint8)


def _encode(image: Image.Image | NDArray[Any], file_format: str, **options: Any) -> bytes:
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    stream = io.BytesIO()
    picture.save(stream, file_format, **options)
    return stream.getvalue()


def _chunks(plane: NDArray[Any], tile: tuple[int, int] | None) -> list[bytes]:
    if tile is None:
        return [plane.tobytes()]
    height, width = tile
    result = []
    for top in range(0, plane.shape[0], height):
        for left in range(0, plane.shape[1], width):
            whole = np.zeros((height, width, plane.shape[2]), plane.dtype)
            part = plane[top : top + height, left : left + width]
            whole[: part.shape[0], : part.shape[1]] = part
            result.append(whole.tobytes())
    return result


def _tiff(
    samples: NDArray[Any],
    *,
    planar: int = 1,
    tile: tuple[int, int] | None = None,
    big_endian: bool = False,
    photometric: int | None = None,
    orientation: int | None = None,
) -> bytes:
    """An uncompressed TIFF of samples (H, W) or (H, W, C) of any dtype: what Pillow itself cannot write."""
    order = ">" if big_endian else "<"
    cube = np.atleast_3d(samples)
    cube = cube.astype(cube.dtype.newbyteorder(order))
    height, width, channels = cube.shape
    planes = [cube] if planar == 1 else [cube[..., index : index + 1] for index in range(channels)]
    chunks = [chunk for plane in planes for chunk in _chunks(plane, tile)]
    offsets = [8 + sum(map(len, chunks[:index])) for index in range(len(chunks))]
    kind = {"u": 1, "i": 2, "f": 3}[cube.dtype.kind]
    colour = photometric if photometric is not None else (2 if channels >= 3 else 1)
    tags: list[tuple[int, str, list[int]]] = [
        (256, "I", [width]), (257, "I", [height]), (258, "H", [cube.dtype.itemsize * 8] * channels), (259, "H", [1]),
        (262, "H", [colour]), (277, "H", [channels]), (284, "H", [planar]), (339, "H", [kind] * channels),
        (324 if tile else 273, "I", offsets), (325 if tile else 279, "I", [len(chunk) for chunk in chunks]),
    ]  # fmt: skip
    tags += [(322, "I", [tile[1]]), (323, "I", [tile[0]])] if tile else [(278, "I", [height])]
    tags += [(274, "H", [orientation])] if orientation else []
    start = 8 + sum(map(len, chunks))
    entries, extra = b"", b""
    for tag, code, values in sorted(tags):
        raw = struct.pack(f"{order}{len(values)}{code}", *values)
        if len(raw) > 4:
            raw, extra = struct.pack(f"{order}I", start + 6 + 12 * len(tags) + len(extra)), extra + raw
        entries += struct.pack(f"{order}HHI", tag, {"H": 3, "I": 4}[code], len(values)) + raw.ljust(4, b"\0")
    head = (b"MM\0*" if big_endian else b"II*\0") + struct.pack(f"{order}I", start)
    return head + b"".join(chunks) + struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + extra


@pytest.fixture
def colours() -> NDArray[np.uint8]:
    return _colours()


@pytest.fixture
def encode() -> Callable[..., bytes]:
    return _encode


@pytest.fixture
def tiff() -> Callable[..., bytes]:
    return _tiff


@pytest.fixture
def put(tmp_path: Path) -> Callable[[bytes], Path]:
    """Writes bytes into a file without extension, so that only the content can tell the format."""

    def write(data: bytes) -> Path:
        path = tmp_path / "picture"
        path.write_bytes(data)
        return path

    return write


@pytest.fixture(scope="session")
def samples() -> dict[str, bytes]:
    """A small real file of each kind."""
    rgb = Image.fromarray(_colours())
    wide = (np.asarray(rgb.convert("L")).astype(np.uint16) << 8) + 7
    exif = Image.Exif()
    exif[274] = 6
    return {
        "jpeg": _encode(rgb, "JPEG", quality=92, exif=exif),
        "jpeg progressive": _encode(rgb, "JPEG", progressive=True),
        "jpeg cmyk": _encode(rgb.convert("CMYK"), "JPEG"),
        "png": _encode(rgb, "PNG"),
        "png 16": _encode(wide, "PNG"),
        "png palette": _encode(rgb.quantize(32), "PNG"),
        "png alpha": _encode(rgb.convert("RGBA"), "PNG", exif=exif),
        "tiff": _encode(rgb, "TIFF"),
        "tiff lzw": _encode(rgb, "TIFF", compression="tiff_lzw"),
        "tiff tiled": _tiff(_colours(), tile=(16, 32), orientation=6),
        "tiff planes 16": _tiff(_colours().astype(np.uint16) * 257, planar=2),
        "tiff float": _tiff(wide.astype(np.float32)),
        "tiff jpeg": _encode(rgb, "TIFF", compression="jpeg"),
        "webp": _encode(rgb, "WEBP", exif=exif),
        "webp lossless": _encode(rgb.convert("RGBA"), "WEBP", lossless=True),
        "bmp": _encode(rgb, "BMP"),
        "gif": _encode(rgb.quantize(32), "GIF"),
        "jpeg 2000": _encode(rgb, "JPEG2000"),
        "ppm": _encode(rgb, "PPM"),
    }
