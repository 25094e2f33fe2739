"""Features of images that are computed once and kept on the disk, as a frozen backbone gives the same ones for ever.

A folder for each key holds chunks of rows, each of them written whole or not at all. Nothing else is needed for runs
that are killed or that work side by side: what is in a chunk counts, and a row that two of them hold is the same.
"""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from time import monotonic

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from artdet.atomic import make_folder, whole_file
from artdet.config import StrictModel
from artdet.devices import cpu_threads
from artdet.errors import ImageError, RunError
from artdet.images import RGBImage
from artdet.images.reader import read_image
from artdet.resources import cache_folder

Compute = Callable[[Sequence[RGBImage]], NDArray[np.float32]]

VERSION = 1
"""Raised when the same key gives other features, so that old ones are not taken for new."""

CHUNK_SECONDS, CHUNK_ROWS = 20.0, 2048
"""A chunk is written when either is reached: what a killed run loses at most."""

_BATCH = 32
_ROWS, _IMAGES = "features", "images"


def key_of(tensors: Mapping[str, NDArray[np.generic] | torch.Tensor], *settings: StrictModel | str) -> str:
    """What features depend on besides the image, as a key of :func:`cached_features`.

    Args:
        tensors: name -> weights, in any order.
        settings: preprocessing, name of the architecture and whatever else decides what comes out.

    Returns:
        SHA-256 in hexadecimal.
    """
    digest = hashlib.sha256(f"{VERSION}".encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        kind = str(tensor.dtype).removeprefix("torch.")
        digest.update(f"|{name} {kind} {tuple(tensor.shape)}|".encode())
        digest.update(_bytes(tensor).data)
    for setting in settings:
        text = setting if isinstance(setting, str) else setting.model_dump_json()
        digest.update(f"|{len(text)}|{text}".encode())
    return digest.hexdigest()


def cached_features(
    key: str,
    paths: Sequence[Path],
    compute: Compute,
    *,
    bar: Callable[[int], None] | None = None,
    crops: int = 1,
    max_side: int | None = None,
) -> NDArray[np.float32]:
    """Features of image files, computed where the cache does not have them.

    May be killed and called again, and called by several processes at a time. An image counts as the same while its
    path, size and time of change are the same.

    Args:
        key: of :func:`key_of`; crops and ``max_side`` are added to it.
        paths: of images; the same one may be named twice.
        compute: gives float32 (n, D) of n images RGB uint8 (H, W, 3), (n, crops, D) for several crops.
        bar: called with the number of images that are done since it was called before.
        crops: views of an image.
        max_side: images are reduced to it as they are read, see :func:`artdet.images.reader.read_image`.

    Returns:
        (N, D) in the order of paths, (N, crops, D) for several crops; (0, 0) without paths.

    Raises:
        ImageError: if an image cannot be read; those before it stay in the cache.
        RunError: if the cache cannot be written or the features do not fit those that it holds.
    """
    told = bar or (lambda _: None)
    folder = _folder(key, crops, max_side)
    marks = [_mark(path) for path in paths]
    store = _Store(folder, crops)
    store.refresh()
    missing = {mark: path for mark, path in zip(marks, paths, strict=True) if mark not in store.rows}
    told(sum(mark not in missing for mark in marks))
    times = Counter(marks)
    _compute_missing(store, missing, compute, max_side, lambda done: told(sum(times[mark] for mark in done)))
    if not paths:
        return np.zeros((0, 0), dtype=np.float32)
    rows = np.stack([store.rows[mark] for mark in marks])
    return rows if crops > 1 else rows[:, 0]


def _compute_missing(
    store: _Store,
    missing: Mapping[bytes, Path],
    compute: Compute,
    max_side: int | None,
    told: Callable[[Sequence[bytes]], None],
) -> None:
    """Fills the store batch by batch, and writes what it has whenever a chunk is full, and at the end however it is."""
    waiting = deque(missing.items())
    with ThreadPoolExecutor(cpu_threads(), thread_name_prefix="read") as pool:
        try:
            for marks, images in _batches(store, waiting, pool, max_side, told):
                store.add(marks, compute(images))
                told(marks)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            store.write()


def _batches(
    store: _Store,
    waiting: deque[tuple[bytes, Path]],
    pool: ThreadPoolExecutor,
    max_side: int | None,
    told: Callable[[Sequence[bytes]], None],
) -> Iterator[tuple[list[bytes], list[RGBImage]]]:
    """Batches of images; while one is worked on the next is read. What another process has done since is left out."""
    ahead: deque[tuple[bytes, Future[RGBImage]]] = deque()
    while waiting or ahead:
        while waiting and len(ahead) < 2 * _BATCH:
            mark, path = waiting.popleft()
            if mark in store.rows:
                told([mark])
            else:
                ahead.append((mark, pool.submit(_read, path, max_side)))
        taken = [ahead.popleft() for _ in range(min(_BATCH, len(ahead)))]
        if taken:
            yield [mark for mark, _ in taken], [future.result() for _, future in taken]


class _Store:
    """The chunks of a folder, and rows that are not written yet.

    Attributes:
        rows: mark of an image -> (crops, D).
    """

    def __init__(self, folder: Path, crops: int) -> None:
        self._folder, self._crops = folder, crops
        self._seen: set[str] = set()
        self._fresh: dict[bytes, NDArray[np.float32]] = {}
        self._written = monotonic()
        self.rows: dict[bytes, NDArray[np.float32]] = {}

    def refresh(self) -> None:
        """Takes in chunks that are new in the folder."""
        for path in self._folder.glob("*.safetensors"):
            if path.name not in self._seen:
                self._seen.add(path.name)
                self._take(path)

    def add(self, marks: Sequence[bytes], features: NDArray[np.float32]) -> None:
        """Takes computed features (n, D) or (n, crops, D), and writes a chunk if it is time."""
        rows = np.asarray(features, dtype=np.float32).reshape(len(marks), self._crops, -1)
        self._check(rows)
        self._fresh.update(zip(marks, rows, strict=True))
        self.rows.update(self._fresh)
        if len(self._fresh) >= CHUNK_ROWS or monotonic() - self._written > CHUNK_SECONDS:
            self.write()
            self.refresh()

    def write(self) -> None:
        """Writes the rows that are not yet on the disk as one chunk."""
        self._written = monotonic()
        if not self._fresh:
            return
        marks = np.frombuffer(b"".join(self._fresh), dtype=np.uint8).reshape(len(self._fresh), -1)
        data = save({_IMAGES: marks, _ROWS: np.stack(list(self._fresh.values()))})
        # A name of its own: processes that compute the same never write the same file.
        path = self._folder / f"{uuid.uuid4().hex}.safetensors"
        make_folder(self._folder)
        with whole_file(path) as stream:
            stream.write(data)
        self._seen.add(path.name)
        self._fresh = {}

    def _take(self, path: Path) -> None:
        try:
            chunk = load_file(path)
            marks, rows = chunk[_IMAGES], chunk[_ROWS]
        except OSError:
            # Deleted meanwhile, or not ours to read. Where that is a problem, writing says so.
            return
        except (SafetensorError, KeyError):
            # Cut off by a power failure, say. It is computed again.
            path.unlink(missing_ok=True)
            return
        self._check(rows)
        self.rows.update(zip((mark.tobytes() for mark in marks), rows, strict=True))

    def _check(self, rows: NDArray[np.float32]) -> None:
        """All rows of a key have the same length."""
        known = next(iter(self.rows.values()), None)
        if known is not None and known.shape != rows.shape[1:]:
            raise RunError(
                f"{self._folder} holds features of length {known.shape[-1]}, and these have {rows.shape[-1]}. "
                "Delete that folder; it only saves time."
            )


def _bytes(tensor: NDArray[np.generic] | torch.Tensor) -> NDArray[np.uint8]:
    """The memory of a tensor, (n,)."""
    if isinstance(tensor, torch.Tensor):
        # Through torch, as NumPy has no bfloat16.
        return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    return np.ascontiguousarray(tensor).reshape(-1).view(np.uint8)


def _folder(key: str, crops: int, max_side: int | None) -> Path:
    whole = hashlib.sha256(f"{VERSION}|{key}|{crops}|{max_side}".encode()).hexdigest()
    return cache_folder() / "features" / whole[:32]


def _mark(path: Path) -> bytes:
    """What tells an image file from others, 16 bytes."""
    try:
        state = path.stat()
    except (OSError, ValueError):
        # Reading it says what is wrong.
        return hashlib.sha256(str(path).encode("utf-8", "surrogatepass")).digest()[:16]
    text = f"{path.resolve()}|{state.st_size}|{state.st_mtime_ns}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]


def _read(path: Path, max_side: int | None) -> RGBImage:
    try:
        return read_image(path, max_side=max_side).pixels
    except ImageError as error:
        raise ImageError(error.cause, f"{path}: {error}") from error
