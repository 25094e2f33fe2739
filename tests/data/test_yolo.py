"""YOLO: layouts, lines, names, and real sets."""

import pytest

from artdet.data import yolo
from artdet.data.problems import Problems
from artdet.data.settings import SourceFile
from artdet.errors import InputError
from artdet.exports import export
from artdet.runs import PREDICTIONS_FILE, Box, Record, open_run, write_info
from artdet.taxonomy import Taxonomy

LINE = "1 0.5 0.5 0.25 0.5\n"
CORNERS = (0.375, 0.25, 0.625, 0.75)


def read(folder, **settings):
    problems = Problems()
    raw = yolo.read(SourceFile(format="yolo", path=str(folder), **settings), problems)
    return raw, problems.findings()


def one(make, text, classes="cat\ndog\n"):
    """Boxes and findings of one label file."""
    raw, findings = read(make({"images/a.jpg": "", "labels/a.txt": text, "classes.txt": classes}))
    return [(box.name, pytest.approx(box.box)) for box in raw.images[0].boxes], findings


@pytest.mark.parametrize("text", ["", "\n \n", "# nothing here\n"], ids=["empty", "blank", "comment"])
def test_file_without_lines_means_annotated_as_empty(make, text):
    raw, findings = read(make({"images/a.jpg": "", "labels/a.txt": text, "classes.txt": "cat\n"}))
    assert (raw.images[0].boxes, raw.images[0].annotated, raw.images[0].relative, findings) == ((), True, True, ())


def test_image_without_file_is_not_annotated(make):
    raw, _ = read(make({"images/a.jpg": "", "images/b.jpg": "", "labels/a.txt": LINE}))
    assert {image.file: image.annotated for image in raw.images} == {"a.jpg": True, "b.jpg": False}


@pytest.mark.parametrize(
    ("image", "label", "root"),
    [
        ("images/a.jpg", "labels/a.txt", "images"),
        ("images/train/a.jpg", "labels/train/a.txt", "images"),
        ("train/images/a.jpg", "train/labels/a.txt", ""),
        ("x/images/images/a.jpg", "x/images/labels/a.txt", ""),
        ("a.JPG", "a.txt", ""),
        ("s/a.jpg", "s/a.txt", ""),
        ("images/a.jpg", "images/a.txt", "images"),
        ("Images/a.jpg", "Labels/a.txt", "Images"),
        ("images/a b.v1.jpg", "labels/a b.v1.txt", "images"),
        ("images/a.jpg", "labels/a.jpg.txt", "images"),
        ("images/caf\udce9.jpg", "labels/caf\udce9.txt", "images"),
        ("s/a.jpg", "labels/s/a.txt", ""),
    ],
)
def test_layouts(make, image, label, root):
    folder = make({image: "", label: f"{LINE}0 0.5 0.5 0.1 0.1\n"})
    raw, findings = read(folder)
    assert yolo.recognises(folder) == (image.count("/") < 3)
    assert (raw.root, findings) == (folder / root, ())
    assert [(raw.root / entry.file, len(entry.boxes)) for entry in raw.images] == [(folder / image, 2)]


def test_folders_by_settings(make):
    folder = make({"set/data.yaml": "names: [cat, dog]", "x/s/a.jpg": "", "y/s/a.txt": LINE})
    raw, _ = read(folder / "set", images="../x", annotations=str(folder / "y"))
    assert [(image.file, image.boxes[0].name) for image in raw.images] == [("s/a.jpg", "dog")]


def test_images_that_differ_in_their_ending(make):
    raw, _ = read(make({"images/a.jpg": "", "images/a.png": "", "labels/a.txt": "", "labels/a.png.txt": LINE}))
    assert {image.file: len(image.boxes) for image in raw.images} == {"a.jpg": 0, "a.png": 1}


@pytest.mark.parametrize(
    ("line", "name", "corners"),
    [
        ("1 0.5 0.5 0.25 0.5", "dog", CORNERS),
        ("1 0.5 0.5 0.25 0.5 0.9", "dog", CORNERS),
        ("\t0.0   .5 5e-1 0.25 0.5  # the first", "cat", CORNERS),
        ("0 0.1 0.2 0.6 0.3 0.4 0.7", "cat", (0.1, 0.2, 0.6, 0.7)),
        ("0 0.1 0.2 0.6 0.3 0.4 0.7 0.05 0.5", "cat", (0.05, 0.2, 0.6, 0.7)),
        ("0 0.1 0.2 0.4 0.6", "cat", (-0.1, -0.1, 0.3, 0.5)),
        ("0 0.5 0.5 -0.25 0.5", "cat", (0.625, 0.25, 0.375, 0.75)),
    ],
    ids=["box", "score", "spaces", "triangle", "polygon", "outside", "negative width"],
)
def test_lines(make, line, name, corners):
    assert one(make, f"\ufeff{line}\r\n") == ([(name, corners)], ())


