import numpy as np
import pytest

from artdet.detections import MAX_SOURCES, Detections, concat

SIZE = (30, 40)


def three():
    return Detections.of([[0, 0, 4, 2], [1, 1, 9, 9], [5, 5, 40, 30]], [0.5, 0.9, 0.5], [2, 1, 0], SIZE)


def test_empty_has_shapes_and_length():
    empty = Detections.empty(SIZE)
    assert (len(empty), empty.boxes.shape, empty.image_size) == (0, (0, 4), SIZE)
    assert len(empty.sorted()) == len(empty[[]]) == len(empty[np.zeros(0, bool)]) == 0


@pytest.mark.parametrize(
    ("boxes", "scores", "labels", "message"),
    [
        pytest.param([[0, 0, 1, 1]], [0.5, 0.5], [0], "scores must have shape", id="scores"),
        pytest.param([[0, 0, 1, 1]], [0.5], [0, 1], "labels must have shape", id="labels"),
        pytest.param([[2, 0, 1, 1]], [0.5], [0], "swapped corners", id="swapped x"),
        pytest.param([[0, 2, 1, 1]], [0.5], [0], "swapped corners", id="swapped y"),
        pytest.param([[0, 0, np.nan, 1]], [0.5], [0], "finite", id="nan box"),
        pytest.param([[0, 0, 1, 1]], [1.5], [0], "scores must lie", id="score over 1"),
        pytest.param([[0, 0, 1, 1]], [np.nan], [0], "scores must lie", id="nan score"),
    ],
)
def test_wrong_input_is_refused(boxes, scores, labels, message):
    with pytest.raises(ValueError, match=message):
        Detections.of(boxes, scores, labels, SIZE)


def test_an_image_without_extent_is_refused():
    with pytest.raises(ValueError, match="image_size must be positive"):
        Detections.empty((0, 10))


def test_indexing_by_mask_indices_and_slice():
    found = three()
    assert found[found.scores > 0.6].labels.tolist() == [1]
    assert found[[2, 0]].labels.tolist() == [0, 2]
    assert found[:2].labels.tolist() == [2, 1]
    assert found[[2]].image_size == SIZE


def test_sorting_breaks_ties_by_label_then_box_whatever_the_order():
    found = three()
    expected = [1, 0, 2]
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        assert found[order].sorted().labels.tolist() == expected


def test_arrays_are_read_only_and_not_the_callers():
    boxes = np.array([[0, 0, 1, 1]], dtype=np.float32)
    found = Detections.of(boxes, 0.5, 0, SIZE)
    boxes[0, 2] = 7
    assert found.boxes[0, 2] == 1
    with pytest.raises(ValueError, match="read-only"):
        found.boxes[0, 0] = 3


def test_rescaling_takes_each_side_by_itself_and_stays_inside():
    found = three().rescaled((60, 20))
    assert found.boxes.tolist() == [[0, 0, 2, 4], [0.5, 2, 4.5, 18], [2.5, 10, 20, 60]]
    assert found.image_size == (60, 20)


def test_concat_keeps_order_and_sources():
    parts = [three().from_source(0), Detections.empty(SIZE), three()[:1].from_source(5)]
    whole = concat(parts, SIZE)
    assert whole.sources.tolist() == [1, 1, 1, 32]
    assert len(concat([], SIZE)) == 0
    with pytest.raises(ValueError, match="one image size"):
        concat([three(), Detections.empty((1, 1))], SIZE)


@pytest.mark.parametrize("index", [-1, MAX_SOURCES])
def test_sources_beyond_the_bit_set_are_refused(index):
    with pytest.raises(ValueError, match="a source is an index"):
        three().from_source(index)
