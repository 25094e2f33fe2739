from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from artdet.training.backends.torchvision_data import ExampleImages, mirrored, recoloured, resized
from artdet.training.examples import Example
from artdet.training.pictures import Pictures

HEIGHT, WIDTH = 40, 60
BOX = [10.0, 20.0, 30.0, 36.0]


def example(path, boxes=(BOX,)):
    count = len(boxes)
    return Example(
        path=path,
        photograph=False,
        image_size=(HEIGHT, WIDTH),
        boxes=np.array(boxes, dtype=np.float32).reshape(-1, 4),
        labels=np.arange(count, dtype=np.int64),
        labelled=np.array([True, False]),
        covered=np.array([True, True]),
    )


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """Grey, with a red box at BOX."""
    pixels = np.full((HEIGHT, WIDTH, 3), 100, dtype=np.uint8)
    pixels[20:36, 10:30] = (250, 20, 20)
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    return tmp_path / "picture.png"


def images(*examples, scale=0.5, side=48, seed=3):
    return ExampleImages(examples, Pictures(max_side=side), side=side, scale=scale, seed=seed)


def test_an_image_without_boxes(picture):
    planes, target = images(example(picture, boxes=()))[0, 0, 0]
    assert planes.shape[0] == 3
    assert tuple(target.boxes.shape) == (0, 4)
    assert len(target.labels) == 0
    assert target.labelled.tolist() == [True, False]


def test_boxes_stay_on_what_they_show(picture):
    data = images(example(picture))
    sides, places = set(), set()
    for position in range(30):
        planes, target = data[0, position, 0]
        sides.add(max(planes.shape[1:]))
        red = (planes[0].float() - planes[2].float()) > 100
        rows, columns = np.nonzero(red.numpy())
        seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        np.testing.assert_allclose(target.boxes[0].numpy(), seen, atol=1.1)
        places.add(bool(target.boxes[0, 0] + target.boxes[0, 2] > planes.shape[2]))
        assert target.labels.tolist() == [1]
    assert places == {False, True}
    assert min(sides) >= 24
    assert max(sides) <= 72
    assert len(sides) > 10


def test_the_same_place_gives_the_same_image_and_another_one_another(picture):
    data = images(example(picture))
    assert (data[1, 2, 0][0] == images(example(picture))[1, 2, 0][0]).all()
    others = [data[1, 3, 0], data[2, 2, 0], images(example(picture), seed=4)[1, 2, 0]]
    for planes, _ in others:
        assert planes.shape != data[1, 2, 0][0].shape or (planes != data[1, 2, 0][0]).any()


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (37, 20)], ids=str)
def test_resizing_keeps_the_shape_and_at_least_a_pixel(size):
    image = resized(np.zeros((*size, 3), dtype=np.uint8), 50)
    assert max(image.shape[:2]) == 50
    assert min(image.shape[:2]) == max(1, round(50 * min(size) / max(size)))


def test_mirroring_twice_changes_nothing():
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (5, 9, 3), dtype=np.uint8)
    boxes = np.array([[0, 1, 4, 5]], dtype=np.float32)
    once = mirrored(image, boxes)
    assert once[1].tolist() == [[5, 1, 9, 5]]
    twice = mirrored(*once)
    assert (twice[0] == image).all()
    assert (twice[1] == boxes).all()


def test_colours_change_a_little():
    image = np.random.default_rng(2).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    changed = recoloured(image, np.random.default_rng(5))
    assert changed.shape == image.shape
    assert (changed != image).any()
    # Three changes of at most a fifth, around means within 0..255.
    assert np.abs(changed.astype(int) - image).max() <= 255 * (1.2**3 - 1)
