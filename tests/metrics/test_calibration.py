import math

import numpy as np
import pytest

from artdet.metrics.calibration import of_matches, reliability
from artdet.metrics.matching import match


def naive(scores, hits, bins):
    filled = {}
    for score, hit in zip(scores, hits, strict=True):
        place = max(i for i in range(bins) if score >= i / bins)
        filled.setdefault(place, []).append((score, hit))
    rows = []
    for place in range(bins):
        inside = filled.get(place, [])
        mean = sum(score for score, _ in inside) / len(inside) if inside else math.nan
        share = sum(hit for _, hit in inside) / len(inside) if inside else math.nan
        rows.append((len(inside), mean, share))
    ece = sum(n * abs(mean - share) for n, mean, share in rows if n) / len(scores)
    return rows, ece


@pytest.mark.parametrize("bins", [1, 10])
def test_nothing_has_no_error(bins):
    found = reliability([], [], bins=bins)
    assert found.ece is None
    assert found.count.tolist() == [0] * bins
    assert np.isnan(found.score).all()
    assert np.isnan(found.hits).all()
    assert len(found.edges) == bins + 1


@pytest.mark.parametrize("bins", [1, 7, 10])
@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_a_plain_loop(seed, bins):
    rng = np.random.default_rng(seed)
    scores = np.concatenate([rng.random(150), np.arange(11) / 10])  # the edges too
    hits = rng.random(len(scores)) < scores**2
    found = reliability(scores, hits, bins=bins)
    rows, ece = naive(scores.tolist(), hits.tolist(), bins)
    np.testing.assert_allclose(np.array([found.count, found.score, found.hits]).T, np.array(rows), atol=1e-12)
    assert found.ece == pytest.approx(ece, abs=1e-12)


def test_a_bin_has_its_lower_edge_and_the_last_both():
    found = reliability([0.0, 0.3, 0.7, 1.0], [0, 0, 1, 1])
    assert np.flatnonzero(found.count).tolist() == [0, 3, 7, 9]


def test_calibrated_scores_have_almost_no_error_and_sure_ones_much():
    rng = np.random.default_rng(5)
    scores = rng.random(200_000)
    hits = rng.random(len(scores)) < scores
    assert reliability(scores, hits).ece < 0.005
    assert reliability(np.sqrt(scores), hits).ece == pytest.approx(1 / 6, abs=0.01)  # mean of sqrt(s) - s


@pytest.mark.parametrize(
    ("scores", "hits", "bins", "message"),
    [
        ([0.5], [], 10, "same shape"),
        ([1.5], [True], 10, "lie in"),
        ([math.nan], [True], 10, "lie in"),
        ([], [], 0, "1"),
    ],
    ids=["shapes", "too high", "nan", "no bins"],
)
def test_refuses(scores, hits, bins, message):
    with pytest.raises(ValueError, match=message):
        reliability(scores, hits, bins=bins)


def test_of_matches_leaves_out_what_counts_as_nothing(make_pair):
    box = (10, 10, 50, 60)
    pair = make_pair(
        [(*box, 0.75, 1), (60, 10, 100, 60, 0.5, 1), (60, 62, 100, 80, 0.25, 2)],
        [(*box, 1), (60, 10, 100, 60, 1)],
        difficult=[1],
    )
    matches = match([pair], [1, 2, 3])
    assert [each.tolist() for each in of_matches(matches)] == [[0.75, 0.25], [True, False]]
    assert [each.tolist() for each in of_matches(matches, classes=[2])] == [[0.25], [False]]
    assert [each.tolist() for each in of_matches(matches, classes=[3])] == [[], []]
    assert [each.tolist() for each in of_matches(match([], []))] == [[], []]
