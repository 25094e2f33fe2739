"""CSV with a header: columns, units, encodings, and our own export."""

import pytest

from artdet.data import csv_table
from artdet.data.problems import Problems
from artdet.data.settings import SourceFile
from artdet.errors import InputError
from artdet.exports import export
from artdet.runs import PREDICTIONS_FILE, Box, Record, open_run, write_info
from artdet.taxonomy import Taxonomy

HEAD = "file,label,x1,y1,x2,y2\n"
ROW = "a.jpg,cat,1,2,31,42\n"
CAT = ("cat", (1.0, 2.0, 31.0, 42.0))


def read(path, **settings):
    problems = Problems()
    raw = csv_table.read(SourceFile(format="csv", path=str(path), **settings), problems)
    images = {image.file: image for image in raw.images}
    assert len(images) == len(raw.images)
    return raw, images, problems.findings()


def boxes_of(image):
    return [(box.name, box.box) for box in image.boxes]


def test_table_without_rows(make):
    raw, images, findings = read(make({"b.csv": HEAD}))
    assert (images, raw.vocabulary, findings) == ({}, None, ())


@pytest.mark.parametrize(
    "table",
    [
        f"{HEAD}{ROW}",
        "filename;class;xmin;ymin;xmax;ymax\na.jpg;cat;1,0;2;31;42,0\n",
        "Image Path\tCategory\tLeft\tTop\tRight\tBottom\r\na.jpg\tcat\t1\t2\t31\t42\r\n",
        'image|name|x|y|w|h\n"a.jpg"|cat|1|2|30|40\n',
        "image_name,class_name,bbox_x,bbox_y,bbox_width,bbox_height\na.jpg,cat,1,2,30,40\n",
        "file_name,label,x,y,width,height\na.jpg,cat,1,2,30,40\n",
        "path,label,left,top,width,height\na.jpg,cat,1,2,30,40\n",
        "width,height,y2,x2,y1,x1,score,label,file\n60,50,42,31,2,1,0.5,cat,./a.jpg\n",
    ],
    ids=["commas", "semicolons", "tabs", "pipes", "box sides", "sides without image", "left, top, sides", "any order"],
)
def test_columns(make, table):
    folder = make({"b.csv": table, "a.jpg": ""})
    _, images, findings = read(folder)
    assert csv_table.recognises(folder)
    assert csv_table.recognises(folder / "b.csv")
    assert (boxes_of(images["a.jpg"]), images["a.jpg"].relative, findings) == ([CAT], False, ())
    assert images["a.jpg"].size == ((50, 60) if table.startswith("width") else None)


def test_columns_by_settings(make):
    table = "Bild,Was,a,b,c,d,Stil\na.jpg,cat,1,2,31,42,Barock\n"
    columns = {"file": "Bild", "label": "Was", "x1": "a", "y1": "b", "x2": "c", "y2": "d", "style": "Stil"}
    folder = make({"b.csv": table})
    _, images, _ = read(folder, columns=columns)
    assert (boxes_of(images["a.jpg"]), images["a.jpg"].fields) == ([CAT], {"style": "Barock"})
    with pytest.raises(InputError, match=r"no column 'Stiel', which 'columns' names. Did you mean 'Stil'"):
        read(folder, columns={**columns, "style": "Stiel"})


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("a,b", r"no column for file, label, x1, y1, x2, y2 \(or x, y, w, h\); its header is a, b\. .*columns:"),
        ("file,label,style", r"no column for x1, y1, x2, y2 \(or x, y, w, h\)"),
        ("file,label,x1,y1,x2", r"no column for x1, y1, x2, y2"),
        ("file,label,x1,y1,x2,width,height", r"no column for x1, y1, x2, y2"),
        ("file,x,y,w,h", "no column for label;"),
        ("", "no column for file"),
    ],
)
def test_missing_columns(make, header, said):
    folder = make({"b.csv": f"{header}\n"})
    assert not csv_table.recognises(folder)
    with pytest.raises(InputError, match=said):
        read(folder)


@pytest.mark.parametrize(
    ("rows", "relative"),
    [
        ("a.jpg,cat,0.1,0.2,0.5,0.75\nb.jpg,cat,0,0,1,1\n", True),
        ("a.jpg,cat,-0.01,0.2,0.5,1.02\n", True),
        ("a.jpg,cat,0,0,1,1\n", False),
        ("a.jpg,cat,0.1,0.2,0.5,0.75\nb.jpg,cat,0,0,1,2\n", False),
        ("a.jpg,,,,,\n", False),
    ],
    ids=["shares", "shares, a bit outside", "whole numbers", "one is larger", "no boxes"],
)
def test_unit(make, rows, relative):
    raw, _, _ = read(make({"b.csv": HEAD + rows}))
    assert {image.relative for image in raw.images} == {relative}


def test_image_without_boxes_and_image_without_row(make):
    _, images, findings = read(make({"b.csv": f"{HEAD}{ROW}b.jpg,,,,,\n", "a.jpg": "", "b.jpg": "", "c.jpg": ""}))
    assert {name: (len(image.boxes), image.annotated) for name, image in images.items()} == {
        "a.jpg": (1, True), "b.jpg": (0, True), "c.jpg": (0, False)
    }  # fmt: skip
    assert findings == ()


@pytest.mark.parametrize("row", ["a.jpg,cat,1,2,wide,4", "a.jpg,cat,1,2,,4", "a.jpg,cat,1,2,nan,4", "a.jpg,,1,2,3,4",
                                 "a.jpg,cat,1,2,3", "a.jpg,cat,dog,1,2,3,4",
                                 ",cat,1,2,3,4", "a.jpg,cat,,,,"])  # fmt: skip
