"""Files that cannot be read, or only in part: each gives an ImageError of the right cause, and nothing else happens."""

from __future__ import annotations

import io
import os
import random
import struct
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from artdet.errors import ImageError
from artdet.images import decode, jpeg
from artdet.images.reader import read_image

Encode = Callable[..., bytes]
Put = Callable[[bytes], Path]

CAUSES = {"empty file", "not an image", "unsupported", "truncated", "damaged", "too large", "unreadable"}


def error_of(path: Path, **options: Any) -> ImageError:
    with pytest.raises(ImageError) as caught:
        read_image(path, **options)
    assert caught.value.cause in CAUSES
    assert str(caught.value).endswith(".")
    assert str(path) not in str(caught.value)
    return caught.value


def decoded(data: bytes, *, max_side: int | None = None, max_pixels: int = 10**9) -> decode.Decoded:
    """What read_image does with a file's bytes, without the file: the disk makes hundreds of files slow."""
    return decode.decode(io.BytesIO(data), max_side=max_side, max_pixels=max_pixels)


FOREIGN = {
    "empty": (b"", "empty file", "0 bytes"),
    "text": (b"A list of paintings,\nwith their dates.\n", "not an image", "text"),
    "text that begins like a bitmap": (b"BMW is a maker of cars in Munich, Bavaria.", "not an image", "text"),
    "utf-8 text": ("Gem\u00e4lde, Öl auf Holz".encode(), "not an image", "text"),
    "web page": (b"\r\n<!DOCTYPE html><html><body>404</body></html>", "not an image", "web page"),
    "zeros": (bytes(5000), "not an image", "zero bytes"),
    "archive": (b"PK\x03\x04" + bytes(60), "not an image", "ZIP"),
    "noise": (bytes(random.Random(4).randbytes(300)), "not an image", "unknown data"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3", "unsupported", "PDF"),
    "heic": (b"\0\0\0\x18ftypheic\0\0\0\0", "unsupported", "HEIC"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9", "unsupported", "PostScript"),
    "svg": (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg">', "unsupported", "SVG"),
    "photoshop": (b"8BPS\0\1" + bytes(60), "unsupported", "Photoshop"),
}


@pytest.mark.parametrize(("data", "cause", "words"), FOREIGN.values(), ids=FOREIGN)
def test_other_files(put: Put, data: bytes, cause: str, words: str) -> None:
    error = error_of(put(data))
    assert (error.cause, words in str(error)) == (cause, True), error


def test_content_decides_and_not_the_extension(samples: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "scan.tif"
    path.write_bytes(samples["png"])
    assert read_image(path).pixels.shape == (40, 60, 3)
    (tmp_path / "notes.jpg").write_text("no picture")
    assert error_of(tmp_path / "notes.jpg").cause == "not an image"


def test_tiff_of_separate_16_bit_planes_is_refused(samples: dict[str, bytes], put: Put) -> None:
    # Pillow gives noise for it, another one each time.
    error = error_of(put(samples["tiff planes 16"]))
    assert error.cause == "unsupported"
    assert "interleaved" in str(error)


def test_tiff_of_64_bit_floats_is_unsupported(tiff: Encode, put: Put) -> None:
    assert error_of(put(tiff(np.ones((40, 60))))).cause == "unsupported"


@contextmanager
def _in_the_way(kind: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "broken link":
        path.symlink_to("nowhere.jpg")
    elif kind == "link to itself":
        path.symlink_to(path)
    elif kind == "null byte":
        path = path.parent / "a\0b"
    elif kind == "forbidden":  # by hand, because root may read everything

        def refuse(*args: Any) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("artdet.images.reader.os.stat", refuse)
    yield path


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", "not there"),
        ("broken link", "not there"),
        ("link to itself", "cannot be read"),
        ("folder", "not a regular file"),
        ("pipe", "not a regular file"),
        ("null byte", "null byte"),
        ("forbidden", "permission"),
    ],
)
def test_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, words: str) -> None:
    with _in_the_way(kind, tmp_path / "x.jpg", monkeypatch) as path:
        error = error_of(path)
    assert error.cause == "unreadable"
    assert words in str(error)


def test_failing_disk(put: Put, samples: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Any) -> None:
        raise OSError(5, "Input/output error")

    path = put(samples["png"])
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", fail)
    error = error_of(path)
    assert error.cause == "unreadable"
    assert "Input/output error" in str(error)


# A JPEG that ends early.


@pytest.fixture
def noisy(encode: Encode) -> Callable[..., bytes]:
    """A JPEG (120, 80) with much pixel data, and with EXIF data that holds a whole JPEG as thumbnail."""
    pixels = np.random.default_rng(3).integers(0, 255, (120, 80, 3)).astype(np.uint8)

    def make(**options: Any) -> bytes:
        thumbnail = encode(np.zeros((16, 24, 3), np.uint8), "JPEG")
        return encode(pixels, "JPEG", quality=90, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0" + thumbnail, **options)

    return make


def test_truncated_jpeg_keeps_what_is_there(noisy: Callable[..., bytes], put: Put) -> None:
    data = noisy()
    whole = read_image(put(data)).pixels
    read = read_image(put(data[: len(data) * 2 // 3]))
    assert read.original_size == (120, 80)
    assert len(read.warnings) == 1
    assert "ends early" in read.warnings[0]
    assert np.array_equal(read.pixels[:60], whole[:60])
    assert (read.pixels[-24:] == 128).all()


def test_truncated_progressive_jpeg_is_blurred(colours: NDArray[np.uint8], encode: Encode, put: Put) -> None:
    big = np.repeat(np.repeat(colours, 5, axis=0), 5, axis=1)
    data = encode(big, "JPEG", progressive=True, quality=95)
    read = read_image(put(data[: len(data) // 2]))
    assert len(read.warnings) == 1
    assert np.abs(read.pixels.astype(int) - big).mean() < 20


def test_jpeg_without_its_end_marker_loses_nothing(noisy: Callable[..., bytes], put: Put) -> None:
    data = noisy()
    assert np.array_equal(read_image(put(data[:-2])).pixels, read_image(put(data)).pixels)


@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_cut_anywhere(noisy: Callable[..., bytes], progressive: bool) -> None:
    data = noisy(progressive=progressive)
    start = jpeg.first_scan(data)
    assert start is not None
    for length in [*range(12, start + 1, 7), start]:
        with pytest.raises(ImageError) as caught:
            decoded(data[:length])
        assert caught.value.cause == "truncated", length
    images = [decoded(data[:length]) for length in range(start + 1, len(data) - 2, 41)]
    assert {(image.pixels.shape, len(image.warnings)) for image in images} == {((120, 80, 3), 1)}


def test_truncated_jpeg_is_reduced_and_turned_too(colours: NDArray[np.uint8], encode: Encode, put: Put) -> None:
    exif = Image.Exif()
    exif[274] = 6
    data = encode(np.repeat(colours, 4, axis=0), "JPEG", exif=exif)  # 160 high, 60 wide
    read = read_image(put(data[:-40]), max_side=32)
    assert read.pixels.shape == (12, 32, 3)
    assert read.original_size == (60, 160)


@pytest.mark.parametrize("kind", ["png", "tiff", "webp", "bmp", "gif", "ppm"])
def test_other_formats_cut_in_the_middle(samples: dict[str, bytes], put: Put, kind: str) -> None:
    data = samples[kind]
    # A TIFF that loses its end loses its directory here or there: that reads as damage.
    assert (
        error_of(put(data[: len(data) * 2 // 3])).cause in ("truncated", "damaged") if kind == "tiff" else "truncated"
    )
    assert kind == "tiff" or error_of(put(data[: len(data) * 2 // 3])).cause == "truncated"


# Limits.


def png_claiming(width: int, height: int) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(999))) + chunk(b"IEND", b"")
    )


def bombs(tiff: Encode, encode: Encode) -> dict[str, bytes]:
    small = np.zeros((40, 60, 3), np.uint8)
    frame = encode(small, "JPEG")
    at = frame.index(b"\xff\xc0") + 5
    tall = bytearray(tiff(small))
    for size, tag in ((60, 256), (40, 257)):
        entry = struct.pack("<HHII", tag, 4, 1, size)
        place = tall.index(entry)
        tall[place : place + 12] = struct.pack("<HHII", tag, 4, 1, 60000)
    bitmap = bytearray(encode(small, "BMP"))
    bitmap[18:26] = struct.pack("<ii", 60000, 60000)
    gif = bytearray(encode(small, "GIF"))
    gif[6:10] = struct.pack("<HH", 60000, 60000)
    lossless = bytearray(encode(small, "WEBP", lossless=True))
    lossless[21:25] = (0x3FFF | 0x3FFF << 14).to_bytes(4, "little")
    return {
        "png": png_claiming(60000, 60000),
        "jpeg": frame[:at] + struct.pack(">HH", 60000, 60000) + frame[at + 4 :],
        "tiff": bytes(tall),
        "bmp": bytes(bitmap),
        "gif": bytes(gif),
        "webp": bytes(lossless),
        "ppm": b"P6 60000 60000 255\n" + bytes(100),
    }


@pytest.mark.parametrize("kind", ["png", "jpeg", "tiff", "bmp", "gif", "webp", "ppm"])
def test_bombs_are_refused_from_their_header(tiff: Encode, encode: Encode, put: Put, kind: str) -> None:
    error = error_of(put(bombs(tiff, encode)[kind]), max_pixels=200_000_000)
    assert error.cause == "too large"
    side = "16384" if kind == "webp" else "60000"
    for words in (f"{side} x {side}", "200,000,000", "--max-pixels"):
        assert words in str(error)


def test_the_limit_is_inclusive(samples: dict[str, bytes], put: Put) -> None:
    path = put(samples["png"])
    assert read_image(path, max_pixels=2400).pixels.shape == (40, 60, 3)
    assert error_of(path, max_pixels=2399).cause == "too large"


@pytest.mark.parametrize("kind", ["webp", "tiff", "png", "jpeg", "gif", "tiff lzw"])
def test_pillows_own_limit_does_not_interfere(
    samples: dict[str, bytes], put: Put, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # far less than half of what the picture has
    assert read_image(put(samples[kind])).pixels.shape in ((40, 60, 3), (60, 40, 3))
    assert Image.MAX_IMAGE_PIXELS == 1000
    assert error_of(put(samples[kind]), max_pixels=1100).cause == "too large"
    assert Image.MAX_IMAGE_PIXELS == 1000


def test_large_pictures_decode_one_at_a_time(
    samples: dict[str, bytes], put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, most, guard = 0, 0, threading.Lock()
    original = decode.to_rgb

    def counted(*args: Any) -> Any:
        nonlocal inside, most
        with guard:
            inside += 1
            most = max(most, inside)
        threading.Event().wait(0.01)
        try:
            return original(*args)
        finally:
            with guard:
                inside -= 1

    monkeypatch.setattr(decode, "to_rgb", counted)
    path = put(samples["png"])

    def run() -> int:
        nonlocal most
        most = 0
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: read_image(path), range(12)))
        return most

    assert run() > 1
    monkeypatch.setattr(decode, "LARGE_PIXELS", 2399)
    assert run() == 1


# Threads, silence, fuzzing.


def test_threads_read_the_same_as_one(samples: dict[str, bytes], tmp_path: Path) -> None:
    kinds = [kind for kind in samples if kind != "tiff planes 16"]
    for kind in kinds:
        (tmp_path / kind).write_bytes(samples[kind])
    (tmp_path / "cut").write_bytes(samples["jpeg"][:-30])
    kinds.append("cut")
    alone = {kind: read_image(tmp_path / kind) for kind in kinds}
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda kind: (kind, read_image(tmp_path / kind)), kinds * 10))
    for kind, read in together:
        assert np.array_equal(read.pixels, alone[kind].pixels), kind
        assert (read.sha256, read.warnings) == (alone[kind].sha256, alone[kind].warnings)


def damaged(data: bytes, rng: random.Random) -> bytes:
    """``data`` cut, with flipped bytes, with a run of zeros, or with a run repeated."""
    kind, place = rng.randrange(4), rng.randrange(len(data))
    length = rng.randint(1, max(1, len(data) // 4))
    if kind == 0:
        return data[:place]
    if kind == 1:
        changed = bytearray(data)
        for _ in range(rng.randint(1, 20)):
            # The headers, where the traps are, lie in the first bytes; in a TIFF also in the last.
            at = rng.choice(
                [rng.randrange(len(data)), rng.randrange(min(200, len(data))), -rng.randint(1, min(150, len(data)))]
            )
            changed[at] = rng.choice([0, 1, 127, 128, 255, rng.randrange(256)])
        return bytes(changed)
    if kind == 2:
        return data[:place] + bytes(length) + data[place + length :]
    return data[:place] + data[max(0, place - length) : place] + data[place:]


KINDS = [
    "jpeg", "jpeg progressive", "jpeg cmyk", "png", "png 16", "png palette", "png alpha",
    "tiff", "tiff lzw", "tiff tiled", "tiff planes 16", "tiff float", "tiff jpeg",
    "webp", "webp lossless", "bmp", "gif", "jpeg 2000", "ppm",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_no_bytes_raise_anything_else_or_say_a_word(
    samples: dict[str, bytes], capfd: pytest.CaptureFixture[str], kind: str
) -> None:
    rng = random.Random(f"seed of {kind}")
    causes: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        for _ in range(300):
            try:
                read = decoded(damaged(samples[kind], rng), max_pixels=1_000_000, max_side=rng.choice([None, 16]))
            except ImageError as error:
                causes.append(error.cause)
            else:
                assert read.pixels.dtype == np.uint8
                assert read.pixels.ndim == 3
    assert set(causes) <= CAUSES
    assert "truncated" in causes or "damaged" in causes or "unsupported" in causes
    # libtiff writes to stderr itself, which only the whole process could be kept from.
    assert capfd.readouterr().err == "" or kind in ("tiff lzw", "tiff jpeg")


def test_samples_are_all_fuzzed(samples: dict[str, bytes]) -> None:
    assert list(samples) == KINDS


def test_other_threads_still_hear_pillows_warnings(samples: dict[str, bytes], put: Put) -> None:
    path = put(samples["tiff lzw"][:-8])
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        error_of(path)
        assert heard == []
        with pytest.raises(Exception):  # noqa: B017, PT011 - whatever Pillow raises
            Image.open(path)
        assert heard
