"""Changes of images: what each does on made pictures, and that chance comes from the generator alone."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from artdet.errors import ConfigError
from artdet.training.classification.augmentations import TRANSFORMS, augmentation, check_augmentations

WIDE = np.random.default_rng(5).integers(0, 256, (48, 70, 3)).astype(np.uint8)
SMALL = [name for name in TRANSFORMS if name != "drawing"]


def changed(image, name, *, seed=0, **parameters):
    return augmentation([{"name": name, "probability": 1, **parameters}])(image, np.random.default_rng(seed))


class Highest(np.random.Generator):
    """Draws the highest that it may."""

    def __init__(self):
        super().__init__(np.random.PCG64(0))

    def random(self):
        return 0.0

    def uniform(self, low, high, size=None):
        return np.broadcast_to(high, size) if size else np.asarray(high, dtype=float)


def gradient(height=60, width=80):
    """Red grows to the right, green downwards, so that colours say where a pixel came from."""
    down, across = np.mgrid[:height, :width]
    return np.dstack([across * 3, down * 4, np.full_like(down, 7)]).astype(np.uint8)


def test_no_augmentation_leaves_the_image():
    assert np.array_equal(augmentation([])(WIDE, np.random.default_rng(0)), WIDE)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("shape", [(48, 70, 3), (1, 9, 3), (1, 1, 3)], ids=str)
def test_images_stay_images(name, shape):
    image = np.full(shape, 90, dtype=np.uint8)
    before = image.copy()
    for seed in range(5):
        result = changed(image, name, seed=seed)
        assert result.dtype == np.uint8
        assert result.ndim == 3
        assert result.shape[2] == 3
        assert result.size > 0
        assert result.flags.c_contiguous
    assert np.array_equal(image, before)


@pytest.mark.parametrize("name", SMALL)
def test_chance_comes_from_the_generator(name):
    first, again, other = (changed(WIDE, name, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    if name not in ("flip", "vertical_flip", "grey", "borderless"):
        assert first.shape != other.shape or not np.array_equal(first, other)


@pytest.mark.parametrize("name", SMALL)
def test_the_probability_is_kept(name):
    augment = augmentation([{"name": name, "probability": 0.3}])
    rng = np.random.default_rng(1)
    results = [augment(WIDE, rng) for _ in range(400)]
    share = np.mean([result.shape != WIDE.shape or not np.array_equal(result, WIDE) for result in results])
    assert share == pytest.approx(0.3, abs=0.08)
    assert np.array_equal(augmentation([{"name": name, "probability": 0}])(WIDE, rng), WIDE)


def test_transforms_follow_each_other():
    result = augmentation([{"name": "borderless", "px": 5}, {"name": "flip", "probability": 1}])
    assert np.array_equal(result(WIDE, np.random.default_rng(0)), WIDE[5:-5, 5:-5][:, ::-1])


def test_flips():
    assert np.array_equal(changed(WIDE, "flip"), WIDE[:, ::-1])
    assert np.array_equal(changed(WIDE, "vertical_flip"), WIDE[::-1])


def test_a_crop_has_its_share_and_its_ratio():
    image = gradient()
    shapes = []
    for seed in range(60):
        part = changed(image, "resized_crop", seed=seed, scale=[0.2, 0.6], ratio=[0.5, 2.0])
        left, top = part[0, 0, 0] // 3, part[0, 0, 1] // 4
        height, width = part.shape[:2]
        assert np.array_equal(part, image[top : top + height, left : left + width])
        shapes.append((height / 60, width / 80))
    areas = np.prod(shapes, axis=1)
    ratios = np.divide(*np.array(shapes).T[::-1])
    assert 0.18 < areas.min() < 0.28
    assert 0.5 < areas.max() < 0.62
    assert 0.47 < ratios.min() < 0.7
    assert 1.5 < ratios.max() < 2.1


def test_a_crop_of_all_is_the_whole_image():
    assert np.array_equal(changed(WIDE, "resized_crop", scale=[1, 1], ratio=[1, 1]), WIDE)


@pytest.mark.parametrize("shape", [(48, 70), (30, 300), (300, 30)], ids=str)
def test_borderless_cuts_the_border_and_keeps_half(shape):
    image = gradient(*shape)
    height, width = shape
    down, across = min(20, height // 4), min(20, width // 4)
    assert np.array_equal(changed(image, "borderless", px=20), image[down : height - down, across : width - across])


def test_perspective_moves_corners_inwards_by_its_distortion():
    # All corners by 0.4 of half the side at once, which makes the image smaller by 0.4.
    image = gradient(61, 81)
    result = augmentation([{"name": "perspective", "distortion": 0.4}])(image, Highest())
    for down, across in ((12, 16), (12, 64), (48, 64), (48, 16), (30, 40)):
        origin = 30 + (down - 30) / 0.6, 40 + (across - 40) / 0.6
        assert result[down, across] == pytest.approx([origin[1] * 3, origin[0] * 4, 7], abs=4)
    assert np.array_equal(changed(image, "perspective", distortion=0), image)


@pytest.mark.parametrize("seed", range(12))
def test_no_corner_leaves_its_quarter(seed):
    image = gradient(61, 81)
    result = changed(image, "perspective", seed=seed, distortion=0.45).astype(int)
    for corner in ((0, 0), (0, 80), (60, 80), (60, 0)):
        distance = np.abs(result - image[corner]).sum(axis=2)
        down, across = np.unravel_index(distance.argmin(), distance.shape)
        assert (down > 30) == (corner[0] > 0)
        assert (across > 40) == (corner[1] > 0)


def test_a_turn_of_ninety_degrees_is_numpys():
    image = np.ascontiguousarray(WIDE[:, :48])
    assert np.array_equal(augmentation([{"name": "rotation", "degrees": 90}])(image, Highest()), np.rot90(image, -1))


def test_rotation_turns_by_at_most_its_degrees():
    image = np.zeros((81, 81, 3), dtype=np.uint8)
    image[40, 70] = 255
    turns = []
    for seed in range(40):
        spot = changed(image, "rotation", seed=seed, degrees=30)[..., 0].astype(float)
        down, across = np.argwhere(spot == spot.max())[0] - 40
        turns.append(np.degrees(np.arctan2(down, across)))
    assert -33 < min(turns) < -20
    assert 20 < max(turns) < 33


def test_affine_moves_and_scales_about_the_middle():
    image = gradient(61, 81)
    half = changed(image, "affine", degrees=0, translate=0, scale=[0.5, 0.5])
    assert half[30, 40].tolist() == image[30, 40].tolist()
    assert half[30 - 10, 40 + 10].tolist() == image[30 - 20, 40 + 20].tolist()
    for seed in range(20):
        moved = changed(image, "affine", seed=seed, degrees=0, translate=0.1, scale=[1, 1])
        across, down = moved[30, 40, 0] / 3 - 40, moved[30, 40, 1] / 4 - 30
        assert abs(across) <= 8.5
        assert abs(down) <= 6.5
    assert moved[30, 40].tolist() != image[30, 40].tolist()


def test_shear_slants_along_the_width_only():
    image = gradient(61, 81)
    slanted = [changed(image, "affine", seed=s, degrees=0, translate=0, scale=[1, 1], shear=20) for s in range(9)]
    assert all(np.abs(result[30].astype(int) - image[30]).max() <= 1 for result in slanted)
    assert all(np.abs(result[15, 25:55, 1].astype(int) - image[15, 25:55, 1]).max() <= 1 for result in slanted)
    assert any(abs(int(result[15, 40, 0]) - int(image[15, 40, 0])) > 3 for result in slanted)


def test_grey_has_opencvs_shades():
    result = changed(WIDE, "grey")
    assert np.array_equal(result[..., 0], cv2.cvtColor(WIDE, cv2.COLOR_RGB2GRAY))
    assert (result[..., 0] == result[..., 1]).all()
    assert (result[..., 0] == result[..., 2]).all()


def test_brightness_multiplies():
    image = np.full((4, 6, 3), (40, 100, 160), dtype=np.uint8)
    factors = []
    for seed in range(40):
        result = changed(image, "jitter", seed=seed, brightness=0.5, contrast=0, saturation=0)
        factor = result[0, 0, 1] / 100
        assert result[0, 0].tolist() == pytest.approx(np.minimum(255, np.array([40, 100, 160]) * factor), abs=1.3)
        factors.append(factor)
    assert 0.5 <= min(factors) < 0.65
    assert 1.35 < max(factors) <= 1.5


def test_contrast_keeps_the_mean_and_saturation_keeps_grey():
    image = np.concatenate([np.full((5, 4, 3), 60), np.full((5, 4, 3), 140)]).astype(np.uint8)
    for seed in range(10):
        result = changed(image, "jitter", seed=seed, brightness=0, contrast=0.5, saturation=0).astype(float)
        assert result.mean() == pytest.approx(100, abs=0.6)
        assert np.array_equal(changed(image, "jitter", seed=seed, brightness=0, contrast=0, saturation=1), image)
    assert result[0, 0, 0] != 60


def test_without_saturation_an_image_is_grey():
    image = np.full((4, 6, 3), (200, 100, 0), dtype=np.uint8)
    spreads = [
        int(np.ptp(changed(image, "jitter", seed=seed, brightness=0, contrast=0, saturation=1)[0, 0].astype(int)))
        for seed in range(40)
    ]
    assert min(spreads) < 40 < 200 < max(spreads)


def test_hue_turns_the_colour_and_keeps_its_light():
    image = np.full((4, 6, 3), (200, 50, 50), dtype=np.uint8)
    results = [changed(image, "jitter", seed=s, brightness=0, contrast=0, saturation=0, hue=0.5) for s in range(30)]
    colours = np.array([result[0, 0] for result in results]).astype(int)
    assert (np.abs(colours.max(axis=1) - 200) <= 2).all()
    assert (np.abs(colours.min(axis=1) - 50) <= 2).all()
    assert set(colours.argmax(axis=1).tolist()) == {0, 1, 2}


@pytest.mark.parametrize("kernel", [None, 5])
def test_blur_is_opencvs(kernel):
    side = kernel or 0
    result = changed(WIDE, "blur", sigma=[1.5, 1.5], kernel=kernel)
    assert np.array_equal(result, cv2.GaussianBlur(WIDE, (side, side), 1.5))


def test_a_drawing_is_grey_and_mostly_paper(paintings):
    pytest.importorskip("artdet.data.artworks.drawing_transform")
    painting = paintings["bruegel_harvesters.jpg"]
    result = changed(painting, "drawing")
    assert result.shape == painting.shape
    assert result.dtype == np.uint8
    assert (np.ptp(result.astype(int), axis=2) == 0).all()
    assert np.median(result) > 200


WRONG = {
    "unknown": ({"name": "flipp"}, r"augmentations.0: name: there is no 'flipp'\. Did you mean 'flip'\?"),
    "nameless": ({"distortion": 0.3}, r"augmentations.0: name: there is no 'None'\. Known: resized_crop, "),
    "unknown key": (
        {"name": "perspective", "distorsion": 0.3},
        r"augmentations.0 \(perspective\): distorsion: unknown key\. Did you mean 'distortion'\?",
    ),
    "too much": ({"name": "flip", "probability": 1.5}, r"\(flip\): probability: input should be less than or equal"),
    "descending": ({"name": "blur", "sigma": [2, 1]}, r"\(blur\): sigma: the first must not be above the second"),
    "more than all": ({"name": "resized_crop", "scale": [1, 2]}, r"scale: a share of the area is at most 1, but got"),
    "no view": ({"name": "perspective", "distortion": 0.7}, r"distortion: input should be less than or equal to 0.6"),
    "even filter": ({"name": "blur", "kernel": 4}, r"kernel: a filter has an odd number of pixels, but got 4"),
    "no size": ({"name": "affine", "scale": [0, 1]}, r"\(affine\): scale.0: input should be greater than 0"),
}


@pytest.mark.parametrize(("entry", "message"), WRONG.values(), ids=WRONG)
def test_wrong_settings_are_named(entry, message):
    with pytest.raises(ConfigError, match=message):
        augmentation([entry])


def test_all_wrong_settings_are_named_at_once():
    with pytest.raises(ConfigError) as caught:
        check_augmentations([{"name": "flop"}, {"name": "grey"}, {"name": "blur", "side": 3, "sigma": 1}])
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == [
        "augmentations.0",
        "augmentations.2 (blur)",
        "augmentations.2 (blur)",
    ]
