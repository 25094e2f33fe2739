"""Trainings of YOLOv5n on a few of the example paintings."""

import importlib
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from artdet.detectors.base import LoadContext
from artdet.errors import ConfigError, TrainingError, TrainingStopped
from artdet.modelfiles import ModelFiles, find_model, read_card
from artdet.resources import shipped
from artdet.training import training
from artdet.training.backends.checkpoints import load_checkpoint
from artdet.training.backends.epoch_sampler import EpochSampler
from artdet.training.backends.table import backend
from artdet.training.course import Course, SilentWatch
from artdet.training.folder import TrainingFolder

# Three steps an epoch, of which the last has a single image; mosaics in the first epoch only.
SETTINGS = {"start": "random", "epochs": 2, "batch": 2, "close_mosaic": 1, "precision": "float32"}
PEOPLE = {
    "classes": ["persons", "angel"],
    "sources": [{"source": "examples", "art": True, "split": {"validation": 0.2}}],
}
IMAGES, STEPS = 5, 3


@pytest.fixture(scope="module")
def yolo(cache):
    """The backend."""
    backend("yolo")
    return importlib.import_module("artdet.training.backends.yolo")


@pytest.fixture(scope="module")
def network(yolo):
    """The class of the network that the backend trains."""
    return importlib.import_module("artdet.training.backends.yolo_model").TrainedNetwork


@pytest.fixture(scope="module")
def make_task(task_of_category):
    """A task on a few of the example paintings; options are those of training."""

    def make(*, files=None, category=PEOPLE, images=IMAGES, side=64, **options):
        content = {**category, "image_size": side, "training": {**SETTINGS, **options}}
        return task_of_category(content, images=images, start=files)

    return make


@pytest.fixture
def steps(yolo, network, monkeypatch):
    """What every step of the optimizer was: images, losses and learning rates."""
    seen = []
    prepare, losses, step = (
        yolo.YoloTrainer.preprocess_batch,
        network.loss,
        yolo.YoloTrainer.optimizer_step,
    )

    def preprocess_batch(self, batch):
        seen.append({"images": list(batch["index"])})
        return prepare(self, batch)

    def loss(self, batch, preds=None):
        total, parts = losses(self, batch, preds)
        seen[-1]["losses"] = {name: float(part) for name, part in parts.items()}
        return total, parts

    def optimizer_step(self):
        seen[-1]["rates"] = [group["lr"] for group in self.optimizer.param_groups]
        seen[-1]["momentum"] = self.optimizer.param_groups[0]["momentum"]
        return step(self)

    monkeypatch.setattr(yolo.YoloTrainer, "preprocess_batch", preprocess_batch)
    monkeypatch.setattr(network, "loss", loss)
    monkeypatch.setattr(yolo.YoloTrainer, "optimizer_step", optimizer_step)
    return seen


def trained(yolo, task, path, watch=None):
    """The course of a training in a folder."""
    folder = TrainingFolder(path)
    folder.path.mkdir(exist_ok=True)
    course = Course(task, folder, watch or SilentWatch())
    yolo.train(course)
    return course


@pytest.fixture(scope="module")
def whole(yolo, make_task, tmp_path_factory):
    """A training without a stop."""
    return trained(yolo, make_task(), tmp_path_factory.mktemp("whole") / "run")


def same(again, whole):
    """That two trainings gave the same, but for the time they took."""
    assert [epoch.number for epoch in again.epochs] == [epoch.number for epoch in whole.epochs]
    for ours, theirs in zip(again.epochs, whole.epochs, strict=True):
        assert ours.losses == pytest.approx(theirs.losses, rel=1e-5)
        assert (ours.learning_rate, ours.images, ours.best) == (theirs.learning_rate, theirs.images, theirs.best)
        assert ours.figures.fitness == pytest.approx(theirs.figures.fitness, abs=1e-5)
    left, right = (load_checkpoint(course.folder.checkpoint) for course in (again, whole))
    for part in ("model", "ema"):
        for name, tensor in right[part].items():
            torch.testing.assert_close(left[part][name], tensor, rtol=1e-4, atol=1e-5)
    assert (left["epoch"], left["step"], left["updates"]) == (right["epoch"], right["step"], right["updates"])


