"""What a PNG says behind its pixels, found without decoding them."""

from __future__ import annotations

from typing import IO

_FIRST_CHUNK = 8
_FRAME_BYTES = 12  # length and type before the data of a chunk, checksum behind it


def exif(stream: IO[bytes]) -> dict[str, bytes]:
    """The EXIF data of a PNG in the form of Pillow's ``Image.info``; empty where it has none.

    The chunks are walked by their lengths (PNG specification, 5.3), so that only their heads are read.
    """
    position = _FIRST_CHUNK
    while True:
        stream.seek(position)
        head = stream.read(8)
        length = int.from_bytes(head[:4], "big")
        if len(head) < 8 or head[4:] == b"IEND":
            return {}
        if head[4:] == b"eXIf":
            return {"exif": b"Exif\0\0" + stream.read(length)}
        position += length + _FRAME_BYTES