@pytest.mark.parametrize(
    "line",
    ["2 0.5 0.5 0.1 0.1", "-1 0.5 0.5 0.1 0.1", "0.5 0.5 0.5 0.1 0.1", "cat 0.5 0.5 0.1 0.1", "0 0.5 0.5 0.1",
     "0", "0 0.5 0.5 0.1 wide", "0 nan 0.5 0.1 0.1", "0 0.5 0.5 inf 0.1", "0 .1 .2 .3 .4 .5 .6 .7"],
)  # fmt: skip
def test_damaged_lines(make, line):
    boxes, [finding] = one(make, f"{LINE}\n{line}\n")
    assert (boxes, finding.kind, finding.examples) == ([("dog", CORNERS)], "damaged_box", ("labels/a.txt:3",))


def test_joints_are_no_polygon(make):
    yaml = "names: [cat, person]\nkpt_shape: [2, 2]\n"
    raw, _ = read(make({"images/a.jpg": "", "labels/a.txt": "1 .5 .5 .25 .5 .1 .1 .9 .9\n", "data.yaml": yaml}))
    assert raw.images[0].boxes[0].box == pytest.approx(CORNERS)


def test_binary_label_file(make):
    raw, [finding] = read(
        make({"images/a.jpg": "", "images/b.jpg": "", "labels/a.txt": b"\xff\xd8", "labels/b.txt": ""})
    )
    assert ([image.file for image in raw.images], finding.kind) == (["b.jpg"], "unreadable_annotation")


def test_labels_without_image(make):
    files = {"images/a.jpg": "", "labels/a.txt": LINE, "labels/b.txt": LINE, "labels/classes.txt": "cat\ndog\n"}
    raw, [finding] = read(make({**files, "README.txt": "0 of 5 stars"}))
    assert ([image.file for image in raw.images], raw.vocabulary) == (["a.jpg"], ("cat", "dog"))
    assert (finding.kind, finding.examples) == ("missing_image", ("labels/b.txt",))


def test_other_texts_beside_images(make):
    folder = make(
        {"a.jpg": "", "a.txt": LINE, "train.txt": "a.jpg\n", "LICENSE.txt": "none", "obj.names": "cat\ndog\n"}
    )
    raw, findings = read(folder)
    assert ([box.name for box in raw.images[0].boxes], findings) == (["dog"], ())


@pytest.mark.parametrize(
    ("files", "names"),
    [
        ({}, None),
        ({"data.yaml": "names: [cat, dog]\ntrain: ../wrong"}, ("cat", "dog")),
        ({"data.yaml": "names:\n  0: cat\n  1: dog\n"}, ("cat", "dog")),
        ({"data.yaml": "names:\n  1: dog\n  10: no\n  2: 7\n"}, ("dog", "7", "no")),
        ({"dataset.yml": "names: [cat, dog]"}, ("cat", "dog")),
        ({"other.yaml": "lr: 0.1", "classes.txt": "cat\ndog\n\n"}, ("cat", "dog")),
        ({"classes.txt": "\ufeffcat\r\n\r\nbig dog\r\n"}, ("cat", "1", "big dog")),
        ({"classes.txt": "no\n"}, ("no",)),
        ({"classes.txt": "0: cat\n1: dog\n"}, ("cat", "dog")),
        ({"obj.names": "cat\ndog"}, ("cat", "dog")),
        ({"my.names": "cat\ndog"}, ("cat", "dog")),
        ({"data.yaml": "names: [cat, dog]", "classes.txt": "x\ny\n"}, ("cat", "dog")),
    ],
    ids=["none", "list", "dict", "dict with gaps", "yml", "txt", "blank line", "one word", "numbered", "darknet",
         "any .names", "yaml first"],
)  # fmt: skip
def test_names(make, files, names):
    raw, findings = read(make({"images/a.jpg": "", "labels/a.txt": "1 .5 .5 .1 .1\n" if len(names or "12") > 1 else "",
                               **files}))  # fmt: skip
    assert (raw.vocabulary, findings) == (names, ())
    if names is None:
        assert raw.images[0].boxes[0].name == "1"


MODEL = "nc: 2\ndepth_multiple: 0.33\n"


def test_model_settings_hold_no_names(make):
    folder = make({"images/a.jpg": "", "labels/a.txt": LINE, "classes.txt": MODEL, "names.txt": "rose\ntulip\n"})
    with pytest.raises(InputError, match=r"classes\.txt holds no class names, but the settings nc, depth_multiple\."):
        read(folder)
    assert read(folder, classes="names.txt")[0].images[0].boxes[0].name == "tulip"
    assert read(folder, classes=str(folder / "names.txt"))[0].vocabulary == ("rose", "tulip")
    raw, _ = read(folder, classes="")
    assert (raw.images[0].boxes[0].name, raw.vocabulary) == ("1", None)


