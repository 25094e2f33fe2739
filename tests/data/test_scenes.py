"""Scenes: limits that hold in every one of them, boxes against an oracle, and what painting may change."""

import numpy as np
import pytest

from artdet.boxes import ious
from artdet.data.artify import Applied
from artdet.data.cutouts import Cutout, turned
from artdet.data.scene_painting import keeps_contrast, matched, painted_scene, tone_of
from artdet.data.scenes import (
    Layer,
    Scene,
    SceneSettings,
    background_of,
    box_of,
    drawn_scene,
    fits,
    visible_boxes,
)
from artdet.errors import ConfigError

BACKGROUND = (150, 230)
NAMES = ("duck", "cock")
QUIET = SceneSettings(size=200, artify=0, objects=(2, 4), scale=(0.2, 0.5))


def ellipse(label, *, high=40, wide=70):
    """An object whose ground has a loud colour, which must never be seen."""
    rows, columns = np.mgrid[:high, :wide]
    inside = ((rows + 0.5) / high * 2 - 1) ** 2 + ((columns + 0.5) / wide * 2 - 1) ** 2 <= 1
    pixels = np.zeros((high, wide, 4), np.uint8)
    pixels[...] = (0, 255, 0, 0)
    pixels[inside] = (200, 60, 40, 255)
    return Cutout(f"{label}.png", label, pixels, "0", {})


CUTOUTS = (ellipse(0), ellipse(1, high=60, wide=30))


def scene(number=0, settings=QUIET, cutouts=CUTOUTS):
    return drawn_scene(settings, cutouts, BACKGROUND, names=NAMES, rng=np.random.default_rng(number))


def layer(left, top, *, high=20, wide=30, blend="plain"):
    pixels = np.full((high, wide, 4), 255, np.uint8)
    pixels[..., :3] = (200, 60, 40)
    return Layer(0, 0, pixels, left, top, blend, 0.0, Applied())


@pytest.mark.parametrize("number", range(12))
def test_limits_hold(number):
    drawn = scene(number)
    assert max(drawn.image_size) == 200
    assert 1 <= len(drawn.layers) <= 4
    boxes, shares = visible_boxes(drawn.layers, drawn.image_size)
    assert np.array_equal(boxes, drawn.boxes)
    assert shares.min() >= QUIET.visible
    height, width = drawn.image_size
    assert boxes.min() >= 0
    assert (boxes[:, 2:] <= (width, height)).all()
    for one in drawn.layers:
        assert visible_boxes([one], drawn.image_size)[1][0] >= 1 - QUIET.hidden
    alone = np.concatenate([visible_boxes([one], drawn.image_size)[0] for one in drawn.layers])
    assert np.triu(ious(alone, alone), 1).max() <= QUIET.overlap


def test_the_same_state_draws_the_same():
    first, again, other = scene(3), scene(3), scene(4)
    assert np.array_equal(first.boxes, again.boxes)
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(first.layers, again.layers, strict=True))
    assert first.boxes.tolist() != other.boxes.tolist()


def test_boxes_are_those_of_the_pixels_that_were_painted():
    """Red objects on blue and green, blended plainly: the box is where red is."""
    ground = np.zeros((*BACKGROUND, 3), np.uint8)
    ground[:, ::2], ground[:, 1::2] = (0, 0, 180), (0, 60, 0)
    for number in range(6):
        drawn = scene(number, QUIET.model_copy(update={"objects": (1, 1)}))
        (one,) = drawn.layers
        plain = Layer(one.cutout, one.label, one.pixels, one.left, one.top, "plain", 0.0, one.effect)
        picture = painted_scene(ground, Scene(drawn.image_size, drawn.crop, drawn.flip, (plain,), drawn.boxes))
        assert box_of(picture[..., 0] > 100) == tuple(drawn.boxes[0])
        assert picture[..., 1].max() <= 80


def test_company_stands_in_front_of_another_and_is_about_as_large():
    settings = QUIET.model_copy(update={"objects": (2, 2), "together": 1.0, "rotation": 0, "aspect": 1})
    pairs = [drawn for number in range(20) if len((drawn := scene(number, settings)).layers) == 2]
    assert len(pairs) > 15
    for drawn in pairs:
        behind, front = (max(one.pixels.shape) for one in drawn.layers)
        assert 0.6 <= front / behind <= 1.2
        assert visible_boxes(drawn.layers, drawn.image_size)[1].min() >= settings.visible
    hidden = [visible_boxes(drawn.layers, drawn.image_size)[1][0] for drawn in pairs]
    alone = [visible_boxes(drawn.layers[:1], drawn.image_size)[1][0] for drawn in pairs]
    assert np.mean(np.array(hidden) < np.array(alone)) > 0.9


def test_weights_choose_classes():
    settings = QUIET.model_copy(update={"weights": {"duck": 0.0}})
    assert {one.label for number in range(5) for one in scene(number, settings).layers} == {1}


