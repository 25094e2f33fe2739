"""How often each image is in an epoch."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from artdet.training.classification.sampling import epoch_places

LABELS = np.array([0] * 8 + [1] * 3 + [2] * 1)


def classes(targets, sampling, **more):
    places = epoch_places(targets, sampling, **{"epoch": 0, "seed": 0, **more})
    return Counter(targets[places].tolist())


@pytest.mark.parametrize("sampling", ["natural", "over", "under", "balanced"])
@pytest.mark.parametrize(
    "targets",
    [
        np.zeros(0, dtype=np.int64),
        np.full(5, -1),
        np.zeros(5, dtype=np.int64),
        np.array([1700, np.nan, 1900, 1950, 1980], dtype=np.float32),
        np.full((5, 2), np.nan, dtype=np.float32),
    ],
    ids=["no image", "nothing known", "one class", "number", "several labels unknown"],
)
def test_without_classes_each_image_comes_once(targets, sampling):
    places = epoch_places(targets, sampling, epoch=0, seed=0)
    assert places.dtype == np.int64
    assert sorted(places.tolist()) == list(range(len(targets)))


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        ("natural", {0: 8, 1: 3, 2: 1}),
        ("over", {0: 8, 1: 8, 2: 8}),
        ("under", {0: 1, 1: 1, 2: 1}),
        ("balanced", {0: 4, 1: 4, 2: 4}),
    ],
)
def test_images_of_each_class(sampling, expected):
    assert classes(LABELS, sampling) == expected


def test_repeats_are_even():
    counts = Counter(epoch_places(LABELS, "over", epoch=3, seed=1).tolist())
    assert all(counts[place] == 1 for place in range(8))
    assert sorted(counts[place] for place in (8, 9, 10)) == [2, 3, 3]
    assert counts[11] == 8
    balanced = Counter(epoch_places(LABELS, "balanced", epoch=3, seed=1).tolist())
    assert max(balanced[place] for place in range(8)) == 1
    assert sorted(balanced[place] for place in (8, 9, 10)) == [1, 1, 2]


def test_the_rest_of_a_balanced_epoch_goes_to_any_class():
    targets = np.array([0] * 6 + [1] * 2)
    odd = np.append(targets, 0)
    assert classes(targets, "balanced") == {0: 4, 1: 4}
    got = {tuple(sorted(classes(odd, "balanced", epoch=epoch).items())) for epoch in range(20)}
    assert got == {((0, 4), (1, 5)), ((0, 5), (1, 4))}


@pytest.mark.parametrize(
    ("sampling", "unknown"), [("natural", 6), ("over", 12), ("under", 2), ("balanced", 6)], ids=lambda value: str(value)
)
def test_the_unknown_keep_their_share(sampling, unknown):
    # 12 known images and 6 unknown; the epochs have 12, 24, 3 and 12 of the known.
    assert classes(np.concatenate([LABELS, [-1] * 6]), sampling)[-1] == unknown


def test_an_image_of_several_classes_counts_as_its_rarest():
    # Images of class 1 are rare, and each of them has class 0 too; the last has none, the one before is unknown.
    targets = np.array([[1, 0]] * 6 + [[1, 1]] * 2 + [[np.nan, np.nan]] + [[0, 0]], dtype=np.float32)
    places = epoch_places(targets, "over", epoch=0, seed=0)
    counts = Counter(places.tolist())
    assert [counts[place] for place in range(8)] == [1] * 6 + [3, 3]
    assert counts[8] + counts[9] == round(2 * 12 / 8)


def test_epochs_differ_and_are_reproducible():
    def drawn(epoch, seed):
        return epoch_places(LABELS, "balanced", epoch=epoch, seed=seed).tolist()

    assert drawn(4, 7) == drawn(4, 7)
    assert drawn(4, 7) != drawn(5, 7)
    assert drawn(4, 7) != drawn(4, 8)


def test_over_the_epochs_every_image_of_a_large_class_is_seen():
    seen = {place for epoch in range(40) for place in epoch_places(LABELS, "under", epoch=epoch, seed=0).tolist()}
    assert seen == set(range(12))
