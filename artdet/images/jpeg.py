"""What is left of a JPEG that ends early: just enough of ITU-T T.81 to close it."""

from __future__ import annotations

import re

END_OF_IMAGE = b"\xff\xd9"
_START_OF_SCAN = 0xDA
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})
# In entropy-coded data 0xFF is followed by 0x00, by a restart marker or by another 0xFF; all else starts a segment.
_SEGMENT = re.compile(rb"\xff[\x02-\xcf\xda-\xfe]")


def first_scan(data: bytes) -> int | None:
    """Where the pixel data of a JPEG begins: the offset behind the first start-of-scan segment.

    Segments are walked by their lengths, so that a thumbnail inside EXIF data is not taken for the picture.

    Returns:
        None if the bytes end, or stop making sense, before.
    """
    position = 2
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            return None
        marker = data[position + 1]
        if marker == 0xFF or marker in _STANDALONE:
            position += 1 if marker == 0xFF else 2
            continue
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        if marker == _START_OF_SCAN:
            return end if end < len(data) else None
        position = end
    return None


def closed(data: bytes) -> bytes | None:
    """The bytes of a JPEG that ends early, with an end-of-image marker; a last segment that was cut is left out.

    A decoder then gives the pixels that are there, and grey for the rest. (Pillow's own way, the switch
    ``LOAD_TRUNCATED_IMAGES``, is global to the process.)

    Returns:
        None if the data ends before the first pixel.
    """
    start = first_scan(data)
    if start is None:
        return None
    cut = max((found.start() for found in _SEGMENT.finditer(data, start)), default=None)
    if cut is not None and not _is_whole(data, cut):
        data = data[:cut]
    return data + END_OF_IMAGE


def _is_whole(data: bytes, segment: int) -> bool:
    end = segment + 2 + int.from_bytes(data[segment + 2 : segment + 4], "big")
    return segment + 4 <= len(data) and end <= len(data)
