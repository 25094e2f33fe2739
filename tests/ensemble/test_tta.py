from __future__ import annotations

import numpy as np
import pytest

from artdet.detections import Detections
from artdet.detectors.base import Augmentation
from artdet.ensemble.tta import AugmentedDetector, flipped, view_min_score
from artdet.taxonomy import Taxonomy

TAXONOMY = Taxonomy.load()
PERSONS, MARY, COW = (TAXONOMY.id_of(name) for name in ("persons", "mary", "cow"))
SIZE = (30, 50)
BOX = (5, 3, 20, 9)


class Seeing:
    """Boxes whatever is not black, exactly, with a score for each scale and side of its light; notes its calls."""

    labels = frozenset({PERSONS, COW})

    def __init__(self, scores=(), *, ratio=1.0, calls=None, max_detections=100):
        self.scores = dict(scores)
        self.ratio = ratio
        self.calls = [] if calls is None else calls
        self.max_detections = max_detections

    def at_scale(self, ratio):
        return Seeing(self.scores, ratio=ratio, calls=self.calls, max_detections=self.max_detections)

    def detect(self, images):
        self.calls.append((self.ratio, len(images)))
        return [self._one(image) for image in images]

    def _one(self, image):
        assert image.flags.c_contiguous
        size = image.shape[:2]
        rows, columns = np.nonzero(image.any(axis=2))
        if not len(rows):
            return Detections.empty(size)
        box = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        side = "left" if box[0] + box[2] < size[1] else "right"
        score = self.scores.get((self.ratio, side), 0.5)
        return Detections.of([box] if score else [], score, PERSONS, size)


def picture(box=BOX, size=SIZE):
    image = np.zeros((*size, 3), dtype=np.uint8)
    image[box[1] : box[3], box[0] : box[2]] = 200
    return image


def augmented(detector, *, per="category", min_score=0.0, **views):
    return AugmentedDetector(detector, Augmentation(**views), taxonomy=TAXONOMY, per=per, min_score=min_score)


def rows_of(found):
    return [
        (tuple(box), round(score, 6)) for box, score in zip(found.boxes.tolist(), found.scores.tolist(), strict=True)
    ]


def test_no_images():
    assert augmented(Seeing()).detect([]) == []


def test_nothing_seen():
    found = augmented(Seeing()).detect([np.zeros((*SIZE, 3), dtype=np.uint8)])[0]
    assert (len(found), found.image_size) == (0, SIZE)


@pytest.mark.parametrize("box", [BOX, (0, 0, 1, 1), (49, 29, 50, 30), (0, 0, 50, 30), (1, 0, 50, 2)], ids=str)
def test_views_of_one_thing_give_its_box_exactly(box):
    found = augmented(Seeing(), scales=(0.5, 1.0, 2.0)).detect([picture(box)])[0]
    assert found.boxes.tolist() == [pytest.approx(box, abs=1e-4)]
    assert found.scores.tolist() == pytest.approx([0.5])
    assert (found.labels.tolist(), found.sources.tolist(), found.image_size) == ([PERSONS], [1], SIZE)


@pytest.mark.parametrize("size", [(1, 1), (7, 31), (31, 7), (1600, 1067)], ids=str)
def test_a_flip_is_what_the_mirrored_pixels_show(size):
    rng = np.random.default_rng(2)
    for _ in range(20):
        x, y = rng.integers(0, size[1]), rng.integers(0, size[0])
        image = picture((x, y, rng.integers(x, size[1]) + 1, rng.integers(y, size[0]) + 1), size)
        seen, mirrored = Seeing().detect([image, np.ascontiguousarray(image[:, ::-1])])
        assert flipped(mirrored).boxes.tolist() == seen.boxes.tolist()
        assert flipped(flipped(seen)).boxes.tolist() == seen.boxes.tolist()
    assert len(flipped(Detections.empty(size))) == 0


def test_a_flip_keeps_all_but_the_place():
    before = Detections.of([[1.5, 2, 4, 6], [0, 0, 10, 8]], [0.5, 0.25], [COW, MARY], (8, 10), sources=[4, 1])
    after = flipped(before)
    assert after.boxes.tolist() == [[6, 2, 8.5, 6], [0, 0, 10, 8]]
    for name in ("scores", "labels", "sources"):
        assert getattr(after, name).tolist() == getattr(before, name).tolist()
    assert after.image_size == (8, 10)


