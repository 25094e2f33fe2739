"""A small training from its request to its folder: whole, stopped, killed, gone on with, refused."""

import json
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from artdet.classifiers.base import HeadCard
from artdet.classifiers.classifier import build_network, read_classifier_card
from artdet.classifiers.network import answers
from artdet.data.artworks.partition import Partition, read_partition
from artdet.embedders.backbones import build
from artdet.embedders.preprocess import crops, normalised
from artdet.errors import ConfigError, InputError, ModelError, RunError, TrainingError, TrainingStopped
from artdet.images.reader import read_image
from artdet.modelfiles import ModelFiles
from artdet.training.classification import run
from artdet.training.classification.folder import ClassifierFolder, is_classifier_run
from artdet.training.classification.recipe import BackboneSettings, LossSettings, OptimizerSettings, Recipe
from artdet.training.classification.run import TrainingRequest, train
from artdet.training.classification.watch import SilentWatch

PICTURES = ("test_the_run_folder_is_whole", "test_the_card")
"""Tests that need curves, which take longer than all else."""

FILES = {
    "README.md", "curves.png", "last.pt", "metrics.jsonl", "model.safetensors", "model.yaml", "split.csv",
    "test.json", "training.json",
}  # fmt: skip


class Killed(Exception):
    """As if the process were gone."""


class Stopping(SilentWatch):
    """Does something at a step of an epoch, or after an epoch was written down."""

    def __init__(self, act, *, epoch=2, step=1):
        self.act, self.at = act, (epoch, step)
        self.notes = []

    def steps(self, epoch, epochs, done, total, losses):
        if (epoch, done) == self.at:
            self.act()

    def epoch(self, epoch, epochs):
        if (epoch.number, None) == self.at:
            self.act()

    def note(self, text):
        self.notes.append(text)


def kill():
    raise Killed


@pytest.fixture(autouse=True)
def without_pictures(request, monkeypatch):
    if request.function.__name__ not in PICTURES:
        monkeypatch.setattr(run, "draw_curves", lambda *_: None)


@pytest.fixture
def request_of(artworks, split, recipe, tmp_path):
    def make(name, *, tasks=("colour", "year", "paints"), **changes):
        chosen = tuple(task for task in artworks.tasks if task.name in tasks)
        own = replace(artworks, tasks=chosen, targets={name: artworks.targets[name] for name in tasks})
        return TrainingRequest(own, split, recipe.model_copy(update=changes), tmp_path / name, "cpu")

    return make


def test_the_run_folder_is_whole(request_of):
    request = request_of("whole")
    outcome = train(request, SilentWatch())
    folder = ClassifierFolder(request.folder)
    assert FILES <= {path.name for path in folder.path.iterdir()} <= {*FILES, "tensorboard"}
    assert is_classifier_run(folder.path)
    assert [epoch.number for epoch in folder.history()] == [1, 2, 3]
    assert outcome.epochs == 3
    assert outcome.best == next(epoch.number for epoch in reversed(list(folder.history())) if epoch.best)
    assert [one.task for one in outcome.test] == ["colour", "year", "paints"]
    assert [one.images for one in outcome.test] == [5, 6, 6]
    weights = load_file(folder.model)
    assert {name.partition(".")[0] for name in weights} == {"backbone", "heads"}
    assert {tensor.dtype for tensor in weights.values() if tensor.is_floating_point()} == {torch.float16}
    again = read_partition(folder.split, request.artworks)
    assert [part.tolist() for part in (again.train, again.test)] == [list(range(12)), list(range(18, 24))]
    info = json.loads(folder.info_file.read_text())
    assert (info["data"]["train"], info["recipe"]["epochs"], info["notes"]) == (12, 3, ["one note"])


def test_numbers_are_told_in_their_own_unit(request_of):
    outcome = train(request_of("years", tasks=("year",)), SilentWatch())
    task = read_classifier_card(ModelFiles(outcome.folder / "model.safetensors", outcome.folder / "model.yaml")).tasks[
        0
    ]
    years = [1500 + 100 * (index % 3) for index in range(12) if index != 5]
    assert (task.mean, task.deviation) == (pytest.approx(np.mean(years)), pytest.approx(np.std(years)))
    assert outcome.test[0].figures["mae"] < 300


