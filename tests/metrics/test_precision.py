from __future__ import annotations

import numpy as np
import pytest

from artdet.metrics.matching import match, match_voc
from artdet.metrics.precision import (
    average_precision_101,
    average_precision_all_points,
    average_precisions,
    best_f1,
    precision_recall,
)

CLASSES = [7, 3, 12]


def naive_101(hit, ignored, positives):
    """Straight from the definition, with the search as COCO's program has it."""
    hits = false = 0
    points = []
    for one, nothing in zip(hit, ignored, strict=True):
        if not nothing:
            hits, false = hits + bool(one), false + (not one)
        points.append((hits / positives, hits / max(hits + false, 1)))
    wanted = np.linspace(0, 1, 101)
    return np.mean([max((precision for recall, precision in points if recall >= r), default=0.0) for r in wanted])


def naive_all_points(hit, ignored, positives):
    """The development kit's VOCap: recall and precision with ends added, the envelope, the sum of the steps."""
    counted = [bool(one) for one, nothing in zip(hit, ignored, strict=True) if not nothing]
    recall, precision, hits = [0.0], [0.0], 0
    for number, one in enumerate(counted, start=1):
        hits += one
        recall.append(hits / positives)
        precision.append(hits / number)
    recall, precision = [*recall, 1.0], [*precision, 0.0]
    for k in range(len(precision) - 2, -1, -1):
        precision[k] = max(precision[k], precision[k + 1])
    return sum((recall[k] - recall[k - 1]) * precision[k] for k in range(1, len(recall)))


HAND = {
    "no predictions": ("", 3, 0.0, 0.0),
    "nothing to find": ("--", 0, np.nan, np.nan),
    "nothing at all": ("", 0, np.nan, np.nan),
    "only false alarms": ("--", 2, 0.0, 0.0),
    "only ignored": ("oo", 2, 0.0, 0.0),
    "all": ("++", 2, 1.0, 1.0),
    "late": ("-+", 1, 0.5, 0.5),
    "ignored do not count": ("o+o", 1, 1.0, 1.0),
    "half": ("+", 2, 51 / 101, 0.5),
    "envelope": ("-++", 4, 51 / 101 * 2 / 3, 0.5 * 2 / 3),
}


@pytest.mark.parametrize("name", HAND)
def test_by_hand(name):
    marks, positives, points, area = HAND[name]
    hit, ignored = np.array([m == "+" for m in marks], dtype=bool), np.array([m == "o" for m in marks], dtype=bool)
    assert average_precision_101(hit, ignored, positives) == pytest.approx(points, nan_ok=True)
    assert average_precision_all_points(hit, ignored, positives) == pytest.approx(area, nan_ok=True)


@pytest.mark.parametrize("positives", [1, 3, 25, 50, 100, 300, 777])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_against_the_definition(positives, share):
    rng = np.random.default_rng([positives, int(100 * share)])
    ignored = rng.random(3 * positives) < 0.1
    hit = (rng.random(3 * positives) < share) & ~ignored
    hit &= np.cumsum(hit) <= positives
    assert average_precision_101(hit, ignored, positives) == pytest.approx(naive_101(hit, ignored, positives), abs=1e-9)
    expected = naive_all_points(hit, ignored, positives)
    assert average_precision_all_points(hit, ignored, positives) == pytest.approx(expected, abs=1e-9)


def test_voc_of_matches(make_pairs):
    made = match_voc(make_pairs(np.random.default_rng(2), 40, CLASSES), CLASSES)
    for part in made.classes.values():
        ap = average_precision_all_points(part.hit[0], part.ignored[0], part.positives)
        assert 0.05 < ap < 0.95
        assert ap == pytest.approx(naive_all_points(part.hit[0], part.ignored[0], part.positives), abs=1e-9)


def test_ap_at_each_threshold(make_pairs):
    part = match(make_pairs(np.random.default_rng(3), 40, CLASSES), CLASSES).classes[3]
    expected = [average_precision_101(part.hit[t], part.ignored[t], part.positives) for t in range(10)]
    assert average_precisions(part).tolist() == expected
    assert expected[0] > expected[-1]


EDGES = {"nothing": ([], []), "no truth": ([(10, 10, 50, 30, 0.5, 3)], []), "no hit": ([], [(10, 10, 50, 30, 3)])}


@pytest.mark.parametrize("name", EDGES)
def test_no_curve(make_pair, name):
    part = match([make_pair(*EDGES[name])], [3]).classes[3]
    curve = precision_recall(part, 0)
    assert (len(curve.recall), len(curve.precision), len(curve.scores)) == (0, 0, 0)
    assert best_f1([part], 0) is None


def test_curve_by_hand(make_pair):
    truth = [(10, 10, 50, 30, 3), (60, 10, 90, 30, 3), (10, 50, 50, 80, 3), (100, 50, 125, 80, 3)]
    found = [
        (10, 10, 50, 30, 0.5, 3),
        (60, 10, 90, 30, 0.75, 3),
        (60, 50, 90, 80, 0.625, 3),
        (100, 50, 125, 80, 0.875, 3),
    ]
    part = match([make_pair(found, truth, difficult=[3])], [3]).classes[3]
    curve = precision_recall(part, 0)
    assert curve.recall.tolist() == [1 / 3, 2 / 3]
    assert curve.precision.tolist() == [1.0, 2 / 3]
    assert curve.scores.tolist() == [0.75, 0.5]
    best = best_f1([part], 0)
    assert best is not None
    assert (best.score, best.precision, best.recall) == (0.5, 2 / 3, 2 / 3)
    assert best.f1 == pytest.approx(2 / 3)


def test_no_threshold_parts_equal_scores(make_pair):
    """The hit would be better alone, but the false alarm has the same score."""
    part = match([make_pair([(10, 10, 50, 30, 0.5, 3), (60, 60, 90, 80, 0.5, 3)], [(10, 10, 50, 30, 3)])], [3]).classes[
        3
    ]
    best = best_f1([part], 0)
    assert best is not None
    assert (best.score, best.precision, best.recall) == (0.5, 0.5, 1.0)


@pytest.mark.parametrize("chosen", [[3], CLASSES])
@pytest.mark.parametrize("seed", range(3))
def test_best_f1_against_every_threshold(make_pairs, chosen, seed):
    made = match(make_pairs(np.random.default_rng(seed), 30, CLASSES), CLASSES)
    parts = [made.classes[label] for label in chosen]
    rows = []
    for score in sorted({float(score) for part in parts for score in part.scores}, reverse=True):
        passed = [part.scores >= score for part in parts]
        hits = sum(int(part.hit[0][keep].sum()) for part, keep in zip(parts, passed, strict=True))
        counted = sum(int((~part.ignored[0])[keep].sum()) for part, keep in zip(parts, passed, strict=True))
        positives = sum(part.positives for part in parts)
        if hits:
            precision, recall = hits / counted, hits / positives
            rows.append((2 * precision * recall / (precision + recall), score, precision, recall))
    expected = max(rows, key=lambda row: (round(row[0], 12), row[1]))
    best = best_f1(parts, 0)
    assert best is not None
    assert (best.f1, best.score, best.precision, best.recall) == pytest.approx(expected)
