"""Makes damaged image files out of real ones, to try a whole run on: ``make_damaged.py OUT --from FOLDER``.

The same folder, count and seed give the same bytes. Prints a line for each file: its name, tab, what was done to it.
"""

from __future__ import annotations

import argparse
import io
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from artdet.images.finder import find_images

Maker = Callable[[bytes, random.Random], tuple[str, bytes]]
"""From a real file's bytes to an extension and damaged bytes."""


def encoded(data: bytes, file_format: str) -> bytes:
    """The picture, made smaller, in another format."""
    stream = io.BytesIO()
    with Image.open(io.BytesIO(data)) as image:
        small = image.convert("RGB").resize((160, 120))
    small.save(stream, file_format)
    return stream.getvalue()


def cut(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    return ".jpg", data[: rng.randrange(1, len(data))]


def cut_in_header(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    return ".jpg", data[: rng.randrange(1, 600)]


def cut_other_format(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    file_format, extension = rng.choice([("PNG", ".png"), ("TIFF", ".tif"), ("WEBP", ".webp"), ("BMP", ".bmp")])
    other = encoded(data, file_format)
    return extension, other[: rng.randrange(1, len(other))]


def flipped(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 50)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return ".jpg", bytes(changed)


def flipped_in_header(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 10)):
        changed[rng.randrange(3, 600)] = rng.randrange(256)
    return ".jpg", bytes(changed)


def flipped_other_format(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    file_format, extension = rng.choice([("PNG", ".png"), ("TIFF", ".tif"), ("WEBP", ".webp"), ("GIF", ".gif")])
    return extension, flipped(encoded(data, file_format), rng)[1]


def zero_run(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    start = rng.randrange(len(data))
    length = rng.randint(1, len(data))
    return ".jpg", data[:start] + bytes(len(data[start : start + length])) + data[start + length :]


def empty(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    return rng.choice([".jpg", ".png", ".tif"]), b""


def zeros_only(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    return ".jpg", bytes(len(data))


def wrong_extension(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    return rng.choice([".png", ".tif", ".webp", ".gif", ".jp2"]), data


def renamed_text(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    return rng.choice([".jpg", ".png"]), b"A list of works, their painters and their dates.\n" * rng.randint(1, 9)


def renamed_page(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    return ".jpg", b"<!DOCTYPE html><html><head><title>404</title></head><body>Not found</body></html>"


def renamed_document(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    return ".jpg", rng.choice([b"%PDF-1.7\n", b"PK\x03\x04", b"%!PS-Adobe-3.0 EPSF-3.0\n"]) + data[:2000]


def noise(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    return ".jpg", rng.randbytes(3000)


def bomb_png(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1 << 20))), (b"IEND", b""))
    body = b"".join(struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks)
    return ".png", b"\x89PNG\r\n\x1a\n" + body


def bomb_tiff(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    tags = ((256, 60000), (257, 60000), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, 60000), (279, 999))
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return ".tif", b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(999)


def bomb_jpeg(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    place = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    return ".jpg", data[: place + 5] + struct.pack(">HH", 60000, 60000) + data[place + 9 :]


def bomb_gif(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    other = encoded(data, "GIF")
    return ".gif", other[:6] + struct.pack("<HH", 60000, 60000) + other[10:]


MAKERS: tuple[Maker, ...] = (
    cut, cut_in_header, cut_other_format, flipped, flipped_in_header, flipped_other_format, zero_run, empty, zeros_only,
    wrong_extension, renamed_text, renamed_page, renamed_document, noise, bomb_png, bomb_tiff, bomb_jpeg, bomb_gif,
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0] if __doc__ else None)
    parser.add_argument("out", type=Path, help="folder for the damaged files")
    parser.add_argument("--from", dest="source", type=Path, required=True, help="folder with real JPEG files")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    found = find_images([arguments.source])
    rng = random.Random(arguments.seed)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for index in range(arguments.count):
        source = rng.choice(found.files)
        maker = MAKERS[index % len(MAKERS)]
        extension, damaged = maker((found.root / source).read_bytes(), rng)
        name = f"{index:04d}_{maker.__name__}{extension}"
        (arguments.out / name).write_bytes(damaged)
        print(f"{name}\t{maker.__name__.replace('_', ' ')} of {source}")


if __name__ == "__main__":
    main()
