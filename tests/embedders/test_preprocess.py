import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import functional

from artdet.embedders.base import Preprocessing
from artdet.embedders.preprocess import GREY, crops, normalised, prepared

CROP = Preprocessing(image_size=56, crop_share=0.875)


def smooth(height, width, seed=0):
    """An image without detail, of which every careful way of scaling makes nearly the same."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def as_torchvision(image, side, scaled):
    """Resize and CenterCrop of torchvision on PIL, or on a square one Resize alone."""
    picture = functional.resize(Image.fromarray(image), scaled)
    return np.asarray(functional.center_crop(picture, [side, side]))


@pytest.mark.parametrize(("height", "width"), [(64, 90), (200, 131), (300, 900), (40, 61), (48, 300), (1, 1)], ids=str)
def test_crop_is_that_of_torchvision(height, width):
    image = smooth(height, width)
    ours = prepared(image, CROP)
    theirs = as_torchvision(image, 56, 64)
    assert ours.shape == (56, 56, 3)
    assert ours.flags.c_contiguous
    assert np.abs(ours.astype(int) - theirs).mean() < 3
    shifted = np.abs(ours[:, 4:].astype(int) - theirs[:, :-4]).mean()
    assert shifted > 5 or (height, width) == (1, 1), "the tolerance would not see another crop"


def test_squash_shrinks_by_areas():
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    by_hand = image.reshape(32, 2, 32, 3, 3).mean(axis=(1, 3))
    ours = prepared(image, Preprocessing(image_size=32, fit="squash"))
    assert np.abs(ours - by_hand).max() <= 0.5 + 1e-6


def test_an_axis_that_shrinks_is_averaged_where_the_other_grows():
    stripes = np.zeros((8, 512, 3), dtype=np.uint8)
    stripes[:, ::2] = 254
    ours = prepared(stripes, Preprocessing(image_size=32, fit="squash"))
    assert set(np.unique(ours)) == {127}


@pytest.mark.parametrize(("height", "width", "rows"), [(50, 100, (8, 24)), (96, 96, (0, 32)), (10, 20, (8, 24))])
def test_pad_keeps_the_aspect_ratio_and_fills_with_grey(height, width, rows):
    ours = prepared(np.full((height, width, 3), 9, np.uint8), Preprocessing(image_size=32, fit="pad"))
    inside = np.zeros((32, 32), dtype=bool)
    inside[rows[0] : rows[1]] = True
    assert (ours[inside] == 9).all()
    assert (ours[~inside] == GREY).all()


@pytest.mark.parametrize("count", [5, 10])
def test_views_are_those_of_torchvision_with_the_middle_first(count):
    image = smooth(64, 90)
    theirs = functional.five_crop(Image.fromarray(image), [56, 56])
    expected = [np.asarray(theirs[place]) for place in (4, 0, 1, 2, 3)]
    expected += [view[:, ::-1] for view in expected][: count - 5]
    views = crops(image, CROP, count)
    assert len(views) == count
    for view, other in zip(views, expected, strict=True):
        np.testing.assert_array_equal(view, other)


@pytest.mark.parametrize("fit", ["squash", "pad"])
def test_views_differ_where_the_whole_image_is_the_one_view(fit):
    p = Preprocessing(image_size=56, fit=fit, crop_share=1)
    views = crops(smooth(70, 100), p, 10)
    assert {view.shape for view in views} == {(56, 56, 3)}
    assert len({view.tobytes() for view in views}) == 10
    np.testing.assert_array_equal(crops(smooth(70, 100), p, 1)[0], prepared(smooth(70, 100), p))


def test_another_count_of_views_is_refused():
    with pytest.raises(ValueError, match="3 views"):
        crops(smooth(64, 90), CROP, 3)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_normalising_is_that_of_torchvision(count):
    batch = np.random.default_rng(1).integers(0, 256, (count, 56, 56, 3), dtype=np.uint8)
    ours = normalised(batch, CROP)
    theirs = functional.normalize(
        torch.from_numpy(batch).permute(0, 3, 1, 2) / 255, list(CROP.mean), list(CROP.deviation)
    )
    assert ours.shape == (count, 3, 56, 56)
    assert ours.dtype == torch.float32
    assert ours.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
