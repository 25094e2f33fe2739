"""Pictures of a run: every image that was read, with its boxes drawn; those that are there already stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from artdet.atomic import make_folder
from artdet.devices import cpu_threads
from artdet.drawing import draw, save_picture
from artdet.errors import ImageError
from artdet.exports.base import readable
from artdet.exports.trees import inside_path
from artdet.images.reader import DEFAULT_MAX_PIXELS, read_image
from artdet.runs import Record, Run
from artdet.taxonomy import Taxonomy

FOLDER = "pictures"

MAX_SIDE = 2000
"""Larger works are drawn at this size, in pixels of the longer side: a picture to look at, not a copy of the scan."""


@dataclass
class Drawn:
    """What was drawn.

    Attributes:
        folder: where the pictures lie, laid out as the images are.
        written: pictures drawn now.
        missing: causes of images that can no longer be read.
    """

    folder: Path
    written: int = 0
    missing: Counter[str] = field(default_factory=Counter)


def draw_run(run: Run, *, taxonomy: Taxonomy, progress: Callable[[int], None]) -> Drawn:
    """Draws every image of a run that has no picture yet, on all processors; may be stopped and called again.

    Args:
        progress: called with the number of images that are through.

    Raises:
        RunError: if a picture cannot be written.
    """
    drawn = Drawn(run.folder / FOLDER)
    make_folder(drawn.folder)
    threads = cpu_threads()
    with ThreadPoolExecutor(threads, thread_name_prefix="draw") as pool:
        waiting: set[Future[str | None]] = set()
        try:
            for record, size in readable(run.records()):
                target = _target(drawn.folder, record)
                if target.exists():
                    progress(1)
                    continue
                waiting.add(pool.submit(_draw_one, run, record, size, target, taxonomy))
                if len(waiting) >= 2 * threads:
                    waiting = _collect(waiting, drawn, progress)
            while waiting:
                waiting = _collect(waiting, drawn, progress)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return drawn


def _collect(
    waiting: set[Future[str | None]], drawn: Drawn, progress: Callable[[int], None]
) -> set[Future[str | None]]:
    done, rest = wait(waiting, return_when=FIRST_COMPLETED)
    for future in done:
        cause = future.result()
        if cause is None:
            drawn.written += 1
        else:
            drawn.missing[cause] += 1
        progress(1)
    return rest


def _draw_one(run: Run, record: Record, size: tuple[int, int], target: Path, taxonomy: Taxonomy) -> str | None:
    most = run.info.get("reading", {}).get("max_pixels", DEFAULT_MAX_PIXELS)
    try:
        image = read_image(run.image_path(record), max_side=MAX_SIDE, max_pixels=most)
    except ImageError as error:
        return error.cause
    make_folder(target.parent)
    save_picture(target, draw(image.pixels, record.detections, taxonomy=taxonomy, image_size=size))
    return None


def _target(folder: Path, record: Record) -> Path:
    inside = inside_path(record.file)
    # The picture of b.png is b.png.jpg, so that it does not take the place of that of b.jpg.
    name = inside if inside.suffix.lower() in (".jpg", ".jpeg") else inside.with_name(inside.name + ".jpg")
    return folder / name
