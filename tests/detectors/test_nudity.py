import importlib
import importlib.metadata

import cv2
import numpy as np
import pytest
import yaml

from artdet.config import validated
from artdet.detectors import nudity
from artdet.detectors.base import LoadContext
from artdet.errors import ConfigError, LabelError, MissingBackend, ModelError
from artdet.labelmaps import IGNORED_ID, LabelMap

needs_nudenet = pytest.mark.skipif(
    bool(nudity.requirements(nudity.Settings(name="n"), None)), reason="the extra 'nudity' is not installed"
)


def settings(**changes):
    return nudity.Settings(**{"name": "nudenet", **changes})


@pytest.fixture(scope="module")
def context(taxonomy):
    return LoadContext(taxonomy, threads=2)


def candidates(*rows, classes=2):
    """A network's output (4 + classes, A) from rows of (x, y, width, height, class, score)."""
    output = np.zeros((4 + classes, len(rows)), dtype=np.float32)
    for column, (*box, label, score) in enumerate(rows):
        output[:4, column] = box
        output[4 + label, column] = score
    return output


class PlannedNetwork:
    """Stands in for the network: gives one output and keeps its inputs."""

    def __init__(self, output):
        self.output = output
        self.seen = []

    def run(self, names, inputs):
        self.seen.append(inputs["images"])
        return [self.output[None]]


@pytest.mark.parametrize(
    ("rows", "boxes", "classes"),
    [
        ([], [], []),
        ([(50, 40, 20, 10, 0, 0.24)], [], []),
        ([(50, 40, 20, 10, 1, 0.25)], [[40, 35, 60, 45]], [1]),
        ([(50, 40, 20, 10, 0, 0.5), (51, 40, 20, 10, 1, 0.9)], [[41, 35, 61, 45]], [1]),
        ([(50, 40, 20, 10, 0, 0.5), (90, 40, 20, 10, 1, 0.9)], [[80, 35, 100, 45], [40, 35, 60, 45]], [1, 0]),
    ],
    ids=["none", "below the floor", "at the floor", "two classes on one spot", "two spots"],
)
def test_boxes_of_a_networks_output(rows, boxes, classes):
    model = pytest.importorskip("artdet.detectors.nudity_model", reason="ONNX Runtime is not installed")
    found, scores, labels = model.boxes_of(candidates(*rows), floor=0.25, nms_iou=0.45)
    assert found.tolist() == boxes
    assert labels.tolist() == classes
    assert (np.diff(scores) <= 0).all()


@pytest.mark.parametrize("size", [(60, 120), (120, 60), (1, 4000), (30, 31)], ids=str)
def test_boxes_come_back_to_the_pixels_of_the_picture(size):
    model = pytest.importorskip("artdet.detectors.nudity_model", reason="ONNX Runtime is not installed")
    height, width = size
    image = np.full((height, width, 3), (250, 100, 0), dtype=np.uint8)
    planes, _ = model.network_input(image, 64)
    # The whole picture as it lies in the input: what is not black.
    rows, columns = np.flatnonzero(planes[0, 0].any(axis=1)), np.flatnonzero(planes[0, 0].any(axis=0))
    bottom, right = rows.max() + 1, columns.max() + 1
    assert planes.shape == (1, 3, 64, 64)
    assert (rows.min(), columns.min()) == (0, 0)
    assert max(bottom, right) == 64
    np.testing.assert_allclose(planes[0, :, 0, 0], np.array([250, 100, 0]) / 255, atol=1e-6)
    network = PlannedNetwork(candidates((right / 2, bottom / 2, right, bottom, 1, 0.8)))
    detector = model.NudityDetector(network, settings(image_size=64), np.array([IGNORED_ID, 3]))
    found = detector.detect([image])[0]
    np.testing.assert_allclose(found.boxes, [[0, 0, width, height]], rtol=1e-5)
    assert found.labels.tolist() == [3]
    assert found.image_size == size
    assert detector.labels == {3}


def test_boxes_are_cut_at_the_border_and_ignored_classes_dropped():
    model = pytest.importorskip("artdet.detectors.nudity_model", reason="ONNX Runtime is not installed")
    network = PlannedNetwork(candidates((0, 0, 40, 20, 1, 0.8), (50, 20, 10, 10, 0, 0.9)))
    detector = model.NudityDetector(network, settings(image_size=64), np.array([IGNORED_ID, 3]))
    found = detector.detect([np.zeros((32, 64, 3), dtype=np.uint8)] * 2)
    assert [detections.boxes.tolist() for detections in found] == [[[0, 0, 20, 10]]] * 2
    assert detector.detect([]) == []


def crops(image):
    """Nine parts of a picture at 640x480, which scales to 320 without rounding, so that both scale alike."""
    height, width = image.shape[0] // 4, image.shape[1] // 4
    parts = [image[y * height :, x * width :][: 2 * height, : 2 * width] for y in range(3) for x in range(3)]
    return [cv2.resize(part, (640, 480), interpolation=cv2.INTER_AREA) for part in parts]


