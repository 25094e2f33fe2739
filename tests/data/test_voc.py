"""Pascal VOC: layouts, pixel conventions, lists, broken files, and real sets."""

import re
from pathlib import Path

import pytest

from artdet.data import voc
from artdet.data.problems import Problems
from artdet.data.settings import SourceFile
from artdet.errors import InputError
from artdet.exports import export
from artdet.runs import PREDICTIONS_FILE, Box, Record, open_run, write_info
from artdet.taxonomy import Taxonomy

OBJECT = "<object><name>{}</name><difficult>{}</difficult><bndbox>{}</bndbox></object>"


def box_of(xmin, ymin, xmax, ymax):
    return f"<xmin>{xmin}</xmin><xmax>{xmax}</xmax><ymin>{ymin}</ymin><ymax>{ymax}</ymax>"


def xml(*objects, filename="", size="<size><width>40</width><height>30</height></size>", extra=""):
    """Objects are (name, corners, difficult)."""
    parts = [OBJECT.format(name, int(difficult), box_of(*corners)) for name, corners, difficult in objects]
    return f"<annotation><filename>{filename}</filename>{size}{extra}{''.join(parts)}</annotation>"


CAT = ("cat", (3, 4, 10, 12), False)


def read(folder, **settings):
    problems = Problems()
    raw = voc.read(SourceFile(format="voc", path=str(folder), **settings), problems)
    return raw, {finding.kind: finding.count for finding in problems.findings()}


def by_file(raw):
    return {image.file: image for image in raw.images}


def test_no_objects_means_annotated_as_empty(make):
    raw, odd = read(make({"Annotations/a.xml": xml(), "JPEGImages/a.jpg": ""}))
    assert (by_file(raw)["a.jpg"].boxes, by_file(raw)["a.jpg"].annotated, odd) == ((), True, {})


@pytest.mark.parametrize(
    ("files", "root", "image"),
    [
        (("Annotations/a.xml", "JPEGImages/a.jpg"), "JPEGImages", "a.jpg"),
        (("Annotations/s/a.jpg.xml", "JPEGImages/s/a.jpg"), "JPEGImages", "s/a.jpg"),
        (("train/a.v.1.xml", "train/a.v.1.jpg"), "", "train/a.v.1.jpg"),
        (("a.XML", "a.JPG"), "", "a.JPG"),
        (("annotations/xmls/a.xml", "images/a.png"), "images", "a.png"),
        (("Annotations/s/a.xml", "pictures/a.jpg"), "", "pictures/a.jpg"),
    ],
    ids=["standard", "People-Art", "Roboflow", "flat", "lower case", "no folder of images"],
)
def test_layouts(make, files, root, image):
    folder = make({files[0]: xml(CAT, filename=Path(image).name), files[1]: ""})
    raw, odd = read(folder)
    assert voc.recognises(folder)
    assert (raw.root, odd) == (folder / root, {})
    assert [(entry.file, len(entry.boxes), entry.size) for entry in raw.images] == [(image, 1, (30, 40))]


def test_folders_by_settings(make):
    raw, _ = read(make({"x/a.xml": xml(CAT), "y/a.jpg": ""}), annotations="x", images="y")
    assert (raw.root.name, raw.images[0].file, len(raw.images[0].boxes)) == ("y", "a.jpg", 1)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"A/1.xml": "b.jpg", "I/1.jpg": None, "I/b.jpg": None}, {"1.jpg": True, "b.jpg": False}),
        ({"A/1.xml": "b.jpg", "I/b.jpg": None}, {"b.jpg": True}),
        ({"A/s/1.xml": "1.jpg", "I/t/1.jpg": None, "I/s/2.jpg": None},
         {"s/1.jpg": True, "s/2.jpg": False, "t/1.jpg": False}),
        ({"A/1.xml": "1.png", "I/1.jpg": None, "I/1.png": None}, {"1.jpg": False, "1.png": True}),
        ({"A/1.xml": "b.png"}, {"1.png": True}),
        ({"A/1.png.xml": ""}, {"1.png": True}),
    ],
    ids=["own path first", "by filename", "never from another folder", "by extension", "no images", "no images, full"],
)  # fmt: skip
def test_image_of_an_xml(make, files, expected):
    content = {name: "" if text is None else xml(CAT, filename=text) for name, text in files.items()}
    raw, _ = read(make(content), annotations="A", images="I")
    assert {image.file: image.annotated for image in raw.images} == expected