def test_what_is_hidden_moves_boxes():
    size = (60, 100)
    boxes, shares = visible_boxes([layer(10, 10), layer(25, 5, high=40)], size)
    assert boxes.tolist() == [[10, 10, 25, 30], [25, 5, 55, 45]]
    assert shares.tolist() == [0.5, 1.0]
    boxes, shares = visible_boxes([layer(-15, 50), layer(200, 10)], size)
    assert boxes.tolist() == [[0, 50, 15, 60], [0, 0, 0, 0]]
    assert shares.tolist() == [0.25, 0.0]
    assert visible_boxes([], size)[0].shape == (0, 4)


@pytest.mark.parametrize(
    ("second", "fit"),
    [(layer(60, 10), True), (layer(20, 10), True), (layer(12, 10), False), (layer(14, 10, high=40), False)],
    ids=["apart", "two thirds seen", "nearly the same", "too little seen"],
)
def test_fits(second, fit):
    settings = SceneSettings(visible=0.3, overlap=0.75)
    assert fits([layer(10, 10), second], (60, 100), settings) is fit


def test_turned_keeps_area_and_centre():
    pixels = ellipse(0).pixels
    before = (pixels[..., 3] > 127).sum()
    for degrees in (0, 20, -75, 90):
        solid = turned(pixels, np.radians(degrees))[..., 3] > 127
        assert abs(solid.sum() - before) <= 0.02 * before
        rows, columns = np.nonzero(solid)
        assert abs(rows.mean() - (solid.shape[0] - 1) / 2) < 0.3
        assert abs(columns.mean() - (solid.shape[1] - 1) / 2) < 0.3
    # Clockwise, as rows point down: what lay on the right comes to the bottom.
    pixels = np.zeros((21, 41, 4), np.uint8)
    pixels[8:13, 30:40] = 255
    rows, columns = np.nonzero(turned(pixels, np.pi / 2)[..., 3] > 127)
    assert rows.mean() > 25
    assert 8 < columns.mean() < 15


def test_every_background_is_used_once_a_turn():
    chosen = [background_of(number, 5, 0) for number in range(15)]
    assert [sorted(chosen[start : start + 5]) for start in (0, 5, 10)] == [list(range(5))] * 3
    assert chosen != [background_of(number, 5, 1) for number in range(15)]


def test_matched_goes_part_of_the_way():
    alpha = np.full((20, 30), 255, np.uint8)
    own, ground = np.full((20, 30, 3), (200, 60, 40), np.uint8), np.full((20, 30, 3), (40, 80, 160), np.uint8)
    assert matched(own, ground, alpha, 0.0) is own
    steps = [np.abs(matched(own, ground, alpha, share).astype(int) - ground).mean() for share in (0.01, 0.4, 0.8)]
    assert steps[0] > steps[1] > steps[2] > 5


def test_washed_out_or_shifted_blends_are_dropped():
    alpha = np.full((20, 30), 255, np.uint8)
    ground, laid = np.full((20, 30, 3), 100, np.uint8), np.full((20, 30, 3), 160, np.uint8)
    assert keeps_contrast(laid, laid, ground, alpha)
    assert not keeps_contrast(ground, laid, ground, alpha)
    assert not keeps_contrast(np.full_like(laid, 250), laid, ground, alpha)


def test_poisson_blending_stays_in_place():
    """A dark cross in a bright object, on a ground of the object's own brightness, so that nothing shifts."""
    ground = np.full((100, 140, 3), 150, np.uint8)
    one = layer(40, 30, high=41, wide=31, blend="poisson")
    one.pixels[..., :3] = 150
    one.pixels[18:23, :, :3] = 40
    one.pixels[:, 13:18, :3] = 40
    one.pixels[:2, :, :3] = one.pixels[-2:, :, :3] = 150
    picture = painted_scene(ground, Scene((100, 140), (0, 0, 1, 1), False, (one,), np.zeros((1, 4), np.float32)))
    rows, columns = np.nonzero(picture[..., 0] < 80)
    assert abs(rows.mean() - 50) < 0.6
    assert abs(columns.mean() - 55) < 0.6


def test_drawings_get_drawn_objects():
    grey = np.random.default_rng(0).integers(0, 256, (40, 60, 1), dtype=np.uint8).repeat(3, axis=2)
    assert tone_of(grey) is not None
    assert tone_of(np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)) is None
    flat = Scene((40, 60), (0, 0, 1, 1), False, (layer(5, 5),), np.zeros((1, 4), np.float32))
    picture = painted_scene(grey, flat).astype(int)
    assert np.abs(picture[5:25, 5:35, 0] - picture[5:25, 5:35, 2]).max() <= 3


@pytest.mark.parametrize(
    "wrong", [{"objects": (3, 2)}, {"objects": (0, 2)}, {"scale": (0.5, 0.2)}, {"weights": {"duck": -1}}], ids=str
)
def test_wrong_settings(wrong):
    from artdet.config import validated

    with pytest.raises(ConfigError):
        validated(SceneSettings, wrong, where="options")
