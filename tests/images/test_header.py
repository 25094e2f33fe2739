"""Sizes from headers are those of the decoded, upright picture."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFile

from artdet.errors import ImageError
from artdet.images.header import image_size, image_sizes
from artdet.images.reader import read_image

Encode = Callable[..., bytes]
Put = Callable[[bytes], Path]

FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP", "JPEG2000", "PPM")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def exif(orientation: int) -> Image.Exif:
    made = Image.Exif()
    made[274] = orientation
    return made


def test_no_paths() -> None:
    assert image_sizes([]) == []


@pytest.mark.parametrize("file_format", FORMATS)
def test_every_format(colours: NDArray[np.uint8], encode: Encode, put: Put, file_format: str) -> None:
    assert image_size(put(encode(colours, file_format))) == colours.shape[:2]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_upright_as_read_image_has_it(
    colours: NDArray[np.uint8], encode: Encode, put: Put, file_format: str, orientation: int
) -> None:
    path = put(encode(colours, file_format, exif=exif(orientation)))
    height, width = colours.shape[:2]
    assert (
        image_size(path) == read_image(path).original_size == ((height, width) if orientation < 5 else (width, height))
    )


def test_exif_behind_the_pixels_of_a_png(colours: NDArray[np.uint8], encode: Encode, put: Put) -> None:
    plain, end = encode(colours, "PNG"), chunk(b"IEND", b"")
    assert plain.endswith(end)
    path = put(plain.removesuffix(end) + chunk(b"eXIf", exif(6).tobytes().removeprefix(b"Exif\0\0")) + end)
    assert image_size(path) == read_image(path).original_size == colours.shape[1::-1]


@pytest.mark.parametrize("file_format", FORMATS)
def test_no_pixel_is_decoded(
    colours: NDArray[np.uint8], encode: Encode, put: Put, monkeypatch: pytest.MonkeyPatch, file_format: str
) -> None:
    path = put(encode(colours, file_format))
    loaded: list[Any] = []
    for kind in (Image.Image, ImageFile.ImageFile):
        monkeypatch.setattr(kind, "load", lambda image: loaded.append(image))
    assert image_size(path) == colours.shape[:2]
    assert not loaded


def test_pixels_may_be_missing(colours: NDArray[np.uint8], encode: Encode, put: Put) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 200, 3), dtype=np.uint8)
    data = encode(noise, "JPEG")
    assert image_size(put(data[: len(data) // 2])) == (300, 200)


WRONG = {
    "empty": (b"", "empty file"),
    "text": (b"hello", "not an image"),
    "photoshop": (b"8BPS" + bytes(80), "unsupported"),
    "jpeg without a frame": (b"\xff\xd8\xff\xe0\x00\x10JFIF", "truncated"),
    "png of the signature alone": (b"\x89PNG\r\n\x1a\n", "damaged"),
}


@pytest.mark.parametrize(("data", "cause"), WRONG.values(), ids=WRONG)
def test_errors_have_the_causes_of_read_image(put: Put, data: bytes, cause: str) -> None:
    path = put(data)
    for function in (image_size, read_image):
        with pytest.raises(ImageError) as caught:
            function(path)
        assert caught.value.cause == cause


def test_too_many_pixels(put: Put) -> None:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    with pytest.raises(ImageError, match="above the limit"):
        image_size(put(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", b"") + chunk(b"IEND", b"")))


def test_missing_file_and_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.jpg", tmp_path):
        with pytest.raises(ImageError) as caught:
            image_size(path)
        assert caught.value.cause == "unreadable"


def test_sizes_keep_their_order_and_errors(tmp_path: Path) -> None:
    paths = [tmp_path / f"{index}.png" for index in range(150)]
    for index, path in enumerate(paths):
        Image.new("L", (10 + index, 7)).save(path)
    paths[140].write_bytes(b"")
    sizes = image_sizes(paths)
    assert sizes[:140] == [(7, 10 + index) for index in range(140)]
    assert isinstance(sizes[140], ImageError)
    assert sizes[141:] == [(7, 10 + index) for index in range(141, 150)]
