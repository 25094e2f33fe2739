import numpy as np
import pytest

from artdet.metrics.costs import error_costs
from artdet.metrics.errors import ERROR_TYPES, classify_errors
from artdet.metrics.matching import match

CLASSES = [2, 5, 8]
BOX = (10, 10, 50, 60)
THIRD = (10, 10, 26, 60)
FAR = (80, 10, 120, 60)


def ap(rows, positives):
    """101-point AP of (score, image, box, hit) rows, by its definition."""
    rows = sorted(rows, key=lambda row: (-row[0], row[1], row[2]))
    points, hits = [], 0
    for count, row in enumerate(rows, start=1):
        hits += row[3]
        points.append((hits / positives, hits / count))
    best = [max((p for r, p in points if r >= recall), default=0.0) for recall in np.linspace(0, 1, 101)]
    return sum(best) / 101


def mean_ap(rows, positives, classes):
    """Mean over classes of (label, score, image, box, hit) rows; the rule for classes without boxes is tidecv's."""
    values = []
    for label in classes:
        own = [row[1:] for row in rows if row[0] == label]
        if positives[label]:
            values.append(ap(own, positives[label]))
        elif own:
            values.append(0.0)
    return sum(values) / len(values) if values else 1.0


def naive_costs(pairs, matches, errors):
    """Each type mended by hand, with dictionaries."""
    alarms, truths = errors.false_alarms, errors.truths
    hits = [
        (label, part.scores[row], part.image[row], part.box[row], True)
        for label, part in matches.classes.items()
        for row in np.flatnonzero(part.hit[0])
    ]
    found = {
        (part.truth_image[g], part.truth_box[g])
        for part in matches.classes.values()
        for g in range(len(part.truth_box))
        if part.found_by[0, g] >= 0
    }
    wrong, best = [], {}
    for f in range(len(alarms.label)):
        image, box = alarms.image[f], alarms.box[f]
        target = (image, alarms.target[f]) if alarms.target[f] >= 0 else None
        wrong.append((ERROR_TYPES[alarms.kind[f]], target, (alarms.label[f], alarms.score[f], image, box, False)))
        if target is not None and target not in found:
            best[target] = min(best.get(target, (9, 9, 9)), (-alarms.score[f], box, f))
    positives = {label: part.positives for label, part in matches.classes.items()}
    classes = [label for label in positives if positives[label]]
    base = mean_ap(hits + [row for _, _, row in wrong], positives, classes)
    costs = {}
    for name in ERROR_TYPES:
        rows, left = list(hits), dict(positives)
        for f, (kind, target, row) in enumerate(wrong):
            if kind != name:
                rows.append(row)
            elif target in best and best[target][2] == f:
                rows.append((pairs[row[2]].truth.labels[target[1]], *row[1:4], True))
        if name == "missed":
            for label in truths.label[truths.missed()].tolist():
                left[label] -= 1
        costs[name] = mean_ap(rows, left, classes) - base
    return costs


def costs_of(pairs, **options):
    matches = match(pairs, CLASSES)
    return error_costs(matches, classify_errors(pairs, matches), **options)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("dense", [True, False])
def test_costs_agree_with_mending_by_hand(make_pairs, seed, dense):
    pairs = make_pairs(np.random.default_rng(seed), 30 if dense else 6, CLASSES, found=7 if dense else 2)
    matches = match(pairs, CLASSES)
    errors = classify_errors(pairs, matches)
    costs = error_costs(matches, errors)
    expected = naive_costs(pairs, matches, errors)
    assert list(costs) == list(ERROR_TYPES)
    assert {name: cost.cost for name, cost in costs.items()} == pytest.approx(expected, abs=1e-12)
    assert not dense or max(expected.values()) > 0.01


CASES = {
    # name: (found, truth, the one type with a count and a cost, its cost)
    "class": ([(*BOX, 0.9, 5)], [(*BOX, 2)], "class", 1.0),
    "localisation": ([(*THIRD, 0.9, 2)], [(*BOX, 2)], "localisation", 1.0),
    "duplicate": ([(*BOX, 0.9, 2), (*BOX, 0.8, 2), (*FAR, 0.7, 2)], [(*BOX, 2), (*FAR, 2)], "duplicate", 50 / 101 / 3),
    "background": ([(*BOX, 0.9, 2), (*FAR, 0.95, 2)], [(*BOX, 2)], "background", 0.5),
    "both": ([(*THIRD, 0.9, 2), (*FAR, 0.5, 2)], [(*BOX, 5), (*FAR, 2)], "both", 0.25),
    "missed": ([(*BOX, 0.9, 2)], [(*BOX, 2), (*FAR, 2)], "missed", 50 / 101),
    "all missed": ([], [(*BOX, 2)], "missed", 1.0),
    "a class without anything left is no longer measured": (
        [(*BOX, 0.9, 2)],
        [(*BOX, 2), (*FAR, 5)],
        "missed",
        0.5,
    ),
}


@pytest.mark.parametrize(("found", "truth", "name", "cost"), CASES.values(), ids=CASES)
def test_one_error(make_pair, found, truth, name, cost):
    costs = costs_of([make_pair(found, truth)])
    assert costs[name].cost == pytest.approx(cost)
    assert costs[name].count == 1
    others = [each.count for other, each in costs.items() if other not in (name, "missed")]
    assert others == [0] * len(others)


@pytest.mark.parametrize("found", [[], [(*BOX, 0.9, 2)]], ids=["nothing found", "found"])
@pytest.mark.parametrize("images", [0, 2])
def test_without_truth_nothing_costs(make_pair, found, images):
    costs = costs_of([make_pair(found)] * images)
    assert [each.cost for each in costs.values()] == [0.0] * 6
    assert costs["background"].count == len(found) * images


@pytest.mark.parametrize("seed", range(5))
def test_counts_at_a_score_are_those_of_a_run_without_the_rest(make_pairs, seed):
    pairs = make_pairs(np.random.default_rng(seed), 40, CLASSES, found=7)
    kept = [
        type(pair)(pair.found[pair.found.scores >= np.float32(0.6)], pair.truth, pair.crowd, pair.difficult)
        for pair in pairs
    ]
    some, whole, alone = costs_of(pairs, min_score=0.6), costs_of(pairs), costs_of(kept)
    assert [each.count for each in some.values()] == [each.count for each in alone.values()]
    assert [each.count for each in some.values()] != [each.count for each in whole.values()]
    assert [each.cost for each in some.values()] == [each.cost for each in whole.values()]
