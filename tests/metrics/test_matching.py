from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest

from artdet.boxes import areas, ious
from artdet.metrics.matching import match, match_voc, subset
from artdet.metrics.pairs import COCO_IOUS, ClassMatches

CLASSES = [7, 3, 12]


def reference(pairs, classes=CLASSES, max_detections=100):
    """pycocotools' evaluation of the same boxes, the area of difficult ones beyond every range."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truths, founds = [], []
    for image, pair in enumerate(pairs):
        for rows, boxes in ((truths, pair.truth), (founds, pair.found)):
            corners = boxes.boxes.astype(np.float64)
            for k, (x1, y1, x2, y2) in enumerate(corners.tolist()):
                row = {"id": len(rows) + 1, "image_id": image, "category_id": int(boxes.labels[k]), "box": k}
                row |= {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1), "iscrowd": 0}
                if rows is truths:
                    row["iscrowd"] = int(pair.crowd[k])
                    row["area"] = 1e11 if pair.difficult[k] else row["area"]
                rows.append(row | {"score": float(boxes.scores[k])})
    sides = []
    with contextlib.redirect_stdout(io.StringIO()):
        for rows in (truths, founds):
            side = COCO()
            images = [{"id": image} for image in range(len(pairs))]
            side.dataset = {"images": images, "annotations": rows, "categories": [{"id": c} for c in classes]}
            side.createIndex()
            sides.append(side)
        program = COCOeval(*sides, iouType="bbox")
        program.params.maxDets = [max_detections] if max_detections < 100 else [1, 10, max_detections]
        program.evaluate()
        program.accumulate()
    return program


def expected(program, pairs, label):
    """The reference's matches of one class in the form of ClassMatches, without the scores' order over images."""
    rows, truths = {}, {}
    for one in program.evalImgs:
        if one is None or one["category_id"] != label or one["aRng"] != [0, 1e10]:
            continue
        found = [program.cocoDt.anns[number]["box"] for number in one["dtIds"]]
        truth = [program.cocoGt.anns[number]["box"] for number in one["gtIds"]]
        box_of = {0: -1} | {number: program.cocoGt.anns[number]["box"] for number in one["gtIds"]}
        row_of = {0: -1} | {number: program.cocoDt.anns[number]["box"] for number in one["dtIds"]}
        for k, box in enumerate(found):
            taken = [box_of[int(number)] for number in one["dtMatches"][:, k]]
            rows[one["image_id"], box] = (one["dtScores"][k], taken, one["dtIgnore"][:, k].tolist())
        for k, box in enumerate(truth):
            taken = [row_of[int(number)] for number in one["gtMatches"][:, k]]
            truths[one["image_id"], box] = (bool(one["gtIgnore"][k]), taken)
    return rows, truths


def shown(part: ClassMatches):
    """The same of our matches."""
    rows = {
        (int(part.image[k]), int(part.box[k])): (
            float(part.scores[k]),
            part.truth[:, k].tolist(),
            part.ignored[:, k].tolist(),
        )
        for k in range(len(part.scores))
    }
    row_box = np.append(part.box, -1)
    truths = {
        (int(part.truth_image[k]), int(part.truth_box[k])): (
            bool(part.truth_ignored[k]),
            row_box[part.found_by[:, k]].tolist(),
        )
        for k in range(len(part.truth_image))
    }
    return rows, truths


def check(part: ClassMatches) -> None:
    """What holds of all matches, whatever the rule."""
    assert (np.diff(part.scores) <= 0).all()
    tied = np.diff(part.scores) == 0
    assert ((np.diff(part.image) > 0) | ((np.diff(part.image) == 0) & (np.diff(part.box) > 0)))[tied].all()
    assert not (part.hit & part.ignored).any()
    assert (part.truth[part.hit] >= 0).all()
    for t in range(len(part.hit)):
        for g, row in enumerate(part.found_by[t]):
            if row >= 0:
                assert part.image[row] == part.truth_image[g]
            if row >= 0 and not part.truth_ignored[g]:
                assert part.hit[t, row]
                assert part.truth[t, row] == part.truth_box[g]
        assert part.hit[t].sum() == (part.found_by[t][~part.truth_ignored] >= 0).sum()


def same(pairs, classes=CLASSES, max_detections=100):
    made = match(pairs, classes, max_detections=max_detections)
    program = reference(pairs, classes, max_detections)
    assert list(made.classes) == list(classes)
    assert made.images == len(pairs)
    for label, part in made.classes.items():
        check(part)
        assert shown(part) == expected(program, pairs, label)
    return made


SETS = {
    "plain": {},
    "none": {"images": 0},
    "no truth": {"truths": 0},
    "no predictions": {"found": 0},
    "neither": {"truths": 0, "found": 0},
    "crowds": {"crowd": 0.7},
    "difficult": {"difficult": 0.7},
    "all ignored": {"difficult": 1.0},
    "equal scores": {"score_levels": 1},
    "ties of overlap": {"grid": 15.0, "score_levels": 3},
    "free corners": {"grid": 0.0, "score_levels": 0},
    "full images": {"images": 3, "truths": 40, "found": 120, "score_levels": 7},
}


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("seed", range(3))
def test_matches_are_those_of_pycocotools(make_pairs, name, seed):
    rng = np.random.default_rng([seed, len(name)])
    same(make_pairs(rng, **{"images": 25, "classes": CLASSES} | SETS[name]))


def test_one_class_only(make_pairs):
    same(make_pairs(np.random.default_rng(5), 40, [3]), [3])


def test_more_predictions_than_count(make_pairs):
    pairs = make_pairs(np.random.default_rng(6), 2, [3], truths=30, found=350, bare=0)
    made = same(pairs, [3])
    assert np.bincount(made.classes[3].image).tolist() == [100, 100]


def test_few_predictions_count(make_pairs):
    same(make_pairs(np.random.default_rng(7), 20, CLASSES, found=12), max_detections=2)


def test_boxes_of_other_classes_are_left_out(make_pairs):
    pairs = make_pairs(np.random.default_rng(8), 20, [1, 2, 3])
    alone, among = match(pairs, [2]).classes, match(pairs, [3, 2, 1, 2]).classes
    assert list(alone) == [2]
    assert list(among) == [3, 2, 1]
    assert shown(alone[2]) == shown(among[2])


@pytest.mark.parametrize("blocks", [1, 7])
def test_blocks_do_not_matter(make_pairs, monkeypatch, blocks):
    pairs = make_pairs(np.random.default_rng(9), 20, CLASSES, truths=9, found=20)
    whole = match(pairs, CLASSES)
    monkeypatch.setattr("artdet.metrics.matching._BLOCK", blocks)
    parts = match(pairs, CLASSES)
    assert all(shown(whole.classes[label]) == shown(parts.classes[label]) for label in CLASSES)


BOX = (10, 10, 50, 30)
HAND = {
    "empty boxes never meet": ([(5, 5, 5, 5, 0.9, 3)], [(5, 5, 5, 5, 3)], {}, [False], [False]),
    "same box found twice": ([(*BOX, 0.8, 3), (*BOX, 0.9, 3)], [(*BOX, 3)], {}, [True, False], [False, False]),
    "the earlier of equal scores": ([(*BOX, 0.9, 3), (*BOX, 0.9, 3)], [(*BOX, 3)], {}, [True, False], [False] * 2),
    "a crowd takes any number": (
        [(12, 12, 20, 20, 0.9, 3), (22, 12, 30, 20, 0.8, 3)],
        [(*BOX, 3)],
        {"crowd": [0]},
        [False, False],
        [True, True],
    ),
    "a difficult box takes one": (
        [(*BOX, 0.9, 3), (*BOX, 0.8, 3)],
        [(*BOX, 3)],
        {"difficult": [0]},
        [False, False],
        [True, False],
    ),
    "what counts before a better fit that does not": (
        [(*BOX, 0.9, 3)],
        [(*BOX, 3), (10, 10, 50, 34, 3)],
        {"difficult": [0]},
        [True],
        [False],
    ),
}


@pytest.mark.parametrize("name", HAND)
def test_by_hand(make_pair, name):
    found, truth, flags, hit, ignored = HAND[name]
    part = same([make_pair(), make_pair(found, truth, **flags)], [3]).classes[3]
    assert part.hit[0].tolist() == hit
    assert part.ignored[0].tolist() == ignored


def test_the_later_of_equal_overlaps(make_pair):
    part = same([make_pair([(*BOX, 0.9, 3)], [(*BOX, 3), (*BOX, 3)])], [3]).classes[3]
    assert part.truth[0].tolist() == [1]
    assert part.found_by[0].tolist() == [-1, 0]


def test_a_box_too_large_for_coco(make_pair):
    huge = (0, 0, 150_000, 100_000)
    part = same([make_pair([(*huge, 0.9, 3)], [(*BOX, 3)], size=(100_000, 150_000))], [3]).classes[3]
    assert part.ignored.all()
    part = same([make_pair([(*huge, 0.9, 3)], [(*huge, 3)], size=(100_000, 150_000))], [3]).classes[3]
    assert part.positives == 0


def naive_voc(pairs, label, least):
    """VOC's rule as its development kit writes it: one prediction after the other."""
    rows = [(-score, i, b) for i, p in enumerate(pairs) for b, score in enumerate(p.found.scores.tolist())]
    rows = [row for row in sorted(rows) if pairs[row[1]].found.labels[row[2]] == label]
    taken, outcome = set(), []
    for _, image, box in rows:
        pair = pairs[image]
        candidates = np.flatnonzero(pair.truth.labels == label)
        overlaps = ious(pair.found.boxes[[box]], pair.truth.boxes[candidates])[0]
        if not len(overlaps) or overlaps.max() < least:
            outcome.append("false")
            continue
        best = int(candidates[int(overlaps.argmax())])
        if pair.ignored[best]:
            outcome.append("ignored")
        else:
            outcome.append("false" if (image, best) in taken else "hit")
            taken.add((image, best))
    return [(image, box) for _, image, box in rows], outcome


