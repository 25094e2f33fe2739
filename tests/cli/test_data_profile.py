"""``artdet data profile`` and ``artdet data duplicates``."""

import csv
import json

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def task(tmp_path):
    """Six pictures in two genres, one a copy of another; gives the task's yaml."""
    folder = tmp_path / "museum" / "images"
    folder.mkdir(parents=True)
    for seed in range(6):
        coarse = np.random.default_rng(min(seed, 4)).integers(0, 256, (5, 7, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((70, 50), Image.Resampling.BICUBIC).save(folder / f"{seed}.png")
    rows = ["file,genre,year", *(f"{seed}.png,{'xy'[seed % 2]},{1600 + seed}" for seed in range(6)), "lost.png,x,1"]
    (tmp_path / "museum" / "labels.csv").write_text("\n".join(rows))
    (tmp_path / "genre.yaml").write_text("sources: [museum]\n")
    return tmp_path / "genre.yaml"


def test_profile_of_a_task(artdet, task, tmp_path):
    ran = artdet("data", "profile", task, "--out", tmp_path / "out")
    assert ran.status == 0
    assert "6 images with an answer, 0 without; 2 classes" in ran.out
    assert "1 of 7 rows name images that are not there" in ran.err
    files = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert files == ["aspect_ratios.png", "classes_genre.png", "sizes.png"]
    assert all(np.asarray(Image.open(tmp_path / "out" / file)).std() > 5 for file in files)


def test_profile_as_json(artdet, task):
    ran = artdet("data", "profile", task, task.parent / "museum" / "labels.csv", "--json")
    found = json.loads(ran.out)
    assert found[str(task)]["tasks"]["genre"]["classes"] == {"x": 3, "y": 3}
    assert found[str(task)]["width"]["median"] == 70
    assert [part["tasks"] for part in found.values()][1] == {}


def test_duplicates_as_text_json_and_table(artdet, task, tmp_path):
    ran = artdet("data", "duplicates", task, "--csv", tmp_path / "found.csv")
    assert "same bytes:\n  museum/4.png\n  museum/5.png" in ran.out
    assert "6 images: 1 group of duplicates with 2 images, 1 of them copies byte for byte of another" in ran.out
    with (tmp_path / "found.csv").open(newline="") as file:
        assert [row["name"] for row in csv.DictReader(file)] == ["museum/4.png", "museum/5.png"]
    found = json.loads(artdet("data", "duplicates", task.parent / "museum", "--exact", "--json").out)
    assert found["groups"] == [
        {"files": ["images/4.png", "images/5.png"], "exact": True, "distance": 0, "copies": ["images/5.png"]}
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["profile", "gnre"], "Did you mean 'genre'?"), (["duplicates", "x", "--exact", "--near", "3"], "Leave one out")],
)  # fmt: skip
def test_errors(artdet, arguments, said):
    ran = artdet("data", *arguments)
    assert ran.status != 0
    assert said in ran.err
