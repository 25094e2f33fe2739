"""Trainings of a small Faster R-CNN on the example paintings."""

import json

import pytest
import torch
from safetensors.torch import load_file

from artdet.detectors import torchvision as prediction
from artdet.detectors.base import LoadContext
from artdet.errors import ConfigError, ModelError, TrainingError, TrainingStopped
from artdet.modelfiles import ModelFiles, read_card
from artdet.training.backends import torchvision as backend
from artdet.training.backends.checkpoints import load_checkpoint
from artdet.training.backends.torchvision_losses import Losses
from artdet.training.course import Course, SilentWatch
from artdet.training.folder import TrainingFolder

SMALL = "fasterrcnn_mobilenet_v3_large_320_fpn"
SETTINGS = {"backend": "torchvision", "architecture": SMALL, "start": "random", "epochs": 2, "batch": 2}
QUICK = {**SETTINGS, "validate_every": 2, "precision": "float32"}
PEOPLE = {
    "classes": ["persons", "angel"],
    "sources": [{"source": "examples", "art": True, "split": {"validation": 0.2}}],
}


@pytest.fixture(scope="module")
def make_task(task_of_category):
    """A task on a few of the example paintings; options are those of training."""

    def make(*, files=None, category=PEOPLE, images=6, side=64, **training):
        content = {**category, "image_size": side, "training": training}
        return task_of_category(content, images=images, start=files)

    return make


def trained(task, path, watch=None):
    """The course of a training in a folder."""
    folder = TrainingFolder(path)
    folder.path.mkdir(exist_ok=True)
    course = Course(task, folder, watch or SilentWatch())
    backend.train(course)
    return course


@pytest.fixture(scope="module")
def whole(make_task, tmp_path_factory):
    """A training without a stop."""
    return trained(make_task(**QUICK), tmp_path_factory.mktemp("whole") / "run")


def test_a_training_leaves_a_model_that_predict_loads(whole, taxonomy, paintings):
    assert [epoch.number for epoch in whole.epochs] == [1, 2]
    assert [epoch.figures is None for epoch in whole.epochs] == [True, False]
    first = whole.epochs[0]
    assert set(first.losses) == {"loss", "classifier", "box_reg", "objectness", "rpn_box_reg"}
    assert first.losses["loss"] == pytest.approx(sum(first.losses.values()) - first.losses["loss"])
    assert first.images == 6
    files = ModelFiles(whole.folder.model, whole.folder.card)
    card = read_card(files, backend="torchvision")
    assert (card.architecture, card.classes, card.min_size, card.max_size) == (SMALL, ("persons", "angel"), 64, 64)
    settings = prediction.Settings(name="trained", weights=str(whole.folder.path))
    detector = prediction.load(settings, LoadContext(taxonomy, device="cpu", threads=2))
    assert detector.labels == taxonomy.ids_of(["persons", "angel"])
    kept = load_checkpoint(whole.folder.checkpoint)["ema"]
    for name, tensor in load_file(whole.folder.model).items():
        torch.testing.assert_close(tensor.float(), kept[name].float(), atol=1e-3, rtol=1e-3)
    assert whole.folder.model.stat().st_size < 2.1 * sum(tensor.numel() for tensor in kept.values())
    (found,) = detector.detect([paintings["renoir_moulin_de_la_galette.jpg"]])
    assert found.image_size == paintings["renoir_moulin_de_la_galette.jpg"].shape[:2]


@pytest.mark.parametrize("step", [2, 3], ids=["in an epoch", "at its end"])
def test_ctrl_c_saves_and_the_training_goes_on_as_if_nothing_had_been(step, whole, make_task, tmp_path, interrupt_at):
    watch = interrupt_at(step)
    with pytest.raises(TrainingStopped):
        trained(make_task(**QUICK), tmp_path / "run", watch)
    assert watch.shown[-1] == (1, step, 3)
    state = load_checkpoint(tmp_path / "run" / "last.pt")
    assert (state["epoch"], state["step"]) == (0, step)
    again = trained(make_task(**QUICK), tmp_path / "run")
    for ours, theirs in zip(again.epochs, whole.epochs, strict=True):
        assert ours.losses == theirs.losses
        assert ours.learning_rate == theirs.learning_rate
        assert ours.figures == theirs.figures
    left, right = (load_checkpoint(course.folder.checkpoint) for course in (again, whole))
    for part in ("model", "ema"):
        assert all(torch.equal(left[part][name], tensor) for name, tensor in right[part].items())
    assert again.folder.model.read_bytes() == whole.folder.model.read_bytes()


