"""Photographs that are painted before training."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from artdet.data.artify import painted
from artdet.errors import ImageError
from artdet.training import variants as module
from artdet.training.examples import examples
from artdet.training.variants import training_pictures


@pytest.fixture
def bar():
    """Counts."""

    @contextmanager
    def counting(total):
        counting.totals.append(total)
        yield lambda count: None

    counting.totals = []
    return counting


def with_artify(data, **artify):
    """The category with these settings of ``training.artify``."""
    settings = data.category.settings
    changed = settings.training.model_copy(update={"artify": settings.training.artify.model_copy(update=artify)})
    return replace(data.category, settings=settings.model_copy(update={"training": changed}))


@pytest.mark.parametrize(("variants", "photographs"), [(0, True), (2, False)], ids=["no variants", "no photographs"])
def test_without_need_nothing_is_painted(data, bar, variants, photographs, monkeypatch):
    monkeypatch.setattr(module, "variants", lambda *a, **k: pytest.fail("painted"))
    learnt = [replace(example, photograph=photographs) for example in examples(data)]
    pictures = training_pictures(with_artify(data, variants=variants), learnt, bar)
    assert pictures.chosen(learnt[0].path, np.random.default_rng(0)).shape == (30, 50, 3)
    assert bar.totals == []


def test_only_photographs_are_painted(data, bar, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "cache_folder", lambda: tmp_path / "cache")
    first, *rest = examples(data)
    learnt = [replace(first, photograph=False), *rest]
    pictures = training_pictures(with_artify(data, variants=3, probability=1.0), learnt, bar)
    assert bar.totals == [2]
    made = [path for path in (tmp_path / "cache" / "artify").rglob("*") if path.is_file() and path.suffix != ".json"]
    assert len(made) == 6
    rng = np.random.default_rng(0)
    plain = pictures.read(rest[0].path)
    assert any((pictures.chosen(rest[0].path, rng) != plain).any() for _ in range(20))
    np.testing.assert_array_equal(pictures.chosen(first.path, rng), pictures.read(first.path))
    training_pictures(with_artify(data, variants=3, probability=1.0), learnt, bar)
    assert {path: path.stat().st_mtime_ns for path in made} == {path: path.stat().st_mtime_ns for path in made}


def test_paintings_of_the_training_set_are_the_styles_of_the_neural_effect(data, bar, tmp_path, monkeypatch):
    class Stylist:
        digest = "x"
        painted = staticmethod(painted)

    monkeypatch.setattr(module, "cache_folder", lambda: tmp_path / "cache")
    asked = []
    import artdet.data.neural_artify as neural

    monkeypatch.setattr(neural, "load_stylist", lambda files: asked.append(list(files)) or Stylist())
    learnt = [replace(example, photograph=place == 0) for place, example in enumerate(examples(data))]
    weights = data.category.settings.training.artify.weights.model_copy(update={"neural": 1.0})
    plain = with_artify(data, variants=1, probability=0.0, weights=weights)
    training_pictures(plain, learnt, bar)
    assert asked == [sorted(example.path for example in learnt[1:])]
    folder = data.category.path.parent / "prints" / "images"
    training_pictures(
        with_artify(data, variants=1, probability=0.0, weights=weights, styles="prints/images"), learnt, bar
    )
    assert asked[1] == sorted(folder.iterdir())


def test_a_photograph_that_cannot_be_read_is_no_end(data, bar, tmp_path, monkeypatch):
    """Training itself names it when its turn comes."""
    monkeypatch.setattr(module, "cache_folder", lambda: tmp_path / "cache")
    first, *rest = examples(data)
    first.path.write_bytes(b"no image")
    pictures = training_pictures(with_artify(data, variants=1), [first, *rest], bar)
    assert pictures.read(rest[0].path).shape == (30, 50, 3)
    with pytest.raises(ImageError.__mro__[1], match="Take the image out of its source"):
        pictures.chosen(first.path, np.random.default_rng(0))
