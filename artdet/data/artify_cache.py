"""Artified variants of photographs, made ahead of time on all processors, so that an epoch does not wait for them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
from pydantic import Field

from artdet.atomic import make_folder, whole_file
from artdet.config import StrictModel
from artdet.data.artify import Applied, Artify, check_backend, drawn, generator, painted
from artdet.devices import cpu_threads
from artdet.errors import ImageError, RunError
from artdet.images import RGBImage
from artdet.images.reader import opened, read_image, unreadable

Task = TypeVar("Task")
Result = TypeVar("Result")
Painter = Callable[[RGBImage, Applied], RGBImage]

VERSION = 1
"""Raised when the same settings give other pictures, so that old ones are not taken for new."""


class VariantSettings(StrictModel):
    """Everything that decides what a variant looks like, beside the photograph's bytes and the variant's number.

    Attributes:
        artify: effects and how often.
        seed: another one draws other effects.
        max_side: larger photographs are reduced to it, in pixels of the longer side.
        quality: of the JPEG files.
        styles: what identifies the paintings of the neural effect; see ``neural_artify.Stylist``.
    """

    artify: Artify = Artify()
    seed: int = Field(default=0, ge=0)
    max_side: int | None = Field(default=1280, ge=1)
    quality: int = Field(default=92, ge=1, le=100)
    styles: str = ""

    def digest(self) -> str:
        """Of all settings, in hexadecimal; a changed one gives another."""
        text = json.dumps([VERSION, self.model_dump(mode="json")], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Variants:
    """Photographs and their variants.

    Attributes:
        paths: photograph -> a file for each variant, in order; the photograph itself where nothing was drawn for one.
        made: files written now; the others were there.
        failures: photographs that cannot be read, and why; they are not in ``paths``.
    """

    paths: Mapping[Path, tuple[Path, ...]]
    made: int
    failures: Mapping[Path, ImageError]

    @property
    def causes(self) -> Counter[str]:
        """How many photographs failed, by cause."""
        return Counter(error.cause for error in self.failures.values())


def variants(
    files: Sequence[Path],
    folder: Path,
    settings: VariantSettings,
    *,
    count: int,
    progress: Callable[[int], None],
    paint: Painter = painted,
) -> Variants:
    """Makes the variants of photographs that ``folder`` does not have yet.

    May be stopped in any way and called again. A file's name says the photograph's bytes, the settings and the number,
    so that one folder serves any settings, and copies of a photograph share their variants. Only one process may fill a
    folder at a time.

    Args:
        folder: of the cache; it is made.
        count: variants per photograph.
        progress: called with the number of photographs that are through; first with 0.
        paint: does what was drawn; ``neural_artify.Stylist.painted`` where the neural effect has a weight.

    Raises:
        MissingBackend: if an effect needs a library that is not there.
        RunError: if a file cannot be written.
    """
    check_backend(settings.artify)
    make_folder(folder)
    files = list(dict.fromkeys(files))
    same, failures = _by_content(files)
    progress(0)
    progress(len(failures))
    made = 0
    paths: dict[Path, tuple[Path, ...]] = {}
    work = _Work(folder, settings, count, paint)
    for (_, copies), result in on_all_processors(work.fill, list(same.items())):
        if isinstance(result, ImageError):
            failures.update(dict.fromkeys(copies, result))
        else:
            targets, new = result
            made += new
            paths.update({file: tuple(target or file for target in targets) for file in copies})
        progress(len(copies))
    return Variants({file: paths[file] for file in files if file in paths}, made, failures)


def _by_content(files: Sequence[Path]) -> tuple[dict[str, list[Path]], dict[Path, ImageError]]:
    """The files of each SHA-256, and those that cannot be read."""
    digests = dict(on_all_processors(_digest, files))
    same: defaultdict[str, list[Path]] = defaultdict(list)
    failures: dict[Path, ImageError] = {}
    for file in files:
        digest = digests[file]
        if isinstance(digest, ImageError):
            failures[file] = digest
        else:
            same[digest].append(file)
    return same, failures


class _Work:
    """Fills the cache for one photograph after the other; may be called from several threads."""

    def __init__(self, folder: Path, settings: VariantSettings, count: int, paint: Painter) -> None:
        self._folder, self._settings, self._count, self._paint = folder, settings, count, paint
        self._mark = settings.digest()

    def fill(self, task: tuple[str, list[Path]]) -> tuple[list[Path | None], int] | ImageError:
        """Makes what is missing of one photograph; gives the files and how many are new."""
        digest, files = task
        plans = [planned(self._settings, digest, number) for number in range(self._count)]
        targets = [self._target(digest, number) if plan else None for number, plan in enumerate(plans)]
        missing = [(t, plan) for t, plan in zip(targets, plans, strict=True) if t is not None and not t.exists()]
        if missing:
            try:
                image = read_image(files[0], max_side=self._settings.max_side)
            except ImageError as error:
                return error
            if image.sha256 != digest:
                return ImageError("unreadable", "The file changed while it was read. Run the same command again.")
            make_folder(self._folder / digest[:2])
            for target, plan in missing:
                write_picture(target, self._paint(image.pixels, plan), quality=self._settings.quality)
        return targets, len(missing)

    def _target(self, digest: str, number: int) -> Path:
        return self._folder / digest[:2] / f"{digest[:32]}-{self._mark}-{number}.jpg"


def planned(settings: VariantSettings, digest: str, number: int) -> Applied:
    """What one variant of the photograph with these bytes (SHA-256, hexadecimal) gets."""
    return drawn(settings.artify, generator(digest, seed=settings.seed, variant=number))


def on_all_processors(work: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[tuple[Task, Result]]:
    """Yields (task, result) as they are done; whatever ends the loop early ends the work, too.

    Threads do, because OpenCV and Pillow let go of Python's lock while they work.
    """
    with _single_threaded_opencv(), ThreadPoolExecutor(cpu_threads(), thread_name_prefix="artify") as pool:
        try:
            waiting: dict[Future[Result], Task] = {pool.submit(work, task): task for task in tasks}
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def write_picture(path: Path, image: RGBImage, *, quality: int) -> None:
    """Writes RGB uint8 (H, W, 3) whole or not at all, as PNG where the name ends so, else as JPEG.

    Raises:
        RunError: if it cannot be written.
    """
    options = [] if path.suffix == ".png" else [cv2.IMWRITE_JPEG_QUALITY, quality]
    try:
        done, data = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    except cv2.error:
        done = False
    if not done:
        size = f"{image.shape[1]}x{image.shape[0]}"
        raise RunError(f"{path}: a picture of {size} pixels does not fit into this format. Set a smaller max_side.")
    with whole_file(path) as stream:
        stream.write(data.tobytes())


def _digest(path: Path) -> str | ImageError:
    """SHA-256 of a file's bytes, in hexadecimal."""
    try:
        with opened(path) as (file, _):
            return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    except ImageError as error:
        return error
    except (OSError, ValueError) as error:
        return unreadable(error)


@contextmanager
def _single_threaded_opencv() -> Iterator[None]:
    """Threads inside OpenCV would take the processors from those that work on other photographs."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