def test_damaged_rows(make, row):
    _, images, [finding] = read(make({"b.csv": f"{HEAD}{ROW}\n{row}\n"}))
    assert (boxes_of(images["a.jpg"]), finding.kind, finding.examples) == ([CAT], "damaged_box", ("b.csv:4",))


@pytest.mark.parametrize(("text", "told"), [("1", True), ("0", False), ("True", True), ("", False), ("no", False)])
def test_flags(make, text, told):
    head = HEAD.replace("\n", ",iscrowd,difficult\n")
    _, images, _ = read(make({"b.csv": f"{head}a.jpg,cat,1,2,3,4,{text},{text}\n"}))
    assert [(box.crowd, box.difficult) for box in images["a.jpg"].boxes] == [(told, told)]


def test_fields(make):
    head = HEAD.replace("\n", ",style,year,pose,score,source,category,\n")
    rows = "a.jpg,cat,1,2,3,4,Rococo,1750,left,0.5,x,animals,7\na.jpg,dog,1,2,3,4,Rococo,,right,0.6,x,animals,8\n"
    rows += "b.jpg,cat,1,2,3,4,,1800,left,0.7,x,animals,9\n"
    _, images, _ = read(make({"b.csv": head + rows}))
    assert {name: image.fields for name, image in images.items()} == {
        "a.jpg": {"style": "Rococo", "year": "1750"}, "b.jpg": {"year": "1800"}
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "kinds"),
    [
        (f"\ufeff{HEAD}é.jpg,cat,1,2,31,42\n".encode(), []),
        (f"{HEAD}é.jpg,cat,1,2,31,42\n".encode("utf-16"), []),
        (f"\ufeff{HEAD}é.jpg,cat,1,2,31,42\n".encode("utf-16-be"), []),
        (f"{HEAD}é.jpg,cat,1,2,31,42\n".encode("cp1252"), ["encoding"]),
    ],
    ids=["byte-order mark", "UTF-16", "UTF-16 BE", "Windows-1252"],
)
def test_encodings(make, content, kinds):
    folder = make({"b.csv": content})
    _, images, findings = read(folder)
    assert csv_table.recognises(folder)
    assert ({name: boxes_of(image) for name, image in images.items()}, [f.kind for f in findings]) == (
        {"é.jpg": [CAT]}, kinds
    )  # fmt: skip


def test_names_of_images(make):
    rows = "C:\\scans\\s\\a.jpg,cat,1,2,31,42\nb,cat,1,2,31,42\nz\\q.jpg,cat,1,2,31,42\n"
    raw, images, _ = read(make({"b.csv": HEAD + rows, "images/s/a.jpg": "", "images/t/b.png": ""}))
    assert (raw.root.name, sorted(images)) == ("images", ["s/a.jpg", "t/b.png", "z\\q.jpg"])


def test_list(make):
    folder = make({"b.csv": f"{HEAD}{ROW}b.jpg,cat,1,2,3,4\n", "l.txt": "b.jpg\n"})
    assert list(read(folder, image_list="l.txt")[1]) == ["b.jpg"]


def test_table_is_chosen(make):
    folder = make({"b.csv": HEAD + ROW, "failures.csv": "file,cause,message\n", "x/c.csv": HEAD})
    assert boxes_of(read(folder)[1]["a.jpg"]) == [CAT]
    assert read(folder, annotations="x/c.csv")[1] == {}


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "holds 0 tables"),
        ({"a.csv": HEAD, "b.csv": HEAD}, r"holds 2 tables \(a\.csv, b\.csv\)\. Name the one"),
        ({"a.csv": b"\x81\x8d\xff"}, r"a\.csv is not text"),
        ({"a.csv": HEAD + "a" * 200_000}, r"a\.csv, line 2: field larger"),
    ],
    ids=["none", "two", "binary", "endless field"],
)
def test_not_usable(make, files, said):
    with pytest.raises(InputError, match=said):
        read(make(files))


def test_no_folder(tmp_path):
    assert not csv_table.recognises(tmp_path / "none")
    with pytest.raises(InputError, match="There is no"):
        read(tmp_path / "none")


def test_export_comes_back(tmp_path, taxonomy: Taxonomy):
    boxes = (Box("cat", 0.5, (0.0, 0.25, 399.5, 300.0), "x"), Box("ship", 0.75, (12.5, 20.0, 30.75, 40.25), "x"))
    names = ('s/it\'s "1", 2.jpg', "two\nlines.jpg", "Dürer/花.png", "caf\udce9.jpg", "a.jpg", "a.png")
    records = [Record(name, "ab", (300, 400), boxes) for name in names] + [Record("empty.jpg", "ab", (7, 9), ())]
    run = tmp_path / "run"
    run.mkdir()
    write_info(run, {"root": "/pictures"})
    (run / PREDICTIONS_FILE).write_text("".join(f"{record.as_line()}\n" for record in records), encoding="utf-8")
    out = tmp_path / "out"
    export(open_run(run), "csv", out, taxonomy=taxonomy, min_score=0.0)
    _, images, findings = read(out)
    assert (csv_table.recognises(out), findings, set(images)) == (True, (), {record.file for record in records})
    for record in records:
        image = images[record.file]
        assert (image.size, image.relative, dict(image.fields)) == (record.size, False, {})
        assert boxes_of(image) == [(box.label, pytest.approx(box.box, abs=0.01)) for box in record.detections]


def test_tables_without_boxes_are_not_recognised(shared_data):
    paths = list(shared_data.rglob("*.csv"))
    assert paths
    assert not any(csv_table.recognises(path) or csv_table.recognises(path.parent) for path in paths)
