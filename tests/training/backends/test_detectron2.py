"""Trainings of a very small Faster R-CNN of Detectron2 on the example paintings."""

import copy
import math

import pytest
import torch
import yaml
from safetensors.torch import load_file

from artdet.detectors import detectron2 as prediction
from artdet.detectors.base import LoadContext
from artdet.detectors.detectron2_trained import ARCHITECTURES
from artdet.devices import is_installed
from artdet.errors import ModelError, TrainingError, TrainingStopped
from artdet.modelfiles import ModelFiles, read_card
from artdet.taxonomy import Taxonomy
from artdet.training.backends import detectron2 as backend
from artdet.training.backends.checkpoints import load_checkpoint
from artdet.training.course import Course, SilentWatch
from artdet.training.folder import TrainingFolder

pytestmark = pytest.mark.skipif(not is_installed("detectron2"), reason="Detectron2 is not installed")

QUICK = {"backend": "detectron2", "epochs": 2, "batch": 2, "validate_every": 2, "precision": "float32"}
CLASSES = ("persons", "angel", "ship")
SOURCES = [{"source": "examples", "art": True, "split": {"validation": 0.2}}]
LEVELS = ["res2", "res3", "res4", "res5"]
SMALL = {
    "MODEL": {
        "META_ARCHITECTURE": "GeneralizedRCNN",
        "BACKBONE": {"NAME": "build_resnet_fpn_backbone"},
        "RESNETS": {
            "DEPTH": 50,
            "STEM_OUT_CHANNELS": 8,
            "RES2_OUT_CHANNELS": 16,
            "WIDTH_PER_GROUP": 8,
            "OUT_FEATURES": LEVELS,
        },
        "FPN": {"IN_FEATURES": LEVELS, "OUT_CHANNELS": 16},
        "ANCHOR_GENERATOR": {"SIZES": [[16], [32], [48], [64], [96]], "ASPECT_RATIOS": [[0.5, 1.0, 2.0]]},
        "RPN": {
            "IN_FEATURES": ["p2", "p3", "p4", "p5", "p6"],
            "PRE_NMS_TOPK_TRAIN": 50,
            "POST_NMS_TOPK_TRAIN": 50,
            "PRE_NMS_TOPK_TEST": 50,
            "POST_NMS_TOPK_TEST": 30,
            "BATCH_SIZE_PER_IMAGE": 64,
        },
        "ROI_HEADS": {
            "NAME": "StandardROIHeads",
            "IN_FEATURES": ["p2", "p3", "p4", "p5"],
            "BATCH_SIZE_PER_IMAGE": 32,
        },
        "ROI_BOX_HEAD": {"NAME": "FastRCNNConvFCHead", "NUM_FC": 2, "POOLER_RESOLUTION": 7, "FC_DIM": 64},
    },
    "VERSION": 2,
}
"""A ResNet-50 with an eighth of its channels."""


@pytest.fixture(scope="module", autouse=True)
def small_network(tmp_path_factory):
    """R50-FPN means that network in this module, for training and prediction."""
    path = tmp_path_factory.mktemp("config") / "small.yaml"
    path.write_text(yaml.safe_dump(SMALL), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ARCHITECTURES, "R50-FPN", str(path))
        yield


@pytest.fixture(scope="module")
def make_task(task_of_category):
    """A task on a few of the example paintings; options are those of training."""

    def make(*, start=None, images=6, side=64, sources=SOURCES, classes=CLASSES, **training):
        content = {"classes": list(classes), "sources": sources, "image_size": side, "training": training}
        return task_of_category(content, images=images, start=start, threads=1)

    return make


