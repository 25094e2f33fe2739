"""The arithmetic of MTCNN against plain loops; that the whole finds the right faces is in test_faces.py."""

import math

import numpy as np
import pytest
import torch

from artdet.detectors import faces, mtcnn, mtcnn_networks
from artdet.detectors.base import LoadContext
from artdet.detectors.mtcnn import Candidates, crops, overlaps_better, pyramid, squares


@pytest.fixture(scope="module")
def detector(taxonomy):
    return faces.load(faces.Settings(name="faces"), LoadContext(taxonomy, device="cpu"))


def random_boxes(count, seed=0, extent=300.0):
    rng = np.random.default_rng(seed)
    corners = rng.uniform(-20, extent, (count, 2))
    return np.concatenate([corners, corners + rng.uniform(5, 90, (count, 2))], axis=1)


# Pyramid


def test_as_many_levels_as_the_package_has_for_every_size():
    for side in range(1, 12_000):
        expected = max(0, round(math.log(side / 12) / -math.log(0.709) - 1))
        assert len(pyramid((side, side + 7), 20, 0.709)) == expected, side


@pytest.mark.parametrize("factor", [0.2, 0.5, 0.709, 0.95])
@pytest.mark.parametrize("min_face", [6, 20, 45.5])
def test_levels_go_from_the_smallest_face_to_the_whole_picture(factor, min_face):
    scales = pyramid((300, 211), min_face, factor)
    assert scales[0] * min_face == pytest.approx(12)
    np.testing.assert_allclose(np.divide(scales[1:], scales[:-1]), factor)
    assert 211 * scales[-1] >= 12
    assert 211 * scales[-1] * factor < mtcnn.SMALLEST_LEVEL


# Suppression


def overlaps_better_by_loops(boxes, threshold, kind):
    marks = []
    for j, (ax1, ay1, ax2, ay2) in enumerate(boxes):
        marks.append(False)
        for bx1, by1, bx2, by2 in boxes[:j]:
            shared = max(0, min(ax2, bx2) - max(ax1, bx1)) * max(0, min(ay2, by2) - max(ay1, by1))
            a, b = (ax2 - ax1) * (ay2 - ay1), (bx2 - bx1) * (by2 - by1)
            if shared / (a + b - shared if kind == "union" else min(a, b)) > threshold:
                marks[j] = True
    return marks


@pytest.mark.parametrize("kind", ["union", "smaller"])
@pytest.mark.parametrize(("count", "pairs"), [(0, 500_000), (1, 500_000), (150, 500_000), (150, 1)], ids=str)
def test_suppression_agrees_with_loops(monkeypatch, count, pairs, kind):
    monkeypatch.setattr(mtcnn, "PAIRS", pairs)
    boxes = random_boxes(count, seed=count)
    marks = overlaps_better(boxes, 0.3, kind)
    assert marks.tolist() == overlaps_better_by_loops(boxes, 0.3, kind)
    assert count < 2 or 0 < marks.sum() < count


def test_a_suppressed_box_still_suppresses():
    chain = np.array([[0, 0, 10, 20], [4, 0, 14, 20], [8, 0, 18, 20]], dtype=np.float64)
    kept = Candidates.ranked(chain, np.array([0.9, 0.8, 0.7])).suppressed(0.4)
    assert kept.scores.tolist() == [0.9]


def test_boxes_turned_inside_out_suppress_nothing():
    boxes = np.array([[10, 10, 5, 30], [0, 0, 20, 30], [9, 9, 9, 9]], dtype=np.float64)
    for kind in ("union", "smaller"):
        assert not overlaps_better(boxes, 0.1, kind).any()


def test_candidates_are_ranked_and_ties_keep_their_order():
    boxes = random_boxes(4)
    ranked = Candidates.ranked(boxes, np.array([0.2, 0.9, 0.2, 0.5]))
    assert ranked.scores.tolist() == [0.9, 0.5, 0.2, 0.2]
    np.testing.assert_array_equal(ranked.boxes, boxes[[1, 3, 0, 2]])


def test_squares_keep_centre_and_longer_side():
    given = np.array([[0, 0, 10, 4], [5, 1, 7, 11], [2, 2, 5, 5]], dtype=np.float64)
    assert squares(given).tolist() == [[0, -3, 10, 7], [1, 1, 11, 11], [2, 2, 5, 5]]
    assert squares(np.zeros((0, 4))).shape == (0, 4)


# Crops