@pytest.mark.parametrize("count", [1, 5])
def test_figures_are_those_of_the_weights_in_the_folder(request_of, count):
    """Measured again by hand, image by image."""
    request = request_of("again", tasks=("colour",), crops=count)
    outcome = train(request, SilentWatch())
    files = ModelFiles(outcome.folder / "model.safetensors", outcome.folder / "model.yaml")
    card = read_classifier_card(files)
    network, right = build_network(files, card), []
    for place in request.partition.test[:-1]:
        views = np.stack(crops(read_image(request.artworks.paths[place]).pixels, card.preprocessing, count))
        with torch.inference_mode():
            told = answers(card.tasks[0], network(normalised(views, card.preprocessing))["colour"]).mean(dim=0)
        right.append(int(told.argmax()) == request.artworks.targets["colour"][place])
    assert outcome.test[0].figures["accuracy"] == pytest.approx(np.mean(right))


def test_it_learns(request_of):
    optimizer = OptimizerSettings(learning_rate=0.01)
    outcome = train(
        request_of("learns", tasks=("colour",), epochs=12, augmentations=(), optimizer=optimizer), SilentWatch()
    )
    assert outcome.test[0].figures["accuracy"] == 1


def same(left, right):
    """That two folders ended alike."""
    ours, theirs = list(ClassifierFolder(left).history()), list(ClassifierFolder(right).history())
    assert [epoch.number for epoch in ours] == [epoch.number for epoch in theirs] == [1, 2, 3]
    for one, other in zip(ours, theirs, strict=True):
        assert one.losses == pytest.approx(other.losses, rel=1e-5)
        assert one.validation == pytest.approx(other.validation, rel=1e-5)
        assert (one.best, one.images, one.learning_rate) == (other.best, other.images, other.learning_rate)
    there = load_file(ClassifierFolder(right).model)
    for name, tensor in load_file(ClassifierFolder(left).model).items():
        torch.testing.assert_close(tensor, there[name], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("act", "at", "error"),
    [
        (lambda: signal.raise_signal(signal.SIGINT), {"step": 1}, TrainingStopped),
        (kill, {"step": 2}, Killed),
        (kill, {"step": None}, Killed),
    ],
    ids=["Ctrl-C within an epoch", "killed within an epoch", "killed before the checkpoint of an epoch"],
)
def test_gone_on_with_it_ends_as_if_nothing_had_been(request_of, act, at, error):
    changes = {
        "loss": LossSettings(number_scale="learnt"),
        "metric": "loss",
        "optimizer": OptimizerSettings(learning_rate=3e-3, schedule="plateau", plateau_epochs=1),
    }
    request = request_of("stopped", **changes)
    with pytest.raises(error):
        train(request, Stopping(act, **at))
    train(request, SilentWatch())
    whole = request_of("whole", **changes)
    train(whole, SilentWatch())
    same(request.folder, whole.folder)


def test_ctrl_c_says_how_to_go_on(request_of):
    request = replace(request_of("stopped"), origin={"tasks": ["colour"]})
    with pytest.raises(TrainingStopped, match=r"Stopped, and saved\. Go on with: artdet train --resume .*stopped"):
        train(request, Stopping(lambda: signal.raise_signal(signal.SIGINT)))


def test_a_finished_training_is_only_read(request_of):
    request = request_of("done")
    first = train(request, SilentWatch())
    weights = (request.folder / "model.safetensors").stat().st_mtime_ns
    watch = Stopping(kill, epoch=1)
    assert train(request, watch) == first
    assert (request.folder / "model.safetensors").stat().st_mtime_ns == weights
    assert any("is finished" in note for note in watch.notes)


def test_features_of_a_frozen_backbone_are_computed_once(request_of):
    """Epochs are five times quicker, and what is learnt is the same."""
    common = {
        "backbone": BackboneSettings(name="mobilenet_v2", start="random", image_size=128, trained="only_last"),
        "augmentations": (),
        "epochs": 4,
    }
    outcomes, epochs = [], []
    for name, fixed in (("cached", "auto"), ("through", "never")):
        request = request_of(name, fixed_features=fixed, **common)
        outcomes.append(train(request, SilentWatch()))
        epochs.append(list(ClassifierFolder(request.folder).history()))
    for one, other in zip(*epochs, strict=True):
        assert one.losses == pytest.approx(other.losses, abs=1e-4)
        assert one.validation == pytest.approx(other.validation, abs=1e-4)
    for one, other in zip(outcomes[0].test, outcomes[1].test, strict=True):
        assert one.figures == pytest.approx(other.figures, abs=1e-3 if one.kind != "number" else 0.1)
    quickest = [min(epoch.seconds for epoch in rows) for rows in epochs]
    assert quickest[1] > 5 * quickest[0]


def test_cached_features_are_gone_on_with_as_well(request_of):
    frozen = BackboneSettings(name="hybrid", start="random", image_size=32, trained=0)
    requests = [request_of(name, backbone=frozen, augmentations=()) for name in ("stopped", "whole")]
    with pytest.raises(Killed):
        train(requests[0], Stopping(kill))
    for request in requests:
        train(request, SilentWatch())
    same(*(request.folder for request in requests))


