"""The cache of features: nothing is computed twice, whatever happens in between."""

import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image

from artdet.embedders.base import Preprocessing
from artdet.errors import ImageError, RunError
from artdet.training.classification import features
from artdet.training.classification.features import cached_features, key_of


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ARTDET_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def paths(make_pictures):
    names = [f"{number:03}.png" for number in range(70)]
    folder = make_pictures(*names)
    return [folder / name for name in names]


class Counting:
    """Mean colour and size of an image, and how many images were asked for."""

    def __init__(self, stop_at=None):
        self.images, self._stop_at = 0, stop_at

    def __call__(self, images):
        if self._stop_at is not None and self.images >= self._stop_at:
            raise KeyboardInterrupt
        self.images += len(images)
        return expected(images)


def expected(images):
    return np.array([[*image.mean((0, 1)), *image.shape[:2]] for image in images], dtype=np.float32)


def opened(paths):
    return expected([np.asarray(Image.open(path)) for path in paths])


def test_no_paths():
    assert cached_features("key", [], Counting()).shape == (0, 0)


def test_computed_once_in_the_order_of_paths(paths):
    first, second, asked = Counting(), Counting(), []
    mixed = [*paths[::-1], paths[3]]
    np.testing.assert_array_equal(cached_features("key", mixed, first, bar=asked.append), opened(mixed))
    assert first.images == 70
    assert sum(asked) == 71
    asked.clear()
    np.testing.assert_array_equal(cached_features("key", paths, second, bar=asked.append), opened(paths))
    assert second.images == 0
    assert sum(asked) == 70


@pytest.mark.parametrize(
    "other", [pytest.param({"key": "other"}, id="key"), pytest.param({"max_side": 20}, id="max_side")]
)
def test_what_decides_is_a_part_of_the_key(paths, other):
    cached_features("key", paths[:3], Counting())
    again = Counting()
    cached_features(**{"key": "key", "paths": paths[:3], "compute": again, **other})
    assert again.images == 3


def test_changed_file_is_computed_again(paths):
    cached_features("key", paths[:5], Counting())
    Image.new("RGB", (21, 34), (1, 2, 3)).save(paths[2])
    again = Counting()
    np.testing.assert_array_equal(cached_features("key", paths[:5], again), opened(paths[:5]))
    assert again.images == 1


def test_goes_on_where_it_was_stopped(paths):
    with pytest.raises(KeyboardInterrupt):
        cached_features("key", paths, Counting(stop_at=40))
    again = Counting()
    np.testing.assert_array_equal(cached_features("key", paths, again), opened(paths))
    assert again.images == 70 - 64


CHILD = """
import os, sys, time
from pathlib import Path
import numpy as np
from artdet.training.classification import features
features.CHUNK_SECONDS = 0
left, pause = int(sys.argv[2]), float(sys.argv[3])
def compute(images):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), 9)
    time.sleep(pause)
    print(len(images), flush=True)
    return np.array([[*i.mean((0, 1)), *i.shape[:2]] for i in images], dtype=np.float32)
features.cached_features("key", sorted(Path(sys.argv[1]).glob("*.png")), compute)
"""


def child(folder, batches, pause=0.0):
    command = [sys.executable, "-c", CHILD, str(folder), str(batches), str(pause)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_goes_on_where_it_was_killed(paths):
    assert child(paths[0].parent, 2).wait() == -9
    again = Counting()
    np.testing.assert_array_equal(cached_features("key", paths, again), opened(paths))
    assert again.images == 70 - 64


@pytest.mark.slow
def test_two_processes_at_a_time(paths):
    both = [child(paths[0].parent, 9, 0.3), child(paths[0].parent, 9, 0.3)]
    assert all(sum(map(int, process.communicate()[0].split())) <= 70 for process in both)
    assert [process.returncode for process in both] == [0, 0]
    again = Counting()
    np.testing.assert_array_equal(cached_features("key", paths, again), opened(paths))
    assert again.images == 0


def test_takes_over_what_another_process_has_done_meanwhile(paths, monkeypatch):
    monkeypatch.setattr(features, "CHUNK_SECONDS", 0)
    monkeypatch.setattr(features, "_BATCH", 4)
    inner, outer, done = Counting(), Counting(), []

    def compute(images):
        if not outer.images:
            cached_features("key", paths[40:], inner)
        return outer(images)

    np.testing.assert_array_equal(cached_features("key", paths, compute, bar=done.append), opened(paths))
    assert inner.images == 30
    assert outer.images == 40
    assert sum(done) == 70


def test_damaged_chunk_is_computed_again(paths, own_cache):
    cached_features("key", paths[:4], Counting())
    (chunk,) = own_cache.rglob("*.safetensors")
    chunk.write_bytes(chunk.read_bytes()[:60])
    again = Counting()
    np.testing.assert_array_equal(cached_features("key", paths[:4], again), opened(paths[:4]))
    assert again.images == 4
    assert not chunk.exists()


def test_unreadable_image_is_named(paths):
    paths[40].write_text("no image")
    with pytest.raises(ImageError, match=r"040\.png: "):
        cached_features("key", paths, Counting())
    again = Counting()
    cached_features("key", paths[:32], again)
    assert again.images == 0


def test_absent_image_is_named(tmp_path):
    with pytest.raises(ImageError, match=r"gone\.png: The file is not there"):
        cached_features("key", [tmp_path / "gone.png"], Counting())


def test_features_of_another_length(paths):
    cached_features("key", paths[:2], Counting())
    with pytest.raises(RunError, match="features of length 5, and these have 3"):
        cached_features("key", paths[:4], lambda images: np.zeros((len(images), 3), dtype=np.float32))


def test_several_crops(paths):
    def compute(images):
        return np.stack([expected(images), expected(images) + 1], axis=1)

    for _ in range(2):
        found = cached_features("key", paths[:3], compute, crops=2)
        np.testing.assert_array_equal(found[:, 1], opened(paths[:3]) + 1)


def test_reading_back_is_quick(paths):
    cached_features("key", paths, lambda images: np.ones((len(images), 1280), dtype=np.float32))
    start = time.process_time()
    cached_features("key", paths * 20, Counting())
    assert time.process_time() - start < 1


WEIGHTS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.float16(2)}


@pytest.mark.parametrize(
    "other",
    [
        pytest.param((WEIGHTS, Preprocessing(image_size=192), "name"), id="preprocessing"),
        pytest.param((WEIGHTS, Preprocessing(), "other"), id="name"),
        pytest.param(({**WEIGHTS, "a": WEIGHTS["a"] + 1}, Preprocessing(), "name"), id="weights"),
        pytest.param(({**WEIGHTS, "a": WEIGHTS["a"].reshape(3, 2)}, Preprocessing(), "name"), id="shape"),
        pytest.param(({"a": WEIGHTS["a"]}, Preprocessing(), "name"), id="fewer"),
    ],
)
def test_key_tells_apart(other):
    assert key_of(*other) != key_of(WEIGHTS, Preprocessing(), "name")


def test_key_of_torch_and_numpy_in_any_order():
    tensors = {name: torch.tensor(value) for name, value in reversed(WEIGHTS.items())}
    assert key_of(tensors, "name") == key_of(WEIGHTS, "name")
    assert len(key_of({"a": torch.ones(2, 3, dtype=torch.bfloat16, requires_grad=True)})) == 64
    locked = np.ones(3)
    locked.setflags(write=False)
    assert key_of({"a": locked}) == key_of({"a": np.ones(3)})
