"""YOLO folders, read back by own arithmetic."""

import os
from pathlib import Path

import pytest
import yaml

from artdet.runs import Box, Record
from artdet.taxonomy import Taxonomy

NAMES = Taxonomy.load().names


def one(file, label="cat"):
    return Record(file, "00", (30, 40), (Box(label, 0.5, (4, 3, 20, 30), "x"),))


def label_files(made):
    folder = made.export("yolo").paths[0]
    return {os.fsdecode(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


def test_one_line_by_hand(run_of):
    # Centre (12, 16.5) and size (16, 27) of 40 x 30 pixels; cat is the tenth node of the taxonomy.
    expected = "9 0.30000000 0.55000000 0.40000000 0.90000000 0.5\n"
    assert label_files(run_of(one("a.jpg"))) == {"a.txt": expected}


def test_round_trip(made, readable):
    found = label_files(made)
    assert len(found) == len(readable)
    for entry in readable:
        lines = found[str(Path(entry.file).with_suffix(".txt"))].splitlines()
        height, width = entry.size
        assert len(lines) == len(entry.detections)
        for line, box in zip(lines, entry.detections, strict=True):
            label, *numbers = line.split(" ")
            cx, cy, w, h, score = map(float, numbers)
            assert (NAMES[int(label)], score) == (box.label, box.score)
            corners = ((cx - w / 2) * width, (cy - h / 2) * height, (cx + w / 2) * width, (cy + h / 2) * height)
            assert corners == pytest.approx(box.box, abs=0.01)


def test_class_lists(made):
    _, classes, data = made.export("yolo").paths
    assert tuple(classes.read_text(encoding="utf-8").splitlines()) == NAMES
    settings = yaml.safe_load(data.read_text(encoding="utf-8"))
    assert settings["names"] == dict(enumerate(NAMES))
    assert (settings["train"], settings["val"]) == ("images", "images")


def test_two_images_that_differ_only_in_the_ending(run_of):
    made = run_of(one("a.jpg", "cat"), one("a.png", "dog"), one("a.png.tif", "cow"), one("b/a.jpg", "duck"))
    found = {name: NAMES[int(text.split()[0])] for name, text in label_files(made).items()}
    assert found == {"a.txt": "cat", "a.png.txt": "dog", "a.png.tif.txt": "cow", "b/a.txt": "duck"}
    assert made.export("yolo").notes[0].startswith("2 label files have other names than their images")


def test_a_line_that_stands_twice_is_no_error(run_of):
    assert sorted(label_files(run_of(*[one("a.jpg")] * 3))) == ["a.jpg.2.txt", "a.jpg.txt", "a.txt"]


@pytest.mark.parametrize(
    ("file", "place"),
    [
        ("../../a.jpg", "a.txt"),
        ("b/../../a.jpg", "b/a.txt"),
        ("/etc/a.jpg", "etc/a.txt"),
        ("./a.jpg", "a.txt"),
        ("..", "unnamed.txt"),
        (".jpg", ".jpg.txt"),
        ("a.b.jpg", "a.b.txt"),
        ("no ending", "no ending.txt"),
        ("nul\0.jpg", "nul_.txt"),
        ("\ud800.jpg", "\\ud800.txt"),
    ],
)
def test_names_stay_inside(run_of, tmp_path, file, place):
    made = run_of(one(file))
    before = set(tmp_path.rglob("*"))
    assert list(label_files(made)) == [place]
    new = set(tmp_path.rglob("*")) - before
    assert all(path.is_relative_to(made.run.folder / "exports") for path in new)