def test_images_and_their_mirror_images_keep_their_order():
    boxes = [(1, 1, 9, 9), (10, 2, 30, 8), (40, 5, 49, 29)]
    sizes = [(30, 50), (31, 50), (33, 90)]
    found = augmented(Seeing()).detect([picture(*pair) for pair in zip(boxes, sizes, strict=True)])
    assert [part.image_size for part in found] == sizes
    for part, box in zip(found, boxes, strict=True):
        assert part.boxes.tolist() == [pytest.approx(box, abs=1e-4)]


@pytest.mark.parametrize(
    ("views", "calls"),
    [
        ({}, [(0.8, 6), (1.0, 6), (1.25, 6), (1.5, 6)]),
        ({"flip": False, "scales": (1.0,)}, [(1.0, 3)]),
        ({"flip": True, "scales": (1.0,)}, [(1.0, 6)]),
        ({"flip": False, "scales": (0.5, 1.0, 2.0)}, [(0.5, 3), (1.0, 3), (2.0, 3)]),
    ],
    ids=["default", "none", "flip", "scales"],
)
def test_each_scale_is_one_call(views, calls):
    detector = Seeing()
    augmented(detector, **views).detect([picture()] * 3)
    assert detector.calls == calls


def test_the_score_is_the_mean_of_all_views():
    scores = {(0.9, "left"): 0.9, (0.9, "right"): 0.5, (1.2, "left"): 0.6, (1.2, "right"): 0.0}
    found = augmented(Seeing(scores), scales=(0.9, 1.2)).detect([picture()])[0]
    assert found.scores.tolist() == pytest.approx([(0.9 + 0.5 + 0.6 + 0.0) / 4])
    assert found.boxes.tolist() == [pytest.approx(BOX, abs=1e-4)]


@pytest.mark.parametrize(("least", "count"), [(0.49, 1), (0.51, 0)])
def test_fused_boxes_below_min_score_go(least, count):
    scores = {(0.9, "left"): 0.9, (0.9, "right"): 0.5, (1.2, "left"): 0.6}
    scores[1.2, "right"] = 0.0
    assert len(augmented(Seeing(scores), scales=(0.9, 1.2), min_score=least).detect([picture()])[0]) == count
    assert 0 <= view_min_score(least) < least


def test_one_view_is_the_detector_itself():
    class Doubling(Seeing):
        def _one(self, image):
            return Detections.of([BOX, BOX], [0.6, 0.3], PERSONS, image.shape[:2])

    alone = augmented(Doubling(), flip=False, scales=(1.0,), min_score=0.2)
    assert rows_of(alone.detect([picture()])[0]) == [(BOX, 0.6), (BOX, 0.3)]


@pytest.mark.parametrize(
    ("per", "expected"), [("category", [(MARY, 0.7)]), ("label", [(MARY, 0.4), (PERSONS, 0.3)])], ids=str
)
def test_views_that_name_it_differently(per, expected):
    class Unsure(Seeing):
        labels = frozenset({PERSONS, MARY})

        def _one(self, image):
            right = image[:, -BOX[0] - 1].any()
            score, label = (0.6, PERSONS) if right else (0.8, MARY)
            box = flipped(Detections.of([BOX], 1, 0, SIZE)).boxes if right else [BOX]
            return Detections.of(box, score, label, SIZE)

    found = augmented(Unsure(), per=per, scales=(1.0,)).detect([picture()])[0]
    assert [(int(i), round(float(s), 6)) for i, s in zip(found.labels, found.scores, strict=True)] == expected


def test_no_more_boxes_than_the_detector_gives():
    class Restless(Seeing):
        """Other boxes at each scale."""

        def _one(self, image):
            start = int(self.ratio * 10)
            return Detections.of([[start, y, start + 2, y + 2] for y in range(0, 12, 3)], 0.5, COW, SIZE)

        def at_scale(self, ratio):
            return Restless(ratio=ratio, max_detections=self.max_detections)

    images = [picture()]
    views = {"flip": False, "scales": (0.5, 2.0)}
    assert len(augmented(Restless(), **views).detect(images)[0]) == 8
    assert len(augmented(Restless(max_detections=5), **views).detect(images)[0]) == 5
