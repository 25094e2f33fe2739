"""A small run with everything that is hard about names, sizes and failures."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from artdet.exports import Exported, export
from artdet.runs import PREDICTIONS_FILE, Box, Record, Run, open_run, write_info
from artdet.taxonomy import Taxonomy

TAXONOMY = Taxonomy.load()

HARD_NAMES = (
    'sub/it\'s a "test", 100 %.jpg',
    "Dürer/Рублёв 花.png",
    "two\nlines\tand <tags> & ]]>.jpg",
    "control\x0b\x1b.jpg",
    "caf\udce9.jpg",
)
"""Quotes and commas, other scripts, white space and mark-up, characters that XML forbids, bytes that are not UTF-8."""


def record(file: str, *boxes: Box, size: tuple[int, int] = (300, 400)) -> Record:
    return Record(file, "ab" * 32, size, boxes)


RECORDS = (
    record("empty.jpg", size=(7, 9)),
    record(
        "a/one.jpg",
        Box("mary", 0.9876, (10.0, 20.0, 110.5, 220.25), "yolo+frcnn"),
        Box("saint_sebastian", 0.5, (0.0, 0.0, 400.0, 300.0), "yolo"),
        Box("faces", 0.05, (12.34, 56.78, 90.12, 99.99), "mtcnn"),
    ),
    Record("broken.jpg", None, None, error=("truncated", 'ends early, "half" read')),
    *(record(name, Box("fish", 0.25, (1.5, 2.5, 3.75, 299.99), "yolo")) for name in HARD_NAMES),
    record("large.tif", Box("ship", 1.0, (0.01, 0.02, 99999.99, 60000.49), "x"), size=(70001, 100000)),
    Record("caf\udce8\n.jpg", None, None, error=("not an image", "no picture")),
)


@dataclass
class Made:
    """A run folder and what an export of it gives."""

    run: Run

    def export(self, form: str, out: Path | None = None, min_score: float = 0.0) -> Exported:
        return export(self.run, form, out, taxonomy=TAXONOMY, min_score=min_score)


def make_run(folder: Path, records: tuple[Record, ...]) -> Made:
    folder.mkdir(parents=True, exist_ok=True)
    write_info(folder, {"root": "/pictures"})
    (folder / PREDICTIONS_FILE).write_text("".join(f"{entry.as_line()}\n" for entry in records), encoding="utf-8")
    return Made(open_run(folder))


@pytest.fixture
def run_of(tmp_path):
    """Makes a run folder of the records given."""
    return lambda *records: make_run(tmp_path / "run", records)


@pytest.fixture
def made(run_of):
    """The run of all ``RECORDS``."""
    return run_of(*RECORDS)


@pytest.fixture
def readable():
    """The records of ``made`` that have an image, in their order."""
    return [entry for entry in RECORDS if entry.size is not None]
