from __future__ import annotations

import numpy as np
import pytest

from artdet.metrics.bootstrap import bootstrap_ap, draw_resamples, interval, macro
from artdet.metrics.coco import coco_figures
from artdet.metrics.matching import match, match_voc, subset
from artdet.metrics.pairs import Pair
from artdet.metrics.precision import average_precisions

CLASSES = [7, 3, 12]


def point(matches):
    rows = [average_precisions(part) for part in matches.classes.values()]
    return np.array([(row.mean(), row[0], row[5]) for row in rows])


def ones(images):
    return np.ones((1, images), dtype=np.uint16)


def repeated(pairs: list[Pair], weights) -> list[Pair]:
    return [pair for pair, weight in zip(pairs, weights, strict=True) for _ in range(weight)]


def test_no_images():
    weights = draw_resamples(0, 5)
    assert weights.shape == (5, 0)
    assert np.isnan(bootstrap_ap(match([], CLASSES), weights)).all()
    assert bootstrap_ap(match([], []), weights).shape == (5, 0, 3)


def test_draws():
    weights = draw_resamples(40, 3000, seed=1)
    assert weights.dtype == np.uint16
    assert (weights.sum(axis=1) == 40).all()
    np.testing.assert_array_equal(weights, draw_resamples(40, 3000, seed=1))
    assert (weights != draw_resamples(40, 3000, seed=2)).any()
    # Binomial with 40 draws and a chance of 1/40.
    assert (weights == 0).mean() == pytest.approx((39 / 40) ** 40, abs=0.005)
    assert weights.var() == pytest.approx(39 / 40, abs=0.02)
    assert abs(weights.mean(axis=0) - 1).max() < 0.1


SETS = {
    "plain": {},
    "no truth": {"truths": 0},
    "no predictions": {"found": 0},
    "crowds": {"crowd": 0.6},
    "difficult": {"difficult": 0.6},
    "equal scores": {"score_levels": 1},
    "many": {"truths": 20, "found": 40, "classes": [3], "crowd": 0.0, "difficult": 0.0},
}


