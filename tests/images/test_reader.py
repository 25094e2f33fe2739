"""Every format and colour mode, against values that were known before the file was written."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from artdet.images import decode
from artdet.images.reader import ReadImage, read_image

Encode = Callable[..., bytes]
Put = Callable[[bytes], Path]
RGB = NDArray[np.uint8]

LUMA = np.array([0.299, 0.587, 0.114])


def grey_of(colours: RGB) -> RGB:
    return np.asarray(colours @ LUMA + 0.5).astype(np.uint8)


def three(grey: NDArray[Any]) -> RGB:
    return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=-1)


def check(read: ReadImage, expected: NDArray[Any], within: int = 0) -> None:
    assert read.pixels.dtype == np.uint8
    assert read.pixels.shape == expected.shape
    assert read.pixels.flags.c_contiguous
    assert read.pixels.flags.writeable
    assert np.abs(read.pixels.astype(int) - expected.astype(int)).max() <= within
    assert read.original_size == expected.shape[:2]
    assert read.warnings == ()


LOSSLESS = {
    "png": ("PNG", {}),
    "bmp": ("BMP", {}),
    "ppm": ("PPM", {}),
    "tiff": ("TIFF", {}),
    "tiff lzw": ("TIFF", {"compression": "tiff_lzw"}),
    "tiff deflate": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    "webp lossless": ("WEBP", {"lossless": True}),
    "jpeg 2000 reversible": ("JPEG2000", {"irreversible": False}),
}


@pytest.mark.parametrize(("file_format", "options"), LOSSLESS.values(), ids=LOSSLESS)
def test_lossless_formats_give_the_very_pixels(
    colours: RGB, encode: Encode, put: Put, file_format: str, options: dict[str, Any]
) -> None:
    data = encode(colours, file_format, **options)
    read = read_image(put(data))
    check(read, colours)
    assert read.sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"subsampling": 0}], ids=["baseline", "progressive", "444"]
)
def test_jpeg_is_near(colours: RGB, encode: Encode, put: Put, options: dict[str, Any]) -> None:
    check(read_image(put(encode(colours, "JPEG", quality=98, **options))), colours, within=6)


def test_jpeg_is_what_pillow_gives(colours: RGB, encode: Encode, put: Put) -> None:
    data = encode(colours, "JPEG", quality=80)
    check(read_image(put(data)), np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


@pytest.mark.parametrize("file_format", ["JPEG", "TIFF"])
def test_cmyk(colours: RGB, encode: Encode, put: Put, file_format: str) -> None:
    # Pillow writes Adobe's inverted values into a JPEG; its RGB -> CMYK has no black.
    cmyk = Image.fromarray(colours).convert("CMYK")
    check(read_image(put(encode(cmyk, file_format, **({"quality": 98} if file_format == "JPEG" else {})))), colours, 8)


def test_cmyk_with_black(encode: Encode, put: Put) -> None:
    ink = np.zeros((20, 30, 4), np.uint8)
    ink[..., 0], ink[..., 3] = 255, 51
    expected = np.zeros((20, 30, 3), np.uint8)
    expected[..., 1:] = 204
    check(read_image(put(encode(Image.fromarray(ink, "CMYK"), "TIFF"))), expected, 1)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "TIFF", "BMP", "PPM", "JPEG2000"])
def test_grey(colours: RGB, encode: Encode, put: Put, file_format: str) -> None:
    grey = grey_of(colours)
    options = {"quality": 98} if file_format == "JPEG" else {}
    check(read_image(put(encode(grey, file_format, **options))), three(grey), 3 if file_format == "JPEG" else 0)


@pytest.mark.parametrize(("file_format", "options"), [("PNG", {}), ("TIFF", {"compression": "group4"}), ("BMP", {})])
def test_one_bit(encode: Encode, put: Put, file_format: str, options: dict[str, Any]) -> None:
    black = np.add.outer(np.arange(21), 2 * np.arange(34)) % 5 < 2
    check(read_image(put(encode(Image.fromarray(black), file_format, **options))), three(black * 255))


WIDE = (np.arange(40 * 60, dtype=np.uint32) * 27 + 100).astype(np.uint16).reshape(40, 60)
WIDE_COLOURS = np.stack([WIDE, WIDE // 2, 65535 - WIDE], axis=-1)


def with_opencv(array: NDArray[Any], extension: str, *options: int) -> bytes:
    return bytes(cv2.imencode(extension, array, list(options))[1])


SIXTEEN_BITS = {
    "png grey": lambda tiff: (with_opencv(WIDE, ".png"), three(WIDE >> 8)),
    "png colour": lambda tiff: (with_opencv(WIDE_COLOURS[..., ::-1], ".png"), WIDE_COLOURS >> 8),
    "pgm": lambda tiff: (b"P5 60 40 65535\n" + WIDE.astype(">u2").tobytes(), three(WIDE >> 8)),
    "tiff grey": lambda tiff: (tiff(WIDE), three(WIDE >> 8)),
    "tiff grey, big-endian": lambda tiff: (tiff(WIDE, big_endian=True), three(WIDE >> 8)),
    "tiff grey, tiled": lambda tiff: (tiff(WIDE, tile=(16, 32)), three(WIDE >> 8)),
    "tiff grey, white is 0": lambda tiff: (tiff(WIDE, photometric=0), three(255 - (WIDE >> 8))),
    "tiff colour": lambda tiff: (tiff(WIDE_COLOURS), WIDE_COLOURS >> 8),
    "tiff colour, lzw": lambda tiff: (with_opencv(WIDE_COLOURS[..., ::-1], ".tiff"), WIDE_COLOURS >> 8),
    "tiff colour, tiled": lambda tiff: (tiff(WIDE_COLOURS, tile=(16, 32)), WIDE_COLOURS >> 8),
    "jpeg 2000 grey": lambda tiff: (with_opencv(WIDE, ".jp2"), three(WIDE >> 8)),
}  # fmt: skip


@pytest.mark.parametrize("make", SIXTEEN_BITS.values(), ids=SIXTEEN_BITS)
def test_sixteen_bits_keep_the_high_byte(tiff: Encode, put: Put, make: Callable[[Encode], Any]) -> None:
    data, expected = make(tiff)
    check(read_image(put(data)), expected)


def test_bright_colours_of_a_16_bit_jpeg_2000_do_not_turn_black(put: Put) -> None:
    bright = np.full((40, 60, 3), 65500, np.uint16)
    bright[:20] = 30000
    read = read_image(put(with_opencv(bright, ".jp2", cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000)))
    check(read, bright >> 8, within=1)


def test_alpha_of_a_16_bit_jpeg_2000(put: Put) -> None:
    picture = np.zeros((40, 60, 4), np.uint16)
    picture[:20, :, 2], picture[:, 30:, 3] = 51400, 65535
    expected = np.full((40, 60, 3), 255, np.uint8)
    expected[:, 30:] = 0
    expected[:20, 30:, 0] = 200
    data = with_opencv(picture, ".jp2", cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000)
    check(read_image(put(data)), expected, within=1)


@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.int16], ids=str)
def test_other_numbers_are_stretched(tiff: Encode, put: Put, dtype: Any) -> None:
    values = np.linspace(-300, 700, 40 * 60).reshape(40, 60).astype(dtype)
    expected = ((values.astype(np.float64) + 300) / 1000 * 255 + 0.5).astype(np.uint8)
    check(read_image(put(tiff(values))), three(expected), 1)


def test_float_with_gaps_and_flat_float(tiff: Encode, put: Put) -> None:
    values = np.zeros((40, 60), np.float32)
    values[1, 1], values[2, 2], values[3, 3] = 8.0, np.nan, np.inf
    pixels = read_image(put(tiff(values))).pixels[..., 0]
    assert pixels[1, 1] == 255
    assert pixels[2, 2] == pixels[3, 3] == 0
    assert not read_image(put(tiff(np.full((40, 60), 5, np.float32)))).pixels.any()


def test_palette(colours: RGB, encode: Encode, put: Put) -> None:
    palette = Image.fromarray(colours).quantize(40)
    expected = np.asarray(palette.convert("RGB"))
    for file_format in ("PNG", "GIF", "BMP", "TIFF"):
        check(read_image(put(encode(palette, file_format))), expected)


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "WEBP"])
def test_alpha_is_composited_on_white(colours: RGB, encode: Encode, put: Put, file_format: str) -> None:
    alpha = np.tile(np.linspace(0, 255, 60).astype(np.uint8), (40, 1))
    share = alpha[..., None] / 255
    options = {"lossless": True, "exact": True} if file_format == "WEBP" else {}
    data = encode(np.dstack([colours, alpha]), file_format, **options)
    check(read_image(put(data)), np.round(colours * share + 255 * (1 - share)), 1)


def test_grey_with_alpha(colours: RGB, encode: Encode, put: Put) -> None:
    grey = grey_of(colours)
    image = Image.fromarray(grey)
    image.putalpha(Image.fromarray(np.where(grey > 90, 255, 0).astype(np.uint8)))
    check(read_image(put(encode(image, "PNG"))), three(np.where(grey > 90, grey, 255)))


TRANSPARENT = {"PNG palette": ("P", "PNG", 3), "GIF": ("P", "GIF", 3), "PNG grey": ("L", "PNG", 3)}


@pytest.mark.parametrize(("mode", "file_format", "clear"), TRANSPARENT.values(), ids=TRANSPARENT)
def test_a_transparent_colour_is_white(encode: Encode, put: Put, mode: str, file_format: str, clear: int) -> None:
    indices = (np.add.outer(np.arange(20), np.arange(30)) % 8).astype(np.uint8)
    image = Image.fromarray(indices, mode)
    values = np.arange(8) * 20 if mode == "P" else np.arange(8)
    if mode == "P":
        image.putpalette([level for value in values for level in (value, value, value)])
    data = encode(image, file_format, transparency=clear)
    check(read_image(put(data)), three(np.where(indices == clear, 255, values[indices])))


@pytest.mark.parametrize("file_format", ["TIFF", "GIF", "WEBP"])
def test_the_first_of_several_pictures_counts(encode: Encode, put: Put, file_format: str) -> None:
    first, second = (Image.new("RGB", (30, 20), colour) for colour in ("red", "blue"))
    options = {"lossless": True} if file_format == "WEBP" else {}
    data = encode(first, file_format, save_all=True, append_images=[second], **options)
    expected = np.zeros((20, 30, 3), np.uint8)
    expected[..., 0] = 255
    check(read_image(put(data)), expected)


# Where the stored picture's top left, top right, bottom left and bottom right corner must be shown, from the EXIF
# standard's table ("the 0th row is the visual ... side").
SHOWN = {
    1: ("tl", "tr", "bl", "br"),
    2: ("tr", "tl", "br", "bl"),
    3: ("br", "bl", "tr", "tl"),
    4: ("bl", "br", "tl", "tr"),
    5: ("tl", "bl", "tr", "br"),
    6: ("tr", "br", "tl", "bl"),
    7: ("br", "tr", "bl", "tl"),
    8: ("bl", "tl", "br", "tr"),
}
CORNERS = {"tl": (0, 0), "tr": (0, -1), "bl": (-1, 0), "br": (-1, -1)}


def corner_picture() -> RGB:
    """Black (24, 40, 3) with red, green, blue and white blocks of 8 pixels at tl, tr, bl, br."""
    picture = np.zeros((24, 40, 3), np.uint8)
    picture[:8, :8], picture[:8, -8:], picture[-8:, :8], picture[-8:, -8:] = (
        (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
    )  # fmt: skip
    return picture


@pytest.mark.parametrize("orientation", SHOWN)
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientation(encode: Encode, tiff: Encode, put: Put, file_format: str, orientation: int) -> None:
    stored = corner_picture()
    exif = Image.Exif()
    exif[274] = orientation
    options = {"quality": 95, "subsampling": 0} if file_format == "JPEG" else {"lossless": True}
    if file_format == "TIFF":
        data = tiff(stored, orientation=orientation)
    else:
        data = encode(stored, file_format, exif=exif, **(options if file_format != "PNG" else {}))
    for max_side in (None, 20):
        read = read_image(put(data), max_side=max_side)
        turned = orientation >= 5
        assert read.original_size == ((40, 24) if turned else (24, 40))
        if max_side is None:
            assert read.pixels.shape[:2] == read.original_size
        else:
            assert read.pixels.shape[:2] == ((20, 12) if turned else (12, 20))
        assert read.pixels.flags.c_contiguous
        for corner, shown in zip(("tl", "tr", "bl", "br"), SHOWN[orientation], strict=True):
            difference = read.pixels[CORNERS[shown]].astype(int) - stored[CORNERS[corner]]
            assert np.abs(difference).max() < 40, (corner, shown)


@pytest.mark.parametrize("value", [0, 9, 300], ids=str)
def test_senseless_orientation_is_ignored(colours: RGB, encode: Encode, put: Put, value: int) -> None:
    exif = Image.Exif()
    exif[274] = value
    check(read_image(put(encode(colours, "PNG", exif=exif))), colours)


@pytest.mark.parametrize("file_format", ["PNG", "WEBP"])
def test_damaged_exif_is_a_warning(colours: RGB, encode: Encode, put: Put, file_format: str) -> None:
    read = read_image(put(encode(colours, file_format, exif=b"Exif\0\0QQQQQQQQQQQQ")))
    assert read.original_size == (40, 60)
    assert len(read.warnings) == 1
    assert "EXIF" in read.warnings[0]


SIZES = {
    "not longer": (60, (40, 60)),
    "half": (30, (20, 30)),
    "odd": (37, (25, 37)),
    "tenth": (6, (4, 6)),
    "one": (1, (1, 1)),
}


@pytest.mark.parametrize(("max_side", "expected"), SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
def test_max_side(
    colours: RGB, encode: Encode, put: Put, file_format: str, max_side: int, expected: tuple[int, int]
) -> None:
    read = read_image(put(encode(colours, file_format)), max_side=max_side)
    assert read.pixels.shape == (*expected, 3)
    assert read.original_size == (40, 60)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "PNG palette", "PNG alpha", "PNG 16"])
@pytest.mark.parametrize("factor", [2, 10])
def test_reducing_averages(encode: Encode, put: Put, file_format: str, factor: int) -> None:
    rows, columns = np.mgrid[0:200, 0:300]
    picture = three((rows // 2 + columns // 3) % 256)
    image: Any = Image.fromarray(picture)
    if file_format == "PNG palette":
        image = image.convert("L").convert("P")
    elif file_format == "PNG alpha":
        image.putalpha(255)
    elif file_format == "PNG 16":
        image = picture[..., 0].astype(np.uint16) * 257
    options = {"quality": 98} if file_format == "JPEG" else {}
    read = read_image(put(encode(image, file_format.split()[0], **options)), max_side=300 // factor)
    means = picture.reshape(200 // factor, factor, 300 // factor, factor, 3).mean(axis=(1, 3))
    assert read.pixels.shape == means.shape
    assert np.abs(read.pixels - means).max() <= 3


def test_draft_is_never_below_the_wanted_size(encode: Encode, put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = []
    original = decode.to_rgb
    monkeypatch.setattr(decode, "to_rgb", lambda image, *rest: (decoded.append(image.size), original(image, *rest))[1])
    path = put(encode(np.zeros((203, 301, 3), np.uint8), "JPEG"))
    for max_side, expected in ((301, (301, 203)), (151, (301, 203)), (150, (151, 102)), (70, (76, 51)), (30, (38, 26))):
        assert max(read_image(path, max_side=max_side).pixels.shape) == max_side
        assert decoded.pop() == expected


def test_large_pictures_go_in_bands(colours: RGB, encode: Encode, put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("artdet.images.pixels._BAND_BYTES", 7 * 60 * 3)
    check(read_image(put(encode(colours, "PNG"))), colours)
    grey = grey_of(colours)
    check(read_image(put(encode(grey, "PNG"))), three(grey))


def test_large_files_are_hashed_and_decoded_from_disk(
    samples: dict[str, bytes], put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    for data in [data for name, data in samples.items() if name != "tiff planes 16"]:
        path = put(data)
        with monkeypatch.context() as patch:
            patch.setattr("artdet.images.reader._IN_MEMORY_BYTES", 100)
            streamed = read_image(path)
        whole = read_image(path)
        assert np.array_equal(streamed.pixels, whole.pixels)
        assert streamed.sha256 == whole.sha256 == hashlib.sha256(data).hexdigest()