def test_a_training_leaves_a_model_that_predict_loads(whole, taxonomy, paintings):
    from artdet.detectors import yolo as prediction

    assert [epoch.number for epoch in whole.epochs] == [1, 2]
    first = whole.epochs[0]
    assert first.losses["loss"] == pytest.approx(sum(first.losses.values()) - first.losses["loss"])
    assert len(first.losses) == 4
    assert (first.images, first.figures.images) == (IMAGES, 2)
    files = ModelFiles(whole.folder.model, whole.folder.card)
    card = read_card(files, backend="yolo")
    assert (card.architecture, card.classes, card.image_size) == ("yolov5n.yaml", ("persons", "angel"), 64)
    assert card.trained_on == f"examples ({IMAGES})"
    settings = prediction.Settings(name="trained", weights=str(whole.folder.path))
    detector = prediction.load(settings, LoadContext(taxonomy, device="cpu", engine="torch", threads=2))
    assert detector.labels == taxonomy.ids_of(["persons", "angel"])
    (found,) = detector.detect([paintings["renoir_moulin_de_la_galette.jpg"]])
    assert found.image_size == paintings["renoir_moulin_de_la_galette.jpg"].shape[:2]


def test_what_is_kept_is_the_mean_of_the_weights_as_halves(whole):
    state = load_checkpoint(whole.folder.checkpoint)
    kept = load_file(whole.folder.model)
    assert whole.folder.model.stat().st_size < 6e6
    assert kept.keys() == state["ema"].keys()
    if whole.best.number == 2:
        for name, tensor in kept.items():
            torch.testing.assert_close(tensor.float(), state["ema"][name].float(), atol=1e-3, rtol=1e-3)
    assert any(not torch.equal(state["ema"][name], tensor) for name, tensor in state["model"].items())


def test_nothing_of_ultralytics_is_left(whole):
    names = {"metrics.jsonl", "model.safetensors", "model.yaml", "last.pt"}
    assert {path.name for path in whole.folder.path.rglob("*")} == names
    beside = shipped("examples", "paintings").parent
    assert not list(beside.rglob("*.cache")) + list(beside.rglob("*.npy"))


def test_what_is_finished_is_not_trained_again(yolo, whole, make_task, interrupt_at):
    before = whole.folder.checkpoint.read_bytes()
    watch = interrupt_at()
    assert len(trained(yolo, make_task(), whole.folder.path, watch).epochs) == 2
    assert watch.shown == []
    assert whole.folder.checkpoint.read_bytes() == before


@pytest.mark.parametrize("step", [2, STEPS], ids=["inside an epoch", "at its end"])
def test_ctrl_c_saves_and_the_training_goes_on_at_the_very_step(
    step, yolo, whole, make_task, tmp_path, steps, interrupt_at
):
    task, watch = make_task(), interrupt_at(step)
    with pytest.raises(TrainingStopped):
        trained(yolo, task, tmp_path / "run", watch)
    assert watch.shown == [(1, done, STEPS) for done in range(1, step + 1)]
    state = load_checkpoint(tmp_path / "run" / "last.pt")
    assert (state["epoch"], state["step"]) == (0, step)
    assert not (tmp_path / "run" / "ultralytics").exists()
    again = trained(yolo, task, tmp_path / "run", watch)
    assert watch.shown == [(epoch, done, STEPS) for epoch in (1, 2) for done in range(1, STEPS + 1)]
    for epoch in (0, 1):
        shown = steps[epoch * STEPS : (epoch + 1) * STEPS]
        expected = list(EpochSampler(task.data.factors, seed=task.seed, epoch=epoch))
        assert [image for each in shown for image in each["images"]] == expected
        for name in ("box_loss", "cls_loss", "dfl_loss"):
            mean = sum(each["losses"][name] for each in shown) / STEPS
            assert again.epochs[epoch].losses[name] == pytest.approx(mean, rel=1e-5)
    assert again.epochs[0].images == IMAGES
    if step == STEPS:
        same(again, whole)