def crop_by_loops(image, box, side):
    height, width = image.shape[:2]
    crop = np.zeros((side, side, 3))
    for row in range(side):
        for column in range(side):
            y = (box[1] + (box[3] - box[1]) * row / (side - 1)) / height * (height - 1)
            x = (box[0] + (box[2] - box[0]) * column / (side - 1)) / width * (width - 1)
            if 0 <= y <= height - 1 and 0 <= x <= width - 1:
                top, left = int(y), int(x)
                bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
                upper = image[top, left] * (1 - (x - left)) + image[top, right] * (x - left)
                lower = image[bottom, left] * (1 - (x - left)) + image[bottom, right] * (x - left)
                crop[row, column] = (upper * (1 - (y - top)) + lower * (y - top) - 127.5) / 128
    return crop


def test_crops_agree_with_loops():
    image = np.random.default_rng(1).integers(0, 256, (37, 53, 3), dtype=np.uint8)
    boxes = np.array([[3, 4, 20, 30], [-6.5, -2, 12, 9.25], [40, 20, 70, 60], [0, 0, 53, 37], [60, 60, 70, 70]])
    found = crops(image, boxes.astype(np.float64), 12)
    assert found.dtype == np.float32
    for crop, box in zip(found, boxes, strict=True):
        np.testing.assert_allclose(crop, crop_by_loops(image, box, 12), atol=1e-4)
    assert not found[-1].any()


def test_no_boxes_give_no_crops():
    assert crops(np.zeros((5, 7, 3), dtype=np.uint8), np.zeros((0, 4)), 24).shape == (0, 24, 24, 3)


# Large pictures


@pytest.mark.parametrize(
    ("name", "value", "tolerance"),
    [("STRIP_PIXELS", 1, 1e-4), ("STRIP_PIXELS", 5_000, 1e-4), ("FLOAT_PIXELS", 0, 0.02)],
    ids=["row by row", "strips", "8 bits"],
)
def test_what_bounds_memory_changes_no_face(monkeypatch, detector, paintings, name, value, tolerance):
    image = paintings["hokusai_oiran_and_kamuro.jpg"]
    (before,) = detector.detect([image])
    monkeypatch.setattr(mtcnn, name, value)
    (after,) = detector.detect([image])
    assert len(after) == len(before) == 2
    np.testing.assert_allclose(after.scores, before.scores, atol=tolerance)
    np.testing.assert_allclose(after.boxes, before.boxes, atol=50 * tolerance)


# Networks


@pytest.mark.parametrize("size", [(12, 12), (13, 14), (14, 13), (31, 44)], ids=str)
def test_windows_of_the_proposal_net(size):
    height, width = size
    offsets, probabilities = mtcnn_networks.ProposalNet()(torch.zeros(2, 3, height, width), height, width)
    rows, columns = (math.ceil((length - 2) / 2) - 4 for length in size)
    assert offsets.shape == (2, 4, rows, columns)
    assert probabilities.shape == (2, rows, columns)


@pytest.mark.parametrize("size", [(12, 12), (13, 14), (14, 13), (31, 44), (64, 32)], ids=str)
def test_filling_up_a_picture_changes_no_window(size):
    height, width = size
    torch.manual_seed(0)
    network = mtcnn_networks.ProposalNet().requires_grad_(False)
    picture = np.random.default_rng(0).standard_normal((height, width, 3)).astype(np.float32)

    def seen(pixels):
        return network(torch.from_numpy(pixels)[None].permute(0, 3, 1, 2), height, width)

    filled = mtcnn._filled_up(picture)
    assert filled.shape[0] % mtcnn.GRAIN == filled.shape[1] % mtcnn.GRAIN == 0
    rows, columns = mtcnn._places(height), mtcnn._places(width)
    for expected, found in zip(seen(picture), seen(filled), strict=True):
        assert expected.shape[-2:] == (rows, columns)
        torch.testing.assert_close(found[..., :rows, :columns], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("network", "side"),
    [(mtcnn_networks.ProposalNet, 40), (mtcnn_networks.RefineNet, 24), (mtcnn_networks.OutputNet, 48)],
    ids=["P-Net", "R-Net", "O-Net"],
)
def test_filling_up_channels_changes_nothing(network, side):
    torch.manual_seed(0)
    given = network().requires_grad_(False)
    wide = mtcnn_networks._widened(given)
    assert wide.get_parameter("conv1.bias").shape[0] % 16 == 0
    images = torch.randn(2, 3, side, side)
    sizes = (side, side) if network is mtcnn_networks.ProposalNet else ()
    for expected, found in zip(given(images, *sizes), wide.requires_grad_(False)(images, *sizes), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("size", [(4, 6), (5, 6), (4, 7), (5, 7), (1, 1)], ids=str)
def test_pooling_agrees_with_torch(size):
    maps = torch.randn(2, 3, *size) - 5
    expected = torch.nn.functional.max_pool2d(maps, 2, 2, ceil_mode=True)
    torch.testing.assert_close(mtcnn_networks._pooled_by_two(maps), expected, atol=0, rtol=0)