def trained(task, path, watch=None):
    """The course of a training in a folder."""
    path.mkdir(exist_ok=True)
    course = Course(task, TrainingFolder(path), watch or SilentWatch())
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
    assert set(first.losses) == {"loss", "cls", "box_reg", "rpn_cls", "rpn_loc"}
    assert first.losses["loss"] == pytest.approx(sum(first.losses.values()) - first.losses["loss"])
    assert first.images == 6
    card = read_card(ModelFiles(whole.folder.model, whole.folder.card), backend="detectron2")
    assert (card.architecture, card.classes, card.min_size, card.max_size) == ("R50-FPN", CLASSES, 64, 64)
    settings = prediction.Settings(name="trained", weights=str(whole.folder.path))
    context = LoadContext(taxonomy, device="cpu", threads=1)
    assert prediction.requirements(settings, context) == []
    assert "config_sha256" in prediction.fingerprint(settings, context)
    detector = prediction.load(settings, context)
    assert detector.labels == taxonomy.ids_of(CLASSES)
    (found,) = detector.detect([paintings["renoir_moulin_de_la_galette.jpg"]])
    assert found.image_size == paintings["renoir_moulin_de_la_galette.jpg"].shape[:2]


def test_the_model_is_the_mean_of_the_weights_and_nothing_else_is_left(whole):
    kept = load_checkpoint(whole.folder.checkpoint)["ema"]
    saved = load_file(whole.folder.model)
    assert {name for name in kept if not name.endswith("num_batches_tracked")} == set(saved)
    for name, tensor in saved.items():
        torch.testing.assert_close(tensor.float(), kept[name].float(), atol=1e-3, rtol=1e-3)
    assert sorted(path.name for path in whole.folder.path.iterdir()) == [
        "last.pt",
        "metrics.jsonl",
        "model.safetensors",
        "model.yaml",
    ]


def test_the_loaded_model_finds_what_validation_saw(whole, taxonomy, make_task):
    task = make_task(**QUICK)
    settings = prediction.Settings(name="trained", weights=str(whole.folder.path))
    detector = prediction.load(settings, LoadContext(taxonomy, device="cpu", threads=1))
    figures = Course(task, whole.folder, SilentWatch()).figures(detector)
    assert figures.images == whole.epochs[1].figures.images
    # Weights are halved in precision when they are saved.
    assert figures.fitness == pytest.approx(whole.epochs[1].figures.fitness, abs=0.01)


def test_detectron2_writes_nothing(make_task, tmp_path, capfd):
    trained(make_task(**{**QUICK, "epochs": 1, "validate_every": 9}, images=2), tmp_path / "run")
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


@pytest.mark.parametrize("step", [2, 3, 4], ids=["in an epoch", "at its end", "in the second"])
def test_ctrl_c_saves_and_the_training_goes_on_as_if_nothing_had_been(step, whole, make_task, tmp_path, interrupt_at):
    with pytest.raises(TrainingStopped):
        trained(make_task(**QUICK), tmp_path / "run", watch := interrupt_at(step))
    assert len(watch.shown) == step
    state = load_checkpoint(tmp_path / "run" / "last.pt")
    assert (state["epoch"], state["step"]) == divmod(step, 3)
    again = trained(make_task(**QUICK), tmp_path / "run", rest := interrupt_at())
    assert len(rest.shown) == 6 - step
    for ours, theirs in zip(again.epochs, whole.epochs, strict=True):
        assert ours.losses == theirs.losses
        assert ours.learning_rate == theirs.learning_rate
        assert ours.figures == theirs.figures
    left, right = (load_checkpoint(course.folder.checkpoint) for course in (again, whole))
    for part in ("model", "ema"):
        assert all(torch.equal(left[part][name], tensor) for name, tensor in right[part].items())
    assert again.folder.model.read_bytes() == whole.folder.model.read_bytes()


