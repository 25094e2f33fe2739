import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from artdet.data.dataset import Dataset, Sample
from artdet.data.statistics import Counts, combined, statistics
from artdet.detections import Detections
from artdet.taxonomy import Taxonomy

TAXONOMY = Taxonomy.load()


def box(label, width, height, *, crowd=False, difficult=False):
    return label, (1.0, 2.0, 1.0 + width, 2.0 + height), crowd, difficult


def sample(file, *boxes, annotated=True, labelled=TAXONOMY.names, group=None):
    truth = Detections.of(
        [corners for _, corners, _, _ in boxes], 1.0, [TAXONOMY.id_of(label) for label, *_ in boxes], (300, 400)
    )
    crowd, difficult = (np.array([entry[place] for entry in boxes], dtype=bool) for place in (2, 3))
    ids = TAXONOMY.ids_of(labelled) if annotated else frozenset()
    return Sample(file, truth, crowd, difficult, annotated, ids, {"folder": "."}, group or file)


def dataset(*samples, name="made"):
    return Dataset(name, Path("/pictures"), samples, TAXONOMY, licence="CC0")


MADE = dataset(
    sample("a.jpg", box("mary", 31, 33), box("persons", 32, 32), box("persons", 96, 95.9), box("horse", 96, 96)),
    sample("b.jpg", box("persons", 200, 100, crowd=True), box("mary", 10, 10, difficult=True), group="a.jpg"),
    sample("c.jpg"),
    sample("d.jpg", annotated=False),
    sample("e.jpg", box("horse", 1, 1), box("faces", 8, 9), labelled=("persons", "horse")),
)


def test_no_images():
    found = statistics(dataset())
    assert (found.images, found.annotated, found.empty, found.not_annotated, found.groups) == (0, 0, 0, 0, 0)
    assert (found.classes, found.categories, found.total) == ({}, {}, Counts())


def test_images():
    found = statistics(MADE)
    assert (found.images, found.annotated, found.empty, found.not_annotated, found.groups) == (5, 4, 1, 1, 4)
    assert (found.name, found.licence) == ("made", "CC0")


def test_classes_counted_by_hand():
    assert statistics(MADE).classes == {
        "persons": Counts(boxes=3, images=2, small=0, medium=2, large=1, crowd=1),
        "mary": Counts(boxes=2, images=2, small=2, difficult=1),
        "horse": Counts(boxes=2, images=2, small=1, large=1),
        "faces": Counts(boxes=1, images=1, small=1, not_exhaustive=1),
    }


def test_a_category_is_the_sum_of_its_classes_but_for_images():
    assert statistics(MADE).categories == {
        "persons": Counts(boxes=5, images=2, small=2, medium=2, large=1, crowd=1, difficult=1),
        "animals": Counts(boxes=2, images=2, small=1, large=1),
        "faces": Counts(boxes=1, images=1, small=1, not_exhaustive=1),
    }
    assert statistics(MADE).total == Counts(
        boxes=8, images=3, small=4, medium=2, large=2, crowd=1, difficult=1, not_exhaustive=1
    )


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        (32, 31.9, "small"),
        (32, 32, "medium"),
        (1, 1024, "medium"),
        (96, 95.9, "medium"),
        (96, 96, "large"),
        (300, 250, "large"),
    ],
)
def test_sizes_are_those_of_coco(width, height, expected):
    counts = statistics(dataset(sample("a.jpg", box("cat", width, height)))).total
    assert {name: getattr(counts, name) for name in ("small", "medium", "large")} == {
        **dict.fromkeys(("small", "medium", "large"), 0),
        expected: 1,
    }


def test_ratios():
    counts = Counts(boxes=8, images=3, small=4, medium=2, large=2)
    assert counts.boxes_per_image == pytest.approx(8 / 3)
    assert counts.shares == (0.5, 0.25, 0.25)
    assert (Counts().boxes_per_image, Counts().shares) == (0.0, (0.0, 0.0, 0.0))


def test_combined():
    other = dataset(sample("a.jpg", box("cat", 5, 7)), sample("d.jpg"), name="other")
    found = combined([statistics(MADE), statistics(other)], TAXONOMY)
    assert (found.name, found.images, found.annotated, found.empty, found.groups) == ("all", 7, 6, 2, 6)
    assert found.classes["cat"] == Counts(boxes=1, images=1, small=1)
    assert found.categories["animals"] == Counts(boxes=3, images=3, small=2, large=1)
    assert list(found.classes) == ["persons", "mary", "cat", "horse", "faces"]
    whole = {f.name: getattr(found.total, f.name) for f in fields(Counts)}
    assert whole == {"boxes": 9, "images": 4, "small": 5, "medium": 2, "large": 2, "crowd": 1, "difficult": 1,
                     "not_exhaustive": 1}  # fmt: skip


def test_combined_of_nothing():
    assert combined([], TAXONOMY).total == Counts()


def test_json():
    found = json.loads(json.dumps(statistics(MADE).as_json()))
    assert found["classes"]["persons"] == {
        "boxes": 3, "images": 2, "small": 0, "medium": 2, "large": 1, "crowd": 1, "difficult": 0, "not_exhaustive": 0,
        "boxes_per_image": 1.5, "shares": {"small": 0.0, "medium": 0.6667, "large": 0.3333},
    }  # fmt: skip
    assert (found["images"], found["annotated"], found["empty"], found["not_annotated"]) == (5, 4, 1, 1)
