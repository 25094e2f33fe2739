"""Open Images' tables."""

import pytest

from artdet.data import openimages
from artdet.data.problems import Problems
from artdet.data.settings import SourceFile
from artdet.errors import InputError

HEAD = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside\n"
CAR = "aa,xclick,/m/0k4j,1,0.1,0.4,0.2,0.8,0,0,0,0,0\n"
NAMES = "/m/0k4j,Car\n/m/01yrx,Cat\n"
LABELS = "ImageID,Source,LabelName,Confidence\n"


def read(path, **settings):
    problems = Problems()
    raw = openimages.read(SourceFile(format="openimages", path=str(path), **settings), problems)
    images = {image.file: image for image in raw.images}
    assert len(images) == len(raw.images)
    return raw, images, problems.findings()


def test_table_without_rows(make):
    raw, images, findings = read(make({"boxes.csv": HEAD}))
    assert (images, raw.vocabulary, findings) == ({}, None, ())


@pytest.mark.parametrize("names", [NAMES, f"LabelName,DisplayName\n{NAMES}"], ids=["no header", "header"])
def test_boxes_and_names(make, names):
    folder = make({"train-annotations-bbox.csv": HEAD + CAR, "class-descriptions-boxable.csv": names,
                   "class-descriptions.csv": "/m/0k4j,Automobile\n", "images/train/aa.jpg": "",
                   "images/bb.png": ""})  # fmt: skip
    raw, images, findings = read(folder)
    assert openimages.recognises(folder)
    assert (raw.root, raw.vocabulary, findings) == (folder / "images", ("Car", "Cat"), ())
    assert [(box.name, box.box, box.crowd) for box in images["train/aa.jpg"].boxes] == [
        ("Car", (0.1, 0.2, 0.4, 0.8), False)
    ]
    assert [(image.annotated, image.relative) for image in images.values()] == [(False, True), (True, True)]


def test_columns_in_any_order_and_more_of_them(make):
    table = "YMax,ImageID,XClick1X,LabelName,XMax,YMin,XMin,IsGroupOf\n0.8,aa,9,Car,0.4,0.2,0.1,1\n"
    raw, images, _ = read(make({"b.csv": table}))
    assert [(box.name, box.box, box.crowd) for box in images["aa.jpg"].boxes] == [("Car", (0.1, 0.2, 0.4, 0.8), True)]
    assert raw.vocabulary is None


@pytest.mark.parametrize(("group", "crowd"), [("0", False), ("1", True), ("-1", False)])
def test_group(make, group, crowd):
    row = f"aa,xclick,/m/0k4j,1,0.1,0.4,0.2,0.8,0,0,{group},0,0\n"
    assert read(make({"b.csv": HEAD + row}))[1]["aa.jpg"].boxes[0].crowd is crowd


def test_verified_negatives(make):
    labels = (
        f"{LABELS}bb,verification,/m/0k4j,0\ncc,verification,/m/0k4j,1\ndd,verification,/m/0k4j,0\nzz,v,/m/0k4j,0\n"
    )
    labels += "dd,verification,/m/01yrx,\n"
    files = {f"images/{name}.jpg": "" for name in ("aa", "bb", "cc", "dd", "ee")}
    _, images, [finding] = read(make({"b.csv": HEAD + CAR, "labels.csv": labels, **files}))
    assert {name: image.annotated for name, image in images.items()} == {
        "aa.jpg": True, "bb.jpg": True, "cc.jpg": False, "dd.jpg": True, "ee.jpg": False
    }  # fmt: skip
    assert (finding.kind, finding.examples) == ("unreadable_annotation", ("labels.csv:6",))


@pytest.mark.parametrize("row", ["aa,x,/m/0k4j,1,0.1,wide,0.2,0.8,0,0,0,0,0",
                                 "aa,x,/m/0k4j,1,0.1,nan,0.2,0.8,0,0,0,0,0",
                                 "aa,x,,1,0.1,0.4,0.2,0.8,0,0,0,0,0", "aa,x,/m/0k4j,1,0.1"])  # fmt: skip
def test_damaged_rows(make, row):
    _, images, [finding] = read(make({"b.csv": f"{HEAD}{CAR}{row}\n"}))
    assert (len(images["aa.jpg"].boxes), finding.kind, finding.examples) == (1, "damaged_box", ("b.csv:3",))


def test_images_that_are_not_there(make):
    rows = CAR + CAR.replace("aa", "bb") + CAR.replace("aa", "bb")
    _, images, [finding] = read(make({"b.csv": HEAD + rows, "images/aa.jpg": ""}))
    assert (list(images), finding.kind, finding.examples) == (["aa.jpg"], "missing_image", ("bb",))


def test_several_tables_and_a_list(make):
    folder = make(
        {"annotations/a.csv": HEAD + CAR, "annotations/b.csv": HEAD + CAR.replace("aa", "bb"), "l.txt": "bb\n"}
    )
    assert sorted(read(folder)[1]) == ["aa.jpg", "bb.jpg"]
    assert sorted(read(folder, image_list="l.txt")[1]) == ["bb.jpg"]
    assert sorted(read(folder, annotations="annotations/a.csv")[1]) == ["aa.jpg"]


def test_table_as_source(make):
    folder = make({"b.csv": HEAD + CAR, "class-descriptions.csv": NAMES, "names.csv": "/m/0k4j,Auto\n"})
    assert openimages.recognises(folder / "b.csv")
    assert read(folder / "b.csv")[0].vocabulary == ("Car", "Cat")
    assert read(folder / "b.csv", classes="names.csv")[0].vocabulary == ("Auto",)


@pytest.mark.parametrize(
    ("files", "settings", "said"),
    [
        ({}, {}, "None of the tables .* has the columns ImageID"),
        ({"b.csv": LABELS}, {}, "None of the tables .* has the columns ImageID"),
        ({"b.csv": HEAD}, {"annotations": "x"}, "There is no .*x"),
        ({"b.csv": b"\xff\xfe"}, {}, r"b\.csv cannot be read"),
        ({"b.csv": HEAD + CAR, "n.csv": "Car\n"}, {"classes": "n.csv"}, r"n\.csv has no rows such as"),
        ({"b.csv": HEAD + CAR}, {"classes": "n.csv"}, r"n\.csv cannot be read"),
        ({"b.csv": HEAD + CAR, "images/zz.jpg": ""}, {}, "images has none of the images of the tables"),
    ],
    ids=["no table", "no boxes", "no folder", "binary", "no names", "no file of names", "other images"],
)
def test_not_usable(make, files, settings, said):
    with pytest.raises(InputError, match=said):
        read(make(files), **settings)


@pytest.mark.parametrize("files", [{}, {"b.csv": LABELS}, {"b.csv": ""}, {"b.csv": b"\xff"}])
def test_not_recognised(make, files):
    assert not openimages.recognises(make(files))


def test_not_recognised_in_real_sets(shared_data):
    assert not any(openimages.recognises(path) for path in shared_data.iterdir())
