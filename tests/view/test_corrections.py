"""The loop: load, correct as the App does, take back, read as any other truth."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from artdet.data.coco_writer import write_coco
from artdet.data.sources import load_dataset
from artdet.errors import InputError, LabelError
from artdet.view.corrections import corrected
from artdet.view.dataset import find, update

from .conftest import SIZE, box, record

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def load(taxonomy):
    return lambda run, truth=None: find(update(run, truth, taxonomy=taxonomy).name)


@pytest.fixture
def back(taxonomy):
    def taken(dataset, field=None, tagged=None):
        return corrected(dataset, field=field, tagged=tagged, taxonomy=taxonomy)

    return taken


def sample_of(dataset, name):
    return dataset.match({"filepath": {"$regex": name}}).first()


def boxes(truth):
    names = truth.taxonomy.names
    return {
        sample.file: sorted(
            (names[label], *np.round(corners, 1).tolist())
            for label, corners in zip(sample.truth.labels, sample.truth.boxes, strict=True)
        )
        for sample in truth
    }


def test_edited_truth_comes_back_and_reads_as_any_other(make_run, make_truth, load, back, taxonomy, tmp_path):
    import fiftyone

    files = {
        "d/a.jpg": [("cat", 1, 2, 30, 40), ("dog", 5, 6, 50, 60, "crowd"), ("cow", 7, 8, 70, 80, "difficult")],
        "d/b.jpg": [("cat", 1, 2, 30, 40)],
        "d/c.jpg": [],
        "d/e.jpg": None,
    }
    for name in files:
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", SIZE[::-1]).save(path)
    truth = make_truth(files, labelled=["animals", "cat", "dog", "cow"], fields={"d/a.jpg": {"year": "1650"}})
    dataset = load(make_run([record(name) for name in files]), truth)
    sample = sample_of(dataset, "a.jpg")
    sample.truth.detections[0].bounding_box = [0.1, 0.1, 0.5, 0.25]
    sample.truth.detections.append(fiftyone.Detection(label="horse", bounding_box=[0.5, 0.5, 0.25, 0.25]))
    sample.save()
    sample = sample_of(dataset, "b.jpg")
    sample.truth.detections = []
    sample.save()
    made = back(dataset)
    assert (made.field, made.tagged, made.edited, made.without) == ("truth", None, 2, 1)
    write_coco(made.truth, tmp_path / "back.json")
    again = load_dataset(tmp_path / "back.json", taxonomy=taxonomy)
    wanted = [("cat", 10, 20, 60, 70), ("cow", 7, 8, 70, 80), ("dog", 5, 6, 50, 60), ("horse", 50, 100, 75, 150)]
    assert boxes(again) | {"d/e.jpg": []} == {"d/a.jpg": wanted, "d/b.jpg": [], "d/c.jpg": [], "d/e.jpg": []}
    first = again.samples[0]
    by_name = dict(zip([taxonomy.names[label] for label in first.truth.labels], range(4), strict=True))
    assert first.crowd.nonzero()[0].tolist() == [by_name["dog"]]
    assert first.difficult.nonzero()[0].tolist() == [by_name["cow"]]
    assert first.fields["year"] == "1650"
    assert first.labelled == taxonomy.ids_of(["animals", "cat", "dog", "cow", "horse"])
    assert all(sample.annotated for sample in again if sample.file != "d/e.jpg")


@pytest.mark.parametrize(
    ("field", "tagged", "wanted"),
    [
        pytest.param(None, None, {"a.jpg": ["cat"]}, id="tagged correct"),
        pytest.param("predictions", None, {"a.jpg": ["cat", "dog"], "b.jpg": ["cow"], "c.jpg": []}, id="all"),
        pytest.param(None, "seen", {"b.jpg": ["cow"], "c.jpg": []}, id="images with a tag count whole"),
        pytest.param("predictions", "correct", {"a.jpg": ["cat"]}, id="boxes with a tag"),
    ],
)
def test_predictions_become_a_truth_where_there_is_none(make_run, load, back, field, tagged, wanted):
    first = record("a.jpg", box("cat"), box("dog", 1, 2, 3, 4))
    dataset = load(make_run([first, record("b.jpg", box("cow")), record("c.jpg")]))
    sample = sample_of(dataset, "a.jpg")
    sample.predictions.detections[0].tags.append("correct")
    sample.save()
    for name in ("b.jpg", "c.jpg"):
        sample = sample_of(dataset, name)
        sample.tags.append("seen")
        sample.save()
    made = back(dataset, field, tagged)
    assert {file: [row[0] for row in rows] for file, rows in boxes(made.truth).items()} == wanted
    assert made.without == 3 - len(wanted)


def test_labels_that_are_no_classes_are_all_named(make_run, make_truth, load, back):
    dataset = load(make_run([record("a.jpg")]), make_truth({"a.jpg": [("cat", 1, 2, 30, 40)] * 2}))
    sample = dataset.first()
    sample.truth.detections[0].label, sample.truth.detections[1].label = "unicorn", "hors"
    sample.save()
    with pytest.raises(LabelError, match=r"'hors' \(1 boxes\), 'unicorn' \(1 boxes\)"):
        back(dataset)
    sample.truth.detections[0].label = "cat"
    sample.save()
    with pytest.raises(LabelError, match="Did you mean 'horse'"):
        back(dataset)


def test_boxes_drawn_beyond_the_border_are_cut_and_those_without_area_left_out(make_run, make_truth, load, back):
    dataset = load(make_run([record("a.jpg")]), make_truth({"a.jpg": [("cat", 1, 2, 30, 40)] * 2}))
    sample = dataset.first()
    sample.truth.detections[0].bounding_box = [-0.1, 0.5, 0.5, 0.6]
    sample.truth.detections[1].bounding_box = [0.2, 0.2, 0.0, 0.3]
    sample.save()
    made = back(dataset)
    assert boxes(made.truth) == {"a.jpg": [("cat", 0, 100, 40, 200)]}
    assert (made.cut, made.empty) == (1, 1)


@pytest.mark.parametrize(
    ("field", "tagged", "words"),
    [
        ("trut", None, "no field of boxes 'trut'. Did you mean 'truth'"),
        ("filepath", None, "no field of boxes 'filepath'"),
        (None, "nobody", "is tagged 'nobody'"),
    ],
)
def test_nothing_to_take_back(make_run, make_truth, load, back, field, tagged, words):
    dataset = load(make_run([record("a.jpg")]), make_truth({"a.jpg": []}))
    with pytest.raises(InputError, match=words):
        back(dataset, field, tagged)


def test_a_dataset_that_is_not_ours(back, tmp_path):
    import fiftyone

    paths = [tmp_path / "x" / "a.png", tmp_path / "y" / "b.png"]
    dataset = fiftyone.Dataset(f"other-{tmp_path.name}")
    for path in paths:
        path.parent.mkdir()
        Image.new("RGB", (50, 40)).save(path)
        detection = fiftyone.Detection(label="cat", bounding_box=[0, 0, 0.5, 0.5])
        dataset.add_sample(fiftyone.Sample(filepath=path, truth=fiftyone.Detections(detections=[detection])))
    made = back(dataset)
    assert boxes(made.truth) == {"x/a.png": [("cat", 0, 0, 25, 20)], "y/b.png": [("cat", 0, 0, 25, 20)]}
    assert (made.truth.root, made.run) == (tmp_path, None)
