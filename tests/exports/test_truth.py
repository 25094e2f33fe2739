"""Truths in the formats of others, and back through their readers."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from artdet.data.dataset import Dataset, Sample
from artdet.data.sources import load_dataset
from artdet.detections import Detections
from artdet.errors import ConfigError, RunError
from artdet.exports import EXPORTS, export_truth
from artdet.taxonomy import Taxonomy

TAXONOMY = Taxonomy.load()
FORMATS = pytest.mark.parametrize("form", EXPORTS)
LABELLED = ("persons", "mary", "fish", "saint_sebastian")
SIZE = (300, 400)


def sample(file, *boxes, annotated=True, labelled=LABELLED, fields=None, group=None):
    """``boxes`` are (label, corners) or (label, corners, "crowd" or "difficult")."""
    truth = Detections.of([b[1] for b in boxes], 1.0, [TAXONOMY.id_of(b[0]) for b in boxes], SIZE)
    marks = [b[2:] for b in boxes]
    crowd, difficult = (np.array([(name,) == mark for mark in marks], dtype=bool) for name in ("crowd", "difficult"))
    ids = TAXONOMY.ids_of(labelled) if annotated else frozenset()
    return Sample(file, truth, crowd, difficult, annotated, ids, {"folder": ".", **(fields or {})}, group or file)


SAMPLES = (
    sample(
        "a/Dürer 1.jpg",
        ("mary", (10, 20, 110, 220)),
        ("persons", (0, 0, 400, 300), "crowd"),
        ("persons", (5, 6, 7, 9), "difficult"),
    ),
    sample("b.jpg", ("saint_sebastian", (12.25, 34.5, 56.75, 299.0)), ("fish", (1, 2, 3, 299))),
    sample("empty.jpg"),
    sample("later.jpg", annotated=False),
)


@pytest.fixture
def truth_of(tmp_path):
    """A data set of the samples given, with images of their size."""

    def made(*samples, name="my set"):
        root = tmp_path / "pictures"
        for number, entry in enumerate(samples):
            path = root / entry.file
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", SIZE[::-1], (number, 20, 30)).save(path)
        root.mkdir(exist_ok=True)
        return Dataset(name, root, samples, TAXONOMY, licence="CC0")

    return made


def loaded(folder: Path) -> Dataset:
    return load_dataset(next(folder.glob("my set.*")), taxonomy=TAXONOMY)


def rows(dataset: Dataset):
    """Everything about the boxes."""
    return {
        entry.file: list(
            zip(
                entry.truth.labels.tolist(),
                map(tuple, entry.truth.boxes.tolist()),
                entry.crowd.tolist(),
                entry.difficult.tolist(),
                strict=True,
            )
        )
        for entry in dataset
    }


@FORMATS
def test_no_images(truth_of, tmp_path, form):
    written = export_truth(truth_of(), form, tmp_path / "out")
    assert (written.images, written.boxes, written.failures, written.notes) == (0, 0, 0, ())
    assert all(path.exists() for path in written)


@FORMATS
def test_round_trip_of_whole_pixels(truth_of, tmp_path, form):
    dataset = truth_of(
        sample("a.jpg", ("mary", (10, 20, 110, 220)), ("fish", (0, 0, 400, 300))), sample("b/c.jpg"),
        sample("later.jpg", annotated=False),
    )  # fmt: skip
    written = export_truth(dataset, form, tmp_path / "out")
    assert (written.images, written.boxes) == (3 if form == "coco" else 2, 2)
    back = loaded(tmp_path / "out")
    assert back.root.resolve() == dataset.root.resolve()
    assert back.licence == "CC0"
    for file, expected in rows(dataset).items():
        if form == "csv" and file == "later.jpg":
            continue  # a table does not say which images lie there besides
        found = rows(back)[file]
        assert [row[0] for row in found] == [row[0] for row in expected]
        assert np.allclose([row[1] for row in found], [row[1] for row in expected], atol=1e-3)
    assert {entry.file: entry.annotated for entry in back if form != "csv" or entry.annotated} == {
        entry.file: entry.annotated for entry in dataset if form != "csv" or entry.annotated
    }
    assert {entry.labelled for entry in back if entry.annotated} == {TAXONOMY.ids_of(LABELLED)}


@pytest.mark.parametrize(
    ("form", "atol", "crowd", "difficult"),
    [("coco", 1e-3, 1, 1), ("csv", 1e-3, 1, 1), ("voc", 1.0, 0, 2), ("yolo", 1e-3, 0, 0)],
)
def test_marks_and_parts_of_pixels(truth_of, tmp_path, form, atol, crowd, difficult):
    export_truth(truth_of(*SAMPLES), form, tmp_path / "out")
    back = {entry.file: entry for entry in loaded(tmp_path / "out")}
    first, second = back["a/Dürer 1.jpg"], back["b.jpg"]
    assert (int(first.crowd.sum()), int(first.difficult.sum())) == (crowd, difficult)
    assert len(first.truth) == (1 if form == "yolo" else 3)
    names = [TAXONOMY.names[label] for label in second.truth.labels.tolist()]
    assert names == ["saint_sebastian", "fish"]
    assert np.allclose(second.truth.boxes, [(12.25, 34.5, 56.75, 299), (1, 2, 3, 299)], atol=atol)


@pytest.mark.parametrize(
    ("form", "images", "boxes", "notes"),
    [
        ("coco", 4, 5, []),
        ("csv", 3, 5, ["1 images without annotation"]),
        ("voc", 3, 5, ["1 crowds became difficult boxes", "1 images without annotation"]),
        ("yolo", 3, 3, ["2 crowds and difficult boxes were left out", "1 images without annotation"]),
    ],
)
def test_what_a_format_cannot_hold_is_said(truth_of, tmp_path, form, images, boxes, notes):
    written = export_truth(truth_of(*SAMPLES), form, tmp_path / "out")
    assert (written.images, written.boxes) == (images, boxes)
    assert [re.match(start, note) is not None for start, note in zip(notes, written.notes, strict=True)] == [
        True for _ in notes
    ]


@pytest.mark.parametrize(
    ("changed", "note"),
    [
        ({"labelled": ("mary",)}, "only the classes that were looked for in all images"),
        ({"fields": {"style": "Cubism", "artist": "x"}}, "fields artist, style are lost"),
        ({"group": "series"}, "belong to one artwork is lost"),
    ],
    ids=["labelled", "fields", "group"],
)
def test_loss_of_what_is_known_about_images_is_said(truth_of, tmp_path, changed, note):
    dataset = truth_of(sample("a.jpg"), sample("b.jpg", **changed))
    assert any(note in said for said in export_truth(dataset, "yolo", tmp_path / "yolo").notes)
    assert export_truth(dataset, "coco", tmp_path / "coco").notes == ()


def test_yolo_is_what_ultralytics_trains_on(truth_of, tmp_path):
    export_truth(truth_of(*SAMPLES), "yolo", tmp_path / "out")
    lines = (tmp_path / "out" / "labels" / "b.txt").read_text().splitlines()
    assert [len(line.split()) for line in lines] == [5, 5]
    assert lines[1] == f"{TAXONOMY.id_of('fish')} 0.00500000 0.50166667 0.00500000 0.99000000"
    names = yaml.safe_load((tmp_path / "out" / "data.yaml").read_text())["names"]
    assert names == dict(enumerate(TAXONOMY.names))
    assert (tmp_path / "out" / "labels" / "empty.txt").read_text() == ""
    assert not (tmp_path / "out" / "labels" / "later.txt").exists()


def test_voc_has_no_scores(truth_of, tmp_path):
    export_truth(truth_of(*SAMPLES), "voc", tmp_path / "out")
    text = (tmp_path / "out" / "Annotations" / "a" / "Dürer 1.xml").read_text(encoding="utf-8")
    assert "confidence" not in text
    assert re.findall("<difficult>(.)</difficult>", text) == ["0", "1", "1"]


def test_csv_has_marks_in_place_of_scores(truth_of, tmp_path):
    written = export_truth(truth_of(*SAMPLES), "csv", tmp_path / "out")
    assert [path.name for path in written] == ["boxes.csv", "my set.yaml"]
    with (tmp_path / "out" / "boxes.csv").open(encoding="utf-8-sig", newline="") as stream:
        table = list(csv.DictReader(stream))
    assert list(table[0]) == ["file", "width", "height", "label", "category", "iconclass", "x1", "y1", "x2", "y2",
                              "crowd", "difficult"]  # fmt: skip
    assert [(row["label"], row["crowd"], row["difficult"]) for row in table] == [
        ("mary", "0", "0"), ("persons", "1", "0"), ("persons", "0", "1"), ("saint_sebastian", "0", "0"),
        ("fish", "0", "0"), ("", "", ""),
    ]  # fmt: skip


@FORMATS
def test_second_conversion_replaces_the_first(truth_of, tmp_path, form):
    export_truth(truth_of(*SAMPLES), form, tmp_path / "out")
    export_truth(truth_of(SAMPLES[1]), form, tmp_path / "out")
    assert [entry.file for entry in loaded(tmp_path / "out") if entry.annotated] == ["b.jpg"]


@FORMATS
def test_files_of_others_are_never_replaced(truth_of, tmp_path, form):
    name = {"coco": "my set.json", "csv": "boxes.csv", "voc": "Annotations", "yolo": "data.yaml"}[form]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / name).write_text("precious")
    with pytest.raises(RunError, match=f"has {name} already, and no {form} conversion of artdet wrote that"):
        export_truth(truth_of(*SAMPLES), form, tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == [name]
    assert (tmp_path / "mine" / name).read_text() == "precious"


@pytest.mark.parametrize("form", ["csv", "voc", "yolo"])
def test_an_export_of_a_run_is_not_replaced(made, truth_of, tmp_path, form):
    made.export(form, tmp_path / "out")
    with pytest.raises(RunError, match=f"no {form} conversion of artdet wrote that"):
        export_truth(truth_of(*SAMPLES), form, tmp_path / "out")


def test_a_set_named_as_a_file_of_yolo(truth_of, tmp_path):
    written = export_truth(truth_of(*SAMPLES, name="data"), "yolo", tmp_path / "out")
    assert [path.name for path in written] == ["labels", "classes.txt", "data.yaml", "data_source.yaml"]
    assert len(load_dataset(written.paths[-1], taxonomy=TAXONOMY)) == 4


def test_unknown_format(truth_of, tmp_path):
    with pytest.raises(ConfigError, match=r"no export format 'yollo'\. Did you mean 'yolo'\?"):
        export_truth(truth_of(), "yollo", tmp_path / "out")


@pytest.mark.parametrize("form", ["csv", "voc", "yolo"])
def test_real_boxes_come_back(shared_data, monkeypatch, tmp_path, form):
    monkeypatch.setenv("ARTDET_DATA_DIR", str(shared_data))
    dataset = load_dataset("people_art_val", taxonomy=TAXONOMY)
    export_truth(dataset, form, tmp_path / "out")
    before, after = rows(dataset), rows(load_dataset(tmp_path / "out" / "people_art_val.yaml", taxonomy=TAXONOMY))
    assert sum(map(len, after.values())) == (1221 - 141 if form == "yolo" else 1221)
    for file, boxes in before.items():
        expected = [row for row in boxes if form != "yolo" or not row[3]]
        assert [row[::3] for row in after[file]] == [row[::3] for row in expected]
        if expected:
            assert np.allclose([row[1] for row in after[file]], [row[1] for row in expected], atol=1e-3)
