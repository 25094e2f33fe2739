"""Committed data is checked like code."""

import csv
import json
from collections import Counter

import pytest
from PIL import Image

from artdet.resources import shipped
from artdet.taxonomy import Taxonomy

PAINTINGS = shipped("examples", "paintings")


@pytest.fixture(scope="module")
def examples():
    return json.loads(shipped("annotations", "examples.json").read_text(encoding="utf-8"))


def test_every_painting_is_annotated_and_has_a_source(examples):
    files = {path.name for path in PAINTINGS.glob("*.jpg")}
    with (PAINTINGS / "sources.csv").open(encoding="utf-8") as stream:
        sources = {row["file"] for row in csv.DictReader(stream)}
    assert len(files) == 22
    assert {image["file_name"] for image in examples["images"]} == files == sources


def test_sizes_are_those_of_the_files(examples):
    for image in examples["images"]:
        with Image.open(PAINTINGS / image["file_name"]) as picture:
            assert picture.size == (image["width"], image["height"]), image["file_name"]


def test_boxes_lie_inside_their_images(examples):
    sizes = {image["id"]: (image["width"], image["height"]) for image in examples["images"]}
    for annotation in examples["annotations"]:
        x, y, w, h = annotation["bbox"]
        width, height = sizes[annotation["image_id"]]
        assert x >= 0, annotation
        assert y >= 0, annotation
        assert w >= 3, annotation
        assert h >= 3, annotation
        assert x + w <= width, annotation
        assert y + h <= height, annotation
        assert annotation["area"] == w * h
        assert annotation["iscrowd"] in (0, 1)


def test_categories_are_the_taxonomy(examples):
    expected = [(i, node.name, node.category) for i, node in enumerate(Taxonomy.load().nodes, start=1)]
    assert [(c["id"], c["name"], c["supercategory"]) for c in examples["categories"]] == expected


def test_ids_are_unique_and_no_box_stands_twice(examples):
    for key in ("images", "annotations"):
        assert len({row["id"] for row in examples[key]}) == len(examples[key])
    boxes = Counter((a["image_id"], a["category_id"], *a["bbox"]) for a in examples["annotations"])
    assert [box for box, count in boxes.items() if count > 1] == []


def test_the_set_shows_what_the_readme_says_it_shows(examples):
    names = {c["id"]: c["name"] for c in examples["categories"]}
    seen = {names[a["category_id"]] for a in examples["annotations"]}
    assert seen >= {"persons", "faces", "flower", "fish", "duck", "ship", "building", "mountain", "water_body"}
