"""A training from its category to its run folder, with a backend that only pretends."""

import json
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
import yaml

from artdet.data.category import load_category
from artdet.data.merge import merged
from artdet.errors import ConfigError, ModelError, RunError, TrainingStopped
from artdet.modelfiles import MODEL_FILE, ModelCard
from artdet.training import training
from artdet.training.backends.checkpoints import save_weights
from artdet.training.course import SilentWatch
from artdet.training.folder import TrainingFolder


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Runs go below a folder of the test."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture
def start(category_file):
    """The weights that the category starts from, beside it."""
    path = category_file.parent / "start.safetensors"
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def written(data, start):
    folder = training.new_folder("pets run")
    training.written_down(folder, data, None)
    return folder


def no_bar(total):
    return nullcontext(lambda count: None)


class Notes(SilentWatch):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def test_a_new_folder_is_not_made_before_it_is_needed(tmp_path):
    folder = training.new_folder("pets")
    assert str(folder.path) == "runs/train/pets"
    assert not (tmp_path / "here" / "runs").exists()


def test_a_folder_in_which_nothing_was_trained_may_be_used_again(written):
    assert training.new_folder("pets run") == written


@pytest.mark.parametrize(("part", "done"), [("checkpoint", 0), ("metrics", 2)])
def test_a_folder_with_a_training_is_refused(written, make_epochs, part, done):
    if part == "metrics":
        written.write_epochs(make_epochs(done))
    else:
        written.checkpoint.write_bytes(b"")
    with pytest.raises(RunError) as told:
        training.new_folder("pets run")
    assert f"holds a training with {done} finished epochs" in str(told.value)
    assert "artdet train --resume 'runs/train/pets run'; or train into another folder: --name NAME." in str(told.value)


def test_what_is_written_is_found_from_any_folder(written, data, start, category_file, tmp_path, monkeypatch):
    assert written.info()["category"] == "pets"
    said = yaml.safe_load(written.category.read_text())
    assert said["sources"][0]["source"] == str(category_file.parent / "snaps.yaml")
    assert said["negatives"][0]["source"] == str(category_file.parent / "snaps.yaml")
    assert said["training"]["start"] == str(start)
    assert said["training"]["batch"] == 16
    monkeypatch.chdir(tmp_path)
    folder, again = training.reopened(tmp_path / "here" / written.path)
    assert again.category.name == "pets"
    assert [entry.path for entry in again.train] == [entry.path for entry in data.train]
    assert again.category.settings.training == data.category.settings.training.model_copy(update={"start": str(start)})
    assert folder.metrics.parent == tmp_path / "here" / written.path


def test_a_source_of_artdet_is_not_taken_for_a_folder_of_its_name(category_file, taxonomy, start, tmp_path):
    content = yaml.safe_load(category_file.read_text())
    content["sources"].append({"source": "examples", "art": True, "split": "validation"})
    category_file.write_text(yaml.safe_dump(content))
    (tmp_path / "here" / "examples").mkdir()
    data = merged(load_category(str(category_file), taxonomy))
    training.written_down(folder := training.new_folder("named"), data, None)
    assert yaml.safe_load(folder.category.read_text())["sources"][-1]["source"] == "examples"


def test_listed_works_are_found_from_any_folder(category_file, taxonomy, start):
    content = yaml.safe_load(category_file.read_text())
    content["sources"][1]["split"] = {"validation": "held.txt"}
    category_file.write_text(yaml.safe_dump(content))
    (category_file.parent / "held.txt").write_text("0.png\n")
    data = merged(load_category(str(category_file), taxonomy))
    training.written_down(folder := training.new_folder("listed"), data, None)
    said = yaml.safe_load(folder.category.read_text())
    assert said["sources"][1]["split"] == {"validation": str(category_file.parent / "held.txt")}
    assert [entry.path for entry in training.reopened(folder.path)[1].validation] == [e.path for e in data.validation]


def test_a_run_is_named_by_its_path_or_its_name(written, tmp_path):
    for path in (written.path, tmp_path / "here" / written.path, written.path.relative_to("runs/train")):
        assert training.reopened(path)[0].info() == written.info()


def test_paintings_for_styles_are_found_from_any_folder(category_file, taxonomy, start):
    settings = ["training.artify.styles=paintings"]
    data = merged(load_category(str(category_file), taxonomy, settings))
    training.written_down(folder := training.new_folder("styles"), data, None)
    said = yaml.safe_load(folder.category.read_text())
    assert said["training"]["artify"]["styles"] == str(category_file.parent / "paintings")


def test_sources_by_name_and_random_weights_stay_names(category_file, taxonomy):
    content = yaml.safe_load(category_file.read_text())
    content["sources"][1]["source"] = "examples"
    content["training"]["start"] = "random"
    category_file.write_text(yaml.safe_dump(content))
    training.written_down(
        folder := training.new_folder("names"), merged(load_category(str(category_file), taxonomy)), None
    )
    said = yaml.safe_load(folder.category.read_text())
    assert (said["sources"][1]["source"], said["training"]["start"]) == ("examples", "random")