@pytest.mark.parametrize("estimator", ["svm", "logistic"])
@pytest.mark.parametrize("backbone", ["hybrid", "handmade:lab_histogram"])
def test_linear_models(request_of, estimator, backbone):
    settings = BackboneSettings(name=backbone, start="random", image_size=64)
    request = request_of("linear", estimator=estimator, backbone=settings, head=HeadCard(), augmentations=())
    outcome = train(request, SilentWatch())
    assert (outcome.epochs, outcome.best) == (0, 0)
    assert outcome.test[0].figures["accuracy"] == 1
    weights = load_file(outcome.folder / "model.safetensors")
    assert weights["heads.outputs.colour_head.1.bias"].shape == (3,)
    assert any(name.startswith("backbone.") for name in weights)
    card = read_classifier_card(ModelFiles(outcome.folder / "model.safetensors", outcome.folder / "model.yaml"))
    assert card.backbone == backbone
    text = (outcome.folder / "README.md").read_text()
    assert f"**Estimator**: {estimator}" in text


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda r: replace(r, recipe=r.recipe.model_copy(update={"batch": 7})), "another recipe: batch 5 instead of 7"),
        (
            lambda r: replace(r, partition=Partition(r.partition.train[1:], r.partition.validation, r.partition.test)),
            "images, labels or the split have changed",
        ),
        (
            lambda r: replace(r, artworks=replace(r.artworks, targets={"colour": 1 - r.artworks.targets["colour"]})),
            "images, labels or the split have changed",
        ),
    ],
    ids=["recipe", "split", "labels"],
)
def test_another_training_in_the_folder_is_refused(request_of, spoil, told):
    request = request_of("taken", tasks=("colour",), epochs=1)
    train(request, SilentWatch())
    with pytest.raises(RunError) as error:
        train(spoil(request), SilentWatch())
    assert told in str(error.value)
    assert "--name NAME" in str(error.value)


def test_a_loss_that_is_no_number_ends_it(request_of):
    settings = OptimizerSettings(name="sgd", learning_rate=1e30, schedule="constant")
    with pytest.raises(TrainingError, match=r"not a number any more \(epoch 1: .*optimizer\.learning_rate"):
        train(request_of("nan", optimizer=settings), SilentWatch())


def _without(part, keep):
    def spoil(request):
        return replace(request, partition=replace(request.partition, **{part: getattr(request.partition, part)[:keep]}))

    return spoil


def _unknown(request):
    targets = {**request.artworks.targets, "year": np.full(24, np.nan, dtype=np.float32)}
    return replace(request, artworks=replace(request.artworks, targets=targets))


def _backbone(**changes):
    def spoil(request):
        backbone = request.recipe.backbone.model_copy(update=changes)
        return replace(request, recipe=request.recipe.model_copy(update={"backbone": backbone}))

    return spoil


@pytest.mark.parametrize(
    ("spoil", "error", "told"),
    [
        (_without("train", 0), InputError, "there are 0 images to learn from"),
        (_without("train", 1), InputError, "there are 1 images to learn from"),
        (_unknown, InputError, "Task year: no image of the training part has an answer"),
        (lambda request: replace(request, device="gpu"), InputError, "there is no device 'gpu'"),
        (_backbone(name="hybird"), ModelError, "Did you mean 'hybrid'?"),
        (_backbone(start="nowhere"), ModelError, "nowhere"),
        (_backbone(name="mobilenet_v2_tf", start="library"), ModelError, "no library offers weights"),
        (_backbone(trained=99), ConfigError, "backbone.trained: 99 does not fit"),
    ],
    ids=["no image", "one image", "no answer", "device", "backbone", "start", "library", "blocks"],
)
def test_what_cannot_be_trained_is_said_in_a_sentence(request_of, spoil, error, told):
    with pytest.raises(error) as raised:
        train(spoil(request_of("bad")), SilentWatch())
    assert told in str(raised.value)


def test_what_epochs_are_compared_by_does_not_follow_the_learnt_scale(request_of):
    request = request_of("learnt", loss=LossSettings(number_scale="learnt"), metric="loss", augmentations=())
    train(request, SilentWatch())
    for epoch in ClassifierFolder(request.folder).history():
        assert epoch.score == pytest.approx(-sum(epoch.validation[name] for name in ("colour", "year", "paints")))