@pytest.mark.parametrize("name", SETS)
def test_each_image_once_is_the_figure_itself(make_pairs, name):
    pairs = make_pairs(np.random.default_rng(len(name)), **{"images": 50, "classes": CLASSES} | SETS[name])
    made = match(pairs, CLASSES)
    np.testing.assert_allclose(bootstrap_ap(made, ones(50))[0], point(made), rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", SETS.keys() - {"equal scores"})
def test_a_resample_is_what_coco_says_of_the_repeated_images(make_pairs, name):
    options = {"images": 12, "classes": CLASSES} | SETS[name] | {"score_levels": 0}
    pairs = make_pairs(np.random.default_rng(len(name)), **options)
    weights = draw_resamples(12, 6, seed=3)
    samples = bootstrap_ap(match(pairs, CLASSES), weights)
    for sample, weight in zip(samples, weights, strict=True):
        figures = coco_figures(repeated(pairs, weight), CLASSES)
        expected = np.stack([figures.ap, figures.ap50, figures.ap75], axis=1)
        np.testing.assert_allclose(sample, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("positives", [25, 50, 100, 200])
def test_recalls_that_are_round_numbers(make_pair, positives):
    """Recalls such as 7/25 = 0.28, which COCO's rounded 0.28 does not count as reached."""
    box = (10, 10, 50, 30)
    rng = np.random.default_rng(positives)
    pairs = [
        make_pair([((60, 40, 99, 80), box)[hit] + (score, 3)], [(*box, 3)])
        for hit, score in zip(rng.integers(2, size=positives), rng.permutation(positives) / positives, strict=True)
    ]
    samples = bootstrap_ap(match(pairs, [3]), np.array([[1] * positives, [2] * positives], dtype=np.uint16))
    for sample, times in zip(samples, (1, 2), strict=True):
        assert sample[0, 0] == pytest.approx(coco_figures(pairs * times, [3]).ap[0], abs=1e-9)


def test_blocks_do_not_matter(make_pairs, monkeypatch):
    made = match(make_pairs(np.random.default_rng(4), 30, CLASSES), CLASSES)
    weights = draw_resamples(30, 25)
    whole = bootstrap_ap(made, weights)
    monkeypatch.setattr("artdet.metrics.bootstrap._LEAST", 4)
    monkeypatch.setattr("artdet.metrics.bootstrap._MOST", 4)
    np.testing.assert_allclose(bootstrap_ap(made, weights), whole, rtol=1e-12)
    np.testing.assert_allclose(bootstrap_ap(made, weights, [12, 7]), whole[:, [2, 0]], rtol=1e-12)


def test_subset_keeps_its_weights(make_pairs):
    pairs = make_pairs(np.random.default_rng(5), 30, CLASSES)
    chosen = np.arange(30) % 2 == 0
    weights = draw_resamples(30, 20)
    part = bootstrap_ap(subset(match(pairs, CLASSES), chosen), weights)
    alone = match([pair for pair, keep in zip(pairs, chosen, strict=True) if keep], CLASSES)
    np.testing.assert_allclose(part, bootstrap_ap(alone, weights[:, chosen]))


def test_wrong_input_is_refused(make_pair):
    made = match([make_pair()], [3])
    with pytest.raises(ValueError, match="weights are for 2 images, but the matches are of 1"):
        bootstrap_ap(made, ones(2))
    with pytest.raises(ValueError, match="none of the thresholds"):
        bootstrap_ap(match_voc([make_pair()], [3]), ones(1))


def test_macro_leaves_out_what_a_resample_lacks():
    samples = np.array([[[0.25] * 3, [0.75] * 3], [[np.nan] * 3, [0.5] * 3], [[np.nan] * 3, [np.nan] * 3]])
    assert macro(samples)[:, 0].tolist() == pytest.approx([0.5, 0.5, np.nan], nan_ok=True)
    assert macro(samples, [0])[:, 2].tolist() == pytest.approx([0.25, np.nan, np.nan], nan_ok=True)


def test_interval():
    samples = 0.3 + 0.4 * np.random.default_rng(6).random((400, 2, 3))
    samples[:100, 0, 1] = np.nan
    samples[:, 1, 2] = np.nan
    value = np.full((2, 3), 0.48)
    value[1, 0] = np.nan
    low, high = interval(samples, value)
    assert np.isnan(low).tolist() == np.isnan(high).tolist() == [[False, False, False], [True, False, True]]
    for place in [(0, 0), (0, 1), (0, 2), (1, 1)]:
        values = samples[(slice(None), *place)]
        values = values[~np.isnan(values)]
        expected = np.percentile(values, [2.5, 97.5]) - 2 * (values.mean() - 0.48)
        np.testing.assert_allclose([low[place], high[place]], expected)


def test_interval_holds_the_value_and_keeps_its_limits():
    samples = np.linspace(0.88, 0.99, 100)
    assert interval(samples, 0.4) == (0.0, 0.4)  # far from all resamples
    assert interval(samples, 0.99)[1] == 1.0
    assert interval(samples - 1, -0.02, limits=(-1, 1)) == pytest.approx((-0.02725, 0.07725))


def test_interval_of_nothing():
    assert np.isnan(interval(np.zeros((0, 2)), np.array([0.5, 0.5]))).all()
    assert np.isnan(interval(np.full((4,), np.nan), float("nan"))).all()


def test_paired_differences_are_surer(make_pairs):
    """A run against itself with a few scores changed: nearly the same on every resample."""
    pairs = make_pairs(np.random.default_rng(7), 80, CLASSES, score_levels=0)
    fewer = [Pair(pair.found[: max(0, len(pair.found) - (k % 4 == 0))], *_truth(pair)) for k, pair in enumerate(pairs)]
    weights = draw_resamples(80, 200)
    first, second = (macro(bootstrap_ap(match(each, CLASSES), weights))[:, 1] for each in (pairs, fewer))
    assert (second - first).std() < 0.6 * first.std()


def _truth(pair):
    return pair.truth, pair.crowd, pair.difficult
