import numpy as np
import pytest

from artdet.boxes import ious
from artdet.metrics.errors import ERROR_TYPES, classify_errors
from artdet.metrics.matching import match, subset

CLASSES = [2, 5, 8]
BOX = (10, 10, 50, 60)
HALF = (10, 10, 30, 60)  # IoU 0.5 with BOX
THIRD = (10, 10, 26, 60)  # 0.4
FAR = (80, 10, 120, 60)


def naive(pairs, matches, min_score=0.0):
    """Types by (image, box), and the missed (image, box), straight from the paper's definitions."""
    low = np.float32(min_score)
    types, missed = {}, set()
    for image, pair in enumerate(pairs):
        done, finder = {}, {}
        for label, part in matches.classes.items():
            for row in range(len(part.scores)):
                if part.image[row] == image:
                    done[int(part.box[row])] = part.hit[0, row] or part.ignored[0, row]
                    if part.hit[0, row] and np.float32(part.scores[row]) >= low:
                        finder[int(part.truth[0, row])] = label
        real = [j for j in range(len(pair.truth)) if not pair.ignored[j] and pair.truth.labels[j] in CLASSES]
        overlap = ious(pair.found.boxes, pair.truth.boxes)
        pointed = set()
        for i, right in done.items():
            if right or pair.found.scores[i] < low:
                continue
            own = max(
                ((overlap[i, j], -j) for j in real if pair.truth.labels[j] == pair.found.labels[i]), default=(0, 1)
            )
            other = max(
                ((overlap[i, j], -j) for j in real if pair.truth.labels[j] != pair.found.labels[i]), default=(0, 1)
            )
            if 0.1 <= own[0] < 0.5:
                types[image, i] = "localisation"
                pointed.add(-own[1])
            elif other[0] >= 0.5:
                types[image, i] = "class"
                pointed.add(-other[1])
            elif own[0] >= 0.5:
                types[image, i] = "duplicate"
            elif max(own[0], other[0]) <= 0.1:
                types[image, i] = "background"
            else:
                types[image, i] = "both"
        missed |= {(image, j) for j in real if j not in finder and j not in pointed}
    return types, missed


def labelled(errors):
    alarms = errors.false_alarms
    return {
        (int(image), int(box)): ERROR_TYPES[kind]
        for image, box, kind in zip(alarms.image, alarms.box, alarms.kind, strict=True)
    }


def missed(errors, min_score=0.0):
    truths, chosen = errors.truths, errors.truths.missed(min_score)
    return set(zip(truths.image[chosen].tolist(), truths.box[chosen].tolist(), strict=True))


CASES = {
    # name: (found, truth, types by box, missed)
    "nothing": ([], [], {}, set()),
    "no truth": ([(*BOX, 0.9, 2)], [], {0: "background"}, set()),
    "no predictions": ([], [(*BOX, 2)], {}, {0}),
    "hit": ([(*BOX, 0.9, 2)], [(*BOX, 2)], {}, set()),
    "class": ([(*BOX, 0.9, 5)], [(*BOX, 2)], {0: "class"}, set()),
    "class at half": ([(*HALF, 0.9, 5)], [(*BOX, 2)], {0: "class"}, set()),
    "localisation": ([(*THIRD, 0.9, 2)], [(*BOX, 2)], {0: "localisation"}, set()),
    "localisation at a tenth": ([(10, 10, 14, 60, 0.9, 2)], [(*BOX, 2)], {0: "localisation"}, set()),
    "both": ([(*THIRD, 0.9, 5)], [(*BOX, 2)], {0: "both"}, {0}),
    "background": ([(*FAR, 0.9, 2)], [(*BOX, 2)], {0: "background"}, {0}),
    "background at a tenth of another": ([(10, 10, 14, 60, 0.9, 5)], [(*BOX, 2)], {0: "background"}, {0}),
    "duplicate": ([(*BOX, 0.9, 2), (*BOX, 0.8, 2)], [(*BOX, 2)], {1: "duplicate"}, set()),
    "duplicate at half": ([(*BOX, 0.9, 2), (*HALF, 0.8, 2)], [(*BOX, 2)], {1: "duplicate"}, set()),
    "class before duplicate": ([(*BOX, 0.9, 2), (*BOX, 0.8, 2)], [(*BOX, 2), (*BOX, 5)], {1: "class"}, set()),
    "of equal boxes it points at the first": ([(*BOX, 0.9, 8)], [(*BOX, 2), (*BOX, 5)], {0: "class"}, {1}),
    "localisation before class": ([(*BOX, 0.9, 2)], [(*THIRD, 2), (*BOX, 5)], {0: "localisation"}, {1}),
}


