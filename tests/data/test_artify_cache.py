"""Variants made ahead of time, and trees of artified photographs."""

import numpy as np
import pytest
from PIL import Image

from artdet.data import artify_cache
from artdet.data.artify_cache import VariantSettings, planned, variants, write_picture
from artdet.errors import RunError
from artdet.images.reader import read_image

ALL = VariantSettings(artify={"probability": 1, "grey": 0.5})


@pytest.fixture
def photos(tmp_path):
    """Three photographs, all different."""
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    paths = []
    for number, size in enumerate(((24, 40), (50, 30), (33, 44))):
        small = Image.fromarray(rng.integers(0, 256, (4, 5, 3), dtype=np.uint8))
        paths.append(folder / f"{number}.jpg")
        small.resize(size[::-1], Image.Resampling.BICUBIC).save(paths[-1], quality=95)
    return paths


def made(files, folder, settings=ALL, *, count=2, progress=lambda number: None):
    return variants(files, folder, settings, count=count, progress=progress)


def content(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_none(tmp_path):
    result = made([], tmp_path / "cache")
    assert (result.paths, result.made, result.failures) == ({}, 0, {})


def test_variants_are_readable_and_of_the_photographs_size(photos, tmp_path):
    steps = []
    result = made(photos, tmp_path / "cache", progress=steps.append)
    assert list(result.paths) == photos
    assert (result.made, result.failures, steps[0], sum(steps)) == (6, {}, 0, 3)
    assert len({path for paths in result.paths.values() for path in paths}) == 6
    for photo, paths in result.paths.items():
        pictures = [read_image(path).pixels for path in paths]
        assert {picture.shape for picture in pictures} == {read_image(photo).pixels.shape}
        assert not np.array_equal(*pictures)


def test_the_same_again_makes_nothing_and_says_the_same(photos, tmp_path):
    first, before = made(photos, tmp_path / "cache"), content(tmp_path / "cache")
    again = made(photos, tmp_path / "cache")
    assert (again.paths, again.made) == (first.paths, 0)
    assert content(tmp_path / "cache") == before
    made(photos[::-1], tmp_path / "other")
    assert content(tmp_path / "other") == before


def test_a_stop_midway_keeps_whole_files_and_the_next_call_makes_the_rest(photos, tmp_path, monkeypatch):
    whole = made(photos, tmp_path / "whole")
    written = []

    def stops(path, image, *, quality):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(path)
        write_picture(path, image, quality=quality)

    monkeypatch.setattr(artify_cache, "write_picture", stops)
    monkeypatch.setattr(artify_cache, "cpu_threads", lambda: 1)
    with pytest.raises(KeyboardInterrupt):
        made(photos, tmp_path / "cache")
    monkeypatch.undo()
    assert len(content(tmp_path / "cache")) == 2
    (tmp_path / "cache" / ".0123456789abcdef.part").write_bytes(b"left by kill -9")
    rest = made(photos, tmp_path / "cache")
    assert rest.made == whole.made - 2
    (tmp_path / "cache" / ".0123456789abcdef.part").unlink()
    assert content(tmp_path / "cache") == content(tmp_path / "whole")


@pytest.mark.parametrize(
    "other",
    [{"seed": 1}, {"max_side": 20}, {"quality": 60}, {"artify": {"probability": 1, "grey": 0.6}}],
    ids=lambda other: next(iter(other)),
)
def test_other_settings_get_other_files(photos, tmp_path, other):
    first = made(photos, tmp_path / "cache")
    before = content(tmp_path / "cache")
    second = made(photos, tmp_path / "cache", VariantSettings(**{**ALL.model_dump(), **other}))
    assert second.made == 6
    assert not {*first.paths[photos[0]]} & {*second.paths[photos[0]]}
    assert before.items() <= content(tmp_path / "cache").items()


def test_more_variants_keep_those_that_are_there(photos, tmp_path):
    few = made(photos, tmp_path / "cache", count=1)
    more = made(photos, tmp_path / "cache", count=3)
    assert (few.made, more.made) == (3, 6)
    assert [paths[:1] for paths in more.paths.values()] == [*few.paths.values()]


def test_where_nothing_is_drawn_the_photograph_stands_itself(photos, tmp_path):
    settings = VariantSettings(artify={"probability": 0.3, "grey": 0})
    result = made(photos, tmp_path / "cache", settings, count=8)
    for photo, paths in result.paths.items():
        digest = read_image(photo).sha256
        assert [path != photo for path in paths] == [bool(planned(settings, digest, n)) for n in range(8)]
    assert 0 < result.made == len(content(tmp_path / "cache")) < 24


def test_copies_share_and_changed_photographs_get_new_ones(photos, tmp_path):
    copy = tmp_path / "copy.jpg"
    copy.write_bytes(photos[0].read_bytes())
    result = made([*photos, copy, photos[0]], tmp_path / "cache")
    assert result.made == 6
    assert result.paths[copy] == result.paths[photos[0]]
    photos[0].write_bytes(photos[1].read_bytes())
    assert made(photos, tmp_path / "cache").paths[photos[0]] == result.paths[photos[1]]


def test_damaged_photographs_are_counted_by_cause(photos, tmp_path):
    empty, text, gone = (photos[0].with_name(name) for name in ("empty.jpg", "text.jpg", "gone.jpg"))
    empty.write_bytes(b"")
    text.write_text("no picture")
    steps = []
    result = made([*photos, empty, text, gone], tmp_path / "cache", progress=steps.append)
    assert result.causes == {"empty file": 1, "not an image": 1, "unreadable": 1}
    assert set(result.paths) == set(photos)
    assert sum(steps) == 6


def test_large_photographs_are_reduced(photos, tmp_path):
    settings = VariantSettings(artify={"probability": 1}, max_side=20)
    result = made(photos[:1], tmp_path / "cache", settings)
    assert {read_image(path).pixels.shape for path in result.paths[photos[0]]} == {(12, 20, 3)}


def test_a_cache_that_cannot_be_written(photos, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="Name another folder"):
        made(photos, tmp_path / "file" / "cache")


def test_pictures_keep_their_colours_and_formats(tmp_path):
    image = np.zeros((20, 30, 3), np.uint8)
    image[:] = (200, 30, 60)
    for name, form in (("a.png", "PNG"), ("a.jpg", "JPEG")):
        write_picture(tmp_path / name, image, quality=92)
        with Image.open(tmp_path / name) as written:
            assert written.format == form
            assert np.abs(np.asarray(written).astype(int) - image).max() <= (0 if form == "PNG" else 4)


def test_a_picture_that_no_jpeg_can_hold(tmp_path):
    with pytest.raises(RunError, match=r"70000x2 pixels does not fit"):
        write_picture(tmp_path / "a.jpg", np.zeros((2, 70_000, 3), np.uint8), quality=92)
    assert list(tmp_path.iterdir()) == []