@pytest.mark.parametrize(
    ("corners", "first", "expected", "told"),
    [
        ((1, 1, 40, 30), None, (0, 0, 40, 30), 0),
        ((3, 4, 10, 12), None, (2, 3, 10, 12), 0),
        ((0, 4, 10, 12), None, (0, 4, 10, 12), 1),
        ((3, 0, 10, 12), None, (3, 0, 10, 12), 1),
        ((0.5, 4.25, 10, 12), None, (0.5, 4.25, 10, 12), 1),
        ((-2, 4, 10, 12), None, (-3, 3, 10, 12), 0),
        ((3, 4, 10, 12), 0, (3, 4, 10, 12), 0),
        ((0, 4, 10, 12), 1, (-1, 3, 10, 12), 0),
        ((10.5, 12, 3, 4), None, (9.5, 11, 3, 4), 0),
    ],
    ids=["whole", "from 1", "x at 0", "y at 0", "below 1", "outside", "0 by setting", "1 by setting", "swapped"],
)
def test_pixels(make, corners, first, expected, told):
    raw, odd = read(make({"a.xml": xml(("cat", corners, False)), "a.jpg": ""}), first_pixel=first)
    assert raw.images[0].boxes[0].box == pytest.approx(expected)
    assert odd.get("first_pixel", 0) == told


def test_convention_is_that_of_the_whole_set(make):
    files = {"a.xml": xml(CAT), "a.jpg": "", "b.xml": xml(("cat", (0, 1, 2, 3), False)), "b.jpg": "", "l.txt": "a\n"}
    raw, odd = read(make(files), image_list="l.txt")
    assert ([image.boxes[0].box for image in raw.images], odd) == ([(3, 4, 10, 12)], {"first_pixel": 1})


def test_names_difficult_parts_and_style(make):
    part = f"<object><name>dog</name><part><name>head</name><bndbox>{box_of(1, 1, 2, 2)}</bndbox></part>"
    part += f"<bndbox>{box_of(5, 6, 7, 8)}</bndbox></object>"
    extra = f"<owner><name>painter</name></owner><style> Rococo </style><difficult>1</difficult>{part}"
    raw, _ = read(make({"a.xml": xml(CAT, ("cat", (1, 1, 9, 9), True), extra=extra), "a.jpg": ""}))
    assert sorted((box.name, box.difficult) for box in raw.images[0].boxes) == [
        ("cat", False), ("cat", True), ("dog", False)
    ]  # fmt: skip
    assert raw.images[0].fields == {"style": "Rococo"}


@pytest.mark.parametrize(
    "size", ["", "<size/>", "<size><width>0</width><height>0</height></size>", "<size><width>4</width></size>",
             "<size><width>wide</width><height>nan</height></size>"]
)  # fmt: skip
def test_size_that_says_nothing(make, size):
    raw, _ = read(make({"a.xml": xml(CAT, size=size), "a.jpg": ""}))
    assert raw.images[0].size is None


