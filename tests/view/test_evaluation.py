from __future__ import annotations

import numpy as np
import pytest

from artdet.runs import Box
from artdet.view.dataset import find, update
from artdet.view.evaluation import evaluate

from .conftest import box, record

pytestmark = pytest.mark.usefixtures("database")

PLACE = (10, 20, 60, 120)


@pytest.fixture
def compare(taxonomy):
    def compared(run, truth, level="fine"):
        dataset = find(update(run, truth, taxonomy=taxonomy).name)
        return evaluate(dataset, taxonomy=taxonomy, level=level), dataset

    return compared


def outcomes(dataset, field):
    return dataset.values(f"{field}.detections.eval", unwind=True)


def test_nothing_to_compare_with(make_run, make_truth, compare):
    run = make_run([record("a.jpg", box("cat"))])
    assert compare(run, None)[0] is None
    assert compare(run, make_truth({"a.jpg": None}))[0] is None


@pytest.mark.parametrize(
    ("found", "true", "labelled", "level", "hits", "false", "missed"),
    [
        pytest.param(["cat"], ["cat"], None, "fine", ["tp"], ["tp"], {}, id="right"),
        pytest.param(["cat"], ["dog"], None, "fine", ["fp"], ["fn"], {"dog": 1}, id="wrong class"),
        pytest.param(["cat"], ["dog"], None, "coarse", ["tp"], ["tp"], {}, id="right category"),
        pytest.param(["angel"], ["persons"], ["persons"], "fine", ["tp"], ["tp"], {}, id="the truth knows categories"),
        pytest.param(["cat"], ["persons"], ["persons"], "fine", [None], ["fn"], {"persons": 1}, id="not looked for"),
        pytest.param(["cat"], [], [], "fine", [None], [], {}, id="nothing looked for"),
        pytest.param(["cat", "cat"], ["cat"], None, "fine", ["tp", "fp"], ["tp"], {}, id="twice"),
    ],
)
def test_outcomes(make_run, make_truth, compare, found, true, labelled, level, hits, false, missed):
    run = make_run([record("a.jpg", *(box(label, *PLACE) for label in found))])
    counted, dataset = compare(
        run, make_truth({"a.jpg": [(label, *PLACE) for label in true]}, labelled=labelled), level
    )
    assert outcomes(dataset, "predictions") == hits
    assert outcomes(dataset, "truth") == false
    assert counted.missed == missed
    assert [each.label for each in dataset.first().predictions.detections] == found


@pytest.mark.parametrize("kind", ["crowd", "difficult"])
def test_crowd_and_difficult_boxes_cost_nothing_and_give_nothing(make_run, make_truth, compare, kind):
    files = {"a.jpg": [("cat", *PLACE, kind)], "b.jpg": [("cat", *PLACE, kind)]}
    counted, dataset = compare(make_run([record("a.jpg", box("cat", *PLACE)), record("b.jpg")]), make_truth(files))
    assert (counted.hits.total(), counted.false.total(), counted.missed.total()) == (0, 0, 0)
    assert dataset.values("eval_tp") == dataset.values("eval_fp") == dataset.values("eval_fn") == [0, 0]


def test_an_image_that_nobody_annotated_has_no_outcome(make_run, make_truth, compare):
    run = make_run([record(name, box("cat", *PLACE)) for name in ("a.jpg", "b.jpg")])
    counted, dataset = compare(run, make_truth({"a.jpg": [], "b.jpg": None}))
    assert outcomes(dataset, "predictions") == ["fp", None]
    assert (counted.images, counted.false.total()) == (1, 1)


def test_a_second_time_counts_the_same_and_an_edit_is_seen(make_run, make_truth, compare):
    run, truth = make_run([record("a.jpg", box("cat", *PLACE))]), make_truth({"a.jpg": [("dog", *PLACE)]})
    first, dataset = compare(run, truth)
    again, _ = compare(run, truth)
    assert first == again
    sample = dataset.first()
    sample.truth.detections[0].label = "cat"
    sample.save()
    counted, dataset = compare(run, truth)
    assert (counted.hits, counted.missed) == ({"cat": 1}, {})
    assert outcomes(dataset, "truth") == ["tp"]


def test_the_same_as_evaluate_detections(make_run, make_truth, compare):
    """FiftyOne's own way, through its objects, on a copy of the dataset."""
    random = np.random.default_rng(3)
    labels = ["cat", "dog", "persons", "angel"]

    def some(count):
        corners = random.integers(0, 50, (count, 2))
        return [
            (labels[random.integers(4)], x, y, x + 40, y + 50 + int(random.integers(20))) for x, y in corners.tolist()
        ]

    records, files = [], {}
    for number in range(12):
        boxes = [Box(label, round(random.random(), 4), tuple(place), "a") for label, *place in some(6)]
        records.append(record(f"{number}.jpg", *boxes))
        files[f"{number}.jpg"] = [(*row, "difficult") if random.random() < 0.2 else row for row in some(4)]
    _, dataset = compare(make_run(records), make_truth(files))
    assert {"tp", "fp"} == set(outcomes(dataset, "predictions"))
    copy = dataset.clone()
    copy.delete_evaluation("eval")
    assert copy.count_values("predictions.detections.eval") == {None: 72}
    copy.evaluate_detections(
        "predictions", gt_field="truth", eval_key="eval", iou=0.5, iscrowd="ignored", progress=False
    )
    for field in ("predictions", "truth"):
        for value in ("eval", "eval_id", "eval_iou"):
            path = f"{field}.detections.{value}"
            assert dataset.values(path, unwind=True) == copy.values(path, unwind=True), path
    theirs, ours = (each.load_evaluation_results("eval").report() for each in (copy, dataset))
    assert theirs == ours
