"""``artdet train``: the dry run, and what it says where it cannot."""

import json

import pytest
import yaml
from PIL import Image

from artdet.resources import shipped


@pytest.fixture
def category(tmp_path):
    """Two photographs with dogs, one without; the example paintings validate."""
    for index, text in enumerate(["0 0.5 0.5 0.2 0.4\n0 0.2 0.5 0.2 0.4\n", "0 0.5 0.5 0.2 0.4\n", ""]):
        for folder in ("images", "labels"):
            (tmp_path / "set" / folder).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (50, 30), (index * 80, 2, 3)).save(tmp_path / f"set/images/{index}.jpg")
        (tmp_path / f"set/labels/{index}.txt").write_text(text)
    (tmp_path / "set/classes.txt").write_text("dog\n")
    (tmp_path / "dogs.yaml").write_text("{format: yolo, path: set, licence: free}")
    sources = [
        {"source": "dogs.yaml", "art": False},
        {"source": "examples", "art": True, "split": "validation"},
    ]
    negatives = [{"source": "dogs.yaml", "art": False, "rate": 0.25, "assume_absent": True}]
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({"classes": ["animals", "dog"], "sources": sources, "negatives": negatives}))
    return path


def test_dry_run(artdet, category):
    ran = artdet("train", "--category", category, "--dry-run")
    assert ran.status == 0, ran.err
    lines = [line.split() for line in ran.out.splitlines()]
    assert ["dog", "3", "2", "0", "1.00", "75%", "0", "0"] in lines
    for text in (
        "epoch: 3 of 3 images on average, 25% of them negatives (of 1)",
        "works on both sides: 0",
        "an estimate",
        "licence of dogs: free",
        "weak: no box to validate on: dog",
        "weak: fewer than 50 boxes to learn from: animals (0), dog (3)",
        "weak: fewer than 50 boxes to validate on: animals (14)",
    ):
        assert text in ran.out


def test_json_and_set(artdet, category):
    ran = artdet("train", "--category", category, "--dry-run", "--json", "--set", "image_size=1024")
    found = json.loads(ran.out)
    assert found["settings"]["image_size"] == 1024
    assert found["classes"][1]["boxes"] == 3
    assert [part["name"] for part in found["validation"]] == ["examples"]
    assert found["works_on_both_sides"] == 0


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ((), 2, "Missing option '--category'"),
        (("--category", "animals"), 1, "training itself is not part of this version yet. Use --dry-run"),
        (("--category", "animal", "--dry-run"), 1, "there is no category 'animal'. Did you mean 'animals'?"),
        (("--category", "animals", "--dry-run", "--set", "seeds=1"), 1, "seeds: unknown key. Did you mean 'seed'?"),
        (("--category", "animals", "--dry-run"), 1, "6 of the 7 sources of animals are not on this machine: animals6"),
    ],
)
def test_errors(artdet, tmp_path, monkeypatch, arguments, status, said):
    monkeypatch.setenv("ARTDET_DATA_DIR", str(tmp_path))
    ran = artdet("train", *arguments)
    assert (ran.status, ran.out) == (status, "")
    assert said in ran.err
    assert "Traceback" not in ran.err
    assert shipped("configs", "animals.yaml").is_file()