def test_a_loss_that_is_no_number_ends_it(make_task, tmp_path):
    with pytest.raises(TrainingError, match="not a number any more"):
        trained(make_task(**QUICK, learning_rate=1e30, warmup_epochs=0), tmp_path / "run")
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_too_little_memory_says_which_batch_fits(make_task, tmp_path, monkeypatch):
    from artdet.training.backends.detectron2_network import TrainedNetwork

    plain = TrainedNetwork.forward

    def forward(self, batched_inputs):
        if len(batched_inputs) > 1:
            raise torch.OutOfMemoryError("no more")
        return plain(self, batched_inputs)

    monkeypatch.setattr(TrainedNetwork, "forward", forward)
    with pytest.raises(TrainingError, match=r"batch of 4. Use --set training.batch=1\."):
        trained(make_task(**{**QUICK, "batch": 4}), tmp_path / "run")


def test_patience_and_no_mean_of_weights(make_task, tmp_path):
    settings = {**QUICK, "epochs": 9, "patience": 1, "validate_every": 1, "ema": False}
    course = trained(make_task(**settings, images=2), tmp_path / "run")
    assert course.best is not None
    assert len(course.epochs) == course.best.number + 1 < 9
    assert load_checkpoint(course.folder.checkpoint)["ema"] == {}


def test_a_start_gives_its_weights_and_the_outputs_of_its_classes(whole, make_task, tmp_path):
    from artdet.training.backends.detectron2_network import fits, fitting_tensors

    files = ModelFiles(whole.folder.model, whole.folder.card)
    course = trained(make_task(start=files, **{**QUICK, "epochs": 1}, images=2), tmp_path / "run")
    state = load_checkpoint(course.folder.checkpoint)
    assert not [name for name in state["model"] if name.endswith("num_batches_tracked")]
    start = load_file(files.model)
    stem = "backbone.bottom_up.stem.conv1.weight"
    assert torch.equal(state["model"][stem], start[stem].float())

    outputs = "roi_heads.box_predictor."
    own = {name: torch.full_like(tensor, 9.0) for name, tensor in start.items() if not name.startswith(outputs)}
    for name, rows in (("cls_score", 3), ("bbox_pred", 8)):
        for part, shape in (("weight", (rows, 64)), ("bias", (rows,))):
            own[f"{outputs}{name}.{part}"] = torch.full(shape, 9.0)
    fitting = fitting_tensors(start, own, CLASSES, ("ship", "dog"))
    assert fits(fitting, own)
    scores, boxes = (fitting[f"{outputs}{name}.weight"] for name in ("cls_score", "bbox_pred"))
    there = start[f"{outputs}cls_score.weight"].float()
    assert torch.equal(scores, torch.stack([there[2], torch.full((64,), 9.0), there[3]]))
    assert torch.equal(boxes[:4], start[f"{outputs}bbox_pred.weight"].float()[8:])
    assert (boxes[4:] == 9).all()
    assert not fits(fitting_tensors({"a": there}, own, None, ("ship", "dog")), own)


def test_a_pickle_is_no_start(make_task, tmp_path):
    (tmp_path / "a.pkl").write_bytes(b"x")
    with pytest.raises(ModelError, match="is a pickle"):
        trained(make_task(start=ModelFiles(tmp_path / "a.pkl", None), **QUICK), tmp_path / "run")


# What nobody looked for.


def test_unknown_outputs():
    """The rule, case by case: 0 animals (a category), 1 cow and 2 dog below it, 3 ship; 4 is the background."""
    from artdet.training.backends.detectron2_network import unknown_outputs
    from artdet.training.examples import DetectorClasses

    below = torch.from_numpy(DetectorClasses.of(("animals", "cow", "dog", "ship"), Taxonomy.load()).below)
    classes = torch.tensor([4, 0, 1, 3])
    labelled = torch.tensor([[True, False, True, False]]).expand(4, 4)
    covered = torch.tensor([[True, True, True, False]]).expand(4, 4)
    assert unknown_outputs(classes, labelled, covered, below).int().tolist() == [
        [0, 0, 0, 1, 0],  # background: only the ship, which nobody looked for, may be there
        [0, 1, 0, 0, 0],  # an animal may be a cow; dogs are named as such
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],
    ]
    assert unknown_outputs(classes[:0], labelled[:0], covered[:0], below).shape == (0, 5)


