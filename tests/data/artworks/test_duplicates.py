"""Duplicates by bytes and by look, and the cache of hashes."""

import itertools
import os

import imagehash
import numpy as np
import pytest
from PIL import Image, ImageEnhance

from artdet.data.artworks import hash_cache
from artdet.data.artworks.duplicates import NEAR, components, duplicates
from artdet.data.artworks.hash_cache import image_hashes
from artdet.resources import cache_folder


@pytest.fixture
def pictures(tmp_path):
    """Ten that differ, a copy of the third, and the fifth smaller and paler."""
    paths = []
    for seed in range(10):
        coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        paths.append(tmp_path / f"{seed}.png")
        Image.fromarray(coarse).resize((160, 120), Image.Resampling.BICUBIC).save(paths[-1])
    (tmp_path / "copy.png").write_bytes(paths[3].read_bytes())
    pale = ImageEnhance.Contrast(Image.open(paths[5]).resize((96, 70))).enhance(0.6)
    pale.save(tmp_path / "pale.jpg", quality=70)
    return [*paths, tmp_path / "copy.png", tmp_path / "pale.jpg"]


def test_nothing():
    assert duplicates([]).groups == ()


def test_copies_and_others_of_the_same_look(pictures):
    found = duplicates(pictures)
    assert [(group.places, group.exact) for group in found.groups] == [((3, 10), True), ((5, 11), False)]
    assert [group.copies for group in found.groups] == [(10,), ()]
    assert 0 <= found.groups[1].distance <= NEAR
    assert [group.places for group in duplicates(pictures, near=None).groups] == [(3, 10)]


def test_hashes_are_those_of_imagehash(pictures):
    for path, found in zip(pictures, image_hashes(pictures), strict=True):
        assert found.look == int(str(imagehash.phash(Image.open(path).convert("RGB"))), 16)


def test_flat_pictures_are_no_duplicates(tmp_path):
    paths = [tmp_path / f"{grey}.png" for grey in (10, 120, 240)]
    for path in paths:
        Image.new("RGB", (50, 30), (int(path.stem),) * 3).save(path)
    assert duplicates(paths).groups == ()


def test_unreadable_files_are_told(pictures, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    found = duplicates([tmp_path / "broken.jpg", tmp_path / "absent.jpg", *pictures])
    assert set(found.unreadable) == {0, 1}
    assert found.groups[0].places == (5, 12)


def test_hashes_are_kept_until_the_file_changes(pictures, monkeypatch):
    first = image_hashes(pictures)
    read = []
    monkeypatch.setattr(hash_cache, "read_image", lambda path, **_: read.append(path) or (_ for _ in ()).throw(OSError))
    done = []
    assert [found.look for found in image_hashes(pictures, progress=done.append)] == [found.look for found in first]
    assert read == []
    assert done == [len(pictures)]
    monkeypatch.undo()
    pictures[0].write_bytes(pictures[1].read_bytes())
    os.utime(pictures[0], ns=(1, 1))
    assert image_hashes(pictures[:1])[0].sha256 == first[1].sha256


def test_a_damaged_cache_is_made_anew(pictures):
    (cache_folder() / "image-hashes.sqlite").write_bytes(b"damaged" * 500)
    assert len(duplicates(pictures).groups) == 2


def test_components_are_what_paths_connect():
    random = np.random.default_rng(4)
    pairs = [tuple(int(place) for place in pair) for pair in random.integers(0, 30, (18, 2))]
    linked = np.eye(30, dtype=int)
    for a, b in pairs:
        linked[a, b] = linked[b, a] = 1
    reached = np.linalg.matrix_power(linked, 30) > 0
    found = components(30, pairs)
    assert all((found[a] == found[b]) == reached[a, b] for a, b in itertools.product(range(30), repeat=2))
    assert all(found[place] == int(np.flatnonzero(reached[place])[0]) for place in range(30))