@needs_nudenet
def test_boxes_are_those_of_the_package_given_right_colours(context, paintings):
    """The package swaps red and blue once too often, so an RGB array is what makes its network see RGB."""
    package = importlib.import_module("nudenet").NudeDetector()
    known = LabelMap.load("nudenet").labels
    names = ["hokusai_woman_holding_a_fan", "leonardo_mona_lisa", "michelangelo_pieta", "renoir_moulin_de_la_galette"]
    images = [part for name in names for part in crops(paintings[f"{name}.jpg"])]
    compared = 0
    for image, ours in zip(images, nudity.load(settings(), context).detect(images), strict=True):
        theirs = [row for row in package.detect(image) if known[row["class"]] != "ignore"]
        assert len(ours) == len(theirs)
        for row, box, score, label in zip(
            sorted(theirs, key=lambda row: -row["score"]), ours.boxes, ours.scores, ours.labels, strict=True
        ):
            x, y, width, height = row["box"]
            assert score == pytest.approx(row["score"], abs=1e-4)
            assert context.taxonomy.names[label] == known[row["class"]]
            if x > 0 and y > 0:  # the package moves boxes that the border cuts, and rounds the others down
                assert np.abs(box - [x, y, x + width, y + height]).max() < 2
                compared += 1
    assert compared >= 8


@needs_nudenet
def test_the_face_of_mona_lisa(context, paintings, taxonomy):
    detector = nudity.load(settings(), context)
    found = detector.detect([paintings["leonardo_mona_lisa.jpg"]])[0]
    faces = found[found.labels == taxonomy.id_of("faces")]
    assert len(faces) >= 1
    x1, y1, x2, y2 = faces.boxes[0]
    assert x1 < 147 < x2  # the tip of her nose, in a picture of 492x314
    assert y1 < 129 < y2
    assert detector.labels == taxonomy.ids_of(["nudity", "faces"])


@needs_nudenet
def test_only_and_min_score(context, paintings, taxonomy):
    images = crops(paintings["renoir_moulin_de_la_galette.jpg"])
    everything = nudity.load(settings(min_score=0.05), context).detect(images)
    some = nudity.load(settings(min_score=0.3, only=("faces",)), context).detect(images)
    faces = taxonomy.id_of("faces")
    assert 0 < sum(map(len, some)) < sum(map(len, everything))
    assert [len(part) for part in some] == [int(((d.scores >= 0.3) & (d.labels == faces)).sum()) for d in everything]


@needs_nudenet
def test_the_shipped_map_knows_every_class_of_the_network(context):
    model = importlib.import_module("artdet.detectors.nudity_model")
    _, classes = model.open_session(nudity.model_path(), threads=1)
    assert set(classes) == set(LabelMap.load("nudenet").labels)


@needs_nudenet
def test_a_map_that_lacks_a_class_is_refused(context, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({"source": "mine", "labels": {"FACE_MALE": "faces"}}))
    with pytest.raises(LabelError, match="does not know 'FEMALE_GENITALIA_COVERED'"):
        nudity.load(settings(label_map=str(path)), context)


@needs_nudenet
def test_fingerprint_names_model_and_package(context):
    told = nudity.fingerprint(settings(), context)
    assert told["nudenet"] == importlib.metadata.version("nudenet")
    assert len(told["weights_sha256"]) == 64
    assert nudity.requirements(settings(), context) == []


def test_a_missing_package_is_told_with_its_install_line(monkeypatch, context):
    monkeypatch.setattr(nudity, "is_installed", lambda package: package != "nudenet")
    (sentence,) = nudity.requirements(settings(), context)
    assert sentence == "nudenet: nudenet not installed; get it with: pip install 'artdet[nudity]'"
    for refused in (nudity.load, nudity.fingerprint):
        with pytest.raises(MissingBackend, match=r"needs nudenet, .* pip install 'artdet\[nudity\]'"):
            refused(settings(), context)


def test_a_damaged_model_is_told(tmp_path):
    model = pytest.importorskip("artdet.detectors.nudity_model", reason="ONNX Runtime is not installed")
    (tmp_path / "320n.onnx").write_bytes(b"damaged")
    with pytest.raises(ModelError, match=r"320n\.onnx cannot be read"):
        model.open_session(tmp_path / "320n.onnx", threads=1)


@pytest.mark.parametrize(
    "changes", [{"image_size": 300}, {"nms_iou": 0}, {"min_score": 2}, {"weights": "x"}], ids=lambda c: next(iter(c))
)
def test_wrong_settings_are_refused(changes):
    with pytest.raises(ConfigError, match=next(iter(changes))):
        validated(nudity.Settings, {"name": "n", **changes}, where="x")
