import subprocess
import sys
from urllib.error import URLError

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file
from torchvision.models.detection import FasterRCNN_ResNet50_FPN_Weights, fasterrcnn_resnet50_fpn

from artdet.config import validated
from artdet.detectors import torchvision as backend
from artdet.detectors import torchvision_model as model
from artdet.detectors.base import LoadContext
from artdet.errors import ConfigError, LabelError, ModelError
from artdet.labelmaps import IGNORED_ID

CLASSES = ["horse", "cat", "ship"]
IDS = np.array([IGNORED_ID, 8, 9, 10])
SIZES = {"min_size": 64, "max_size": 100}
COCO_V1 = FasterRCNN_ResNet50_FPN_Weights.COCO_V1


def settings(weights, **changes):
    return backend.Settings(**{"name": "rcnn", "weights": str(weights), "score_threshold": 0.0, **SIZES, **changes})


def write(folder, tensors, **changes):
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "model.safetensors")
    card = {"backend": "torchvision", "architecture": "fasterrcnn_resnet50_fpn", "classes": CLASSES, **changes}
    (folder / "model.yaml").write_text(yaml.safe_dump(card), encoding="utf-8")
    return folder


def torchvisions_own(outputs, **changes):
    """torchvision's network with random weights and statistics, as an independent witness."""
    torch.manual_seed(3)
    network = fasterrcnn_resnet50_fpn(weights_backbone=None, num_classes=outputs, **SIZES, **changes).eval()
    torch.nn.init.normal_(network.roi_heads.box_predictor.cls_score.weight, std=0.03)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_var, 0.9, 1.1)
            torch.nn.init.normal_(module.running_mean, std=0.01)
    return network


def pictures(*sizes):
    rng = np.random.default_rng(5)
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]


@pytest.fixture(scope="module")
def context(taxonomy):
    return LoadContext(taxonomy, device="cpu", threads=2)


@pytest.fixture(scope="module")
def reference():
    return torchvisions_own(4, box_score_thresh=0.0)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, reference):
    return write(tmp_path_factory.mktemp("models") / "animals", reference.state_dict())


@pytest.fixture(scope="module")
def detector(trained, context):
    return backend.load(settings(trained), context)


def test_no_images_give_no_detections(detector):
    assert detector.detect([]) == []


def test_boxes_are_those_of_torchvisions_own_network(detector, reference, taxonomy):
    images = pictures((90, 61), (40, 133))
    found = detector.detect(images)
    for image, ours in zip(images, found, strict=True):
        with torch.inference_mode():
            theirs = reference([torch.from_numpy(image).permute(2, 0, 1) / 255])[0]
        order = np.argsort(-theirs["scores"].numpy(), kind="stable")
        assert len(ours) == len(order) > 20
        np.testing.assert_allclose(ours.scores, theirs["scores"].numpy()[order], atol=1e-5)
        np.testing.assert_allclose(ours.boxes, theirs["boxes"].numpy()[order], atol=0.01)
        names = [CLASSES[label - 1] for label in theirs["labels"].numpy()[order]]
        assert [taxonomy.names[label] for label in ours.labels] == names
        assert ours.image_size == image.shape[:2]
    assert found[0].boxes[:, 2].max() <= 61
    assert found[0].boxes[:, 3].max() > 61
    assert found[1].boxes[:, 3].max() <= 40


@pytest.mark.parametrize(("ratio", "sizes"), [(0.5, (32, 50)), (1.25, (80, 125)), (1.0, (64, 100))], ids=str)
def test_a_scale_is_another_size_of_the_same_network(trained, detector, context, ratio, sizes):
    images = pictures((90, 61), (40, 133))
    before, scaled = detector.detect(images), detector.at_scale(ratio).detect(images)
    own = settings(trained, min_size=sizes[0], max_size=sizes[1])
    alone = backend.load(own, context).detect(images)
    again = detector.detect(images)
    for ours, expected in ((scaled, alone), (again, before)):
        assert [part.boxes.tolist() for part in ours] == [part.boxes.tolist() for part in expected]
        assert sum(map(len, ours)) > 20
    assert (detector._network.transform.min_size, detector._network.transform.max_size) == ((64,), 100)
    assert detector.at_scale(ratio).max_detections == detector.max_detections == 100


def test_labels_are_the_classes_that_it_can_give(detector, taxonomy):
    assert detector.labels == taxonomy.ids_of(CLASSES)


