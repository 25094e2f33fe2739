from __future__ import annotations

import pytest

from artdet.palette import category_colours
from artdet.view.appearance import save_views, set_appearance
from artdet.view.dataset import find, update
from artdet.view.evaluation import evaluate

from .conftest import box, record

pytestmark = pytest.mark.usefixtures("database")

PLACE = (10, 20, 60, 120)


@pytest.fixture
def shown(taxonomy):
    def show(run, truth=None):
        dataset = find(update(run, truth, taxonomy=taxonomy).name)
        names = save_views(dataset, evaluate(dataset, taxonomy=taxonomy, level="fine"))
        set_appearance(dataset, taxonomy)
        return dataset, names

    return show


def test_views_of_a_run_without_truth_and_members(make_run, shown):
    dataset, names = shown(make_run([record("a.jpg", box("cat")), record("b.jpg")]))
    assert names == ["images without boxes", "most boxes"]
    assert dataset.load_saved_view("images without boxes").values("filepath")[0].endswith("b.jpg")
    assert dataset.load_saved_view("most boxes").values("filepath")[0].endswith("a.jpg")


def test_views_of_hits_and_of_classes_with_enough_misses(make_run, make_truth, shown):
    files = [f"{number}.jpg" for number in range(3)]
    truth = make_truth({file: [("angel", *PLACE), ("ship", *PLACE, "difficult")] for file in files})
    dataset, names = shown(make_run([record(file, box("building", *PLACE)) for file in files]), truth)
    assert names[:5] == ["hits", "false alarms", "misses", "missed angel", "false building"]
    counts = {name: dataset.load_saved_view(name).count() for name in names[:5]}
    assert counts == {"hits": 0, "false alarms": 3, "misses": 3, "missed angel": 3, "false building": 3}
    missed = dataset.load_saved_view("missed angel").first()
    assert [each.label for each in missed.truth.detections] == ["angel"]


def test_the_view_of_low_agreement_holds_the_boxes_of_one_member(make_run, shown):
    together, alone = box("cat", *PLACE), box("dog", 60, 130, 90, 190)
    members = {"a": (together, alone), "b": (together,), "c": (together,)}
    dataset, names = shown(make_run([record("a.jpg", together, alone, members=members), record("b.jpg")]))
    assert "low agreement between members" in names
    (sample,) = dataset.load_saved_view("low agreement between members")
    assert [each.label for each in sample.predictions.detections] == ["dog"]
    assert sample.agreement == pytest.approx((1 + 1 / 3) / 2)


def test_views_are_renewed_and_those_of_people_stay(make_run, make_truth, shown):
    run = make_run([record("a.jpg", box("cat", *PLACE))])
    dataset, _ = shown(run, make_truth({"a.jpg": []}))
    assert dataset.load_saved_view("hits").count() == 0
    dataset.save_view("mine", dataset.limit(1))
    dataset, _ = shown(run, make_truth({"a.jpg": [("cat", *PLACE)]}))
    assert dataset.load_saved_view("hits").count() == 1
    assert dataset.list_saved_views().count("hits") == 1
    assert "mine" in dataset.list_saved_views()


def test_colours_are_those_of_drawn_pictures(make_run, make_truth, shown, taxonomy):
    dataset, _ = shown(make_run([record("a.jpg", members={"a": ()})]), make_truth({"a.jpg": []}))
    scheme = dataset.app_config.color_scheme
    assert scheme.color_by == "value"
    colours = {
        entry["path"]: {each["value"]: each["color"] for each in entry["valueColors"]} for entry in scheme.fields
    }
    assert set(colours) == {"truth", "predictions", "member_a"}
    red, green, blue = category_colours(taxonomy)["persons"]
    assert {each["angel"] for each in colours.values()} == {f"#{red:02x}{green:02x}{blue:02x}"}
    assert dataset.app_config.active_fields.paths == ["truth", "predictions"]
