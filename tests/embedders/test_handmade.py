"""Features made by hand against naive computations of them."""

import math

import cv2
import numpy as np
import pytest
from safetensors.numpy import load, save

from artdet.embedders import handmade_fisher, handmade_sift
from artdet.embedders.handmade import NAMES, HandmadeSettings, handmade
from artdet.errors import MissingBackend, ModelError, TrainingError

SMALL = HandmadeSettings(long_side=64, points=30, words=5, modes=3, axes=6, sample=300)


def noise(height, width, seed=0):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 4 + 1, width // 4 + 1, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


TRAINING = [noise(40 + 3 * seed, 61 - seed, seed) for seed in range(6)]


@pytest.fixture(params=NAMES)
def embedder(request):
    made = handmade(request.param, settings=SMALL)
    made.fit(iter(TRAINING), 0)
    return made


def test_no_images(embedder):
    assert embedder.embed([]).shape == embedder.features([]).shape == (0, embedder.dim)


def test_any_size_gives_norm_1(embedder):
    images = [noise(33, 90), noise(300, 20), noise(1, 1), np.full((50, 70, 3), 128, dtype=np.uint8)]
    vectors = embedder.embed(images)
    assert vectors.dtype == np.float32
    assert vectors.shape == (4, embedder.dim)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_different_images_differ(embedder):
    first, second = embedder.embed([noise(44, 60, 10), noise(44, 60, 11)])
    assert first @ second < 0.99


def test_large_image_is_reduced_first(embedder):
    image = noise(150, 192, 3)
    small = cv2.resize(image, (64, 50), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(embedder.features([image]), embedder.features([small]))


def test_state_travels_as_tensors(embedder):
    again = handmade(embedder.name, load(save(embedder.tensors())))
    assert again.settings == SMALL
    np.testing.assert_allclose(again.features(TRAINING), embedder.features(TRAINING), atol=1e-4)


def test_state_travels_as_float16(embedder):
    halves = {
        name: tensor.astype(np.float16) if tensor.dtype == np.float32 else tensor
        for name, tensor in embedder.tensors().items()
    }
    cosines = (handmade(embedder.name, halves).embed(TRAINING) * embedder.embed(TRAINING)).sum(axis=1)
    assert cosines.min() > 0.98


def test_same_seed_same_codebook(embedder):
    again = handmade(embedder.name, settings=SMALL)
    again.fit(iter(TRAINING), 0)
    np.testing.assert_array_equal(again.features(TRAINING), embedder.features(TRAINING))


@pytest.mark.parametrize("name", ["handmade:sift_bag", "handmade:fisher"])
def test_codebook_is_needed(name):
    with pytest.raises(ModelError, match="Fit it on training images"):
        handmade(name, settings=SMALL).features([noise(30, 40)])
    with pytest.raises(ModelError, match="Fit it on training images"):
        handmade(name, settings=SMALL).tensors()


@pytest.mark.parametrize("name", ["handmade:sift_bag", "handmade:fisher"])
def test_too_few_patches(name):
    with pytest.raises(TrainingError, match="Give more images"):
        handmade(name).fit([], 0)


@pytest.mark.parametrize("name", ["handmade:sift_bag", "handmade:fisher"])
def test_empty_canvases_are_fitted_on(name):
    made = handmade(name, settings=SMALL)
    made.fit([np.full((40, 60, 3), level, dtype=np.uint8) for level in range(9)], 0)
    assert np.isfinite(made.embed(TRAINING)).all()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda tensors: tensors.pop("settings"), id="no settings"),
        pytest.param(lambda tensors: tensors.pop("words"), id="no words"),
        pytest.param(lambda tensors: tensors.update(words=tensors["words"][:, :5]), id="shape"),
        pytest.param(lambda tensors: tensors.update(settings=np.frombuffer(b"{", np.uint8)), id="JSON"),
    ],
)
def test_foreign_tensors(change):
    made = handmade("handmade:sift_bag", settings=SMALL)
    made.fit(TRAINING, 0)
    tensors = made.tensors()
    change(tensors)
    with pytest.raises(ModelError, match="do not belong to handmade:sift_bag"):
        handmade("handmade:sift_bag", tensors)


def test_unknown_name():
    with pytest.raises(ModelError, match="Did you mean 'handmade:gist'"):
        handmade("handmade:gits")


def test_scikit_image_is_missing(monkeypatch):
    monkeypatch.setattr(handmade_fisher, "is_installed", lambda name: name != "skimage")
    with pytest.raises(MissingBackend, match=r'pip install "artdet\[features\]"'):
        handmade("handmade:fisher")
    assert handmade("handmade:gist").dim == 512


def test_histogram_of_black_and_white():
    image = np.zeros((3, 8, 3), dtype=np.uint8)
    image[:, 6:] = 255
    histogram = handmade("handmade:lab_histogram").features([image])[0].reshape(8, 15, 15)
    assert histogram[0, 7, 7] == pytest.approx(math.sqrt(3 / 4))
    assert histogram[7, 7, 7] == pytest.approx(math.sqrt(1 / 4))
    assert np.count_nonzero(histogram) == 2