@pytest.mark.parametrize(("found", "truth", "types", "misses"), CASES.values(), ids=CASES)
def test_types(make_pair, found, truth, types, misses):
    pairs = [make_pair(), make_pair(found, truth)]
    errors = classify_errors(pairs, match(pairs, CLASSES))
    assert labelled(errors) == {(1, box): name for box, name in types.items()}
    assert missed(errors) == {(1, box) for box in misses}


@pytest.mark.parametrize("classes", [[], [2]])
def test_no_images(classes):
    errors = classify_errors([], match([], classes))
    assert labelled(errors) == {}
    assert missed(errors) == set()


def test_boxes_that_count_as_nothing_play_no_part(make_pair):
    found = [(*BOX, 0.9, 2), (*THIRD, 0.8, 5), (*FAR, 0.7, 2)]
    pairs = [make_pair(found, [(*BOX, 2), (*FAR, 2)], difficult=[0], crowd=[1])]
    errors = classify_errors(pairs, match(pairs, CLASSES))
    assert labelled(errors) == {(0, 1): "background"}
    assert len(errors.truths.label) == 0


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("min_score", [0.0, 0.5])
def test_agrees_with_plain_loops(make_pairs, seed, min_score):
    pairs = make_pairs(np.random.default_rng(seed), 40, [2, 5, 8, 9], found=7)
    matches = match(pairs, CLASSES)
    errors = classify_errors(pairs, matches)
    types, misses = naive(pairs, matches)
    assert labelled(errors) == types
    assert set(types.values()) == set(ERROR_TYPES[:5])
    assert missed(errors, min_score) == naive(pairs, matches, min_score)[1]
    assert misses


def test_only_the_best_error_at_a_box_that_is_not_found_mends(make_pair):
    found = [(*THIRD, 0.5, 2), (*BOX, 0.8, 5), (*BOX, 0.7, 8), (*FAR, 0.6, 5), (*FAR, 0.6, 2)]
    pairs = [make_pair(found, [(*BOX, 2), (*FAR, 2)])]
    alarms = classify_errors(pairs, match(pairs, CLASSES)).false_alarms
    rows = sorted(zip(alarms.box.tolist(), alarms.target.tolist(), alarms.mends.tolist(), strict=True))
    assert rows == [(0, 0, False), (1, 0, True), (2, 0, False), (3, 1, False)]


def test_of_equal_scores_the_earlier_box_mends(make_pair):
    pairs = [make_pair([(*BOX, 0.5, 8), (*THIRD, 0.5, 2), (*BOX, 0.5, 5)], [(*BOX, 2)])]
    alarms = classify_errors(pairs, match(pairs, CLASSES)).false_alarms
    assert alarms.box[alarms.mends].tolist() == [0]


def test_rows_lead_back_to_the_matches(make_pairs):
    pairs = make_pairs(np.random.default_rng(1), 20, CLASSES)
    matches = match(pairs, CLASSES)
    alarms = classify_errors(pairs, matches).false_alarms
    assert len(alarms.row) > 10
    for label, row, image, score in zip(alarms.label, alarms.row, alarms.image, alarms.score, strict=True):
        part = matches.classes[int(label)]
        assert (part.image[row], part.scores[row]) == (image, score)
        assert not part.hit[0, row]


def test_of_some_images_only(make_pairs):
    pairs = make_pairs(np.random.default_rng(2), 30, CLASSES)
    matches = match(pairs, CLASSES)
    chosen = np.arange(30) % 3 == 0
    whole, part = classify_errors(pairs, matches), classify_errors(pairs, subset(matches, chosen))
    assert labelled(part) == {key: kind for key, kind in labelled(whole).items() if chosen[key[0]]}
    assert missed(part) == {key for key in missed(whole) if chosen[key[0]]}


def test_refuses_matches_of_other_images(make_pair):
    with pytest.raises(ValueError, match="2 images"):
        classify_errors([make_pair()], match([make_pair()] * 2, CLASSES))
