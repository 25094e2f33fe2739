"""What a backend learns from an image: the numbers of its boxes, and which classes were looked for."""

from pathlib import Path

import numpy as np
import pytest

from artdet.data.category import Category, CategoryFile
from artdet.data.dataset import Sample
from artdet.data.merge import Entry, Merged
from artdet.detections import Detections
from artdet.training.examples import DetectorClasses, epoch_length, examples, indices_of_epoch, scaled_boxes_share

CLASSES = ("dog", "persons", "animals")  # in no order of the taxonomy
SIZE = (30, 50)


def entry(taxonomy, *, boxes=(), crowd=None, labelled=(), art=True, negative=False):
    """An image with boxes of these names, all 10 x 10 px, in which these classes were looked for."""
    corners = [(10 * place, 5, 10 * place + 10, 15) for place in range(len(boxes))]
    truth = Detections.of(corners, [1.0] * len(boxes), [taxonomy.id_of(name) for name in boxes], SIZE)
    sample = Sample(
        file="a.png",
        truth=truth,
        crowd=np.array(crowd if crowd is not None else [False] * len(boxes), dtype=bool),
        difficult=np.zeros(len(boxes), dtype=bool),
        annotated=True,
        labelled=taxonomy.ids_of(labelled),
        fields={},
        group="a",
    )
    return Entry("made", Path("made"), "", art, 1.0, negative, sample)


def example(taxonomy, **options):
    settings = CategoryFile.model_validate({"classes": CLASSES, "sources": [{"source": "made", "art": True}]})
    category = Category("made", Path("made.yaml"), settings, taxonomy)
    (made,) = examples(Merged(category, (entry(taxonomy, **options),), (), np.ones(1), (), {}, {}, {}))
    return made


@pytest.mark.parametrize(
    ("labelled", "by_itself", "covered"),
    [
        ((), "---", "---"),
        (("animals",), "--a", "d-a"),
        (("dog",), "d--", "d--"),
        (("dog", "persons"), "dp-", "dp-"),
        (("persons",), "-p-", "-p-"),
        (CLASSES, "dpa", "dpa"),
    ],
    ids=["nothing", "a category as a whole", "a single class", "two classes", "a category without classes", "all"],
)
def test_what_was_looked_for(taxonomy, labelled, by_itself, covered):
    found = example(taxonomy, labelled=labelled)
    assert "".join(letter if is_in else "-" for letter, is_in in zip("dpa", found.labelled, strict=True)) == by_itself
    assert "".join(letter if is_in else "-" for letter, is_in in zip("dpa", found.covered, strict=True)) == covered


def test_labels_are_numbered_as_the_detector_counts(taxonomy):
    found = example(taxonomy, boxes=("animals", "dog", "persons", "dog"), labelled=("animals",))
    assert found.labels.tolist() == [2, 0, 1, 0]
    assert found.boxes.tolist() == [[0, 5, 10, 15], [10, 5, 20, 15], [20, 5, 30, 15], [30, 5, 40, 15]]
    assert found.image_size == SIZE


def test_crowds_are_left_out(taxonomy):
    found = example(taxonomy, boxes=("animals", "dog", "persons"), crowd=[False, True, False])
    assert found.labels.tolist() == [2, 1]
    assert found.boxes[:, 0].tolist() == [0, 20]


@pytest.mark.parametrize("art", [True, False])
def test_only_what_is_no_art_is_a_photograph(taxonomy, art):
    assert example(taxonomy, art=art).photograph is not art


def test_in_a_negative_all_classes_were_looked_for(data):
    """Three classes: animals, dog, cat; the source boxes dogs and cats wherever they are."""
    *boxed, negative = examples(data)
    assert [made.labels.tolist() for made in (*boxed, negative)] == [[1, 1], [2], []]
    assert negative.labelled.all()
    assert negative.covered.all()
    assert not any(made.labelled[0] for made in boxed)


def test_classes_and_what_belongs_together(taxonomy):
    classes = DetectorClasses.of((*CLASSES, "angel"), taxonomy)
    assert classes.fine.tolist() == [True, False, False, True]
    assert classes.alike.tolist() == [
        [True, False, True, False],
        [False, True, False, True],
        [True, False, True, False],
        [False, True, False, True],
    ]
    assert [classes.general(place) for place in range(4)] == ["animals", None, None, "persons"]
    assert DetectorClasses.of(("dog",), taxonomy).general(0) is None


def test_epochs_of_nothing():
    assert indices_of_epoch(np.zeros(2), epoch=0, seed=0).tolist() == []


def test_epochs_are_of_one_length_and_take_each_as_often_as_its_factor():
    factors = np.array([1.0, 2.5, 0.25, 0.25])
    epochs = [indices_of_epoch(factors, epoch=number, seed=3) for number in range(800)]
    assert {len(epoch) for epoch in epochs} == {epoch_length(factors)} == {4}
    counts = np.bincount(np.concatenate(epochs), minlength=4) / len(epochs)
    np.testing.assert_allclose(counts, factors, atol=0.12)
    assert epochs[5].tolist() == indices_of_epoch(factors, epoch=5, seed=3).tolist()
    assert len({tuple(epoch.tolist()) for epoch in epochs[:20]}) > 5
    assert indices_of_epoch(factors, epoch=5, seed=4).tolist() != indices_of_epoch(factors, epoch=6, seed=4).tolist()


def test_boxes_as_shares():
    assert scaled_boxes_share(np.zeros((0, 4), dtype=np.float32), SIZE).shape == (0, 4)
    boxes = np.array([[10, 3, 30, 27], [0, 0, 50, 30]], dtype=np.float32)
    np.testing.assert_allclose(scaled_boxes_share(boxes, SIZE), [[0.4, 0.5, 0.4, 0.8], [0.5, 0.5, 1, 1]], rtol=1e-6)
