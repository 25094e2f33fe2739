"""A small category with its sources, and epochs as a backend would have written them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from PIL import Image

from artdet.data.category import load_category
from artdet.data.merge import Merged, merged
from artdet.taxonomy import Taxonomy
from artdet.training.course import Task
from artdet.training.examples import examples
from artdet.training.folder import Epoch, TrainingFolder
from artdet.training.pictures import Pictures
from artdet.training.validation import ClassFigures, figures

HEIGHT, WIDTH = 30, 50


def _source(folder: Path, name: str, labels: list[str], origin: str, licence: str) -> None:
    for index, text in enumerate(labels):
        for part in ("images", "labels"):
            (folder / name / part).mkdir(parents=True, exist_ok=True)
        colour = (len(name) * 9 % 256, index * 40, 3)
        Image.new("RGB", (WIDTH, HEIGHT), colour).save(folder / name / f"images/{index}.png")
        (folder / name / f"labels/{index}.txt").write_text(text)
    (folder / name / "classes.txt").write_text("dog\ncat\n")
    source = {"format": "yolo", "path": name, "origin": origin, "licence": licence}
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(source))


@pytest.fixture
def category_file(tmp_path: Path) -> Path:
    """Three photographs (two dogs and a dog, a cat, nothing) and two prints that validate; a comment at the head."""
    folder = tmp_path / "sources"
    photographs = ["0 0.5 0.5 0.2 0.4\n0 0.2 0.5 0.2 0.4\n", "1 0.5 0.5 0.2 0.4\n", ""]
    _source(folder, "snaps", photographs, "a walk | in the park", "CC0")
    _source(folder, "prints", ["0 0.5 0.5 0.4 0.4\n1 0.25 0.5 0.2 0.4\n", ""], "a folder of prints", "none stated")
    sources = [
        {"source": "snaps.yaml", "art": False},
        {"source": "prints.yaml", "art": True, "split": "validation"},
    ]
    negatives = [{"source": "snaps.yaml", "art": False, "rate": 0.25, "assume_absent": True}]
    content = {"description": "Pets.", "classes": ["animals", "dog", "cat"], "sources": sources}
    content |= {"negatives": negatives, "image_size": 64, "training": {"epochs": 9, "start": "start.safetensors"}}
    file = folder / "pets.yaml"
    file.write_text(f"# No duck: nobody drew one.\n# Prints validate.\n{yaml.safe_dump(content)}")
    return file


@pytest.fixture
def data(category_file: Path, taxonomy: Taxonomy) -> Merged:
    return merged(load_category(str(category_file), taxonomy))


@pytest.fixture
def task(data: Merged) -> Task:
    pictures = Pictures(max_side=64)
    return Task(
        data=data,
        examples=examples(data),
        pictures=pictures,
        validation=data.validation,
        validation_pictures=pictures,
        start=None,
        device="cpu",
        threads=2,
        seed=7,
    )


@pytest.fixture
def folder(tmp_path: Path) -> TrainingFolder:
    """An empty one."""
    path = tmp_path / "runs" / "pets run"
    path.mkdir(parents=True)
    return TrainingFolder(path)


@pytest.fixture(scope="session")
def make_epochs() -> Callable[..., list[Epoch]]:
    """``count`` epochs, each better than the one before; validated every ``every``."""

    def make(count: int, *, every: int = 1, names: tuple[str, ...] = ("dog", "cat")) -> list[Epoch]:
        made = []
        for number in range(1, count + 1):
            ap = number / (2 * count)
            rows = [
                ClassFigures(name, "fine", 10, ap, 1.5 * ap / (place + 1), 0.5 * ap) for place, name in enumerate(names)
            ]
            rows.append(ClassFigures("animals", "coarse", 20, ap, 2 * ap, 0.5 * ap))
            losses = {"loss": 3.0 / number, "box_loss": 1.0 / number, "cls_loss": 2.0 / number}
            epoch = Epoch(number, losses, 0.01 / number, 60.0, 120)
            made.append(epoch if number % every else replace(epoch, figures=figures(rows, 5), best=True))
        return made

    return make