def test_min_score_decides_after_suppression(trained, detector, context):
    image = pictures((90, 61))
    everything = detector.detect(image)[0]
    limit = float(np.median(everything.scores))
    found = backend.load(settings(trained, min_score=limit), context).detect(image)[0]
    assert 0 < len(found) == int((everything.scores >= limit).sum()) < len(everything)


def test_images_of_one_size_may_share_a_batch(trained, detector, context):
    images = pictures((70, 50), (70, 50), (70, 50))
    for ours, alone in zip(
        backend.load(settings(trained, batch=2), context).detect(images), detector.detect(images), strict=True
    ):
        assert len(ours) == len(alone)
        np.testing.assert_allclose(ours.scores, alone.scores, atol=1e-4)
        np.testing.assert_allclose(ours.boxes, alone.boxes, atol=0.1)


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4000, 1), (2, 250)], ids=str)
def test_slivers_do_not_stop_a_run(size, detector):
    found = detector.detect(pictures(size))[0]
    assert found.image_size == size


def test_the_image_is_left_alone_and_may_be_read_only(detector):
    image = pictures((50, 70))[0]
    before = image.copy()
    image.flags.writeable = False
    detector.detect([image])
    assert (image == before).all()


@pytest.mark.parametrize(
    "architecture",
    [
        "fasterrcnn_resnet50_fpn",
        pytest.param("fasterrcnn_resnet101_fpn", marks=pytest.mark.slow),
        pytest.param("fasterrcnn_resnext101_32x8d_fpn", marks=pytest.mark.slow),
    ],
)
def test_every_architecture_comes_back_from_its_file(architecture, tmp_path, context):
    torch.manual_seed(1)
    network = model.build_network(architecture, 4, settings("new"))
    # Millions of parameters in the backbone, heads without the four outputs of each class.
    millions = {"fasterrcnn_resnet50_fpn": 41, "fasterrcnn_resnet101_fpn": 60, "fasterrcnn_resnext101_32x8d_fpn": 104}
    assert sum(p.numel() for p in network.parameters()) // 10**6 == millions[architecture]
    folder = write(tmp_path / "model", network.state_dict(), architecture=architecture)
    images = pictures((66, 90))
    found = backend.load(settings(folder), context).detect(images)[0]
    expected = model.TorchvisionDetector(network, settings("new"), IDS, threads=2).detect(images)[0]
    assert len(found) == len(expected)
    assert (found.boxes == expected.boxes).all()


def test_the_card_gives_sizes_and_settings_override_them(trained):
    plain = backend.Settings(name="rcnn", weights=str(trained))
    assert model.build_network("fasterrcnn_resnet50_fpn", 2, plain).transform.min_size == (800,)
    carded = model.build_network("fasterrcnn_resnet50_fpn", 2, plain, sizes=(600, 900)).transform
    assert (carded.min_size, carded.max_size) == ((600,), 900)
    overridden = model.build_network("fasterrcnn_resnet50_fpn", 2, settings(trained), sizes=(600, 900)).transform
    assert (overridden.min_size, overridden.max_size) == ((64,), 100)


def test_fingerprint_follows_weights_and_card(trained, reference, context, tmp_path):
    first = backend.fingerprint(settings(trained), context)
    renamed = write(tmp_path / "renamed", reference.state_dict(), classes=["cow", "cat", "ship"])
    second = backend.fingerprint(settings(renamed), context)
    assert first["weights_sha256"] == second["weights_sha256"]
    assert first["card_sha256"] != second["card_sha256"]


def test_missing_weights_are_told_with_their_remedy(context):
    lost = settings("nowhere", get="artdet train animals")
    (sentence,) = backend.requirements(lost, context)
    assert "'nowhere'" in sentence
    assert "artdet train animals" in sentence
    with pytest.raises(ModelError, match="artdet train animals"):
        backend.load(lost, context)


def test_nothing_is_missing_where_weights_lie(trained, context):
    assert backend.requirements(settings(trained), context) == []
    assert backend.requirements(settings("coco"), context) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": ["horse", "cat"]}, r"cls_score.bias is \(4,\) instead of \(3,\).* and 1 more"),
        ({"architecture": "fasterrcnn_resnet18_fpn"}, "'fasterrcnn_resnet18_fpn' is unknown"),
        ({"backend": "yolo"}, "Write detector: yolo"),
    ],
    ids=["classes", "architecture", "backend"],
)
def test_a_card_that_does_not_fit_is_refused(changes, message, reference, tmp_path, context):
    folder = write(tmp_path / "model", reference.state_dict(), **changes)
    with pytest.raises(ModelError, match=message):
        backend.load(settings(folder), context)


