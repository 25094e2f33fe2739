"""The picture of a training's curves: that it is one, and that what it shows follows the epochs."""

import os
import sys

import numpy as np
from PIL import Image

from artdet.training.curves import CURVES, SIZE, draw_curves

YELLOW = (0xF0, 0xC8, 0x00)  # of the star at the best epoch
BLUE = (0x00, 0x72, 0xB2)


def test_no_epoch_no_picture(folder):
    assert draw_curves(folder, []) is None
    assert not list(folder.path.iterdir())


def _drawn(folder, epochs):
    file = draw_curves(folder, epochs)
    assert file == folder.path / CURVES
    with Image.open(file) as image:
        assert (image.format, image.size) == ("PNG", SIZE)
        return np.asarray(image.convert("RGB")).astype(int)


def _count(pixels, colour):
    return int((np.abs(pixels - np.array(colour)).sum(axis=2) < 12).sum())


def test_the_best_epoch_is_marked_where_something_was_measured(folder, make_epochs):
    measured = _drawn(folder, make_epochs(6, every=3))
    upper_right = measured[: SIZE[1] // 2, SIZE[0] // 2 :]
    assert _count(upper_right, YELLOW) > 40
    unmeasured = _drawn(folder, make_epochs(2, every=3))
    assert _count(unmeasured, YELLOW) == 0
    assert [file.name for file in folder.path.iterdir()] == [CURVES]


def test_every_class_has_a_line(folder, make_epochs):
    """AP50 of the first class in the lower right, in the first colour."""
    lower_right = (slice(SIZE[1] // 2, None), slice(SIZE[0] // 2, None))
    assert _count(_drawn(folder, make_epochs(4))[lower_right], BLUE) > 100
    none = _drawn(folder, make_epochs(4, names=()))
    assert _count(none[lower_right], BLUE) == 0


def test_many_epochs_and_classes(folder, make_epochs):
    """And nothing of the user's own settings or figures is touched."""
    before = os.environ.get("MPLCONFIGDIR")
    many = make_epochs(200, names=tuple(f"class {number}" for number in range(33)))
    assert _count(_drawn(folder, many), BLUE) > 100
    assert os.environ.get("MPLCONFIGDIR") == before
    assert "matplotlib.pyplot" not in sys.modules or sys.modules["matplotlib.pyplot"].get_fignums() == []
