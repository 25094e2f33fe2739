import numpy as np
import pytest

from artdet.boxes import covered, ious
from artdet.metrics.confusion import confusion_matrix

HORSE, RIDER, SHIP = 4, 7, 2
CLASSES = [HORSE, RIDER]
BOX = (10, 10, 50, 60)


def naive(pairs, classes, min_score, iou):
    size = len(classes)
    counts = np.zeros((size + 1, size + 1), dtype=int)
    for pair in pairs:
        found = [i for i in range(len(pair.found)) if pair.found.labels[i] in classes]
        found = [i for i in found if pair.found.scores[i] >= np.float32(min_score)]
        truth = [j for j in range(len(pair.truth)) if pair.truth.labels[j] in classes]
        overlap = ious(pair.found.boxes, pair.truth.boxes)
        inside = covered(pair.found.boxes, pair.truth.boxes)
        partner = {}
        for same in (True, False):
            while True:
                left = [
                    (overlap[i, j], pair.found.scores[i], -i, -j)
                    for i in found
                    for j in truth
                    if i not in partner and j not in partner.values() and not pair.ignored[j]
                    if (pair.found.labels[i] == pair.truth.labels[j]) == same and overlap[i, j] >= iou
                ]
                if not left:
                    break
                _, _, i, j = max(left)
                partner[-i] = -j
        for i in found:
            column = classes.index(pair.found.labels[i])
            if i in partner:
                counts[classes.index(pair.truth.labels[partner[i]]), column] += 1
            elif not any((inside if pair.crowd[j] else overlap)[i, j] >= iou for j in truth if pair.ignored[j]):
                counts[size, column] += 1
        for j in truth:
            if j not in partner.values() and not pair.ignored[j]:
                counts[classes.index(pair.truth.labels[j]), size] += 1
    return counts.tolist()


CASES = {
    # name: (found, truth, crowd, difficult, matrix of horse, rider, background)
    "nothing": ([], [], [], [], [[0, 0, 0], [0, 0, 0], [0, 0, 0]]),
    "hit": ([(*BOX, 0.9, HORSE)], [(*BOX, HORSE)], [], [], [[1, 0, 0], [0, 0, 0], [0, 0, 0]]),
    "taken for another": ([(*BOX, 0.9, RIDER)], [(*BOX, HORSE)], [], [], [[0, 1, 0], [0, 0, 0], [0, 0, 0]]),
    "false alarm": ([(*BOX, 0.9, RIDER)], [], [], [], [[0, 0, 0], [0, 0, 0], [0, 1, 0]]),
    "missed": ([], [(*BOX, HORSE)], [], [], [[0, 0, 1], [0, 0, 0], [0, 0, 0]]),
    "score too low": ([(*BOX, 0.4, HORSE)], [(*BOX, HORSE)], [], [], [[0, 0, 1], [0, 0, 0], [0, 0, 0]]),
    "score just enough": ([(*BOX, 0.7, HORSE)], [(*BOX, HORSE)], [], [], [[1, 0, 0], [0, 0, 0], [0, 0, 0]]),
    "fits exactly half": ([(10, 10, 30, 60, 0.9, HORSE)], [(*BOX, HORSE)], [], [], [[1, 0, 0], [0, 0, 0], [0, 0, 0]]),
    "fits too little": ([(10, 10, 29, 60, 0.9, HORSE)], [(*BOX, HORSE)], [], [], [[0, 0, 1], [0, 0, 0], [1, 0, 0]]),
    "right class before better fit": (
        [(*BOX, 0.9, RIDER), (10, 10, 40, 60, 0.8, HORSE)],
        [(*BOX, HORSE)],
        [],
        [],
        [[1, 0, 0], [0, 0, 0], [0, 1, 0]],
    ),
    "horse and rider do not trade": (
        [(10, 10, 50, 40, 0.9, HORSE), (10, 10, 50, 59, 0.8, RIDER)],
        [(*BOX, HORSE), (10, 10, 50, 39, RIDER)],
        [],
        [],
        [[1, 0, 0], [0, 1, 0], [0, 0, 0]],
    ),
    "duplicate": ([(*BOX, 0.9, HORSE)] * 2, [(*BOX, HORSE)], [], [], [[1, 0, 0], [0, 0, 0], [1, 0, 0]]),
    "difficult, any class": (
        [(*BOX, 0.9, HORSE), (*BOX, 0.9, RIDER)],
        [(*BOX, HORSE)],
        [],
        [0],
        [[0, 0, 0], [0, 0, 0], [0, 0, 0]],
    ),
    "small in a difficult box": (
        [(12, 12, 20, 20, 0.9, HORSE)],
        [(*BOX, HORSE)],
        [],
        [0],
        [[0, 0, 0], [0, 0, 0], [1, 0, 0]],
    ),
    "small in a crowd": (
        [(12, 12, 20, 20, 0.9, HORSE), (22, 12, 30, 20, 0.9, HORSE)],
        [(*BOX, HORSE)],
        [0],
        [],
        [[0, 0, 0], [0, 0, 0], [0, 0, 0]],
    ),
    "other classes left out": ([(*BOX, 0.9, SHIP)], [(*BOX, SHIP)], [], [], [[0, 0, 0], [0, 0, 0], [0, 0, 0]]),
}


@pytest.mark.parametrize(("found", "truth", "crowd", "difficult", "expected"), CASES.values(), ids=CASES)
def test_counts(make_pair, found, truth, crowd, difficult, expected):
    pair = make_pair(found, truth, crowd=crowd, difficult=difficult)
    assert confusion_matrix([pair], CLASSES, min_score=0.7).tolist() == expected


def test_of_equal_fits_the_higher_score_is_the_confusion(make_pair):
    pair = make_pair([(*BOX, 0.8, HORSE), (*BOX, 0.9, RIDER)], [(*BOX, SHIP)])
    counts = confusion_matrix([pair], [HORSE, RIDER, SHIP], min_score=0.5)
    assert counts.tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0]]


@pytest.mark.parametrize("classes", [[], [HORSE], CLASSES])
def test_no_images(classes):
    counts = confusion_matrix([], classes, min_score=0.5)
    assert counts.dtype == np.int64
    assert counts.tolist() == np.zeros((len(classes) + 1,) * 2, dtype=int).tolist()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("min_score", "iou"), [(0.0, 0.5), (0.35, 0.3), (0.9, 0.75)])
def test_agrees_with_plain_loops(make_pairs, seed, min_score, iou):
    pairs = make_pairs(np.random.default_rng(seed), 25, [3, 0, 9, 5])
    classes = [9, 0, 3]  # neither sorted nor all
    assert confusion_matrix(pairs, classes, min_score=min_score, iou=iou).tolist() == naive(
        pairs, classes, min_score, iou
    )


def test_many_overlaps_are_worked_off_in_blocks(make_pairs, monkeypatch):
    pairs = make_pairs(np.random.default_rng(3), 30, [1, 2])
    whole = confusion_matrix(pairs, [1, 2], min_score=0.1)
    monkeypatch.setattr("artdet.metrics.overlaps._BLOCK", 7)
    assert confusion_matrix(pairs, [1, 2], min_score=0.1).tolist() == whole.tolist()
    assert whole.sum() > 50
