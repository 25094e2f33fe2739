"""``artdet data``: tables, findings and errors."""

import json

import pytest
from PIL import Image

from artdet.cli.statistics_text import statistics_text
from artdet.data.statistics import Counts, Statistics
from artdet.taxonomy import Taxonomy


@pytest.fixture
def yolo_set(tmp_path):
    """Three images of 50 x 30: two cats and a ship with a corner outside, none, and one without label file."""

    def made(names="cat\nship\n", first="0 0.5 0.5 0.2 0.2\n0 0.25 0.5 0.1 0.3\n1 0.9 0.5 0.4 0.4\n"):
        root = tmp_path / "set"
        (root / "images").mkdir(parents=True)
        (root / "labels").mkdir()
        for number, name in enumerate("abc"):
            Image.new("RGB", (50, 30), (number * 80, 2, 3)).save(root / "images" / f"{name}.jpg")
        (root / "labels" / "a.txt").write_text(first)
        (root / "labels" / "b.txt").write_text("")
        (root / "classes.txt").write_text(names)
        return root

    return made


def test_stats_of_a_folder(artdet, yolo_set):
    ran = artdet("data", "stats", yolo_set())
    assert ran.status == 0
    table = [line.split() for line in ran.out.splitlines()]
    assert table[:6] == [
        ["set"],
        ["boxes", "images", "per", "image", "small", "medium", "large"],
        ["animals", "2", "1", "2.0", "100%", "0%", "0%"],
        ["cat", "2", "1", "2.0", "100%", "0%", "0%"],
        ["structures", "1", "1", "1.0", "100%", "0%", "0%"],
        ["ship", "1", "1", "1.0", "100%", "0%", "0%"],
    ]
    assert "set: 3 images: 1 with boxes, 1 annotated without, 1 not annotated" in ran.out


def test_findings_are_said_and_losses_come_first(artdet, yolo_set):
    ran = artdet("data", "stats", yolo_set(first="0 0.5 0.5 0.2 0.2\n1 0.9 0.5 0.4 0.4\n0 2.5 0.5 0.1 0.1\n0 1 2\n"))
    assert ran.err.splitlines()[0].startswith("set: boxes wholly outside their image, left out: 1 (a.jpg")
    assert "boxes that reach outside their image, cut at its border" in ran.err
    assert "images without annotation (not the same as annotated as empty), which do not count: 1" in ran.err
    assert ["left out" in line for line in ran.err.splitlines()] == [True, True, False, False, False]


def test_copies_are_said(artdet, yolo_set):
    root = yolo_set()
    (root / "images" / "b.jpg").write_bytes((root / "images" / "a.jpg").read_bytes())
    assert "images that are byte for byte copies of others: 1 (b.jpg = a.jpg)" in artdet("data", "stats", root).err


def test_stats_as_json_of_two_sources(artdet, yolo_set):
    root = yolo_set()
    ran = artdet("data", "stats", root, "examples", "--json")
    found = json.loads(ran.out)
    assert [source["name"] for source in found["sources"]] == ["set", "examples"]
    assert found["sources"][0]["classes"]["cat"]["boxes"] == 2
    assert {finding["kind"]: finding["count"] for finding in found["sources"][0]["findings"]} == {
        "cut": 1,
        "empty": 1,
        "not_annotated": 1,
    }
    assert found["all"]["total"]["boxes"] == 3 + 293
    assert json.loads(artdet("data", "stats", root, "--json").out).keys() == {"sources"}


def made_statistics(name, boxes, **more):
    counts = Counts(boxes=boxes, images=1, small=boxes, **more)
    return Statistics(name, "", 1, 1, 0, 1, {"persons": counts, "mary": counts}, {"persons": counts}, counts)


