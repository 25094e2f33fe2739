import hashlib
import importlib.metadata
import json
import shutil
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
from PIL import Image, ImageOps

from artdet.boxes import ious
from artdet.config import validated
from artdet.detectors import faces
from artdet.detectors.base import LoadContext
from artdet.errors import ConfigError, LabelError, ModelError
from artdet.resources import shipped

REFERENCE = json.loads(Path(__file__).with_name("faces_reference.json").read_text(encoding="utf-8"))


def context(taxonomy):
    return LoadContext(taxonomy, device="cpu", threads=2)


def load(taxonomy, **changes):
    return faces.load(faces.Settings(name="faces", **changes), context(taxonomy))


@pytest.fixture(scope="module")
def detector(taxonomy):
    return load(taxonomy)


@pytest.fixture
def own_weights(tmp_path, monkeypatch):
    """A copy of the package's weights that a test may damage; the detector takes it for the package's own."""
    folder = tmp_path / "weights"
    shutil.copytree(faces._package_folder(), folder)
    monkeypatch.setattr(faces, "_package_folder", lambda: folder)
    return folder


# The reference: what the mtcnn package 1.0.0 found, recorded by tools/record_faces.py.


def assert_same_faces(found, recorded, name):
    expected = np.array(recorded, dtype=np.float64).reshape(-1, 5)
    assert len(found) == len(expected), f"{name}: {len(found)} faces instead of {len(expected)}"
    if len(expected) == 0:
        return
    overlap = ious(found.boxes, expected[:, :4])
    partner = overlap.argmax(axis=1)
    assert sorted(partner) == list(range(len(expected))), f"{name}: two faces fit the same recorded one"
    assert overlap.max(axis=1).min() > 0.9, f"{name}: IoU {overlap.max(axis=1).min():.3f}"
    assert np.abs(found.scores - expected[partner, 4]).max() < 0.01, name


def check_recorded(detector, folder, group):
    for entry in REFERENCE[group]:
        path = folder / entry["file"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"], f"{path} is another file"
        image = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
        assert image.shape[:2] == (entry["height"], entry["width"])
        assert_same_faces(detector.detect([image])[0], entry["faces"], entry["file"])


def test_the_faces_of_the_package_on_the_demo_paintings(detector):
    assert len(REFERENCE["paintings"]) == 22
    check_recorded(detector, shipped("examples", "paintings"), "paintings")


def test_the_faces_of_the_package_on_thirty_other_images(detector, shared_data):
    assert len(REFERENCE["data"]) == 30
    check_recorded(detector, shared_data, "data")


# Detection


def test_no_images_give_no_answers(detector):
    assert detector.detect([]) == []


@pytest.mark.parametrize(
    "size", [(1, 1), (1, 900), (11, 40), (12, 13), (20, 31), (21, 22), (25, 3000), (3000, 25)], ids=str
)
@pytest.mark.parametrize("grey", [0, 128, 255])
def test_images_without_a_face_give_empty_detections(detector, size, grey):
    found = detector.detect([np.full((*size, 3), grey, dtype=np.uint8)])[0]
    assert len(found) == 0
    assert found.image_size == size


def test_a_batch_gives_exactly_what_its_images_give_alone(detector, paintings):
    names = ["renoir_moulin_de_la_galette.jpg", "hokusai_oiran_and_kamuro.jpg", "leonardo_mona_lisa.jpg"]
    images = [paintings[name] for name in names]
    images[1:1] = [np.zeros((7, 9, 3), dtype=np.uint8), images[0][:, ::-1]]
    together, alone = detector.detect(images), [detector.detect([image])[0] for image in images]
    assert [len(each) for each in together[:2]] == [5, 0]
    for batch, single in zip(together, alone, strict=True):
        np.testing.assert_array_equal(batch.boxes, single.boxes)
        np.testing.assert_array_equal(batch.scores, single.scores)


def test_the_only_class_is_faces(detector, taxonomy, paintings):
    image = paintings["leonardo_mona_lisa.jpg"]
    found = detector.detect([image])[0]
    assert detector.labels == {taxonomy.id_of("faces")}
    assert found.labels.tolist() == [taxonomy.id_of("faces")]
    # Her face as a person draws it, from the hairline to the chin.
    assert ious(found.boxes, np.array([[112, 60, 186, 165]]))[0, 0] > 0.7


@pytest.mark.parametrize(
    ("cut", "side", "border"),
    [(np.s_[:, 120:], 0, 0), (np.s_[75:], 1, 0), (np.s_[:, :170], 2, 170), (np.s_[:140], 3, 140)],
    ids=["left", "top", "right", "bottom"],
)
def test_a_face_that_leaves_the_picture_ends_at_its_border(detector, paintings, cut, side, border):
    found = detector.detect([paintings["leonardo_mona_lisa.jpg"][cut]])[0]
    assert len(found) == 1
    assert found.boxes[0, side] == border


@pytest.mark.parametrize(
    ("changes", "count"),
    [({}, 5), ({"min_score": 0.98}, 4), ({"min_face": 45}, 3), ({"thresholds": (0.6, 0.7, 0.99)}, 2)],
    ids=["default", "min_score", "min_face", "thresholds"],
)
def test_settings_leave_out_faces(taxonomy, paintings, changes, count):
    image = paintings["renoir_moulin_de_la_galette.jpg"]
    everything, found = (load(taxonomy, **each).detect([image])[0] for each in ({}, changes))
    assert len(found) == count
    assert ious(found.boxes, everything.boxes).max(axis=1).min() > 0.5


# Settings and the package


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"min_face": 0}, "min_face"),
        ({"scale_factor": 1.0}, "scale_factor"),
        ({"thresholds": [0.6, 0.7, 1.2]}, r"thresholds\.2"),
        ({"thresholds": [0.6, 0.7]}, "thresholds"),
        ({"min_faces": 20}, "Did you mean 'min_face'"),
        ({"detector": "yolo"}, "detector"),
    ],
    ids=["min_face", "scale_factor", "threshold", "count", "typo", "detector"],
)
def test_wrong_settings_are_named(changes, problem):
    with pytest.raises(ConfigError, match=problem):
        validated(faces.Settings, {"name": "f", "detector": "faces", **changes}, where="x.yaml")