def test_unknown_outputs_get_no_gradient():
    from detectron2.layers import ShapeSpec
    from detectron2.modeling.box_regression import Box2BoxTransform
    from detectron2.structures import Boxes, Instances
    from detectron2.utils.events import EventStorage

    from artdet.training.backends.detectron2_network import LookedForLayers

    layers = LookedForLayers(ShapeSpec(channels=3), box2box_transform=Box2BoxTransform((1, 1, 1, 1)), num_classes=2)
    layers.below = torch.zeros(2, 2, dtype=torch.bool)
    layers.labelled = layers.covered = torch.tensor([[True, True], [True, False]])
    layers.boxed = torch.tensor([[True, True], [True, False]])
    proposals = []
    for count in (1, 2):
        each = Instances((40, 50))
        each.proposal_boxes = Boxes(torch.tensor([[1.0, 2, 30, 20]] * count))
        each.gt_classes = torch.full((count,), 2)
        proposals.append(each)
    scores = torch.tensor([[0.3, 1.2, -0.4]] * 3, requires_grad=True)
    with EventStorage():
        losses = layers.losses((scores, torch.zeros(3, 8)), proposals)
    full = -math.log(math.exp(-0.4) / (math.exp(0.3) + math.exp(1.2) + math.exp(-0.4)))
    part = -math.log(math.exp(-0.4) / (math.exp(0.3) + math.exp(-0.4)))
    assert losses["loss_cls"].item() == pytest.approx((full + 2 * part) / 3, rel=1e-5)
    losses["loss_cls"].backward()
    assert (scores.grad != 0).int().tolist() == [[1, 1, 1], [1, 0, 1], [1, 0, 1]]
    # With boxes of the second class in the second image it counts there, a quarter.
    layers.boxed = torch.tensor([[True, True], [False, True]])
    with EventStorage():
        losses = layers.losses((scores, torch.zeros(3, 8)), proposals)
    little = -math.log(math.exp(-0.4) / (math.exp(0.3) + 0.25 * math.exp(1.2) + math.exp(-0.4)))
    assert losses["loss_cls"].item() == pytest.approx((full + 2 * little) / 3, rel=1e-5)


@pytest.mark.slow
def test_thirty_images_are_learnt_by_heart(make_task, shared_data, tmp_path, monkeypatch, interrupt_at):
    """From random weights, which takes a network with more channels than the other tests need, and 400 steps."""
    wider = copy.deepcopy(SMALL)
    wider["MODEL"]["RESNETS"] |= {"STEM_OUT_CHANNELS": 16, "RES2_OUT_CHANNELS": 64, "WIDTH_PER_GROUP": 16}
    wider["MODEL"]["FPN"]["OUT_CHANNELS"] = 64
    wider["MODEL"]["ROI_HEADS"]["BATCH_SIZE_PER_IMAGE"] = 64
    wider["MODEL"]["ROI_BOX_HEAD"]["FC_DIM"] = 256
    (tmp_path / "wider.yaml").write_text(yaml.safe_dump(wider), encoding="utf-8")
    monkeypatch.setitem(ARCHITECTURES, "R50-FPN", str(tmp_path / "wider.yaml"))
    sources = [
        {"source": "people_art_train", "art": True},
        {"source": "examples", "art": True, "split": "validation"},
    ]
    settings = {**QUICK, "epochs": 40, "validate_every": 40, "batch": 3, "learning_rate": 0.02, "scale": 0.0}
    task = make_task(images=30, side=128, sources=sources, classes=["persons"], **settings)
    assert len(task.examples) == 30
    course = trained(task, tmp_path / "run", watch := interrupt_at())
    assert course.epochs[-1].losses["loss"] < 0.5 * watch.losses[0]