@pytest.mark.parametrize(
    "damaged",
    ["<object><name>cat</name></object>", "<object><name>cat</name><bndbox/></object>",
     OBJECT.format("cat", 0, box_of(1, "", 3, 4)), OBJECT.format("cat", 0, box_of(1, "two", 3, 4)),
     OBJECT.format("cat", 0, box_of(1, "nan", 3, 4)), OBJECT.format("cat", 0, box_of(1, "inf", 3, 4)),
     OBJECT.format(" ", 0, box_of(1, 2, 3, 4))],
    ids=["no box", "empty box", "empty number", "word", "nan", "infinite", "no name"],
)  # fmt: skip
def test_damaged_box(make, damaged):
    raw, odd = read(make({"a.xml": xml(CAT, extra=damaged), "a.jpg": ""}))
    assert (len(raw.images[0].boxes), odd) == (1, {"damaged_box": 1})


BOMB = '<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;">]><annotation><filename>&y;</filename></annotation>'


@pytest.mark.parametrize(
    "content",
    ["", "<annotation><object>", "not xml", "<html></html>", BOMB, BOMB.encode("utf-16"),
     '<!DOCTYPE annotation SYSTEM "voc.dtd"><annotation/>', b'<?xml version="1.0"?><annotation>\xff</annotation>',
     '<?xml version="1.0" encoding="klingon"?><annotation/>'],
    ids=["empty", "cut", "text", "other xml", "entities", "entities in UTF-16", "DTD", "not UTF-8", "no such encoding"],
)  # fmt: skip
def test_unreadable_file(make, content):
    raw, odd = read(make({"a.xml": content, "a.jpg": "", "b.xml": xml(CAT), "b.jpg": ""}))
    assert [image.file for image in raw.images] == ["b.jpg"]
    assert odd == {"unreadable_annotation": 1}


def test_two_files_for_one_image(make):
    raw, odd = read(make({"a.jpg.xml": xml(CAT), "a.xml": xml(), "a.jpg": ""}))
    assert ([len(image.boxes) for image in raw.images], odd) == ([1], {"duplicate_image": 1})


def listed(make, marks, name="cat_val.txt"):
    """Images: ``full`` has a cat, ``empty`` an xml without objects, ``bare`` no xml, ``other`` a dog."""
    objects = {"full": [CAT], "empty": [], "other": [("dog", (3, 4, 5, 6), False)]}
    files = {f"Annotations/{stem}.xml": xml(*boxes) for stem, boxes in objects.items()}
    files |= {f"JPEGImages/{stem}.jpg": "" for stem in (*objects, "bare")}
    raw, odd = read(make({**files, f"Annotations/{name}": marks}), image_list=f"Annotations/{name}")
    return {image.file: (len(image.boxes), image.annotated) for image in raw.images}, odd


@pytest.mark.parametrize(
    ("marks", "images", "odd"),
    [
        ("full\nbare\n", {"full.jpg": (1, True), "bare.jpg": (0, False)}, {}),
        ("full.jpg 1\nempty.jpg -1\nbare.jpg -1\n",
         {"full.jpg": (1, True), "empty.jpg": (0, True), "bare.jpg": (0, True)}, {}),
        ("bare 1\n", {"bare.jpg": (0, False)}, {"list_contradicts": 1}),
        ("empty 1\nfull -1\n", {"empty.jpg": (0, True), "full.jpg": (1, True)}, {"list_contradicts": 2}),
        ("other -1\nfull 0\n", {"other.jpg": (1, True), "full.jpg": (1, True)}, {}),
        ("other 1\n", {"other.jpg": (1, True)}, {"list_contradicts": 1}),
        ("full 1\nnone 1\nfull 1\n", {"full.jpg": (1, True)}, {"missing_image": 1, "duplicate_image": 1}),
    ],
    ids=["names", "marks", "no xml", "contradictions", "other class", "class of the list", "unknown, repeated"],
)  # fmt: skip
def test_list(make, marks, images, odd):
    assert listed(make, marks) == (images, odd)


def test_list_of_no_class(make):
    images, odd = listed(make, "other 1\nfull -1\n", name="val.txt")
    assert (set(images), odd) == ({"other.jpg", "full.jpg"}, {"list_contradicts": 1})


