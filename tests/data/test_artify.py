"""Effects that make photographs look like art."""

from collections import Counter

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from artdet.data.artify import CANVAS, EFFECTS, Applied, Artify, Weights, artified, check_backend, drawn, generator
from artdet.data.artify import painted as paint
from artdet.errors import MissingBackend

NAMES = list(EFFECTS)


def only(name, **more):
    return Artify(probability=1, weights={key: float(key == name) for key in EFFECTS}, **{"grey": 0, **more})


def scene(height, width):
    """The same picture at any size: coloured discs on a gradient, with soft waves; RGB uint8."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    y, x = (y + 0.5) / height, (x + 0.5) / width
    channels = [80 + 120 * x, 60 + 150 * y, 120 + 30 * np.sin(40 * x) * np.sin(30 * y)]
    image = np.stack(channels, axis=-1)
    for cy, cx, colour in ((0.3, 0.3, (220, 40, 30)), (0.6, 0.7, (30, 60, 200)), (0.8, 0.25, (240, 220, 60))):
        image[(y - cy) ** 2 + (1.5 * (x - cx)) ** 2 < 0.03] = colour
    return image.astype(np.uint8)


def alike(first, second):
    """Correlation of two pictures at a common small size."""
    small = [cv2.resize(image, (90, 60), interpolation=cv2.INTER_AREA).ravel() for image in (first, second)]
    return np.corrcoef(*small)[0, 1]


@pytest.mark.parametrize("name", NAMES)
def test_every_effect_changes_the_picture_and_keeps_its_form(name):
    rough = cv2.GaussianBlur(np.random.default_rng(1).normal(0, 60, (80, 120, 3)), (0, 0), 1)
    image = np.clip(scene(80, 120) + rough, 0, 255).astype(np.uint8)
    kept = image.copy()
    result, applied = artified(image, only(name), np.random.default_rng(3))
    assert applied.effect == name
    assert (result.shape, result.dtype) == (image.shape, np.uint8)
    assert np.abs(result.astype(int) - image).mean() > 1
    assert np.array_equal(image, kept)


@pytest.mark.parametrize("name", ["edge_preserving", "stylization", "oil_painting"])
def test_colours_stay_in_their_channels(name):
    result, _ = artified(scene(80, 120), only(name), np.random.default_rng(3))
    red, blue = result[24, 36].astype(int), result[48, 84].astype(int)
    assert red[0] > red[2] + 80
    assert blue[2] > blue[0] + 80


@pytest.mark.parametrize("name", NAMES)
def test_objects_stay_where_they_are(name):
    """Contours of the picture and of the result agree best when neither is shifted."""
    image = scene(100, 150)
    for seed in range(3):
        result, _ = artified(image, only(name), np.random.default_rng(seed))
        first, second = contours(image), contours(result)
        for axis in (0, 1):
            shifts = range(-16, 17, 2)
            fits = [np.corrcoef(first.ravel(), np.roll(second, shift, axis).ravel())[0, 1] for shift in shifts]
            assert abs(shifts[int(np.argmax(fits))]) <= 2


def contours(image):
    """Length of the gradient of the luma, smoothed."""
    luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float64)
    return cv2.GaussianBlur(np.hypot(*np.gradient(luma)), (0, 0), 2)


@pytest.mark.parametrize("name", NAMES)
def test_large_and_small_photographs_look_alike(name):
    for seed in range(2):
        small, _ = artified(scene(200, 300), only(name), np.random.default_rng(seed))
        large, _ = artified(scene(1200, 1800), only(name), np.random.default_rng(seed))
        assert alike(small, large) > 0.93


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (17, 5)])
def test_tiny_pictures(name, size):
    result, _ = artified(scene(*size), only(name), np.random.default_rng(0))
    assert result.shape == (*size, 3)


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_pixels_whatever_the_threads(name):
    image, before = scene(90, 130), cv2.getNumThreads()
    results = []
    try:
        for threads in (1, 4, 4):
            cv2.setNumThreads(threads)
            results.append(artified(image, only(name), np.random.default_rng(5))[0])
    finally:
        cv2.setNumThreads(before)
    assert np.array_equal(results[0], results[1])
    assert np.array_equal(results[0], results[2])


def test_nothing_is_done_at_probability_0():
    image = scene(20, 30)
    for seed in range(20):
        result, applied = artified(image, Artify(probability=0, grey=0), np.random.default_rng(seed))
        assert result is image
        assert (applied, bool(applied)) == (Applied(), False)


def test_grey_has_equal_channels_with_luma_of_the_colours():
    image = scene(20, 30)
    result, applied = artified(image, Artify(probability=0, grey=1), np.random.default_rng(0))
    assert applied == Applied(grey=True)
    assert np.array_equal(result[..., 0], result[..., 1])
    assert np.array_equal(result[..., 0], result[..., 2])
    assert np.abs(result[..., 0] - image @ [0.299, 0.587, 0.114]).max() <= 1  # ITU-R BT.601


@pytest.mark.parametrize(
    "settings", [Artify(), Artify(probability=0.8, grey=0.05, weights={"oil_painting": 1, "stylization": 2})]
)
def test_frequencies_are_those_of_the_settings(settings):
    rng, count = np.random.default_rng(11), 20_000
    plans = [drawn(settings, rng) for _ in range(count)]
    weights = settings.weights.model_dump()
    expected = {name: settings.probability * weight / sum(weights.values()) for name, weight in weights.items()}
    expected[None] = 1 - settings.probability
    seen = Counter(plan.effect for plan in plans)
    for name, share in expected.items():
        assert seen[name] / count == pytest.approx(share, abs=4 * np.sqrt(share / count) + 1e-9)
    assert sum(plan.grey for plan in plans) / count == pytest.approx(settings.grey, abs=0.015)
    canvases = [plan.parameters["canvas"] for plan in plans if plan.effect]
    assert (min(canvases), max(canvases)) == CANVAS


def test_the_settings_of_one_thing_do_not_change_another():
    few = [drawn(Artify(grey=0.3), generator("ab", seed=0, variant=n)) for n in range(200)]
    many = [drawn(Artify(grey=0.9, probability=0.9), generator("ab", seed=0, variant=n)) for n in range(200)]
    assert all(
        m.effect == f.effect and m.parameters == f.parameters for f, m in zip(few, many, strict=True) if f.effect
    )
    assert all(m.grey for f, m in zip(few, many, strict=True) if f.grey)


def test_generator_depends_on_each_of_its_three():
    values = {generator(sha, seed=seed, variant=n).random() for sha in ("0a", "0b") for seed in (0, 1) for n in (0, 1)}
    assert len(values) == 8
    assert generator("0a", seed=1, variant=0).random() in values


@pytest.mark.parametrize("meadow", [True, False], ids=["textured", "plain"])
@pytest.mark.parametrize("name", ["pencil_sketch", "stylization"])
def test_neither_texture_nor_plainness_gives_black_or_white(name, meadow):
    noise = np.random.default_rng(0).normal(0, 50 if meadow else 2, (200, 300, 3))
    image = np.clip(scene(200, 300) * 0.6 + 40 + noise, 0, 255).astype(np.uint8)
    for seed in range(4):
        result, _ = artified(image, only(name), np.random.default_rng(seed))
        assert 70 < result.mean() < 240


def test_black_stays_without_error():
    for name in NAMES:
        assert artified(np.zeros((30, 40, 3), np.uint8), only(name), np.random.default_rng(0))[0].shape == (30, 40, 3)


@pytest.mark.parametrize("lacking", ["module", "function"])
def test_opencv_without_contrib(monkeypatch, lacking):
    if lacking == "module":
        monkeypatch.delattr(cv2, "xphoto")
    else:
        monkeypatch.delattr(cv2.xphoto, "oilPainting")
    for call in (lambda: check_backend(Artify()), lambda: paint(scene(20, 30), drawn_oil())):
        with pytest.raises(
            MissingBackend, match="pip install --force-reinstall --no-deps opencv-contrib-python-headless"
        ):
            call()
    check_backend(Artify(probability=0))
    check_backend(only("stylization"))


def drawn_oil():
    return Applied("oil_painting", {"canvas": 60.0, "brush": 0.01, "levels": 2.0})


@pytest.mark.parametrize(
    "values",
    [
        {"probability": 1.1},
        {"grey": -0.1},
        {"weights": dict.fromkeys([*NAMES, "neural"], 0)},
        {"weights": {"oil_painting": -1}},
        {"weights": {"oil_paint": 1}},
    ],
)
def test_wrong_settings(values):
    with pytest.raises(ValidationError):
        Artify(**values)


def test_defaults_are_the_reports():
    assert Weights().model_dump() == {
        "edge_preserving": 0.05,
        "pencil_sketch": 0.05,
        "stylization": 0.2,
        "oil_painting": 0.7,
        "neural": 0,
    }
    assert (Artify().probability, Artify().grey) == (0.2, 0.3)
