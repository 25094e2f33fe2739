"""Small artworks of three colours with answers to three tasks, their parts, and a quick recipe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from artdet.classifiers.base import HeadCard
from artdet.data.artworks.collection import UNKNOWN, Artworks
from artdet.data.artworks.partition import Partition
from artdet.tasks import Task
from artdet.training.classification.recipe import BackboneSettings, OptimizerSettings, Recipe

COLOURS = {"red": (200, 40, 40), "green": (40, 190, 60), "blue": (50, 60, 200)}
COUNT = 24


@pytest.fixture
def artworks(tmp_path: Path) -> Artworks:
    """Red, green and blue works in turn; of the fourth and the last nobody said the colour."""
    rng = np.random.default_rng(5)
    paths = []
    for index, colour in enumerate(list(COLOURS.values()) * (COUNT // 3)):
        pixels = rng.integers(-40, 40, (40, 56, 3)) + np.array(colour)
        paths.append(tmp_path / f"works/{index}.png")
        paths[-1].parent.mkdir(exist_ok=True)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(paths[-1])
    colour = np.arange(COUNT) % 3
    colour[[3, COUNT - 1]] = UNKNOWN
    year = (1500 + 100 * (np.arange(COUNT) % 3)).astype(np.float32)
    year[5] = np.nan
    paints = np.stack([np.arange(COUNT) % 3 == 0, np.arange(COUNT) % 3 != 2], axis=1).astype(np.float32)
    paints[7] = np.nan
    tasks = (
        Task(name="colour", kind="label", classes=tuple(COLOURS)),
        Task(name="year", kind="number", tolerance=60),
        Task(name="paints", kind="labels", classes=("oil", "ink")),
    )
    names = tuple(f"made/{index}.png" for index in range(COUNT))
    targets = {"colour": colour, "year": year, "paints": paints}
    return Artworks(tasks, tuple(paths), names, names, targets, ("one note",))


@pytest.fixture
def split() -> Partition:
    """12 works to learn from, 6 to validate, 6 to test."""
    places = np.arange(COUNT)
    return Partition(places[:12], places[12:18], places[18:])


@pytest.fixture
def recipe() -> Recipe:
    """Three epochs of the smallest network, three steps each, with everything that draws by chance."""
    return Recipe(
        backbone=BackboneSettings(name="hybrid", start="random", image_size=32),
        head=HeadCard(dropout=0.2),
        optimizer=OptimizerSettings(learning_rate=3e-3),
        augmentations=({"name": "flip"}, {"name": "jitter"}),
        epochs=3,
        batch=5,
        precision="float32",
        seed=3,
    )