def test_rates_rise_over_the_first_epoch_wherever_it_was_stopped(yolo, make_task, tmp_path, steps, interrupt_at):
    """As ultralytics has it: weights from 0, biases from their own rate, and the cosine from the end of the warm-up."""
    task = make_task(learning_rate=0.01, mosaic=0, validate_every=2)
    with pytest.raises(TrainingStopped):
        trained(yolo, task, tmp_path / "run", interrupt_at(1))
    trained(yolo, task, tmp_path / "run")
    rates = np.array([each["rates"] for each in steps])
    momenta = [each["momentum"] for each in steps]
    np.testing.assert_allclose(momenta[:4], np.interp(range(4), [0, 3], [0.8, 0.937]))
    bias = int(rates[0].argmax())
    weights = [column for column in range(rates.shape[1]) if column != bias]
    last = 0.01 * ((1 - np.cos(np.pi / 2)) / 2 * (0.01 - 1) + 1)
    for column in weights:
        np.testing.assert_allclose(rates[:, column], [0, 0.01 / 3, 0.02 / 3, last, last, last], rtol=1e-6)
    np.testing.assert_allclose(rates[:3, bias], np.interp(range(3), [0, 3], [0.1, 0.01]), rtol=1e-6)


class Killed(BaseException):
    """Ends the process, as far as the code inside can tell."""


@pytest.mark.parametrize("save", [1, 2], ids=["before the first checkpoint", "before the last"])
def test_killed_between_its_line_and_its_checkpoint_an_epoch_is_neither_lost_nor_doubled(
    save, yolo, whole, make_task, tmp_path, monkeypatch
):
    plain, calls = yolo.save_checkpoint, []

    def save_checkpoint(path, state):
        calls.append(path)
        if len(calls) == save:
            raise Killed
        plain(path, state)

    folder = TrainingFolder(tmp_path / "run")
    folder.path.mkdir()
    monkeypatch.setattr(yolo, "save_checkpoint", save_checkpoint)
    with pytest.raises(Killed):
        training.run(make_task(), folder, SilentWatch())
    assert len(list(folder.epochs())) == save
    again = training.run(make_task(), folder, SilentWatch())
    assert [epoch.losses["loss"] for epoch in again.epochs] == pytest.approx(
        [epoch.losses["loss"] for epoch in whole.epochs], rel=1e-5
    )
    assert load_file(folder.model).keys() == load_file(whole.folder.model).keys()
    if save == 1:
        same(again, whole)


@pytest.mark.parametrize("first", [1, STEPS + 1], ids=["at the first step", "in the second epoch"])
def test_a_loss_that_is_no_number_ends_it_with_the_last_good_weights(
    first, yolo, network, make_task, tmp_path, monkeypatch, steps
):
    plain = network.loss

    def loss(self, batch, preds=None):
        total, parts = plain(self, batch, preds)
        return (total * torch.nan if len(steps) >= first else total), parts

    monkeypatch.setattr(network, "loss", loss)
    with pytest.raises(TrainingError, match="not a number any more") as told:
        trained(yolo, make_task(), tmp_path / "run")
    folder = TrainingFolder(tmp_path / "run")
    kept = f"The last good weights are in {folder.path}."
    assert (kept in str(told.value)) is (first > 1)
    assert folder.model.exists() is (first > 1)
    if first > 1:
        assert all(tensor.isfinite().all() for tensor in load_file(folder.model).values())
        assert load_checkpoint(folder.checkpoint)["epoch"] == 1
    assert not (folder.path / "ultralytics").exists()


def test_weights_that_have_gone_astray_are_not_kept(yolo, make_task, tmp_path, monkeypatch):
    """The loss of an epoch of a single step is a number still; what its weights would give is none."""
    plain = yolo.YoloTrainer.optimizer_step

    def optimizer_step(self):
        for group in self.optimizer.param_groups:
            group["lr"] = 1e9
        plain(self)

    monkeypatch.setattr(yolo.YoloTrainer, "optimizer_step", optimizer_step)
    with pytest.raises(TrainingError, match="not a number any more"):
        trained(yolo, make_task(images=2), tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"learning_rate": 1e9}, "ultralytics does not train with these settings: .*lr0"),
        ({"architecture": "yolov5q.yaml"}, r"ultralytics knows no network 'yolov5q\.yaml'\. Name one such as yolov5n"),
    ],
    ids=["learning rate", "architecture"],
)
def test_settings_that_ultralytics_does_not_take_are_told(setting, said, yolo, make_task, tmp_path):
    with pytest.raises(ConfigError, match=said):
        trained(yolo, make_task(**setting), tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.parametrize(
    ("error", "room", "said"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), 2, r"with a batch of 4\. Use --set training\.batch=2"),
        (MemoryError(), 1, r"with a batch of 4\. Use --set training\.batch=1"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), 2, r"training\.batch=2"),
    ],
    ids=["GPU", "Python", "CPU"],
)
def test_too_little_memory_says_which_batch_fits(
    error, room, said, yolo, network, make_task, tmp_path, monkeypatch, steps
):
    plain = network.loss

    def loss(self, batch, preds=None):
        if len(batch["img"]) > room:
            raise error
        return plain(self, batch, preds)

    monkeypatch.setattr(network, "loss", loss)
    with pytest.raises(TrainingError, match=said):
        trained(yolo, make_task(batch=4), tmp_path / "run")
    assert not (tmp_path / "run" / "metrics.jsonl").exists()


