"""A network per class, with a training that only notes what it is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from artdet.classifiers.committee import load_committee, read_committee
from artdet.data.artworks.collection import Artworks
from artdet.errors import ConfigError, InputError, TrainingError, TrainingStopped
from artdet.metrics.classification import TaskFigures
from artdet.tasks import Task
from artdet.training.classification.one_versus_rest import against_rest, measured, train_one_versus_rest
from artdet.training.classification.recipe import Recipe

GENRE = Task(name="genre", kind="label", classes=("portrait", "sea/marina", "still life"))
TRUTH = np.array([0, 1, 2, -1, 1])
REDS = (0, 100, 200, 100, 0)
"""What the fake networks tell classes by; the last image is wrong."""


@dataclass(frozen=True, eq=False)
class Request:
    artworks: Artworks
    partition: SimpleNamespace
    recipe: Recipe
    folder: Path
    origin: dict = field(default_factory=dict)


@pytest.fixture
def request_(tmp_path: Path) -> Request:
    names = tuple(f"{n}.png" for n in range(len(TRUTH)))
    for name, red in zip(names, REDS, strict=True):
        Image.new("RGB", (5, 3), (red, 9, 9)).save(tmp_path / name)
    artworks = Artworks((GENRE,), tuple(tmp_path / name for name in names), names, names, {"genre": TRUTH})
    split = SimpleNamespace(train=np.array([0]), validation=np.array([1, 4]), test=np.array([2, 3, 0]))
    return Request(artworks, split, Recipe(estimator="one_versus_rest", epochs=3, crops=10), tmp_path / "run")


class FakeTraining:
    def __init__(self, error: BaseException | None = None, at: int = 1) -> None:
        self.requests, self._error, self._at = [], error, at

    def __call__(self, request):
        if self._error and len(self.requests) == self._at:
            self._at = -1
            raise self._error
        self.requests.append(request)
        figures = (TaskFigures("genre", "label", 1, {"accuracy": 0.75}),)
        return SimpleNamespace(folder=request.folder, best=1, validation=figures, test=figures, seconds=2.0)


class OfRed:
    """Is sure of its class where the image's red is near that of the class."""

    def __init__(self, folder: str) -> None:
        place = next(i for i, name in enumerate(GENRE.classes) if name.split("/")[-1][:5] in Path(folder).name)
        self.tasks = (Task(name="genre", kind="label", classes=("rest", GENRE.classes[place])),)
        self._red = 100 * place

    def classify(self, images):
        own = np.float32([1 - abs(float(image[0, 0, 0]) - self._red) / 255 for image in images])
        return {"genre": np.stack([1 - own, own], axis=1)}


def test_a_class_against_the_rest(request_):
    binary = against_rest(request_.artworks, GENRE, 1)
    assert binary.tasks[0].classes == ("rest", "sea/marina")
    assert binary.targets["genre"].tolist() == [0, 1, 0, -1, 1]
    assert binary.names == request_.artworks.names


def test_each_class_has_a_network_and_the_file_names_all(request_):
    train = FakeTraining()
    results = train_one_versus_rest(request_, train, say=lambda text: None)
    assert [result.seconds for result in results] == [2.0] * 3
    assert {request.recipe.estimator for request in train.requests} == {"network"}
    assert {request.recipe.epochs for request in train.requests} == {3}
    # Ten views are for all of them together.
    assert {request.recipe.crops for request in train.requests} == {1}
    assert all(request.folder.parent == request_.folder for request in train.requests)
    settings = read_committee(request_.folder / "committee.yaml")
    assert settings.method == "most_confident"
    assert settings.members == tuple(request.folder.name for request in train.requests)


@pytest.mark.parametrize("error", [TrainingStopped("stopped"), KeyboardInterrupt(), SystemExit(137)], ids=type)
def test_a_stopped_training_goes_on_with_the_class_it_was_in(request_, error):
    first = FakeTraining(error)
    with pytest.raises(type(error)):
        train_one_versus_rest(request_, first, say=lambda text: None)
    assert not (request_.folder / "committee.yaml").exists()
    again = FakeTraining()
    train_one_versus_rest(request_, again, say=lambda text: None)
    classes = [r.artworks.tasks[0].classes[1] for r in first.requests + again.requests]
    assert classes == list(GENRE.classes)


def test_a_class_that_fails_keeps_the_others(request_):
    with pytest.raises(TrainingError, match="1 of 3 classes .*: memory ran out"):
        train_one_versus_rest(request_, FakeTraining(TrainingError("memory ran out.")), say=lambda text: None)
    again = FakeTraining()
    train_one_versus_rest(request_, again, say=lambda text: None)
    assert len(again.requests) == 1


def test_the_committee_is_measured_on_validation_and_test_images(request_):
    train_one_versus_rest(request_, FakeTraining(), say=lambda text: None)
    told = []
    committee = load_committee(request_.folder, OfRed)
    validation, test = measured(request_, committee, 64, lambda done, total: told.append((done, total)))
    # Image 1 is told right and 4 wrong; 2 and 0 right, and of 3 nobody knows.
    assert (validation.images, validation.figures["accuracy"]) == (2, 0.5)
    assert (test.images, test.figures["accuracy"]) == (2, 1.0)
    assert told == [(2, 5), (5, 5)]


def test_an_empty_part_has_no_figures(request_):
    train_one_versus_rest(request_, FakeTraining(), say=lambda text: None)
    request_.partition.test = np.array([], dtype=np.int64)
    _, test = measured(request_, load_committee(request_.folder, OfRed), 64, lambda done, total: None)
    assert (test.images, test.figures) == (0, {})


def test_images_are_measured_as_large_as_prediction_reads_them(request_):
    seen = []

    class Noting:
        tasks = (GENRE,)

        def classify(self, images):
            seen.extend(image.shape for image in images)
            return {"genre": np.full((len(images), 3), 1 / 3, dtype=np.float32)}

    Image.new("RGB", (300, 200)).save(request_.artworks.paths[1])
    measured(request_, Noting(), 150, lambda done, total: None)
    assert seen[0] == (100, 150, 3)
    request_.artworks.paths[1].write_bytes(b"no image")
    with pytest.raises(InputError, match=r"1\.png: .*Take the image out of its source"):
        measured(request_, Noting(), 150, lambda done, total: None)


@pytest.mark.parametrize(
    "tasks",
    [
        pytest.param((GENRE, Task(name="year", kind="number")), id="two"),
        pytest.param((Task(name="year", kind="number"),), id="number"),
    ],
)
def test_other_tasks_are_refused(request_, tasks):
    other = replace(request_, artworks=replace(request_.artworks, tasks=tasks))
    with pytest.raises(ConfigError, match=r"one task of one label, but is given .*year \(number\)"):
        train_one_versus_rest(other, FakeTraining(), say=lambda text: None)


def test_a_class_with_the_name_of_all_else_is_refused(request_):
    tasks = (GENRE.model_copy(update={"classes": ("portrait", "rest", "still life")}),)
    other = replace(request_, artworks=replace(request_.artworks, tasks=tasks))
    with pytest.raises(ConfigError, match="calls all other classes 'rest', which is a class of genre. Rename"):
        train_one_versus_rest(other, FakeTraining(), say=lambda text: None)
