"""Figures of a detector whose boxes are known."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from artdet.detections import Detections
from artdet.training.folder import Epoch
from artdet.training.pictures import Pictures
from artdet.training.validation import ClassFigures, figures, validated


@dataclass
class Says:
    """Gives the same boxes, as shares of the image, for every image; counts what it saw."""

    taxonomy: object
    boxes: tuple = ()
    names: tuple = ()

    def __post_init__(self):
        self.sizes = []

    @property
    def labels(self):
        return self.taxonomy.ids_of(self.names)

    def detect(self, images):
        self.sizes += [image.shape[:2] for image in images]
        ids = [self.taxonomy.id_of(name) for name in self.names]
        corners = [
            np.array(self.boxes).reshape(-1, 4) * [width, height, width, height]
            for height, width in self.sizes[-len(images) :]
        ]
        return [
            Detections.of(each, [0.9] * len(ids), ids, size)
            for each, size in zip(corners, self.sizes[-len(images) :], strict=True)
        ]


DOG, CAT = (0.3, 0.3, 0.7, 0.7), (0.15, 0.3, 0.35, 0.7)
"""Of the one print with boxes, as shares."""


@pytest.fixture
def prints(data, taxonomy):
    """The one with a dog and a cat, and the empty one; all animals were looked for, and these two by themselves."""
    looked = taxonomy.ids_of(["animals", "dog", "cat"])
    return [replace(entry, sample=replace(entry.sample, labelled=looked)) for entry in data.validation]


def measured(entries, taxonomy, boxes=(), names=(), done=None):
    detector = Says(taxonomy, boxes, names)
    progress = [] if done is None else done
    found = validated(detector, entries, Pictures(max_side=25), taxonomy, progress.append)
    return found, detector


def test_a_detector_that_finds_nothing(prints, taxonomy):
    found, _ = measured(prints, taxonomy)
    assert (found.ap, found.coarse_ap, found.fitness) == (0, 0, 0)
    assert [(row.name, row.level, row.boxes) for row in found.classes] == [
        ("cat", "fine", 1),
        ("dog", "fine", 1),
        ("animals", "coarse", 2),
    ]


def test_true_boxes_on_reduced_images_are_all_right(prints, taxonomy):
    found, detector = measured(prints[:1], taxonomy, (DOG, CAT), ("dog", "cat"))
    assert detector.sizes == [(15, 25)]
    assert (found.ap, found.ap50, found.ap75, found.coarse_ap, found.fitness) == (1, 1, 1, 1, 1)
    assert found.images == 1
    assert found.text() == "fine AP50 1.000, AP 1.000; coarse AP50 1.000, AP 1.000"


def test_a_mere_category_counts_at_its_own_level(prints, taxonomy):
    found, _ = measured(prints[:1], taxonomy, (DOG, CAT), ("animals", "animals"))
    assert (found.ap, found.coarse_ap, found.fitness) == (0, 1, 0.5)


def test_boxes_where_nothing_is_lower_the_precision(prints, taxonomy):
    """Both prints get both boxes at one score, the empty one first: at every recall, half of them are wrong."""
    found, _ = measured(prints[::-1], taxonomy, (DOG, CAT), ("dog", "cat"))
    assert (found.ap, found.coarse_ap) == pytest.approx((0.5, 0.5))


def test_progress_counts_every_image(prints, taxonomy):
    done = []
    measured([prints[0]] * 17, taxonomy, done=done)
    assert sum(done) == 17
    assert len(done) > 1


@pytest.mark.parametrize(
    ("rows", "means", "text"),
    [
        ([], (None, None, 0.0), "nothing to measure by"),
        ([("dog", "fine", 0.4), ("cat", "fine", None)], (0.4, None, 0.4), "fine AP50 0.400, AP 0.400"),
        (
            [("dog", "fine", 0.4), ("cat", "fine", 0.2), ("animals", "coarse", 0.7)],
            (0.3, 0.7, 0.5),
            "fine AP50 0.300, AP 0.300; coarse AP50 0.700, AP 0.700",
        ),
    ],
    ids=["nothing", "one class", "both levels"],
)
def test_means(rows, means, text):
    found = figures([ClassFigures(name, level, 3, ap, ap, ap) for name, level, ap in rows], images=4)
    assert (found.ap, found.coarse_ap, found.fitness) == pytest.approx(means)
    assert found.text() == text


def test_figures_survive_their_line(prints, taxonomy):
    found, _ = measured(prints, taxonomy, (DOG,), ("dog",))
    epoch = Epoch(3, {"loss": 1.5}, 0.01, 2.0, 8, found, best=True)
    assert Epoch.from_line(epoch.as_line()) == epoch
    plain = replace(epoch, figures=None)
    assert Epoch.from_line(plain.as_line()) == plain
