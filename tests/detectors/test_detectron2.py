from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file

from artdet.config import validated
from artdet.detectors import detectron2 as backend
from artdet.detectors.base import LoadContext
from artdet.detectors.slivers import thickened
from artdet.errors import ConfigError, MissingBackend, ModelError
from artdet.labelmaps import IGNORED_ID
from artdet.modelfiles import is_pickle

ABSENT = backend.requirements(backend.Settings(name="a", config=__file__, weights=__file__), LoadContext(None))
needs_detectron2 = pytest.mark.skipif(bool(ABSENT), reason="Detectron2 is not installed")
CLASSES = ["horse", "cat", "ship"]
NETWORKS = {
    "R50": {"DEPTH": 50},
    "R101": {"DEPTH": 101},
    "X101-32x8d": {"DEPTH": 101, "NUM_GROUPS": 32, "WIDTH_PER_GROUP": 8, "STRIDE_IN_1X1": False},
}


def settings(config, weights, **changes):
    own = {"name": "rcnn", "config": str(config), "weights": str(weights), "classes": CLASSES, **changes}
    return validated(backend.Settings, own, where="x")


def instances(boxes, scores, classes):
    """What Detectron2 gives for one image, as far as the adapter reads it."""
    return SimpleNamespace(
        pred_boxes=SimpleNamespace(tensor=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)),
        scores=torch.tensor(scores, dtype=torch.float32),
        pred_classes=torch.tensor(classes, dtype=torch.int64),
    )


def pictures(*sizes):
    rng = np.random.default_rng(5)
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]


@pytest.fixture(scope="module")
def context(taxonomy):
    return LoadContext(taxonomy, device="cpu", threads=2, trust_weights=True)


# The conversions, which need no Detectron2.


@pytest.mark.parametrize(
    ("found", "boxes", "labels"),
    [
        (([], [], []), [], []),
        (([[1, 2, 30, 20]], [0.9], [1]), [[1, 2, 30, 20]], [7]),
        (([[1, 2, 30, 20]], [0.9], [0]), [], []),
        (([[1, 2, 30, 20]], [0.29], [1]), [], []),
        (([[-5, 2, 90, 60]], [0.9], [1]), [[0, 2, 80, 50]], [7]),
        (([[1, 2, 3, 4], [5, 6, 7, 8]], [0.4, 0.6], [2, 1]), [[5, 6, 7, 8], [1, 2, 3, 4]], [7, 3]),
    ],
    ids=["none", "one", "ignored class", "low score", "over the border", "best first"],
)
def test_instances_become_detections(found, boxes, labels):
    ids = np.array([IGNORED_ID, 7, 3])
    result = backend.from_instances(instances(*found), class_ids=ids, image_size=(50, 80), min_score=0.3)
    assert result.boxes.tolist() == boxes
    assert result.labels.tolist() == labels
    assert result.image_size == (50, 80)


def test_colour_order():
    image = np.zeros((2, 3, 3), dtype=np.uint8)
    image[..., 0] = 200
    image.flags.writeable = False
    assert backend.in_order(image, "RGB")[0, 0].tolist() == [200, 0, 0]
    bgr = backend.in_order(image, "BGR")
    assert bgr[0, 0].tolist() == [0, 0, 200]
    assert bgr.flags.c_contiguous
    assert image[0, 0].tolist() == [200, 0, 0]
    with pytest.raises(ConfigError, match="INPUT.FORMAT is 'YUV-BT.601'"):
        backend.in_order(image, "YUV-BT.601")


@pytest.mark.parametrize(
    ("size", "expected"),
    [((3, 5), (3, 5)), ((20, 100), (20, 100)), ((1, 1000), (11, 1000)), ((1000, 10), (1000, 11)), ((1, 1), (1, 1))],
    ids=str,
)
def test_slivers_keep_a_pixel_after_scaling(size, expected):
    image = np.full((*size, 3), 9, dtype=np.uint8)
    thick = thickened(image, 100)
    assert thick.shape == (*expected, 3)
    assert (thick[: size[0], : size[1]] == 9).all()
    assert int(thick.sum()) == 9 * image.size


# Configs, which are files that could do harm.


