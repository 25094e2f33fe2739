from collections import Counter

import numpy as np
import pytest

from artdet.metrics.errors import classify_errors
from artdet.metrics.matching import match
from artdet.metrics.mistakes import BadBox, worst_mistakes

CLASSES = [2, 5, 8]
BOX = (10, 10, 50, 60)


def worst(pairs, **options):
    return worst_mistakes(pairs, classify_errors(pairs, match(pairs, CLASSES)), **options)


def places(chosen, kind):
    return [(each.image, each.box) for each in chosen if each.kind == kind]


def test_nothing():
    assert worst([]) == []


def test_says_what_and_where(make_pair):
    pairs = [make_pair(), make_pair([(*BOX, 0.75, 5)], [(60, 10, 70, 20, 2), (*BOX, 2)])]
    assert worst(pairs) == [
        BadBox("false alarm", 1, 0, 5, 0.75, "class"),
        BadBox("miss", 1, 1, 2, None, "class"),
        BadBox("miss", 1, 0, 2, None, "missed"),
    ]


def test_worst_first_by_score_and_by_share_of_the_image(make_pair):
    small, large = (0, 0, 20, 20, 2), (0, 0, 40, 40, 2)
    pairs = [
        make_pair([(*BOX, 0.4, 2)]),
        make_pair([(*BOX, 0.9, 2)]),
        make_pair(truth=[large], size=(400, 300)),
        make_pair(truth=[small], size=(40, 30)),
    ]
    chosen = worst(pairs)
    assert places(chosen, "false alarm") == [(1, 0), (0, 0)]
    assert places(chosen, "miss") == [(3, 0), (2, 0)]


def test_two_of_an_image_at_most(make_pair):
    boxes = [(x, 10, x + 10, 30) for x in range(0, 100, 20)]
    pairs = [make_pair([(*box, 0.9, 2) for box in boxes]), make_pair([(*BOX, 0.3, 2)], [(*box, 5) for box in boxes])]
    chosen = worst(pairs)
    assert places(chosen, "false alarm") == [(0, 0), (0, 1), (1, 0)]
    assert places(chosen, "miss") == [(1, 0), (1, 1)]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([2] * 9 + [5] * 9, {2: 2, 5: 2}),
        ([2] * 9 + [5], {2: 3, 5: 1}),
        ([2] * 9, {2: 4}),
        ([2] * 9 + [5, 8], {2: 2, 5: 1, 8: 1}),
    ],
    ids=["two classes", "one candidate of the other", "one class", "three classes"],
)
def test_no_class_takes_more_than_half_while_others_have_candidates(make_pair, labels, expected):
    scores = np.linspace(0.9, 0.1, len(labels))
    pairs = [make_pair([(*BOX, score, label)]) for score, label in zip(scores, labels, strict=True)]
    chosen = worst(pairs, false_alarms=4)
    assert Counter(each.label for each in chosen) == expected
    assert [each.image for each in chosen] == sorted(each.image for each in chosen)


def test_below_the_score_a_find_is_a_miss_and_a_false_alarm_is_none(make_pair):
    pairs = [make_pair([(*BOX, 0.3, 2), (60, 10, 90, 60, 0.3, 2)], [(*BOX, 2)])]
    assert [each.kind for each in worst(pairs)] == ["false alarm"]
    assert worst(pairs, min_score=0.5) == [BadBox("miss", 0, 0, 2, None, "missed")]


@pytest.mark.parametrize("misses", [0, 3])
def test_as_many_as_wanted(make_pairs, misses):
    chosen = worst(make_pairs(np.random.default_rng(0), 40, CLASSES), misses=misses, false_alarms=7)
    assert Counter(each.kind for each in chosen) == Counter({"false alarm": 7, "miss": misses})
    assert len(set(chosen)) == 7 + misses
