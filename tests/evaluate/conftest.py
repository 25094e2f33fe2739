"""A run and a truth whose figures can be worked out by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from artdet.runs import PREDICTIONS_FILE, Box, Record, write_info
from artdet.taxonomy import Taxonomy

SIZE = (120, 200)
"""(height, width) of every image."""


def box(label: str, score: float, x: float, y: float, side: float = 40.0) -> Box:
    return Box(label, score, (x, y, x + side, y + side), "one")


RECORDS = (
    # Both cats found; a second box on the first; a dog that is none.
    Record(
        "one.png",
        "aa",
        SIZE,
        (box("cat", 0.9, 10, 10), box("cat", 0.8, 12, 10), box("cat", 0.7, 100, 10), box("dog", 0.6, 150, 70)),
    ),
    # The angel is found as a mere person; the dog is missed.
    Record("two.png", "bb", SIZE, (box("persons", 0.75, 20, 20),)),
    Record("empty.png", "cc", SIZE, (box("persons", 0.3, 20, 20),)),
    Record("broken.png", None, None, error=("truncated", "ends early")),
)

TRUTH = {
    "one.png": [("cat", 10, 10), ("cat", 100, 10)],
    "two.png": [("angel", 20, 20), ("dog", 120, 40)],
    "empty.png": [],
    "broken.png": [("dog", 10, 10)],
}


def write_run(folder: Path, root: Path, records: tuple[Record, ...] = RECORDS, **info: object) -> Path:
    folder.mkdir(parents=True)
    write_info(folder, {"root": str(root), "ensemble_name": "made", "classes": list(Taxonomy.load().names), **info})
    lines = "".join(f"{record.as_line()}\n" for record in records)
    (folder / PREDICTIONS_FILE).write_text(lines, encoding="utf-8")
    return folder


def write_truth(path: Path, truth: dict[str, list[tuple[str, int, int]]] = TRUTH) -> Path:
    """A COCO file with the classes of the taxonomy, and its images beside it."""
    names = Taxonomy.load().names
    images = [
        {"id": i, "file_name": name, "height": SIZE[0], "width": SIZE[1], "hand": name[0]}
        for i, name in enumerate(truth)
    ]
    boxes = [
        {"image_id": i, "category_id": names.index(label), "bbox": [x, y, 40, 40], "area": 1600, "iscrowd": 0}
        for i, rows in enumerate(truth.values())
        for label, x, y in rows
    ]
    data = {
        "images": images,
        "annotations": [{"id": i, **each} for i, each in enumerate(boxes, start=1)],
        "categories": [{"id": i, "name": name} for i, name in enumerate(names)],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))
    for place, name in enumerate(truth):
        Image.new("RGB", SIZE[::-1], (40 * place, 90, 160)).save(path.parent / name)
    return path


@pytest.fixture
def made_truth(tmp_path: Path) -> Path:
    return write_truth(tmp_path / "truth" / "boxes.json")


@pytest.fixture
def made_run(tmp_path: Path, made_truth: Path) -> Callable[..., Path]:
    """Writes a run of the truth's images; gives its folder."""

    def make(name: str = "run", records: tuple[Record, ...] = RECORDS, **info: object) -> Path:
        return write_run(tmp_path / name, made_truth.parent, records, **info)

    return make