def test_a_config_with_all_its_bases(tmp_path):
    (tmp_path / "bases").mkdir()
    (tmp_path / "bases" / "root.yaml").write_text("VERSION: 2\n")
    (tmp_path / "bases" / "middle.yaml").write_text("_BASE_: root.yaml\n")
    (tmp_path / "more.yaml").write_text("VERSION: 2\n")
    (tmp_path / "top.yaml").write_text("_BASE_: [bases/middle.yaml, more.yaml]\nMODEL: {}\n")
    names = [path.name for path in backend.config_files(tmp_path / "top.yaml")]
    assert names == ["top.yaml", "middle.yaml", "root.yaml", "more.yaml"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no keys"),
        ("_BASE_: gone.yaml", r"gone\.yaml cannot be read"),
        ("_BASE_: https://example.org/base.yaml", "is on the web"),
        ("_BASE_: detectron2://base.yaml", "is on the web"),
        ("A: !!python/object/apply:os.system ['touch HARM']", "is not valid YAML in line 1"),
    ],
    ids=["empty", "lost base", "http", "detectron2", "code"],
)
def test_configs_that_are_refused(content, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "top.yaml").write_text(content)
    with pytest.raises(ConfigError, match=message):
        list(backend.config_files(tmp_path / "top.yaml"))
    assert not (tmp_path / "HARM").exists()


def test_a_config_is_found_beside_the_ensemble(tmp_path, monkeypatch):
    (tmp_path / "mine.yaml").write_text("VERSION: 2\n")
    assert backend.find_config("mine.yaml", tmp_path) == tmp_path / "mine.yaml"
    assert backend.find_config("other.yaml", tmp_path) is None
    monkeypatch.chdir(tmp_path)
    assert backend.find_config("mine.yaml", Path("elsewhere")) == Path("mine.yaml")


# What is missing.


def test_without_detectron2_one_sentence_with_its_install_line(monkeypatch, tmp_path, context):
    monkeypatch.setattr(backend, "is_installed", lambda package: False)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"")
    own = settings("COCO-Detection/faster_rcnn_R_50_FPN_3x.yaml", weights)
    install = "pip install --no-build-isolation 'git+https://github.com/facebookresearch/detectron2.git'"
    assert backend.requirements(own, context) == [f"rcnn: Detectron2 is not installed; get it with: {install}"]
    with pytest.raises(MissingBackend) as told:
        backend.load(own, context)
    assert install in str(told.value)


def test_every_missing_thing_is_told(monkeypatch, context):
    monkeypatch.setattr(backend, "is_installed", lambda package: True)
    config, weights = backend.requirements(settings("lost.yaml", "lost.pth", get="artdet train all"), context)
    assert "'lost.yaml' is neither a file nor in Detectron2's model zoo" in config
    assert "'lost.pth'" in weights
    assert "artdet train all" in weights


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("model.pth", "is a pickle, .* --trust-weights"),
        ("model.pkl", "is a pickle, .* --trust-weights"),
        ("model.bin", "is no checkpoint"),
        ("model.txt", "is no checkpoint"),
    ],
)
def test_checkpoints_that_are_refused_before_they_are_read(name, message, monkeypatch, tmp_path, taxonomy):
    monkeypatch.setattr(backend, "is_installed", lambda package: True)
    (tmp_path / "c.yaml").write_text("VERSION: 2\n")
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ModelError, match=message):
        backend.load(settings(tmp_path / "c.yaml", tmp_path / name), LoadContext(taxonomy))


def test_every_checkpoint_that_can_run_code_counts_as_a_pickle():
    assert {suffix for suffix in backend.CHECKPOINTS if not is_pickle(Path(f"a{suffix}"))} == {".safetensors"}


# With Detectron2.


def write_config(folder, network="R50", order="BGR"):
    """A small Faster R-CNN with FPN, built up from a base like those of the model zoo."""
    base = {
        "MODEL": {
            "META_ARCHITECTURE": "GeneralizedRCNN",
            "BACKBONE": {"NAME": "build_resnet_fpn_backbone"},
            "RESNETS": {"OUT_FEATURES": ["res2", "res3", "res4", "res5"]},
            "FPN": {"IN_FEATURES": ["res2", "res3", "res4", "res5"]},
            "ANCHOR_GENERATOR": {"SIZES": [[32], [64], [128], [256], [512]], "ASPECT_RATIOS": [[0.5, 1.0, 2.0]]},
            "RPN": {"IN_FEATURES": ["p2", "p3", "p4", "p5", "p6"], "POST_NMS_TOPK_TEST": 40},
            "ROI_HEADS": {"NAME": "StandardROIHeads", "IN_FEATURES": ["p2", "p3", "p4", "p5"], "NUM_CLASSES": 3},
            "ROI_BOX_HEAD": {"NAME": "FastRCNNConvFCHead", "NUM_FC": 2, "POOLER_RESOLUTION": 7},
        },
        "VERSION": 2,
    }
    (folder / "base.yaml").write_text(yaml.safe_dump(base))
    own = {
        "_BASE_": "base.yaml",
        "MODEL": {"RESNETS": NETWORKS[network], "ROI_HEADS": {"SCORE_THRESH_TEST": 0.0}},
        "INPUT": {"FORMAT": order, "MIN_SIZE_TEST": 64, "MAX_SIZE_TEST": 100},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(own))
    return folder / "config.yaml"