def test_images_without_xml_are_not_annotated(make):
    raw, odd = read(make({"Annotations/a.xml": xml(CAT), "JPEGImages/a.jpg": "", "JPEGImages/b.jpg": ""}))
    assert ({image.file: image.annotated for image in raw.images}, odd) == ({"a.jpg": True, "b.jpg": False}, {})


@pytest.mark.parametrize(
    ("settings", "said"),
    [({}, "holds no xml files"), ({"annotations": "x"}, "There is no folder .*x. Check 'annotations'")],
)
def test_nothing_to_read(make, settings, said):
    with pytest.raises(InputError, match=said):
        read(make({"a.jpg": ""}), **settings)


def test_no_folder(tmp_path):
    assert not voc.recognises(tmp_path / "none")
    with pytest.raises(InputError, match="There is no folder"):
        read(tmp_path / "none")


def test_other_xml_is_not_recognised(make):
    assert not voc.recognises(make({"a.xml": "<annotations></annotations>"}))


NAMES = ('s/it\'s "a" & <b>.jpg', "Dürer/花.png", "control\x0b.jpg", "caf\udce9.jpg", "a.jpg", "a.png")


def test_export_comes_back(tmp_path, taxonomy: Taxonomy):
    boxes = (Box("cat", 0.5, (0.0, 0.25, 399.5, 300.0), "x"), Box("ship", 0.75, (12.5, 20.0, 30.75, 40.25), "x"))
    records = [Record(name, "ab", (300, 400), boxes) for name in NAMES] + [Record("empty.jpg", "ab", (7, 9), ())]
    run = tmp_path / "run"
    run.mkdir()
    write_info(run, {"root": "/pictures"})
    (run / PREDICTIONS_FILE).write_text("".join(f"{record.as_line()}\n" for record in records), encoding="utf-8")
    export(open_run(run), "voc", tmp_path / "out", taxonomy=taxonomy, min_score=0.0)
    for name in (*NAMES, "empty.jpg"):
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    raw, odd = read(tmp_path / "out", images=str(tmp_path / "pictures"))
    assert odd == {}
    images = by_file(raw)
    assert set(images) == {record.file for record in records}
    for record in records:
        image = images[record.file]
        assert image.size == record.size
        assert [box.name for box in image.boxes] == [box.label for box in record.detections]
        for mine, theirs in zip(image.boxes, record.detections, strict=True):
            assert mine.box == pytest.approx(theirs.box, abs=1)


def counted(folder, pattern):
    """How often an expression is met in the xml files, without reading them as xml."""
    return sum(len(re.findall(pattern, path.read_text(encoding="utf-8"))) for path in folder.rglob("*.xml"))


def test_people_art(shared_data):
    folder = shared_data / "people_art"
    raw, odd = read(folder)
    boxes = [box for image in raw.images for box in image.boxes]
    assert voc.recognises(folder)
    assert (len(raw.images), sum(image.annotated for image in raw.images), len(boxes), odd) == (1868, 968, 2733, {})
    assert len(boxes) == counted(folder, "<object>")
    difficult = counted(folder, r"<object>(?:(?!</object>)[\s\S])*?<difficult>1<")
    assert sum(box.difficult for box in boxes) == difficult
    assert len({image.fields["style"] for image in raw.images if image.boxes}) <= 43


def test_people_art_list(shared_data):
    folder = shared_data / "people_art"
    raw, odd = read(folder, image_list="Annotations/person_val.txt")
    assert (len(raw.images), sum(bool(image.boxes) for image in raw.images), odd) == (893, 443, {})
    assert all(image.annotated for image in raw.images)
    assert all((raw.root / image.file).is_file() for image in raw.images)


def test_byzart2k(shared_data):
    folder = shared_data / "byzart2k"
    raw, odd = read(folder)
    assert voc.recognises(folder)
    assert (len(raw.images), all(image.annotated for image in raw.images), odd) == (427, True, {})
    assert sum(len(image.boxes) for image in raw.images) == counted(folder, "<object>") == 4306
