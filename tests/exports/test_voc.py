"""Pascal VOC files, read back with the xml module."""

import os
from pathlib import Path
from xml.etree import ElementTree

import pytest

from artdet.runs import Box, Record
from artdet.taxonomy import Taxonomy

EDGES = ("xmin", "ymin", "xmax", "ymax")


def documents(made):
    folder = made.export("voc").paths[0]
    return {os.fsdecode(p.relative_to(folder)): ElementTree.parse(p).getroot() for p in folder.rglob("*.xml")}


def edges_of(part):
    return tuple(int(part.findtext(f"bndbox/{name}")) for name in EDGES)


def test_image_without_boxes(run_of):
    root = documents(run_of(Record("b/c/a.jpg", "00", (30, 40))))["b/c/a.xml"]
    found = {part.tag: part.text or "" for part in root.iter() if len(part) == 0}
    assert found == {
        "folder": "b/c", "filename": "a.jpg", "path": "b/c/a.jpg", "database": "artdet",
        "width": "40", "height": "30", "depth": "3", "segmented": "0",
    }  # fmt: skip


def test_image_at_the_top_has_no_folder(run_of):
    assert documents(run_of(Record("a.jpg", "00", (30, 40))))["a.xml"].findtext("folder") == ""


@pytest.mark.parametrize(
    ("corners", "pixels"),
    [
        ((0, 0, 40, 30), (1, 1, 40, 30)),
        ((0, 0, 1, 1), (1, 1, 1, 1)),
        ((3, 4, 10, 12), (4, 5, 10, 12)),
        ((3.2, 4.9, 10.1, 12.9), (4, 5, 11, 13)),
        ((5, 6, 5, 6), (6, 7, 6, 7)),
        ((40, 30, 40, 30), (40, 30, 40, 30)),
    ],
    ids=["whole", "first pixel", "whole pixels", "parts of pixels", "without size", "without size, at the end"],
)
def test_pixels_by_hand(run_of, corners, pixels):
    made = run_of(Record("a.jpg", "00", (30, 40), (Box("cat", 0.5, corners, "x"),)))
    [part] = documents(made)["a.xml"].findall("object")
    assert edges_of(part) == pixels


def test_round_trip(made, readable):
    found = documents(made)
    assert len(found) == len(readable)
    for entry in readable:
        root = found[str(Path(entry.file).with_suffix(".xml"))]
        assert (int(root.findtext("size/height")), int(root.findtext("size/width"))) == entry.size
        parts = root.findall("object")
        assert len(parts) == len(entry.detections)
        for part, box in zip(parts, entry.detections, strict=True):
            assert (part.findtext("name"), float(part.findtext("confidence"))) == (box.label, box.score)
            xmin, ymin, xmax, ymax = edges_of(part)
            assert 1 <= xmin <= xmax <= entry.size[1]
            assert 1 <= ymin <= ymax <= entry.size[0]
            assert (xmin - 1, ymin - 1, xmax, ymax) == pytest.approx(box.box, abs=1)


@pytest.mark.parametrize(
    ("file", "shown"),
    [
        ('it\'s "a" <b> & ]]>.jpg', 'it\'s "a" <b> & ]]>.jpg'),
        ("Dürer 花 \U0001f3a8.jpg", "Dürer 花 \U0001f3a8.jpg"),
        ("two\nlines\t.jpg", "two\nlines\t.jpg"),
        ("\x01\x0b\r\x1f\ufffe.jpg", r"\x01\x0b\x0d\x1f\ufffe.jpg"),
        ("caf\udce9.jpg", r"caf\udce9.jpg"),
    ],
    ids=["mark-up", "scripts", "white space", "forbidden", "not UTF-8"],
)
def test_names(run_of, file, shown):
    [root] = documents(run_of(Record(file, "00", (30, 40)))).values()
    assert root.findtext("filename") == root.findtext("path") == shown


def test_order_of_elements_is_that_of_voc(made):
    root = documents(made)["a/one.xml"]
    assert [part.tag for part in root][:6] == ["folder", "filename", "path", "source", "size", "segmented"]
    assert [part.tag for part in root.find("object")] == [
        "name", "pose", "truncated", "difficult", "confidence", "bndbox",
    ]  # fmt: skip
    assert [part.tag for part in root.find("object/bndbox")] == list(EDGES)
    assert {part.findtext("name") for part in root.findall("object")} <= set(Taxonomy.load().names)


def test_two_images_that_differ_only_in_the_ending(run_of):
    made = run_of(*(Record(name, "00", (30, 40)) for name in ("a.jpg", "a.png")))
    assert {name: root.findtext("filename") for name, root in documents(made).items()} == {
        "a.xml": "a.jpg",
        "a.png.xml": "a.png",
    }
