import numpy as np
import pytest

from artdet.data.dataset import Sample
from artdet.detections import Detections
from artdet.metrics.levels import Levels

SIZE = (60, 90)


def boxes(taxonomy, *names):
    corners = [[5 * place, 3, 5 * place + 4, 20] for place in range(len(names))]
    return Detections.of(corners, 0.5, [taxonomy.id_of(name) for name in names], SIZE)


def sample(taxonomy, labelled, *names, crowd=(), difficult=()):
    count = len(names)
    marks = [np.isin(np.arange(count), places) for places in (crowd, difficult)]
    labelled = frozenset(taxonomy.id_of(name) for name in labelled)
    return Sample("a.jpg", boxes(taxonomy, *names), *marks, True, labelled, {}, "a.jpg")


def names(taxonomy, detections):
    return [taxonomy.names[label] for label in detections.labels]


ANIMALS = ("cow", "cat", "cock", "dog", "horse", "duck")

CASES = [
    ("nothing", "fine", (), ("angel", "persons"), ("angel",), [], []),
    (
        "fine classes stay",
        "fine",
        ("angel", "persons"),
        ("angel", "persons"),
        ("angel",),
        ["angel", "persons"],
        ["angel"],
    ),
    (
        "falls back on the category",
        "fine",
        ("persons",),
        ("angel", "persons"),
        ("persons",),
        ["persons"] * 2,
        ["persons"],
    ),
    ("the truth falls back too", "fine", ("persons",), (), ("nudity", "persons"), [], ["persons"] * 2),
    ("never to a class", "fine", ("angel",), ("angel", "persons", "mary"), ("angel",), ["angel"], ["angel"]),
    ("unlabelled truth is left out", "fine", ("horse",), ("horse",), ("horse", "dog"), ["horse"], ["horse"]),
    ("other categories are left out", "fine", ("persons",), ("faces", "horse"), (), [], []),
    (
        "coarse",
        "coarse",
        ("persons", "angel"),
        ("angel", "mary"),
        ("angel", "persons"),
        ["persons"] * 2,
        ["persons"] * 2,
    ),
    ("coarse, one class only", "coarse", ("horse",), ("horse", "dog", "animals"), ("horse",), [], []),
    ("coarse, every class", "coarse", ANIMALS, ("dog", "animals"), ("cat",), ["animals"] * 2, ["animals"]),
    ("a category without classes", "coarse", ("faces",), ("faces",), ("faces",), ["faces"], ["faces"]),
]


@pytest.mark.parametrize(
    ("level", "labelled", "found", "true", "then_found", "then_true"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_labels_at_a_level(taxonomy, level, labelled, found, true, then_found, then_true):
    pair = Levels(taxonomy).pair(boxes(taxonomy, *found), sample(taxonomy, labelled, *true), level)
    assert names(taxonomy, pair.found) == then_found
    assert names(taxonomy, pair.truth) == then_true


def test_crowd_and_difficult_follow_their_boxes(taxonomy):
    true = sample(taxonomy, ("dog", "cat"), "dog", "horse", "cat", "dog", crowd=[1, 2], difficult=[3])
    pair = Levels(taxonomy).pair(boxes(taxonomy), true, "fine")
    assert names(taxonomy, pair.truth) == ["dog", "cat", "dog"]
    assert pair.crowd.tolist() == [False, True, False]
    assert pair.difficult.tolist() == [False, False, True]
    assert pair.truth.boxes.tolist() == true.truth.boxes[[0, 2, 3]].tolist()


def test_boxes_on_another_size_are_refused(taxonomy):
    with pytest.raises(ValueError, match="image"):
        Levels(taxonomy).pair(Detections.empty((61, 90)), sample(taxonomy, ()), "fine")


@pytest.mark.parametrize(("level", "expected"), [("fine", ["dog", "horse", "faces"]), ("coarse", ["faces"])])
def test_classes_are_those_of_any_image(taxonomy, level, expected):
    samples = [sample(taxonomy, ("dog", "faces")), sample(taxonomy, ("horse",)), sample(taxonomy, ())]
    classes = Levels(taxonomy).classes(samples, level)
    assert [taxonomy.names[each] for each in classes] == expected


def test_classes_of_nothing(taxonomy):
    assert Levels(taxonomy).classes([], "fine") == ()
