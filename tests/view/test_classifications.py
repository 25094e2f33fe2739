"""A run of labels becomes a dataset with a field for each task; what people did there stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from artdet.data.artworks.collection import Artworks
from artdet.errors import InputError, RunError
from artdet.runs import PREDICTIONS_FILE, Label, Record, open_run, write_info
from artdet.tasks import Task
from artdet.view.classifications import update
from artdet.view.dataset import find

pytestmark = pytest.mark.usefixtures("database")

TASKS = (
    Task(name="genre", kind="label", classes=("portrait", "landscape")),
    Task(name="material", kind="labels", classes=("oil", "ink")),
    Task(name="year", kind="number", tolerance=10),
)


def record(file, genre, score, ink, year, **more):
    answers = {
        "genre": (Label(genre, score),),
        "material": (Label("oil", 0.9), Label("ink", ink)),
        "year": (Label(value=year),),
    }
    return Record(file, "ab" * 32, (20, 30), classifications=answers, **more)


RECORDS = (
    record("a.jpg", "portrait", 0.9, 0.1, 1700),
    record("b.jpg", "portrait", 0.6, 0.7, 1800, warnings=("cut short",)),
    Record("c.jpg", None, None, error=("truncated", "ends early")),
)


@pytest.fixture
def truth(tmp_path):
    """a.jpg is right but in the year; b.jpg is a landscape of unknown material."""
    targets = {
        "genre": np.array([0, 1]),
        "material": np.array([[1, 0], [np.nan, np.nan]], dtype=np.float32),
        "year": np.array([1720, 1805], dtype=np.float32),
    }
    paths = tuple(tmp_path / "images" / name for name in ("a.jpg", "b.jpg"))
    return Artworks(TASKS, paths, ("s/a.jpg", "s/b.jpg"), ("a", "b"), targets)


@pytest.fixture
def make(tmp_path):
    def made(records=RECORDS, **info):
        folder = tmp_path / f"labels-{tmp_path.name}"
        folder.mkdir(exist_ok=True)
        about = {"kind": "classify", "tasks": [task.model_dump(mode="json") for task in TASKS], **info}
        write_info(folder, {"root": str(tmp_path / "images"), **about})
        (folder / PREDICTIONS_FILE).write_text("".join(each.as_line() + "\n" for each in records))
        return open_run(folder)

    return made


def values(dataset, field):
    return {Path(sample.filepath).name: sample[field] for sample in dataset}


def test_a_run_without_images_is_refused(make):
    with pytest.raises(InputError, match="has no image yet"):
        update(make(()), None)


def test_a_run_without_tasks_is_refused(make):
    with pytest.raises(RunError, match="which tasks"):
        update(make(tasks=None), None)


def test_answers_and_truth_are_there(make, truth):
    done = update(make(), truth)
    dataset = find(done.name)
    assert (done.images, done.added, done.with_truth, dict(done.failed)) == (2, 2, 2, {"truncated": 1})
    assert {name: (each.label, each.confidence) for name, each in values(dataset, "genre").items()} == {
        "a.jpg": ("portrait", 0.9),
        "b.jpg": ("portrait", 0.6),
    }
    materials = values(dataset, "material")
    assert {name: [each.label for each in field.classifications] for name, field in materials.items()} == {
        "a.jpg": ["oil"],
        "b.jpg": ["oil", "ink"],
    }
    assert values(dataset, "year_truth") == {"a.jpg": 1720, "b.jpg": 1805}
    assert values(dataset, "genre_right") == {"a.jpg": True, "b.jpg": False}
    assert values(dataset, "material_right") == {"a.jpg": True, "b.jpg": None}
    assert values(dataset, "year_right") == {"a.jpg": False, "b.jpg": True}
    assert values(dataset, "tags") == {"a.jpg": [], "b.jpg": ["partly read"]}
    assert dataset.load_saved_view("genre wrong").values("filepath") == [str(truth.paths[1])]


def test_without_a_truth_there_are_answers_alone(make):
    dataset = find(update(make(), None).name)
    assert "genre_truth" not in dataset.get_field_schema()
    assert values(dataset, "year") == {"a.jpg": 1700, "b.jpg": 1800}


def test_a_second_load_changes_only_what_changed(make, truth):
    update(make(), truth)
    again = update(make(), truth)
    assert (again.added, again.changed, again.truth_changed) == (0, 0, 0)
    later = update(make((record("a.jpg", "landscape", 0.8, 0.1, 1700), RECORDS[1])), None)
    assert (later.added, later.changed) == (0, 1)
    assert values(find(later.name), "genre_right") == {"a.jpg": False, "b.jpg": False}


def test_what_people_changed_stays(make, truth):
    dataset = find(update(make(), truth).name)
    sample = dataset.match({"filepath": str(truth.paths[1])}).first()
    sample.genre_truth.label = "portrait"
    sample.tags.append("mine")
    sample.save()
    done = update(make(), truth)
    dataset.reload()
    assert values(dataset, "genre_right") == {"a.jpg": True, "b.jpg": True}
    assert set(values(dataset, "tags")["b.jpg"]) == {"mine", "partly read"}
    assert done.truth_changed == 0
    fresh = find(update(make(), truth, reset=True).name)
    assert values(fresh, "genre_right") == {"a.jpg": True, "b.jpg": False}


def test_images_that_left_the_run_are_tagged(make, truth):
    update(make(), truth)
    done = update(make(RECORDS[:1]), None)
    dataset = find(done.name)
    assert done.gone == 1
    assert values(dataset, "genre")["b.jpg"] is None
    assert "no longer in the run" in values(dataset, "tags")["b.jpg"]


def test_a_truth_of_other_images_is_refused(make, truth, tmp_path):
    other = Artworks(TASKS, (tmp_path / "x.jpg", tmp_path / "y.jpg"), truth.names, truth.groups, truth.targets)
    with pytest.raises(InputError, match="no image of the truth"):
        update(make(), other)
