"""Repeat factors: by hand, in the mean, and against Detectron2."""

import numpy as np
import pytest

from artdet.data.sampling import class_factors, epoch_indices, repeat_factors


def labels(*images):
    return [np.array(image, dtype=np.int64) for image in images]


@pytest.mark.parametrize(
    ("images", "threshold", "factors"),
    [
        ((), 0.5, []),
        (((), ()), 0.5, [1, 1]),
        # f(0) = 2/3, f(1) = 1/3: r(0) = sqrt(3/4 * 3/2) = 1.0607, r(1) = sqrt(3/4 * 3) = 1.5
        (((0,), (0, 1), ()), 0.75, [np.sqrt(1.125), 1.5, 1]),
        # Boxes of one class in one image count once; at the threshold nothing is repeated.
        (((0, 0, 0), (1,), (1,)), 1 / 3, [1, 1, 1]),
        (((0, 0, 0), (1,), (1,)), 0.0, [1, 1, 1]),
    ],
    ids=["no images", "no boxes", "rarest class counts", "at the threshold", "off"],
)
def test_by_hand(images, threshold, factors):
    found = repeat_factors(labels(*images), threshold)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, factors, rtol=1e-12)


def test_factors_of_classes():
    assert class_factors(labels((0,), (0, 7), (), ()), 1.0) == pytest.approx({0: np.sqrt(2), 7: 2.0})


def test_epoch_without_images():
    found = epoch_indices(np.zeros(0), np.random.default_rng(0))
    assert (found.dtype, found.shape) == (np.int64, (0,))


def test_whole_factors_are_exact_and_shuffled():
    found = epoch_indices(np.array([1.0, 0.0, 3.0] * 20), np.random.default_rng(1))
    assert np.bincount(found, minlength=60).tolist() == [1, 0, 3] * 20
    assert (np.diff(found) < 0).any()


def test_mean_over_epochs_is_the_factor():
    factors, rng, epochs = np.array([0.25, 1.0, 1.5, 2.9]), np.random.default_rng(2), 4000
    counts = np.array([np.bincount(epoch_indices(factors, rng), minlength=4) for _ in range(epochs)])
    # Four standard errors of a rounding by chance.
    rest = factors % 1
    np.testing.assert_array_less(np.abs(counts.mean(axis=0) - factors), 4 * np.sqrt(rest * (1 - rest) / epochs) + 1e-9)
    assert [set(column.tolist()) for column in counts.T] == [{0, 1}, {1}, {1, 2}, {2, 3}]


def test_same_seed_same_epoch():
    first, second, other = (epoch_indices(np.full(50, 1.5), np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert first.tolist() == second.tolist() != other.tolist()


def test_detectron2_gives_the_same():
    sampler = pytest.importorskip("detectron2.data.samplers").RepeatFactorTrainingSampler
    rng = np.random.default_rng(5)
    images = [rng.choice(8, size=rng.integers(0, 5), p=np.arange(1, 9) / 36) for _ in range(200)]
    records = [{"annotations": [{"category_id": int(label)} for label in image]} for image in images]
    for threshold in (0.0, 0.05, 0.3, 1.0):
        expected = sampler.repeat_factors_from_category_frequency(records, threshold).numpy()
        np.testing.assert_allclose(repeat_factors(images, threshold), expected, rtol=1e-6)