def test_norms_that_were_folded_are_kept_or_the_training_refused(request_of, tmp_path):
    weights = {name: tensor.half() for name, tensor in build("hybrid").network.state_dict().items()}
    weights["features.0.0.1.bias"] += 3
    save_file(weights, tmp_path / "folded.safetensors")
    folded = BackboneSettings(name="hybrid", start=str(tmp_path / "folded.safetensors"), image_size=32)
    request = request_of("folded", tasks=("colour",), epochs=1, augmentations=(), backbone=folded)
    with pytest.raises(ConfigError, match=r"hybrid have .*folded into.* --set backbone\.batch_norm=frozen\.$"):
        train(request, SilentWatch())
    frozen = folded.model_copy(update={"batch_norm": "frozen"})
    train(replace(request, recipe=request.recipe.model_copy(update={"backbone": frozen})), SilentWatch())
    assert "and the head; batch normalisation stays as it is." in (request.folder / "README.md").read_text()
    kept = load_file(request.folder / "model.safetensors")
    assert kept["backbone.network.features.0.0.1.running_mean"].abs().max() == 0


def test_norms_of_a_random_start_learn_whatever_is_said(request_of):
    frozen = BackboneSettings(name="hybrid", start="random", image_size=32, batch_norm="frozen")
    request = request_of("random", tasks=("colour",), epochs=1, augmentations=(), backbone=frozen)
    train(request, SilentWatch())
    kept = load_file(request.folder / "model.safetensors")
    assert kept["backbone.network.features.0.0.1.running_mean"].abs().max() > 0


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"estimator": "svm", "augmentations": ({"name": "flip"},)}, "augmentations: svm takes features of images"),
        ({"estimator": "svm", "head": {"dropout": 0.5}}, "head: svm is a linear model"),
        ({"backbone": {"name": "handmade:gist"}}, "estimator: network needs a network; of handmade:gist take svm"),
        ({"backbone": {"name": "handmade:gist"}, "estimator": "svm", "crops": 5}, "crops: handmade:gist describes"),
    ],
    ids=["augmentations", "head", "features made by hand", "views"],
)
def test_recipes_whose_parts_do_not_fit(changes, told):
    with pytest.raises(ValidationError, match=told):
        Recipe(**changes)


def test_without_validation_and_test_images_the_last_epoch_is_kept(request_of):
    outcome = train(_without("validation", 0)(_without("test", 0)(request_of("bare"))), SilentWatch())
    assert outcome.best == outcome.epochs == 3
    assert [one.images for one in (*outcome.validation, *outcome.test)] == [0] * 6
    assert "nan" not in (outcome.folder / "README.md").read_text()


def test_the_card(request_of):
    outcome = train(request_of("card"), SilentWatch())
    text = (outcome.folder / "README.md").read_text()
    accuracy = outcome.test[0].figures["accuracy"]
    for part in (
        "Tells colour, year, paints of artworks.",
        "| colour | label | 3 classes | 11 | 6 | 5 |",
        "| made | 12 | 6 | 6 | none stated | not stated |",
        f"| accuracy | {outcome.validation[0].figures['accuracy']:.3f} | {accuracy:.3f} |",
        "- one note",
        "- year: it has learnt from 1500 to 1700",
        "- colour: 1 training images without an answer taught it nothing.",
        "![Losses",
    ):
        assert part in text


def test_a_network_for_each_class(request_of):
    """The most confident of them answers; every class has a folder of its own."""
    request = request_of("versus", tasks=("colour",), estimator="one_versus_rest", epochs=2, augmentations=())
    outcome = train(request, SilentWatch())
    assert outcome.test[0].images == 5
    assert (request.folder / "committee.yaml").is_file()
    folders = sorted(path.name for path in request.folder.iterdir() if (path / "model.safetensors").is_file())
    assert folders == ["blue", "green", "red"]
    text = (request.folder / "README.md").read_text()
    for part in (
        "# versus\n\nTells colour of artworks.",
        "**Networks**: 3, one for each class, `hybrid`",
        f"| accuracy | {outcome.validation[0].figures['accuracy']:.3f} | {outcome.test[0].figures['accuracy']:.3f} |",
        "| red | ",
        f"--model {request.folder}",
        "- Data, made: none stated.",
    ):
        assert part in text
    assert train(request, SilentWatch()) == outcome


def test_networks_for_each_class_that_were_stopped_are_no_place_for_another_training(request_of):
    request = request_of("versus", tasks=("colour",), estimator="one_versus_rest", augmentations=())
    folder = ClassifierFolder(request.folder)
    assert not folder.has_begun
    with pytest.raises(Killed):
        train(request, Stopping(kill))
    assert folder.has_begun
    written = folder.info_file.read_bytes()
    with pytest.raises(RunError, match="another recipe: epochs 3 instead of 4"):
        train(replace(request, recipe=request.recipe.model_copy(update={"epochs": 4})), SilentWatch())
    assert folder.info_file.read_bytes() == written
