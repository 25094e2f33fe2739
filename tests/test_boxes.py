import numpy as np
import pytest

from artdet.boxes import areas, clipped, covered, intersections, ious, nms


def naive_iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if union else 0.0


def naive_nms(boxes, scores, iou, groups):
    left = sorted(range(len(boxes)), key=lambda i: (-scores[i], i))
    kept = []
    for i in left:
        if all(groups[i] != groups[k] or naive_iou(boxes[i], boxes[k]) <= iou for k in kept):
            kept.append(i)
    return kept


def random_boxes(rng, count):
    corners = rng.uniform(0, 60, (count, 2))
    return np.concatenate([corners, corners + rng.uniform(0, 40, (count, 2))], axis=1)


@pytest.mark.parametrize("count", [0, 1, 7, 60, 150])
@pytest.mark.parametrize("seed", range(5))
def test_ious_and_nms_agree_with_plain_loops(count, seed):
    rng = np.random.default_rng(seed)
    boxes, scores = random_boxes(rng, count), rng.choice([0.1, 0.4, 0.9, 0.95], count)
    groups = rng.integers(0, 3, count)
    expected = [[naive_iou(a, b) for b in boxes] for a in boxes]
    np.testing.assert_allclose(ious(boxes, boxes), np.array(expected).reshape(count, count), atol=1e-12)
    for iou in (0.0, 0.3, 0.7, 1.0):
        assert nms(boxes, scores, iou, groups=groups).tolist() == naive_nms(boxes, scores, iou, groups)
        assert nms(boxes, scores, iou).tolist() == naive_nms(boxes, scores, iou, np.zeros(count))


def test_boxes_that_only_touch_share_nothing():
    assert intersections(np.array([[0, 0, 2, 2]]), np.array([[2, 0, 4, 2]])).item() == 0


def test_degenerate_boxes_give_zero_and_no_warning():
    point = np.array([[3, 3, 3, 3]])
    assert areas(point).item() == 0
    assert ious(point, point).item() == 0
    assert covered(point, point).item() == 0


def test_covered_is_a_share_of_the_inner_box():
    inner, outer = np.array([[0, 0, 4, 2]]), np.array([[1, 0, 9, 9]])
    assert covered(inner, outer).item() == 0.75
    assert covered(outer, inner).item() == pytest.approx(6 / 72)


def test_clipped_knows_height_from_width():
    assert clipped(np.array([[-5, -5, 50, 50]]), (10, 30)).tolist() == [[0, 0, 30, 10]]
