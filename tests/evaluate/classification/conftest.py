"""Runs of labels over images of which the answers are known, small enough to count by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from artdet.runs import PREDICTIONS_FILE, Label, Record, write_info
from artdet.tasks import Task

TASKS = (
    Task(name="genre", kind="label", classes=("portrait", "landscape", "other")),
    Task(name="year", kind="number", tolerance=10),
)
SIZE = (30, 50)
# Of five images: genre (? for unknown) and year.
TRUTH = {
    "a.png": ("portrait", "1700"),
    "b.png": ("portrait", "1700"),
    "c.png": ("landscape", ""),
    "d.png": ("landscape", "1800"),
    "e.png": ("?", "1800"),
}
# Three of four genres right; of years one is off by 50.
ANSWERS = {
    "a.png": ("portrait", 0.9, 1705),
    "b.png": ("landscape", 0.8, 1750),
    "c.png": ("landscape", 0.7, 1700),
    "d.png": ("landscape", 0.6, 1800),
    "e.png": ("portrait", 0.5, 1790),
}


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    """A table beside its images."""
    folder = tmp_path / "truth"
    (folder / "images").mkdir(parents=True)
    for place, name in enumerate(TRUTH):
        Image.new("RGB", SIZE[::-1], (40 * place, 90, 160)).save(folder / "images" / name)
    rows = "".join(f"{name},{genre},{year}\n" for name, (genre, year) in TRUTH.items())
    (folder / "labels.csv").write_text("file,genre,year\n" + rows)
    return folder


@pytest.fixture
def make(tmp_path: Path, truth: Path):
    def made(name="run", answers=ANSWERS, *, tasks=TASKS, kept=3, extra=(), about=None, **info) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        told = [task.model_dump(mode="json") for task in tasks] if about is None else about
        write_info(folder, {"root": str(truth / "images"), "kind": "classify", "tasks": told, **info})
        records = [_record(file, *answer, tasks=tasks, kept=kept) for file, answer in answers.items()]
        (folder / PREDICTIONS_FILE).write_text("".join(each.as_line() + "\n" for each in (*records, *extra)))
        return folder

    return made


def _record(file, genre, score, year, *, tasks, kept):
    others = [name for name in tasks[0].classes if name != genre]
    labels = [Label(genre, score), *(Label(name, (1 - score) / len(others)) for name in others)]
    answers = {"genre": tuple(labels[:kept]), "year": (Label(value=year),)}
    return Record(file, "ab", SIZE, classifications={task.name: answers[task.name] for task in tasks})