def test_blocks_that_do_not_fit_come_below():
    parts = [made_statistics("first", 3), made_statistics("second", 12345, not_exhaustive=1)]
    wide = statistics_text(parts, Taxonomy.load(), width=None).splitlines()
    assert [line.split() for line in wide[:1]] == [["first", "second"]]
    assert [line.split()[0] for line in wide[2:6]] == ["persons", "mary", "other", "total"]
    assert "12345*" in wide[2]
    assert wide[-1] == "* some or all of classes not boxed everywhere, so neither hit nor miss"
    narrow = statistics_text(parts, Taxonomy.load(), width=80)
    assert max(map(len, narrow.splitlines())) <= 80 < max(map(len, wide))
    assert [block.split()[0] for block in narrow.split("\n\n")[:2]] == ["first", "second"]
    assert len(statistics_text(parts, Taxonomy.load(), width=20).split("\n\n")) == 3


@pytest.mark.parametrize("form", ["coco", "csv", "voc", "yolo"])
def test_convert(artdet, yolo_set, tmp_path, monkeypatch, form):
    root = yolo_set()
    monkeypatch.chdir(tmp_path)
    ran = artdet("data", "convert", root, "--to", form)
    assert ran.status == 0
    assert f"{3 if form == 'coco' else 2} images, 3 boxes" in ran.err
    assert "boxes that reach outside their image, cut at its border: 1" in ran.err
    paths = ran.out.splitlines()
    assert all((tmp_path / path).exists() and path.startswith(f"converted/set/{form}/") for path in paths)
    readable = next(path for path in paths if path.endswith(("/set.json", "/set.yaml")))
    again = json.loads(artdet("data", "stats", readable, "--json").out)["sources"][0]
    assert {name: counts["boxes"] for name, counts in again["classes"].items()} == {"cat": 2, "ship": 1}


def test_convert_needs_to_know_where(artdet, yolo_set, tmp_path):
    root = yolo_set()
    ran = artdet("data", "convert", root, "--to", "yolo", "--out", root)
    assert ran.status == 1
    assert f"{root} has labels and classes.txt already, and no yolo conversion of artdet wrote that." in ran.err
    assert (root / "classes.txt").read_text() == "cat\nship\n"


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("stats",), 2, "Missing argument 'SOURCE...'"),
        (("stats", "people_art_vall"), 1, "There is no source 'people_art_vall': no file or folder of that name"),
        (("stats", "people_art_vall"), 1, "Did you mean 'people_art_val'?"),
        (("stats", "{empty}"), 1, "is of no format that artdet recognises. Say which one it is: --format coco"),
        (("stats", "{empty}", "--format", "yollo"), 1, "There is no format 'yollo'. Did you mean 'yolo'?"),
        (("stats", "{empty}", "--format", "yolo"), 1, "holds no images"),
        (("stats", "{set}", "{set}", "--images", "{empty}"), 2, "--images is about one source"),
        (("stats", "{set}", "--label-map", "cocoo"), 1, "there is no label map 'cocoo'. Did you mean 'coco'?"),
        (("stats", "{set}", "--label-map", "people_art"), 1, "people_art does not know 'cat', 'ship'"),
        (("convert", "{set}", "--to", "coko"), 1, "there is no export format 'coko'. Did you mean 'coco'?"),
        (("convert",), 2, "Missing argument 'SOURCE'"),
    ],
)
def test_errors(artdet, yolo_set, tmp_path, arguments, status, said):
    (tmp_path / "empty").mkdir()
    places = {"set": yolo_set(), "empty": tmp_path / "empty"}
    ran = artdet("data", *(argument.format(**places) for argument in arguments))
    assert (ran.status, ran.out) == (status, "")
    assert said in ran.err
    assert "Traceback" not in ran.err


def test_names_that_no_map_knows(artdet, yolo_set):
    ran = artdet("data", "stats", yolo_set(names="cat\nbot\n"))
    assert ran.status == 1
    assert "'bot' is no class of the taxonomy." in ran.err
    assert "Give a label map with --label-map" in ran.err


def test_data_that_are_not_there(artdet, tmp_path, monkeypatch):
    monkeypatch.setenv("ARTDET_DATA_DIR", str(tmp_path))
    ran = artdet("data", "stats", "ships")
    assert ran.status == 1
    assert "Set ARTDET_DATA_DIR to the folder that has 'photos/ships'." in ran.err