def test_a_finished_training_does_nothing_more(whole, make_task, interrupt_at):
    watch = interrupt_at()
    course = Course(make_task(**QUICK), whole.folder, watch)
    backend.train(course)
    assert watch.shown == []
    assert len(course.epochs) == 2


def test_a_loss_that_is_no_number_ends_it(make_task, tmp_path):
    with pytest.raises(TrainingError, match="not a number any more"):
        trained(make_task(**QUICK, learning_rate=1e30, warmup_epochs=0), tmp_path / "run")
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_too_little_memory_says_which_batch_fits(make_task, tmp_path, monkeypatch):
    plain = Losses.forward

    def forward(self, images, targets):
        if len(images) > 2:
            raise torch.OutOfMemoryError("full")
        return plain(self, images, targets)

    monkeypatch.setattr(Losses, "forward", forward)
    with pytest.raises(TrainingError, match=r"with a batch of 6\. Use --set training\.batch=1"):
        trained(make_task(**{**QUICK, "batch": 6}, images=3), tmp_path / "run")


def test_without_weights_in_the_cache_it_starts_from_random_ones_and_says_so(
    make_task, tmp_path, monkeypatch, interrupt_at
):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    watch = interrupt_at()
    course = Course(make_task(**{**QUICK, "start": None}), TrainingFolder(tmp_path), watch)
    network, is_pretrained = backend.network_of(course, None)
    assert not is_pretrained
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())
    (note,) = watch.notes
    assert "fasterrcnn_mobilenet_v3_large_320_fpn-907ea3f9.pth" in note


def test_an_unknown_architecture_is_told(make_task, tmp_path):
    with pytest.raises(ConfigError, match=r"'fasterrcnn_resnet50'.*Did you mean 'fasterrcnn_resnet50_fpn'"):
        trained(make_task(**{**QUICK, "architecture": "fasterrcnn_resnet50"}), tmp_path / "run")


def test_a_start_from_another_run_keeps_what_it_knows(whole, make_task, tmp_path):
    files = ModelFiles(whole.folder.model, whole.folder.card)
    other = {**PEOPLE, "classes": ["angel", "ship", "persons"]}
    course = Course(make_task(**QUICK, files=files, category=other), TrainingFolder(tmp_path), SilentWatch())
    network, is_pretrained = backend.network_of(course, None)
    assert is_pretrained
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())
    assert not next(network.backbone.parameters()).requires_grad
    given = load_checkpoint(whole.folder.checkpoint)["ema"]
    own = network.state_dict()
    for name in ("backbone.body.0.0.weight", "rpn.head.cls_logits.weight", "roi_heads.box_head.fc7.weight"):
        torch.testing.assert_close(own[name], given[name], atol=1e-3, rtol=1e-3)
    for name, each in (("cls_score.weight", 1), ("cls_score.bias", 1), ("bbox_pred.weight", 4)):
        ours, theirs = own[f"roi_heads.box_predictor.{name}"], given[f"roi_heads.box_predictor.{name}"]
        for place, source in ((0, 0), (1, 2), (3, 1)):
            block, known = ours[place * each : (place + 1) * each], theirs[source * each : (source + 1) * each]
            torch.testing.assert_close(block, known, atol=1e-3, rtol=1e-3)


def test_weights_of_another_network_are_refused(whole, make_task, tmp_path):
    files = ModelFiles(whole.folder.model, whole.folder.card)
    task = make_task(**{**QUICK, "architecture": "fasterrcnn_resnet50_fpn"}, files=files)
    with pytest.raises(ModelError, match=r"fits the backbone of this network in only 0 of \d+ tensors"):
        backend.network_of(Course(task, TrainingFolder(tmp_path), SilentWatch()), None)


@pytest.mark.slow
def test_thirty_images_are_learnt_by_heart(make_task, shared_data, tmp_path, monkeypatch):
    monkeypatch.setenv("ARTDET_DATA_DIR", str(shared_data))
    category = {
        "classes": ["persons"],
        "sources": [
            {"source": "people_art_train", "art": True},
            {"source": "examples", "art": True, "split": "validation"},
        ],
    }
    training = {**SETTINGS, "epochs": 15, "batch": 3, "learning_rate": 0.01, "scale": 0.0, "validate_every": 15}
    course = trained(make_task(**training, category=category, images=30, side=96), tmp_path / "run")
    losses = [epoch.losses["loss"] for epoch in course.epochs]
    assert losses[-1] < losses[0] / 2, json.dumps(losses)
