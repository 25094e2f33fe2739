"""Reading images ahead of the detector, a bounded number at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from artdet.errors import ImageError
from artdet.images.reader import ReadImage, read_image


@dataclass(frozen=True)
class ReadSettings:
    """How images are read.

    Attributes:
        max_side: pictures whose longer side exceeds it are reduced to it.
        max_pixels: pictures with more pixels are refused.
        threads: how many files are decoded at once.
        window: how many decoded images may wait at once.
    """

    max_side: int | None
    max_pixels: int
    threads: int
    window: int


def read_ahead(
    files: Iterable[str], root: Path, settings: ReadSettings
) -> Iterator[tuple[str, ReadImage | ImageError]]:
    """Yields (file, image or why it cannot be read), in the order of ``files``, which are relative to ``root``."""
    waiting: deque[tuple[str, Future[ReadImage | ImageError]]] = deque()
    names = iter(files)
    with ThreadPoolExecutor(settings.threads, thread_name_prefix="read") as pool:
        try:
            for name in names:
                waiting.append((name, pool.submit(_read, root / name, settings)))
                if len(waiting) >= settings.window:
                    yield _next(waiting)
            while waiting:
                yield _next(waiting)
        finally:
            # On Ctrl-C the files that no thread has begun are not read any more.
            pool.shutdown(wait=True, cancel_futures=True)


def _next(waiting: deque[tuple[str, Future[ReadImage | ImageError]]]) -> tuple[str, ReadImage | ImageError]:
    name, future = waiting.popleft()
    return name, future.result()


def _read(path: Path, settings: ReadSettings) -> ReadImage | ImageError:
    try:
        return read_image(path, max_side=settings.max_side, max_pixels=settings.max_pixels)
    except ImageError as error:
        return error
