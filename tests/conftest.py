"""What all tests share: made pictures, and an isolated cache of exported models for the whole session."""

from __future__ import annotations

import os
import signal

# As in the command line: read once, when torch loads.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from artdet.resources import shipped
from artdet.tasks import Task
from artdet.taxonomy import Taxonomy

# In the background of a shell Ctrl-C is ignored, by every process that a test starts too.
signal.signal(signal.SIGINT, signal.default_int_handler)

PAINTINGS = shipped("examples", "paintings")
SHARED_DATA = shipped().parent / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Exported models go to a folder of this test session, so that a test never meets an older export."""
    folder = tmp_path_factory.mktemp("cache")
    os.environ["ARTDET_CACHE_DIR"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def taxonomy() -> Taxonomy:
    return Taxonomy.load()


@pytest.fixture(scope="session")
def paintings() -> dict[str, np.ndarray]:
    """The example paintings, RGB uint8 (H, W, 3), by file name."""
    return {path.name: np.asarray(Image.open(path).convert("RGB")) for path in sorted(PAINTINGS.glob("*.jpg"))}


@pytest.fixture(scope="session")
def shared_data() -> Path:
    if not SHARED_DATA.is_dir():
        pytest.skip("needs the labelled images of ../shared/data, which a newcomer has not")
    return SHARED_DATA


@pytest.fixture
def make_pictures(tmp_path: Path) -> Callable[..., Path]:
    """Writes small pictures, never square and all different, into a folder; gives the folder."""

    def make(*names: str, folder: str = "pictures") -> Path:
        root = tmp_path / folder
        for index, name in enumerate(names):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.full((30 + index % 7, 50 + index % 11, 3), (index * 5 % 256, 90, 200), dtype=np.uint8)
            Image.fromarray(pixels).save(path)
        return root

    return make


@pytest.fixture
def make_classifier(tmp_path: Path) -> Callable[..., Path]:
    """Writes a small classifier of random weights, the same for the same seed; gives its folder."""

    def make(*tasks: Task, folder: str = "model", backbone: str = "hybrid", side: int = 64, seed: int = 0) -> Path:
        import torch
        from safetensors.torch import save_file

        from artdet.classifiers.base import ClassifierCard, HeadCard
        from artdet.classifiers.network import ClassifierNetwork, TaskHeads
        from artdet.config import yaml_text
        from artdet.embedders.backbones import build

        torch.manual_seed(seed)
        features = build(backbone, image_size=side)
        network = ClassifierNetwork(features, TaskHeads(features.dim, HeadCard(), tasks))
        card = ClassifierCard(backbone=backbone, preprocessing=features.preprocessing, tasks=tasks)
        place = tmp_path / folder
        place.mkdir(parents=True)
        halves = {
            key: value.half() if value.is_floating_point() else value for key, value in network.state_dict().items()
        }
        save_file({key: value.contiguous() for key, value in halves.items()}, place / "model.safetensors")
        (place / "model.yaml").write_text(yaml_text(card.model_dump(mode="json")), encoding="utf-8")
        return place

    return make