@pytest.mark.parametrize("name", SETS)
def test_voc_as_the_development_kit(make_pairs, name):
    rng = np.random.default_rng([11, len(name)])
    pairs = make_pairs(rng, **{"images": 25, "classes": CLASSES} | SETS[name])
    for least in (0.5, 0.75):
        made = match_voc(pairs, CLASSES, least)
        assert made.ious.tolist() == [least]
        for label, part in made.classes.items():
            check(part)
            rows, outcome = naive_voc(pairs, label, least)
            assert list(zip(part.image.tolist(), part.box.tolist(), strict=True)) == rows
            assert np.where(part.hit[0], "hit", np.where(part.ignored[0], "ignored", "false")).tolist() == outcome


def test_voc_has_no_limit_of_predictions(make_pair):
    found = [(*BOX, 0.9, 3)] * 120 + [(60, 40, 80, 50, 0.1, 3)]
    part = match_voc([make_pair(found, [(*BOX, 3), (60, 40, 80, 50, 3)])], [3]).classes[3]
    assert np.flatnonzero(part.hit[0]).tolist() == [0, 120]


def test_subset_is_the_matching_of_those_images(make_pairs):
    pairs = make_pairs(np.random.default_rng(13), 30, CLASSES)
    chosen = np.arange(30) % 3 == 1
    made = subset(match(pairs, CLASSES), chosen)
    alone = match([pair for pair, keep in zip(pairs, chosen, strict=True) if keep], CLASSES)
    index = np.flatnonzero(chosen)
    assert made.images == 30
    np.testing.assert_array_equal(made.ious, COCO_IOUS)
    for label, part in made.classes.items():
        check(part)
        other = alone.classes[label]
        np.testing.assert_array_equal(part.image, index[other.image])
        np.testing.assert_array_equal(part.truth_image, index[other.truth_image])
        for name in ("scores", "box", "hit", "ignored", "truth", "truth_box", "truth_ignored", "found_by"):
            np.testing.assert_array_equal(getattr(part, name), getattr(other, name), err_msg=name)


def test_made_sets_hold_what_they_promise(make_pairs):
    """The other tests are worth something only if their sets are."""
    pairs = make_pairs(np.random.default_rng(0), 200, CLASSES)
    part = match(pairs, CLASSES).classes[7]
    assert part.hit[0].mean() > 0.2
    assert part.ignored[0].any()
    assert (part.hit[0] != part.hit[-1]).any()
    assert (np.diff(part.scores) == 0).any()
    assert any(not len(pair.truth) and len(pair.found) for pair in pairs)
    assert any(len(pair.truth) and not len(pair.found) for pair in pairs)
    assert any((areas(pair.found.boxes) == 0).any() for pair in pairs)