def test_a_label_map_must_know_faces(taxonomy, tmp_path):
    path = tmp_path / "map.yaml"
    path.write_text("source: test\nlabels: {dog: dog}\n", encoding="utf-8")
    with pytest.raises(LabelError, match="faces"):
        load(taxonomy, label_map=str(path))


def test_ignored_faces_are_not_given(taxonomy, tmp_path, paintings):
    path = tmp_path / "map.yaml"
    path.write_text("source: test\nlabels: {faces: ignore}\n", encoding="utf-8")
    blind = load(taxonomy, label_map=str(path))
    assert blind.labels == frozenset()
    assert len(blind.detect([paintings["leonardo_mona_lisa.jpg"]])[0]) == 0


def test_nothing_is_missing_here(taxonomy):
    assert faces.requirements(faces.Settings(name="f"), context(taxonomy)) == []


def test_a_missing_package_is_one_sentence(taxonomy, monkeypatch):
    monkeypatch.setattr(faces, "is_installed", lambda package: package != "mtcnn")
    (sentence,) = faces.requirements(faces.Settings(name="portraits"), context(taxonomy))
    assert sentence.startswith("portraits: faces need the package mtcnn, which is not installed; get it with: python")
    with pytest.raises(ModelError, match="not installed"):
        load(taxonomy)


def test_a_missing_weight_file_is_one_sentence(taxonomy, own_weights):
    (own_weights / "rnet.lz4").unlink()
    (sentence,) = faces.requirements(faces.Settings(name="f"), context(taxonomy))
    assert "without its weights rnet.lz4" in sentence


def test_the_fingerprint_is_version_and_hashes(taxonomy, own_weights):
    def fingerprint():
        return faces.fingerprint(faces.Settings(name="f"), context(taxonomy))

    def digest(name):
        return hashlib.sha256((own_weights / name).read_bytes()).hexdigest()

    before = fingerprint()
    assert before == {
        "mtcnn": importlib.metadata.version("mtcnn"),
        "pnet_sha256": digest("pnet.lz4"),
        "rnet_sha256": digest("rnet.lz4"),
        "onet_sha256": digest("onet.lz4"),
    }
    (own_weights / "onet.lz4").write_bytes(b"other weights")
    assert {key for key in before if before[key] != fingerprint()[key]} == {"onet_sha256"}


def cut(path):
    path.write_bytes(path.read_bytes()[:2000])


def swap(path):
    shutil.copy(path.with_name("onet.lz4"), path)


def narrow(path):
    arrays = joblib.load(path)
    joblib.dump([*arrays[:-1], arrays[-1][:-1]], path)


def poison(path):
    arrays = joblib.load(path)
    arrays[0][0, 0, 0, 0] = np.nan
    joblib.dump(arrays, path)


DAMAGES = {
    "empty": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(b"\x00" * 99),
    "cut": cut,
    "another network": swap,
    "narrower": narrow,
    "not a number": poison,
    "a dictionary": lambda path: joblib.dump({"a": 1}, path),
    "no arrays": lambda path: joblib.dump([1, 2], path),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_damaged_weights_are_one_sentence(taxonomy, own_weights, damage):
    damage(own_weights / "rnet.lz4")
    with pytest.raises(ModelError, match=r"rnet\.lz4 .* Repair the package with: python -m pip"):
        load(taxonomy)


def test_neither_tensorflow_nor_the_package_is_imported(taxonomy):
    code = """if True:
        import sys
        from artdet.detectors import faces
        from artdet.detectors.base import LoadContext
        from artdet.taxonomy import Taxonomy
        settings, context = faces.Settings(name="f"), LoadContext(Taxonomy.load(), device="cpu")
        faces.requirements(settings, context), faces.fingerprint(settings, context)
        print([name for name in ("torch", "cv2", "joblib") if name in sys.modules])
        faces.load(settings, context)
        print([name for name in ("tensorflow", "mtcnn", "torchvision") if name in sys.modules])
    """
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines() == ["[]", "[]"]
