"""The pixels of training images: reduced, kept, and chosen among variants."""

import numpy as np
import pytest
from PIL import Image

from artdet.errors import InputError
from artdet.training.pictures import Pictures, scaled_boxes

KEPT = 30 * 50 * 3


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", (50, 30), (200, 90, 10)).save(path)
    return path


def test_larger_images_are_reduced_and_smaller_ones_stay(picture):
    assert Pictures(max_side=25).read(picture).shape == (15, 25, 3)
    pixels = Pictures(max_side=64).read(picture)
    assert pixels.shape == (30, 50, 3)
    assert pixels[7, 9].tolist() == [200, 90, 10]


@pytest.mark.parametrize(("kept_bytes", "is_kept"), [(0, False), (KEPT - 1, False), (KEPT, True)])
def test_as_many_are_kept_as_memory_allows(picture, kept_bytes, is_kept):
    pictures = Pictures(max_side=64, kept_bytes=kept_bytes)
    first = pictures.read(picture)
    picture.unlink()
    if is_kept:
        np.testing.assert_array_equal(pictures.read(picture), first)
    else:
        with pytest.raises(InputError):
            pictures.read(picture)


def test_room_is_for_all_together(picture, tmp_path):
    other = tmp_path / "b.png"
    Image.new("RGB", (50, 30)).save(other)
    pictures = Pictures(max_side=64, kept_bytes=2 * KEPT - 1)
    pictures.read(picture)
    pictures.read(other)
    other.unlink()
    pictures.read(picture)
    with pytest.raises(InputError):
        pictures.read(other)


def test_all_variants_are_chosen_and_nothing_else(picture, tmp_path):
    files = []
    for value in (10, 20, 30):
        files.append(tmp_path / f"{value}.png")
        Image.new("RGB", (50, 30), (value, 0, 0)).save(files[-1])
    pictures = Pictures(max_side=64, variants={picture: files})
    rng = np.random.default_rng(0)
    seen = [int(pictures.chosen(picture, rng)[0, 0, 0]) for _ in range(40)]
    assert set(seen) == {10, 20, 30}
    rng = np.random.default_rng(0)
    assert seen == [int(pictures.chosen(picture, rng)[0, 0, 0]) for _ in range(40)]
    assert pictures.read(picture)[0, 0, 0] == 200
    assert pictures.chosen(files[1], rng)[0, 0, 0] == 20


def test_a_broken_image_is_named_with_a_remedy(tmp_path):
    path = tmp_path / "broken.jpg"
    path.write_bytes(b"no image at all")
    with pytest.raises(InputError, match=r"broken\.jpg: .* Take the image out of its source, and train again"):
        Pictures(max_side=64).read(path)


def test_boxes_follow_the_image():
    assert scaled_boxes(np.zeros((0, 4), dtype=np.float32), (30, 50), (15, 25)).shape == (0, 4)
    found = scaled_boxes(np.array([[10, 3, 30, 27]], dtype=np.float32), (30, 50), (60, 25))
    assert found.tolist() == [[5, 6, 15, 54]]
    assert found.dtype == np.float32