def test_histogram_against_skimage_pixel_by_pixel():
    color = pytest.importorskip("skimage.color")
    pixels = noise(17, 23).reshape(-1, 3)
    counts, clear = np.zeros((4, 5, 6)), []
    for pixel, lab in zip(pixels, color.rgb2lab(pixels), strict=True):
        places = np.add(lab, [0, 64, 64]) / [25, 128 / 5, 128 / 6]
        # OpenCV interpolates in a table and is off by up to 0.3: none on the edge of a bin.
        if (np.abs(places - places.round()) > 0.3 / 21).all():
            counts[tuple(np.clip(np.floor(places).astype(int), 0, (3, 4, 5)))] += 1
            clear.append(pixel)
    assert len(clear) > 300
    settings = HandmadeSettings(bins=(4, 5, 6), long_side=4096)
    found = handmade("handmade:lab_histogram", settings=settings).features([np.array([clear])])[0] ** 2
    np.testing.assert_allclose(found.reshape(4, 5, 6) * len(clear), counts, atol=1e-3)


def stripes(angle, length, side=128):
    """Waves that run at ``angle`` degrees from the x axis downwards, ``length`` pixels long."""
    y, x = np.mgrid[:side, :side]
    along = x * math.cos(math.radians(angle)) + y * math.sin(math.radians(angle))
    grey = 127.5 + 120 * np.cos(2 * math.pi * along / length)
    return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)


def gist(image):
    return handmade("handmade:gist").features([image])[0].reshape(4, 8, 4, 4)


@pytest.mark.parametrize("orientation", range(8))
@pytest.mark.parametrize("scale", range(4))
def test_gist_answers_to_stripes(scale, orientation):
    found = gist(stripes(22.5 * orientation, 1.85**scale / 0.3))[:, :, 1:3, 1:3].mean(axis=(2, 3))
    assert np.unravel_index(found.argmax(), found.shape) == (scale, orientation)


def test_gist_says_where():
    image = np.full((128, 128, 3), 127, dtype=np.uint8)
    image[64:96, 32:64] = stripes(0, 6)[64:96, 32:64]
    found = gist(image)[1, 0]
    assert np.unravel_index(found.argmax(), found.shape) == (2, 1)


def test_gist_of_an_empty_canvas_is_nothing():
    assert np.abs(gist(np.full((40, 70, 3), 200, dtype=np.uint8))).max() < 1e-3


def test_grid_covers_the_image():
    points = list(handmade_sift._grid(100, 60, 24))
    assert {round(point.size * 6) for point in points} == set(handmade_sift.PATCHES)
    for side in handmade_sift.PATCHES:
        places = np.array([point.pt for point in points if round(point.size * 6) == side])
        assert places.min() >= (side - 1) / 2
        assert (places.max(axis=0) <= np.array([60, 100]) - 1 - (side - 1) / 2).all()
        np.testing.assert_allclose(places.mean(axis=0), [29.5, 49.5])


def test_sample_is_fair():
    """Images at the beginning, whose descriptors were thinned out more often, are drawn as often as the last ones."""
    settings = HandmadeSettings(points=30, sample=100)
    images = [np.full((40, 60, 3), 0, dtype=np.uint8)] * 10 + [noise(40, 60)] * 10
    drawn = handmade_sift.sampled(images, settings, least=1, seed=0)
    assert drawn.shape == (100, 128)
    assert 30 <= (~drawn.any(axis=1)).sum() <= 70


def test_bag_counts_nearest_words():
    made = handmade("handmade:sift_bag", settings=SMALL)
    made.fit(TRAINING, 0)
    image = noise(50, 41, 20)
    counts = np.zeros(5)
    for descriptor in handmade_sift.root_sift(image, 30):
        counts[min(range(5), key=lambda word: math.dist(descriptor, made.tensors()["words"][word]))] += 1
    np.testing.assert_allclose(made.features([image])[0], np.sqrt(counts / counts.sum()), atol=1e-6)


def test_fisher_vector_by_its_formula():
    """Perronnin, Sanchez and Mensink (2010), patch by patch and Gaussian by Gaussian."""
    made = handmade("handmade:fisher", settings=SMALL)
    made.fit(TRAINING, 0)
    state = {name: tensor.astype(np.float64) for name, tensor in made.tensors().items()}
    image = noise(50, 41, 20)
    rows = (handmade_sift.root_sift(image, 30) - state["mean"]) @ state["axes"].T
    weights, means, variances = state["weights"], state["means"], state["variances"]
    parts = np.zeros(3), np.zeros((3, 6)), np.zeros((3, 6))
    for row in rows:
        logs = [
            math.log(weights[k]) - 0.5 * sum((row - means[k]) ** 2 / variances[k] + np.log(variances[k]))
            for k in range(3)
        ]
        shares = np.exp(np.array(logs) - np.logaddexp.reduce(logs))
        for k in range(3):
            away = (row - means[k]) / np.sqrt(variances[k])
            parts[0][k] += (shares[k] - weights[k]) / math.sqrt(weights[k])
            parts[1][k] += shares[k] * away / math.sqrt(weights[k])
            # scikit-image turns the sign of this part round.
            parts[2][k] -= shares[k] * (away**2 - 1) / math.sqrt(2 * weights[k])
    vector = np.concatenate([part.ravel() / len(rows) for part in parts])
    vector = np.sign(vector) * np.sqrt(np.abs(vector))
    np.testing.assert_allclose(made.features([image])[0], vector / np.linalg.norm(vector), atol=1e-4)
