import pytest

from artdet.runs import Box, Record
from artdet.view import documents


def made(label, *corners):
    return Box(label, 0.5, corners, "a")


def test_a_box_becomes_shares_of_width_and_height():
    document = documents.detection("cat", (10, 20, 60, 120), (200, 100), confidence=0.5)
    assert document["bounding_box"] == pytest.approx([0.1, 0.1, 0.5, 0.5])
    assert (document["label"], document["confidence"], document["tags"]) == ("cat", 0.5, [])


@pytest.mark.parametrize(
    ("name", "field"), [("persons", "member_persons"), ("my-yolo 5.x", "member_my_yolo_5_x"), ("Köln", "member_K_ln")]
)
def test_the_field_of_a_member_has_a_name_that_the_database_takes(name, field):
    assert documents.member_field(name) == field


PLACE = (10, 10, 60, 60)
ABLE = {"persons": frozenset("abc"), "animals": frozenset("a")}


@pytest.mark.parametrize(
    ("members", "label", "share"),
    [
        pytest.param(None, "persons", None, id="the run kept no members"),
        pytest.param({"a": [made("cat", *PLACE)]}, "cat", None, id="only one member knows the category"),
        pytest.param({}, "persons", 0.0, id="nobody"),
        pytest.param({"a": [made("persons", *PLACE)]}, "persons", 1 / 3, id="one of three"),
        pytest.param(
            {"a": [made("angel", *PLACE)], "b": [made("persons", 12, 10, 60, 60)]}, "mary", 2 / 3, id="by category"
        ),
        pytest.param({"a": [made("persons", 35, 10, 85, 60)]}, "persons", 0.0, id="overlaps too little"),
        pytest.param({"a": [made("cat", *PLACE)]}, "persons", 0.0, id="another category"),
        pytest.param({"a": [made("persons", *PLACE)] * 2}, "persons", 1 / 3, id="twice by the same"),
    ],
)
def test_agreement_is_the_share_of_members_that_know_the_category(taxonomy, members, label, share):
    record = Record("x", None, (100, 90), (made(label, *PLACE),), members)
    assert documents.agreements(record, taxonomy, ABLE) == [share if share is None else pytest.approx(share)]


def test_the_mean_agreement_leaves_out_boxes_without_one(taxonomy):
    members = {"a": [made("persons", *PLACE)], "b": [made("persons", *PLACE)]}
    record = Record("x", None, (100, 90), (made("persons", *PLACE), made("cat", *PLACE)), members)
    field, mean = documents.predictions(record, taxonomy, ABLE)
    assert mean == pytest.approx(2 / 3)
    assert ["agreement" in box for box in field["detections"]] == [True, False]
    assert documents.predictions(Record("x", None, (9, 8)), taxonomy, ABLE)[1] is None


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"label": "dog"}, False),
        ({"bounding_box": [0.1, 0.1, 0.5, 0.51]}, False),
        ({"iscrowd": True}, False),
        ({"difficult": True}, False),
        ({"iscrowd": None}, True),
        ({"eval": "tp"}, True),
        ({"tags": ["x"]}, True),
    ],
    ids=str,
)
def test_a_digest_changes_with_what_people_change(change, same):
    before = {"label": "cat", "bounding_box": [0.1, 0.1, 0.5, 0.5], "iscrowd": False}
    digests = [documents.digest({"detections": [each]}) for each in (before, {**before, **change})]
    assert (digests[0] == digests[1]) is same


def test_no_truth_is_not_the_same_as_no_boxes():
    assert documents.digest(None) != documents.digest({"detections": []})
