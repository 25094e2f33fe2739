"""Styles of paintings. The package is optional, so a stand-in takes its place; one test wants the real one."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from artdet.data import neural_artify
from artdet.data.artify import Applied, Artify, artified, drawn
from artdet.data.artify_cache import VariantSettings, variants
from artdet.data.neural_artify import load_stylist
from artdet.errors import ConfigError, InputError, MissingBackend

NEURAL = Artify(
    probability=1,
    grey=0,
    weights={"oil_painting": 0, "stylization": 0, "neural": 1, "edge_preserving": 0, "pencil_sketch": 0},
)


class Tinting:
    """Mixes a picture with the mean colour of the style; remembers its calls."""

    def __init__(self, **options):
        self.options, self.calls = options, []

    def stylize_with(self, image, style_image, *, strength, max_size):
        assert min(image.shape[:2]) >= 32
        self.calls.append((image.shape, style_image.shape, max_size))
        colour = style_image.reshape(-1, 3).mean(axis=0)
        return Image.fromarray(((1 - strength) * image + strength * colour).astype(np.uint8))


@pytest.fixture
def package(monkeypatch):
    monkeypatch.setitem(sys.modules, neural_artify.PACKAGE, SimpleNamespace(StyleTransfer=Tinting))
    monkeypatch.setattr(neural_artify, "is_installed", lambda name: True)


@pytest.fixture
def styles(tmp_path):
    """A red, a green and a blue painting with white margins left and right, which the middle square leaves out."""
    paths = []
    for name, colour in (("r", (250, 0, 0)), ("g", (0, 250, 0)), ("b", (0, 0, 250))):
        pixels = np.full((40, 100, 3), 255, np.uint8)
        pixels[:, 30:70] = colour
        paths.append(tmp_path / f"{name}.png")
        Image.fromarray(pixels).save(paths[-1])
    return paths


def photo(height=60, width=90):
    return np.full((height, width, 3), 100, np.uint8)


def test_every_painting_is_taken_by_its_middle(package, styles):
    stylist = load_stylist(styles)
    results = [stylist.neural(photo(), style=style, strength=1)[30, 45].tolist() for style in (0, 0.5, 0.999)]
    assert sorted(results) == [[0, 0, 250], [0, 250, 0], [250, 0, 0]]
    assert stylist._transfer.options == {"device": "cpu", "threads": 1}


def test_what_was_drawn_is_painted_at_the_networks_size(package, styles):
    stylist = load_stylist(styles)
    for seed, size in enumerate([(60, 90), (600, 900), (1, 1), (3, 200)]):
        plan = drawn(NEURAL, np.random.default_rng(seed))
        assert plan.effect == "neural"
        assert stylist.painted(photo(*size), plan).shape == (*size, 3)
    assert {call[1] for call in stylist._transfer.calls} == {(256, 256, 3)}
    assert stylist._transfer.calls[1][0] == (256, 384, 3)
    oil = Applied("oil_painting", {"canvas": 60.0, "brush": 0.02, "levels": 2.0}, grey=True)
    assert stylist.painted(photo(), oil).shape == (60, 90, 3)


def test_digest_is_of_the_paintings_whatever_their_order(package, styles):
    whole = load_stylist(styles)
    assert load_stylist(styles[::-1]).digest == whole.digest != load_stylist(styles[:2]).digest
    same = {"style": 0.1, "strength": 1}
    assert np.array_equal(load_stylist(styles[::-1]).neural(photo(), **same), whole.neural(photo(), **same))


def test_in_the_cache(package, styles, tmp_path):
    Image.fromarray(photo()).save(tmp_path / "photo.png")
    stylist = load_stylist(styles)
    settings = VariantSettings(artify=NEURAL, styles=stylist.digest)
    result = variants(
        [tmp_path / "photo.png"], tmp_path / "cache", settings, count=3, progress=lambda n: None, paint=stylist.painted
    )
    assert (result.made, len(stylist._transfer.calls)) == (3, 3)


def test_on_the_command_line(artdet_run, package, styles, make_pictures, tmp_path):
    ran = artdet_run(
        make_pictures("a.jpg"), "--out", tmp_path / "out", "--effect", "neural", "--styles", styles[0].parent
    )
    assert ran == 0
    assert (tmp_path / "out" / "a.jpg").exists()


@pytest.fixture
def artdet_run():
    from artdet.__main__ import run

    return lambda *arguments: run(["data", "artify", *map(str, arguments)])


def test_without_paintings_or_with_damaged_ones(package, styles):
    with pytest.raises(InputError, match="There are no paintings"):
        load_stylist([])
    styles[1].write_bytes(b"")
    with pytest.raises(InputError, match=r"g\.png cannot be used as a style"):
        load_stylist(styles)


def test_without_the_package(monkeypatch, styles):
    monkeypatch.setattr(neural_artify, "is_installed", lambda name: False)
    with pytest.raises(MissingBackend, match=r"pip install 'artdet\[style\]'"):
        load_stylist(styles)


def test_the_real_networks(paintings, tmp_path):
    pytest.importorskip(neural_artify.PACKAGE)
    path = tmp_path / "style.png"
    Image.fromarray(paintings["hokusai_great_wave.jpg"]).save(path)
    stylist = load_stylist([path])
    image = paintings["renoir_girls_at_the_piano.jpg"][:300, :400]
    plan = drawn(NEURAL, np.random.default_rng(0))
    first = stylist.painted(image, plan)
    assert first.shape == image.shape
    assert np.abs(first.astype(int) - image).mean() > 8
    assert np.corrcoef(first.mean(axis=2).ravel(), image.mean(axis=2).ravel())[0, 1] > 0.5
    assert np.array_equal(first, stylist.painted(image, plan))


def test_artified_alone_does_not_know_it():
    with pytest.raises(ConfigError, match="The effect 'neural' needs paintings"):
        artified(photo(), NEURAL, np.random.default_rng(0))