def make_network(config):
    from detectron2.config import get_cfg
    from detectron2.modeling import build_model

    cfg = get_cfg()
    cfg.merge_from_file(str(config))
    cfg.MODEL.DEVICE = "cpu"
    torch.manual_seed(2)
    network = build_model(cfg)
    for name, tensor in network.state_dict().items():
        # Untrained frozen normalisation does not normalise: without this, features grow until boxes are empty.
        if name.endswith(("conv3.norm.weight", "stem.conv1.norm.weight")):
            tensor.fill_(0.1)
        elif name.endswith("cls_score.weight"):
            tensor.normal_(std=0.1)
    return cfg, network


def save(network, path):
    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    if path.suffix == ".safetensors":
        save_file(tensors, path)
    else:
        torch.save({"model": tensors, "iteration": 7}, path)
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Config and network with random weights."""
    folder = tmp_path_factory.mktemp("d2")
    config = write_config(folder)
    return config, make_network(config)[1]


@needs_detectron2
@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "order", "suffix"),
    [("R50", "BGR", ".pth"), ("R50", "RGB", ".safetensors"), ("R101", "BGR", ".pth"), ("X101-32x8d", "BGR", ".pth")],
)
def test_boxes_are_those_of_detectron2s_own_predictor(network, order, suffix, tmp_path, context, taxonomy):
    from detectron2.engine import DefaultPredictor

    config = write_config(tmp_path, network, order)
    cfg, built = make_network(config)
    checkpoint = save(built, tmp_path / f"model{suffix}")
    cfg.MODEL.WEIGHTS = str(save(built, tmp_path / "reference.pth"))
    own = backend.load(settings(config, checkpoint), context)
    predictor = DefaultPredictor(cfg)
    images = pictures((90, 61), (40, 133))
    for image, ours in zip(images, own.detect(images), strict=True):
        theirs = predictor(image[:, :, ::-1])["instances"]
        order_of_scores = np.argsort(-theirs.scores.numpy(), kind="stable")
        assert len(ours) == len(theirs) > 20
        assert (ours.scores == theirs.scores.numpy()[order_of_scores]).all()
        assert (ours.boxes == theirs.pred_boxes.tensor.numpy()[order_of_scores]).all()
        names = [CLASSES[label] for label in theirs.pred_classes.numpy()[order_of_scores]]
        assert [taxonomy.names[label] for label in ours.labels] == names


@needs_detectron2
def test_no_images_and_slivers(small, tmp_path, context, taxonomy):
    config, network = small
    detector = backend.load(settings(config, save(network, tmp_path / "m.safetensors")), context)
    assert detector.detect([]) == []
    assert [found.image_size for found in detector.detect(pictures((1, 4000), (4000, 1)))] == [(1, 4000), (4000, 1)]
    assert detector.labels == taxonomy.ids_of(CLASSES)


@needs_detectron2
@pytest.mark.parametrize(("ratio", "sizes"), [(0.5, (32, 50)), (1.25, (80, 125)), (1.0, (64, 100))], ids=str)
def test_a_scale_is_another_size_of_the_same_network(small, tmp_path, context, ratio, sizes):
    config, network = small
    checkpoint = save(network, tmp_path / "m.safetensors")
    images = pictures((90, 61), (40, 133))
    options = {"INPUT.MIN_SIZE_TEST": sizes[0], "INPUT.MAX_SIZE_TEST": sizes[1]}
    alone = backend.load(settings(config, checkpoint, options=options), context).detect(images)
    usual = backend.load(settings(config, checkpoint), context)
    before = usual.detect(images)
    scaled = usual.at_scale(ratio).detect(images)
    for ours, expected in ((scaled, alone), (usual.detect(images), before)):
        assert [part.boxes.tolist() for part in ours] == [part.boxes.tolist() for part in expected]
        assert sum(map(len, ours)) > 20
    assert usual.at_scale(ratio).max_detections == 100


@needs_detectron2
def test_a_scale_where_pictures_are_taken_as_they_are(small, tmp_path, context):
    config, network = small
    own = settings(config, save(network, tmp_path / "m.safetensors"), options={"INPUT.MIN_SIZE_TEST": 0})
    detector = backend.load(own, context)
    image = pictures((90, 61))[0]
    assert detector._input(image)["image"].shape == (3, 90, 61)
    assert detector.at_scale(0.5)._input(image)["image"].shape == (3, 45, 30)
    assert detector.at_scale(0.5).detect([image])[0].image_size == (90, 61)


@needs_detectron2
def test_options_change_the_config_and_wrong_ones_are_refused(small, tmp_path, context):
    config, network = small
    checkpoint = save(network, tmp_path / "m.safetensors")
    few = settings(config, checkpoint, options={"TEST.DETECTIONS_PER_IMAGE": 3})
    assert len(backend.load(few, context).detect(pictures((50, 70)))[0]) == 3
    with pytest.raises(ConfigError, match=r"Non-existent key: TEST\.DETECTIONS"):
        backend.load(settings(config, checkpoint, options={"TEST.DETECTIONS": 3}), context)
    with pytest.raises(ConfigError, match="of kind RetinaNet"):
        backend.load(settings(config, checkpoint, options={"MODEL.META_ARCHITECTURE": "RetinaNet"}), context)


@needs_detectron2
def test_a_checkpoint_that_does_not_fit_is_refused(small, tmp_path, context):
    config, network = small
    tensors = dict(network.state_dict())
    tensors["extra"] = tensors.pop("roi_heads.box_predictor.cls_score.bias")
    save_file(tensors, tmp_path / "m.safetensors")
    with pytest.raises(ModelError, match=r"does not fit its config: extra is unknown; .*cls_score.bias is missing"):
        backend.load(settings(config, tmp_path / "m.safetensors"), context)
    with pytest.raises(ModelError, match="NUM_CLASSES 3, but the number of class names is 1"):
        backend.load(settings(config, tmp_path / "m.safetensors", classes=["cat"]), context)
    for name in ("bad.pth", "bad.pkl"):
        (tmp_path / name).write_bytes(b"damaged")
        with pytest.raises(ModelError, match="cannot be read"):
            backend.load(settings(config, tmp_path / name), context)


@needs_detectron2
def test_class_names_come_from_settings_card_or_catalog(small, tmp_path, context, taxonomy):
    config, network = small
    checkpoint = save(network, tmp_path / "m.safetensors")
    with pytest.raises(ModelError, match="the classes of config.yaml are unknown"):
        backend.load(settings(config, checkpoint, classes=None), context)
    card = {"backend": "detectron2", "architecture": "R50", "classes": ["dog", "cow", "duck"]}
    checkpoint.with_suffix(".yaml").write_text(yaml.safe_dump(card))
    own = settings(config, checkpoint, classes=None)
    assert backend.load(own, context).labels == taxonomy.ids_of(["dog", "cow", "duck"])
    assert backend.load(settings(config, checkpoint), context).labels == taxonomy.ids_of(CLASSES)
    assert backend.fingerprint(own, context).keys() == {
        "weights_sha256",
        "card_sha256",
        "config_sha256",
        "detectron2",
    }
    coco = {"DATASETS.TEST": ["coco_2017_val"], "MODEL.ROI_HEADS.NUM_CLASSES": 80}
    from artdet.detectors import detectron2_model as model

    names = model.catalog_classes(model.read_config(config, coco), config)
    assert names[:2] == ("person", "bicycle")
    assert len(names) == 80


@needs_detectron2
def test_names_of_the_model_zoo_lead_to_files():
    found = backend.find_config("COCO-Detection/faster_rcnn_R_50_FPN_3x.yaml", Path())
    assert found is not None
    assert [path.name for path in backend.config_files(found)] == [found.name, "Base-RCNN-FPN.yaml"]


@needs_detectron2
def test_the_fingerprint_follows_a_base(small, tmp_path, context):
    checkpoint = save(small[1], tmp_path / "m.safetensors")
    config = write_config(tmp_path)
    first = backend.fingerprint(settings(config, checkpoint), context)
    with (tmp_path / "base.yaml").open("a") as stream:
        stream.write("SEED: 3\n")
    second = backend.fingerprint(settings(config, checkpoint), context)
    assert {key for key in first if first[key] != second[key]} == {"config_sha256"}
