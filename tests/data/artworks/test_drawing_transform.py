"""Paintings made to look like drawings."""

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from artdet.data.artworks.drawing_transform import to_drawing
from artdet.data.artworks.drawings import drawings


@pytest.mark.parametrize("value", [1, 90, 255])
def test_a_flat_picture_is_blank_paper(value):
    assert (to_drawing(np.full((30, 50, 3), value, dtype=np.uint8)) == 255).all()


def test_black_stays_black():
    assert (to_drawing(np.zeros((30, 50, 3), dtype=np.uint8)) == 0).all()


def test_as_grey_inverse_blur_and_dodge_by_another_library():
    coarse = np.random.default_rng(1).integers(30, 256, (5, 7, 3), dtype=np.uint8)
    image = np.asarray(Image.fromarray(coarse).resize((110, 80), Image.Resampling.BICUBIC))
    grey = np.asarray(Image.fromarray(image).convert("L")).astype(float)
    blurred = gaussian_filter(255 - grey, 10, mode="mirror", truncate=4)
    wanted = np.clip(grey * 255 / (255 - blurred), 0, 255)
    found = to_drawing(image)
    assert found.shape == image.shape
    assert found.dtype == np.uint8
    assert (found[..., 0] == found[..., 2]).all()
    assert np.abs(found[..., 0] - wanted).max() <= 3
    assert wanted.min() < 200


def test_drawings_are_kept_and_copies_share_theirs(make_pictures, tmp_path):
    root = make_pictures("a.png", "b.png")
    (root / "copy.png").write_bytes((root / "a.png").read_bytes())
    (root / "broken.png").write_bytes(b"x")
    paths = [root / name for name in ("a.png", "b.png", "copy.png", "broken.png")]
    made, failures = drawings(paths)
    assert made[paths[0]] == made[paths[2]] != made[paths[1]]
    assert set(failures) == {paths[3]}
    before = made[paths[1]].stat().st_mtime_ns
    assert drawings(paths)[0] == made
    assert made[paths[1]].stat().st_mtime_ns == before