def test_other_errors_stay_what_they_are(yolo, network, make_task, tmp_path, monkeypatch):
    monkeypatch.setattr(network, "loss", lambda *arguments: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        trained(yolo, make_task(), tmp_path / "run")


def test_it_ends_early_where_it_gets_no_better(yolo, make_task, tmp_path, monkeypatch):
    """Every other epoch is looked at, and all are equally bad: the second look is enough."""
    plain = Course.figures
    monkeypatch.setattr(Course, "figures", lambda self, detector: replace(plain(self, detector), fitness=0.25))
    task = make_task(images=2, epochs=9, validate_every=2, patience=2)
    course = trained(yolo, task, tmp_path / "run")
    assert [epoch.figures is not None for epoch in course.epochs] == [False, True, False, True]
    assert course.best.number == 2


def test_a_start_from_bundled_weights_is_taken_over(yolo, make_task, tmp_path):
    files = find_model("persons_v0", tmp_path)
    task = make_task(files=files, images=2, epochs=1, learning_rate=1e-9, ema=False)
    course = trained(yolo, task, tmp_path / "run")
    there, ours = load_file(files.model), load_file(course.folder.model)
    for name in ("model.0.conv.weight", "model.24.cv2.0.2.weight"):
        torch.testing.assert_close(ours[name].float(), there[name].float(), atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(ours["model.24.cv3.0.2.weight"][0].float(), there["model.24.cv3.0.2.weight"][0].float())


@pytest.mark.parametrize(
    ("has_card", "classes", "said"),
    [
        (True, ["persons"], None),
        (True, ["ship"], "are for other classes"),
        (False, ["persons"], "No card (model.yaml) beside"),
    ],
    ids=["known", "others", "no card"],
)
def test_it_is_said_that_outputs_begin_anew(yolo, make_task, tmp_path, interrupt_at, has_card, classes, said):
    files = find_model("persons_v0", tmp_path)
    task = make_task(
        files=files if has_card else replace(files, card=None),
        category={**PEOPLE, "classes": classes},
        images=2,
        epochs=1,
    )
    watch = interrupt_at()
    trained(yolo, task, tmp_path / "run", watch)
    assert [said in note for note in watch.notes] == ([True] if said else [])


def test_a_teacher_is_learnt_from_and_is_no_part_of_the_model(yolo, make_task, whole, tmp_path):
    task = make_task(images=4, side=96, epochs=5, mosaic=0, scale=0, learning_rate=0.01, teacher_weight=3)
    course = trained(yolo, replace(task, teacher=find_model("persons_v0", tmp_path)), tmp_path / "run")
    losses = [epoch.losses["teacher_loss"] for epoch in course.epochs]
    assert losses[-1] < 0.8 * losses[0]
    for epoch in course.epochs:
        assert epoch.losses["loss"] == pytest.approx(sum(v for name, v in epoch.losses.items() if name != "loss"))
    ours, without = (load_checkpoint(one.folder.checkpoint) for one in (course, whole))
    assert ours["model"].keys() == without["model"].keys()
    assert "teacher_loss" not in whole.epochs[0].losses


@pytest.mark.slow
def test_thirty_images_are_learnt_by_heart(yolo, make_task, shared_data, tmp_path, monkeypatch):
    monkeypatch.setenv("ARTDET_DATA_DIR", str(shared_data))
    category = {
        "classes": ["persons"],
        "sources": [
            {"source": "people_art_train", "art": True},
            {"source": "examples", "art": True, "split": "validation"},
        ],
    }
    still = {"mosaic": 0, "scale": 0.0, "validate_every": 40, "warmup_epochs": 1, "learning_rate": 0.01}
    task = make_task(category=category, images=30, side=128, **{**still, "epochs": 40, "batch": 6, "precision": "auto"})
    course = trained(yolo, task, tmp_path / "run")
    losses = [epoch.losses["loss"] for epoch in course.epochs]
    assert losses[-1] < losses[0] * 2 / 3, json.dumps(losses)
