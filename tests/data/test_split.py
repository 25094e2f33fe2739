"""Splits by groups."""

import random

import numpy as np
import pytest

from artdet.data.dataset import Sample
from artdet.data.split import split_samples, validation_groups
from artdet.detections import Detections


def sample(file, group, *labels):
    truth = Detections.of([[1, 2, 9, 8]] * len(labels), 1.0, labels, (30, 50))
    none = np.zeros(len(labels), dtype=bool)
    return Sample(file, truth, none, none, True, frozenset(), {}, group)


MANY = [sample(f"{n}.jpg", f"work {n // 2}", *([9] if n < 20 else [3] if n % 10 else [])) for n in range(200)]


def test_no_samples():
    assert split_samples([], 0.5, 0) == ([], [])


@pytest.mark.parametrize(("share", "works"), [(0, 0), (0.2, 20), (0.33, 33), (1, 100)])
def test_share_of_works(share, works):
    train, validation = split_samples(MANY, share, 0)
    assert len({s.group for s in validation}) == works
    assert {s.group for s in train} & {s.group for s in validation} == set()
    assert len(train) + len(validation) == len(MANY)


def test_rare_class_is_on_both_sides_in_proportion():
    for seed in range(20):
        _, validation = split_samples(MANY, 0.2, seed)
        assert sum(9 in s.truth.labels for s in validation) == 4  # 2 of 10 works with 2 images each


def test_order_does_not_matter_and_the_seed_does():
    shuffled = random.Random(1).sample(MANY, len(MANY))
    assert validation_groups(shuffled, 0.3, 7) == validation_groups(MANY, 0.3, 7) != validation_groups(MANY, 0.3, 8)


def test_the_same_on_every_machine():
    made = [sample(f"{n}.jpg", f"g{n}") for n in range(8)]
    # The lowest two of: printf '0\\0gN' | sha256sum
    assert sorted(validation_groups(made, 0.25, 0)) == ["g1", "g6"]
