"""Hashes of images by content and by look, computed once per file and kept on the disk."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from artdet.atomic import make_folder
from artdet.devices import cpu_threads
from artdet.errors import ImageError
from artdet.images import RGBImage
from artdet.images.reader import read_image
from artdet.resources import cache_folder

VERSION = 1
"""Raised when the same file gives other hashes."""
THUMBNAIL = 16
"""Side of the small picture that is kept beside the hash, in pixels."""
_MAX_SIDE = 256
_KEEP_EVERY = 512


@dataclass(frozen=True, eq=False)
class ImageHash:
    """What tells whether two files show the same.

    Attributes:
        sha256: of the file's bytes, in hexadecimal; equal where MD5 is equal, and safe from made collisions.
        look: perceptual hash of 64 bits (imagehash's phash: signs of low frequencies of the grey picture).
        thumbnail: RGB uint8 (THUMBNAIL, THUMBNAIL, 3), squashed.
    """

    sha256: str
    look: int
    thumbnail: NDArray[np.uint8]


Key = tuple[str, int, int]
"""Path, size in bytes, time of the last change in nanoseconds."""


def image_hashes(
    paths: Sequence[Path], *, progress: Callable[[int], None] = lambda _: None
) -> list[ImageHash | ImageError]:
    """The hashes of each file, or why it cannot be read.

    Args:
        paths: of images.
        progress: called with the number of images just done; first with those that the cache had.
    """
    keys = [_key(path) for path in paths]
    with closing(_Cache(cache_folder() / "image-hashes.sqlite")) as cache:
        found: dict[Path, ImageHash | ImageError] = dict(cache.read(paths, keys))
        progress(len(found))
        missing = {path: key for path, key in zip(paths, keys, strict=True) if path not in found}
        fresh: list[tuple[Key, ImageHash]] = []
        with ThreadPoolExecutor(cpu_threads(), thread_name_prefix="hash") as pool:
            for path, result in zip(missing, pool.map(_hashed, missing), strict=True):
                found[path] = result
                if isinstance(result, ImageHash) and (key := missing[path]) is not None:
                    fresh.append((key, result))
                progress(1)
                if len(fresh) >= _KEEP_EVERY:
                    cache.write(fresh)
                    fresh = []
        cache.write(fresh)
    return [found[path] for path in paths]


def _key(path: Path) -> Key | None:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return os.path.abspath(path), status.st_size, status.st_mtime_ns


def _hashed(path: Path) -> ImageHash | ImageError:
    try:
        image = read_image(path, max_side=_MAX_SIDE)
    except ImageError as error:
        return error
    return ImageHash(image.sha256, _look(image.pixels), _thumbnail(image.pixels))


def _look(pixels: RGBImage) -> int:
    import imagehash

    bits = imagehash.phash(Image.fromarray(pixels)).hash
    return int.from_bytes(np.packbits(bits.reshape(-1)).tobytes(), "big")


def _thumbnail(pixels: RGBImage) -> NDArray[np.uint8]:
    small = Image.fromarray(pixels).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.uint8)


class _Cache:
    """A small database; where it cannot be used, hashes are computed anew."""

    def __init__(self, path: Path) -> None:
        make_folder(path.parent)
        self._base = _opened(path)

    def read(self, paths: Iterable[Path], keys: Iterable[Key | None]) -> Mapping[Path, ImageHash]:
        found: dict[Path, ImageHash] = {}
        for path, key in zip(paths, keys, strict=True):
            if key is None:
                continue
            query = "SELECT sha256, look, thumbnail FROM hashes WHERE path = ? AND size = ? AND changed = ?"
            row = self._base.execute(query, (_bytes(key[0]), key[1], key[2])).fetchone()
            if row is not None:
                pixels = np.frombuffer(row[2], dtype=np.uint8).reshape(THUMBNAIL, THUMBNAIL, 3)
                found[path] = ImageHash(row[0], int.from_bytes(row[1], "big"), pixels)
        return found

    def write(self, fresh: Sequence[tuple[Key, ImageHash]]) -> None:
        rows = [
            (_bytes(path), size, changed, made.sha256, made.look.to_bytes(8, "big"), made.thumbnail.tobytes())
            for (path, size, changed), made in fresh
        ]
        try:
            with self._base:
                self._base.executemany("INSERT OR REPLACE INTO hashes VALUES (?, ?, ?, ?, ?, ?)", rows)
        except sqlite3.OperationalError:
            # A full or busy disk loses only time.
            return

    def close(self) -> None:
        self._base.close()


def _bytes(path: str) -> bytes:
    return os.fsencode(path)


def _opened(path: Path) -> sqlite3.Connection:
    for place in (str(path), None):
        try:
            if place is None:
                path.unlink(missing_ok=True)
            return _with_table(sqlite3.connect(path, timeout=30))
        except (sqlite3.DatabaseError, OSError):
            continue
    return _with_table(sqlite3.connect(":memory:"))


def _with_table(base: sqlite3.Connection) -> sqlite3.Connection:
    try:
        if base.execute("PRAGMA user_version").fetchone()[0] != VERSION:
            base.execute("DROP TABLE IF EXISTS hashes")
            base.execute(f"PRAGMA user_version = {VERSION}")
        base.execute(
            "CREATE TABLE IF NOT EXISTS hashes (path BLOB PRIMARY KEY, size INTEGER, changed INTEGER, sha256 TEXT,"
            " look BLOB, thumbnail BLOB)"
        )
        base.commit()
    except BaseException:
        base.close()
        raise
    return base