def test_classes_of_ones_own_go_with_the_run(category_file, taxonomy, start, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("animals: {classes: {dog: , cat: , unicorn: }}\n")
    mine = type(taxonomy).load(own)
    training.written_down(folder := training.new_folder("own"), merged(load_category(str(category_file), mine)), own)
    own.unlink()
    assert training.reopened(folder.path)[1].category.taxonomy == mine


def test_no_run_and_changed_data_are_refused(written, category_file, tmp_path):
    with pytest.raises(RunError, match="is no training run"):
        training.reopened(tmp_path)
    (category_file.parent / "snaps/labels/1.txt").write_text("0 0.5 0.5 0.2 0.4\n")
    with pytest.raises(RunError, match="was trained on other data than are there now \\(snaps has changed\\)"):
        training.reopened(written.path)


def test_a_task_has_all_that_a_backend_needs(data, start):
    made = training.task_of(data, device="cpu", bar=no_bar)
    assert (made.start.model, made.device, made.seed) == (start, "cpu", 0)
    assert [len(part) for part in (made.examples, made.validation)] == [3, 2]
    assert made.validation_pictures.read(made.validation[0].path).shape == (30, 50, 3)
    assert made.classes == ("animals", "dog", "cat")


def test_missing_weights_to_start_from(data):
    with pytest.raises(ModelError, match=r"'start\.safetensors', are not here\. Name a model .* or random\."):
        training.task_of(data, device="cpu", bar=no_bar)


def with_training(category_file, **settings):
    content = yaml.safe_load(category_file.read_text())
    content["training"].update(settings)
    category_file.write_text(yaml.safe_dump(content))


def test_a_teacher_is_found_from_any_folder(category_file, start, taxonomy):
    (category_file.parent / "large.safetensors").write_bytes(b"larger")
    with_training(category_file, teacher="large.safetensors")
    data = merged(load_category(str(category_file), taxonomy))
    folder = training.new_folder("taught")
    training.written_down(folder, data, None)
    large = category_file.parent / "large.safetensors"
    assert yaml.safe_load(folder.category.read_text())["training"]["teacher"] == str(large)
    made = training.task_of(data, device="cpu", bar=no_bar)
    assert (made.teacher.model, made.start.model) == (large, start)


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"teacher": "gone"}, ModelError, r"The teacher 'gone' is not here\. Name a model .* or a file\.$"),
        (
            {"teacher": "persons", "backend": "torchvision"},
            ConfigError,
            r"^A network of the backend torchvision does not learn from a teacher\. Leave out",
        ),
    ],
)
def test_a_teacher_that_cannot_teach(category_file, start, taxonomy, settings, error, said):
    with_training(category_file, **settings)
    data = merged(load_category(str(category_file), taxonomy))
    with pytest.raises(error, match=said):
        training.written_down(training.new_folder("taught"), data, None)
    assert not training.new_folder("taught").path.exists()


def pretend(monkeypatch, train):
    monkeypatch.setattr(training, "backend", lambda name: SimpleNamespace(train=train))


def test_curves_card_and_log_follow_every_epoch(task, folder, make_epochs, monkeypatch):
    seen = []

    def train(course):
        save_weights(folder, {"a": torch.zeros(1)}, ModelCard(backend="yolo", architecture="x", classes=("dog",)))
        for epoch in make_epochs(2):
            course.add(epoch)
            seen.append(sorted(path.name for path in folder.path.iterdir()))

    pretend(monkeypatch, train)
    course = training.run(task, folder, SilentWatch())
    assert len(course.epochs) == 2
    for names in seen:
        assert {"metrics.jsonl", "curves.png", "README.md", "ensemble.yaml"} <= set(names)


def test_what_is_finished_is_not_trained_again(task, folder, make_epochs, monkeypatch):
    folder.write_epochs(make_epochs(9))
    pretend(monkeypatch, lambda course: pytest.fail("trained"))
    watch = Notes()
    assert len(training.run(task, folder, watch).epochs) == 9
    assert "All of its 9 epochs are done." in watch.notes


@pytest.mark.parametrize(
    ("raised", "said"),
    [(TrainingStopped("x"), "Stopped, and saved. Go on with:"), (KeyboardInterrupt(), "Stopped at once. Go on from")],
    ids=["after Ctrl-C", "after a second one"],
)
def test_who_stops_it_is_told_how_to_go_on(task, folder, monkeypatch, raised, said):
    def train(course):
        raise raised

    pretend(monkeypatch, train)
    with pytest.raises(TrainingStopped) as told:
        training.run(task, folder, SilentWatch())
    assert str(told.value).startswith(said)
    assert str(told.value).endswith(f"artdet train --resume '{folder.path}'")


def test_statistics_stand_in_the_folder(written):
    assert json.loads(written.statistics.read_text())["negatives"] == 1
    assert TrainingFolder(written.path).model.name == MODEL_FILE