@pytest.mark.parametrize(
    ("content", "said"),
    [("", "holds no class names"), ("names: 3", "holds no class names"), ("names: {a: b}", "holds no class names"),
     (b"\xff\xfe", "is not UTF-8 text"), (None, "cannot be read")],
    ids=["empty", "number", "no numbers", "binary", "missing"],
)  # fmt: skip
def test_useless_file_of_names(make, content, said):
    folder = make({"images/a.jpg": "", "labels/a.txt": "", **({} if content is None else {"my.yaml": content})})
    with pytest.raises(InputError, match=rf"my\.yaml {said}"):
        read(folder, classes="my.yaml")


def test_yaml_as_source(make):
    folder = make(
        {"images/a.jpg": "", "labels/a.txt": LINE, "my.yaml": "names: [cat, dog]\nnc: 2", "other.yaml": "a: 1"}
    )
    assert yolo.recognises(folder / "my.yaml")
    assert not yolo.recognises(folder / "other.yaml")
    assert read(folder / "my.yaml")[0].vocabulary == ("cat", "dog")


def test_list(make):
    folder = make({"images/a.jpg": "", "images/b.jpg": "", "labels/a.txt": LINE, "val.txt": "./images/b.jpg\n"})
    assert [image.file for image in read(folder, image_list="val.txt")[0].images] == ["b.jpg"]


@pytest.mark.parametrize(
    ("files", "settings", "said"),
    [
        ({"labels/a.txt": LINE}, {}, "holds no images"),
        ({"images/a.jpg": ""}, {}, "No image in .*images has a label file"),
        ({"images/a.jpg": ""}, {"annotations": "x"}, "There is no folder .*x"),
    ],
)
def test_nothing_to_read(make, files, settings, said):
    with pytest.raises(InputError, match=said):
        read(make(files), **settings)


def test_no_folder(tmp_path):
    assert not yolo.recognises(tmp_path / "none")
    with pytest.raises(InputError, match="There is no folder"):
        read(tmp_path / "none")


@pytest.mark.parametrize("files", [{}, {"a.jpg": "", "a.txt": "a caption"}, {"labels.csv": LINE}, {"a.txt": ""}])
def test_not_recognised(make, files):
    assert not yolo.recognises(make(files))


def test_export_comes_back(tmp_path, taxonomy: Taxonomy):
    boxes = (Box("cat", 0.5, (0.0, 0.25, 399.5, 300.0), "x"), Box("ship", 0.75, (12.5, 20.0, 30.75, 40.25), "x"))
    names = ("s/it's 1.jpg", "Dürer/花.png", "caf\udce9.jpg", "a.jpg", "a.png")
    records = [Record(name, "ab", (300, 400), boxes) for name in names] + [Record("empty.jpg", "ab", (7, 9), ())]
    run = tmp_path / "run"
    run.mkdir()
    write_info(run, {"root": "/pictures"})
    (run / PREDICTIONS_FILE).write_text("".join(f"{record.as_line()}\n" for record in records), encoding="utf-8")
    out = tmp_path / "out"
    export(open_run(run), "yolo", out, taxonomy=taxonomy, min_score=0.0)
    for record in records:
        path = out / "images" / record.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    raw, findings = read(out)
    assert (yolo.recognises(out), findings, raw.vocabulary) == (True, (), taxonomy.names)
    images = {image.file: image for image in raw.images}
    assert set(images) == {record.file for record in records}
    for record in records:
        height, width = record.size
        assert len(images[record.file].boxes) == len(record.detections)
        for mine, theirs in zip(images[record.file].boxes, record.detections, strict=True):
            x1, y1, x2, y2 = theirs.box
            assert (mine.name, mine.box) == (
                theirs.label,
                pytest.approx((x1 / width, y1 / height, x2 / width, y2 / height), abs=2e-8),
            )


@pytest.mark.parametrize(
    ("name", "images", "settings"),
    [
        ("iconart_redhen", 157, {}), ("art_unveiled", 70, {}), ("photos/animals6", 136, {}),
        ("photos/coco256", 254, {}), ("photos/flowers", 190, {"classes": ""}), ("photos/fruits25", 152, {}),
        ("photos/ships", 150, {}), ("photos/weizmann_horses", 328, {}),
    ],
)  # fmt: skip
def test_real_sets(shared_data, name, images, settings):
    folder = shared_data / name
    raw, findings = read(folder, **settings)
    lines = [
        line for path in (folder / "labels").glob("*.txt") for line in path.read_text().splitlines() if line.strip()
    ]
    assert yolo.recognises(folder)
    assert (len(raw.images), all(image.annotated for image in raw.images), findings) == (images, True, ())
    assert sum(len(image.boxes) for image in raw.images) == len(lines)
    assert raw.vocabulary is None or {box.name for image in raw.images for box in image.boxes} <= set(raw.vocabulary)


def test_real_file_without_names(shared_data):
    with pytest.raises(InputError, match=r"flowers/classes\.txt holds no class names"):
        read(shared_data / "photos" / "flowers")