def test_tensors_that_are_missing_or_unknown_are_named(reference):
    tensors = dict(reference.state_dict())
    tensors["extra.weight"] = tensors.pop("rpn.head.cls_logits.bias")
    network = model.build_network("fasterrcnn_resnet50_fpn", 4, settings("new"))
    with pytest.raises(ModelError, match=r"extra.weight is unknown; rpn.head.cls_logits.bias is missing\."):
        model.fill(network, tensors, where="here")


def test_class_names_outside_the_taxonomy_are_refused(reference, tmp_path, context):
    folder = write(tmp_path / "model", reference.state_dict(), classes=["hors", "cat", "ship"])
    with pytest.raises(LabelError, match="'hors'"):
        backend.load(settings(folder), context)


def test_files_that_are_no_safetensors_are_refused(tmp_path, context):
    (tmp_path / "model.pth").write_bytes(b"pickle")
    with pytest.raises(ModelError, match=r"is no \.safetensors file"):
        backend.load(settings(tmp_path / "model.pth"), context)
    (tmp_path / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(ModelError, match="no card"):
        backend.load(settings(tmp_path / "model.safetensors"), context)
    write(tmp_path / "damaged", {"a": torch.zeros(1)})
    (tmp_path / "damaged" / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(ModelError, match="cannot be read as safetensors"):
        backend.load(settings(tmp_path / "damaged"), context)


def test_settings_are_closed():
    with pytest.raises(ConfigError, match="nms: unknown key"):
        validated(backend.Settings, {"name": "a", "weights": "b", "nms": 0.5}, where="x")


def test_coco_weights_are_run_as_torchvision_runs_them(monkeypatch, context, taxonomy):
    # Small variances tell whether the epsilon of batch normalisation is that of these weights.
    tensors = torchvisions_own(91).state_dict()
    for name in [name for name in tensors if name.endswith("running_var")]:
        tensors[name] *= 1e-4
        tensors[name.replace("running_var", "weight")] *= 1e-2
        del tensors[name.replace("running_var", "num_batches_tracked")]
    monkeypatch.setattr(FasterRCNN_ResNet50_FPN_Weights, "get_state_dict", lambda self, **options: dict(tensors))
    limits = {"box_score_thresh": 0.0, "box_detections_per_img": 1000}
    reference = fasterrcnn_resnet50_fpn(weights=COCO_V1, **SIZES, **limits).eval()
    image = pictures((90, 61))[0]
    with torch.inference_mode():
        theirs = reference([torch.from_numpy(image).permute(2, 0, 1) / 255])[0]
    wanted = [i for i, label in enumerate(theirs["labels"]) if COCO_V1.meta["categories"][label] == "person"]
    detector = backend.load(settings("coco", label_map="coco", max_detections=1000), context)
    ours = detector.detect([image])[0]
    persons = ours[ours.labels == taxonomy.id_of("persons")]
    assert len(persons) == len(wanted) > 0
    np.testing.assert_allclose(persons.scores, np.sort(theirs["scores"].numpy()[wanted])[::-1], atol=1e-5)
    assert taxonomy.id_of("faces") not in detector.labels
    assert detector.labels == taxonomy.ids_of(
        ["persons", "animals", "cow", "cat", "dog", "horse", "produce", "fruit", "ship"]
    )


def test_coco_weights_that_cannot_be_fetched(monkeypatch, context):
    def offline(self, **options):
        raise URLError("no route")

    monkeypatch.setattr(FasterRCNN_ResNet50_FPN_Weights, "get_state_dict", offline)
    with pytest.raises(ModelError, match=r"could not fetch .*no route.* internet"):
        backend.load(settings("coco", label_map="coco"), context)


def test_the_fingerprint_of_coco_is_the_name_that_torchvision_checks(context):
    assert COCO_V1.url.endswith(f"/{backend.COCO_FILE}")
    assert backend.fingerprint(settings("coco"), context) == {"weights": backend.COCO_FILE}


def test_outputs_without_a_name_are_ignored():
    ids = model.output_ids(
        [None, "a", None, "b"], lambda names: np.array([len(name) + i for i, name in enumerate(names)])
    )
    assert ids.tolist() == [IGNORED_ID, 1, IGNORED_ID, 2]
    assert model.output_ids([], lambda names: np.zeros(0, dtype=np.int64)).shape == (0,)


@pytest.mark.parametrize("name", ["torchvision", "detectron2", "nudity"])
def test_checking_settings_loads_no_library(name):
    heavy = {"torch", "torchvision", "detectron2", "onnxruntime", "cv2"}
    probe = f"import sys, artdet.detectors.{name}; print({heavy} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
