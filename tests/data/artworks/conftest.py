"""Made sources of labels: pictures that all look different, and tables, folders and names about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from artdet.data.artworks.collection import Artworks
from artdet.tasks import Task


def paint(path: Path, seed: int, size: tuple[int, int] = (40, 56)) -> Path:
    """A picture of coarse noise, (height, width); another seed gives another look."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((size[1], size[0]), Image.Resampling.BICUBIC).save(path)
    return path


@pytest.fixture
def museum(tmp_path: Path) -> Callable[..., Path]:
    """Writes images and labels.csv from rows with the file first; gives the folder."""

    def made(header: str, *rows: str, absent: Sequence[str] = (), encoding: str = "utf-8") -> Path:
        root = tmp_path / "museum"
        for seed, row in enumerate(rows):
            name = row.replace(";", ",").partition(",")[0]
            if name and name not in absent:
                paint(root / "images" / name, seed)
        root.mkdir(exist_ok=True)
        (root / "labels.csv").write_bytes("\n".join([header, *rows, ""]).encode(encoding))
        return root

    return made


@pytest.fixture
def task_file(tmp_path: Path) -> Callable[..., str]:
    """Writes the yaml of a task; gives its path."""

    def made(text: str, name: str = "genre") -> str:
        path = tmp_path / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return made


@pytest.fixture
def labelled(tmp_path: Path) -> Callable[..., Artworks]:
    """A collection with one task of one label and a picture of its own for each image."""

    def made(labels: Sequence[int], groups: Sequence[str] | None = None, same: Sequence[int] = ()) -> Artworks:
        classes = tuple(f"class{number}" for number in range(max(2, max(labels, default=0) + 1)))
        seeds = [same[0] if index in same else index for index in range(len(labels))]
        paths = [paint(tmp_path / "made" / f"{index:04d}.png", seed) for index, seed in enumerate(seeds)]
        names = tuple(f"made/{path.name}" for path in paths)
        targets = {"genre": np.array(labels, dtype=np.int64)}
        return Artworks((Task(name="genre", kind="label", classes=classes),), tuple(paths), names,
                        tuple(groups or names), targets)  # fmt: skip

    return made
