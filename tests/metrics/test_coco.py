from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest

from artdet.metrics.coco import CocoFigures, coco_figures
from artdet.metrics.matching import match
from artdet.metrics.precision import average_precisions

CLASSES = [7, 3, 12]
NAMES = tuple(CocoFigures.__dataclass_fields__)


def pycocotools_figures(pairs, classes):
    """The same figures by pycocotools, class by class, through its own way from a file of results."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    annotations, results = [], []
    for image, pair in enumerate(pairs, start=1):
        for box, label, crowd, difficult in zip(
            pair.truth.boxes.tolist(), pair.truth.labels.tolist(), pair.crowd, pair.difficult, strict=True
        ):
            x1, y1, x2, y2 = box
            area = 1e11 if difficult else (x2 - x1) * (y2 - y1)
            row = {"id": len(annotations) + 1, "image_id": image, "category_id": label, "iscrowd": int(crowd)}
            annotations.append(row | {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": area})
        found = pair.found
        for (x1, y1, x2, y2), label, score in zip(
            found.boxes.tolist(), found.labels.tolist(), found.scores.tolist(), strict=True
        ):
            row = {"image_id": image, "category_id": label, "score": score}
            results.append(row | {"bbox": [x1, y1, x2 - x1, y2 - y1]})
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        images = [{"id": image} for image in range(1, len(pairs) + 1)]
        truth.dataset = {"images": images, "annotations": annotations, "categories": [{"id": c} for c in classes]}
        truth.createIndex()
        found = truth.loadRes(results) if results else COCO()
        program = COCOeval(truth, found, "bbox")
        program.params.catIds = classes
        program.evaluate()
        program.accumulate()
    precision, recall = program.eval["precision"][..., -1], program.eval["recall"][:, :, 0]
    places = [sorted(classes).index(label) for label in classes]

    def mean(values, axis):
        values = np.where(values < 0, np.nan, values)
        return values.mean(axis=axis)[places]

    return {
        "ap": mean(precision[..., 0], (0, 1)),
        "ap50": mean(precision[0, ..., 0], 0),
        "ap75": mean(precision[5, ..., 0], 0),
        "ap_small": mean(precision[..., 1], (0, 1)),
        "ap_medium": mean(precision[..., 2], (0, 1)),
        "ap_large": mean(precision[..., 3], (0, 1)),
        "ar1": mean(recall[..., 0], 0),
        "ar10": mean(recall[..., 1], 0),
        "ar100": mean(recall[..., 2], 0),
    }


def by_matching(pairs, classes):
    """AP, AP50 and AP75 (C, 3) by our matching and our precision."""
    made = match(pairs, classes)
    rows = [average_precisions(made.classes[label]) for label in classes]
    return np.array([(row.mean(), row[0], row[5]) for row in rows])


def same(pairs, classes):
    ours, theirs = coco_figures(pairs, classes), pycocotools_figures(pairs, classes)
    for name in NAMES:
        np.testing.assert_allclose(getattr(ours, name), theirs[name], rtol=0, atol=1e-9, err_msg=name)
    third = by_matching(pairs, classes)
    np.testing.assert_allclose(third, np.stack([ours.ap, ours.ap50, ours.ap75], axis=1), rtol=0, atol=1e-9)
    return ours


def test_no_images_and_no_classes(make_pair):
    assert np.isnan(coco_figures([], CLASSES).ap).tolist() == [True] * 3
    assert coco_figures([make_pair()], []).ap.shape == (0,)
    assert np.isnan(list(coco_figures([], CLASSES).mean().values())).all()


SETS = {
    "plain": {},
    "no truth": {"truths": 0},
    "no predictions": {"found": 0},
    "neither": {"truths": 0, "found": 0},
    "crowds": {"crowd": 0.7},
    "difficult": {"difficult": 0.7},
    "all ignored": {"difficult": 1.0},
    "equal scores": {"score_levels": 1},
    "all scores differ": {"score_levels": 0},
    "ties of overlap": {"grid": 15.0, "score_levels": 3},
    "free corners": {"grid": 0.0},
    "all sizes": {"size": (400, 530), "grid": 0.0},
    "round numbers": {"images": 50, "truths": 6, "crowd": 0.0, "difficult": 0.0, "grid": 4.0},
    "full images": {"images": 3, "truths": 40, "found": 160, "classes": [3]},
}


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("seed", range(4))
def test_figures_are_those_of_pycocotools_and_of_our_matching(make_pairs, name, seed):
    options = {"images": 25, "classes": CLASSES} | SETS[name]
    pairs = make_pairs(np.random.default_rng([seed, len(name)]), **options)
    same(pairs, options["classes"])


def test_classes_without_boxes_and_boxes_without_class(make_pairs):
    ours = same(make_pairs(np.random.default_rng(3), 30, CLASSES), [99, 12, 7])
    assert np.isnan(ours.ap).tolist() == [True, False, False]
    assert np.isnan(ours.ar100).tolist() == [True, False, False]
    assert ours.mean()["ap"] == pytest.approx(ours.ap[1:].mean())
    assert ours.mean([1])["ap"] == ours.ap[1]


HAND = {
    "perfect": ([(10, 10, 50, 30, 0.5, 3)], [(10, 10, 50, 30, 3)], {}, 1.0),
    "nothing found": ([], [(10, 10, 50, 30, 3)], {}, 0.0),
    "found in the wrong class": ([(10, 10, 50, 30, 0.5, 7)], [(10, 10, 50, 30, 3)], {}, 0.0),
    "found too late": ([(60, 60, 90, 80, 0.9, 3), (10, 10, 50, 30, 0.5, 3)], [(10, 10, 50, 30, 3)], {}, 0.5),
    "in a crowd": (
        [(60, 60, 70, 70, 0.9, 3), (10, 10, 50, 30, 0.5, 3)],
        [(10, 10, 50, 30, 3), (55, 50, 120, 85, 3)],
        {"crowd": [1]},
        1.0,
    ),
    "nothing but a difficult box": ([(10, 10, 50, 30, 0.5, 3)], [(10, 10, 50, 30, 3)], {"difficult": [0]}, np.nan),
    "empty box": ([(10, 10, 10, 30, 0.5, 3)], [(10, 10, 50, 30, 3)], {}, 0.0),
}


@pytest.mark.parametrize("name", HAND)
def test_by_hand(make_pair, name):
    found, truth, flags, ap = HAND[name]
    ours = same([make_pair(found, truth, **flags)], [3])
    np.testing.assert_allclose(ours.ap, [ap], atol=1e-9)


def test_nothing_is_printed(make_pairs, capfd):
    coco_figures(make_pairs(np.random.default_rng(4), 5, CLASSES), CLASSES)
    assert capfd.readouterr() == ("", "")
