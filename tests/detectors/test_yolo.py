import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from artdet.boxes import ious
from artdet.detectors import yolo
from artdet.detectors.base import LoadContext
from artdet.detectors.yolo_detector import letterbox
from artdet.detectors.yolo_network import build_network, exported, quiet_ultralytics
from artdet.detectors.yolo_outputs import candidates
from artdet.errors import ConfigError, LabelError, ModelError
from artdet.modelfiles import find_model
from artdet.resources import bundled_weights
from artdet.runtimes import ENGINES

PERSONS = bundled_weights() / "persons_v0" / "model.safetensors"


def settings(**changes):
    return yolo.Settings(**{"name": "persons", "weights": "persons_v0", "min_score": 0.05, **changes})


def context(taxonomy, **changes):
    return LoadContext(
        taxonomy, **{"device": "cpu", "engine": "torch", "precision": "float32", "threads": 2, **changes}
    )


@pytest.fixture(scope="module")
def reference(taxonomy, paintings):
    return yolo.load(settings(), context(taxonomy)).detect(list(paintings.values()))


@pytest.fixture(scope="module")
def pickled(tmp_path_factory):
    """The bundled network as a user would bring it: a .pt written by ultralytics."""
    quiet_ultralytics()
    from ultralytics import YOLO

    path = tmp_path_factory.mktemp("pt") / "mine.pt"
    model = YOLO("yolov5n.yaml")
    model.model = type(model.model)("yolov5n.yaml", nc=1, verbose=False)
    model.model.names = {0: "persons"}
    model.model.load_state_dict(load_file(PERSONS))
    model.ckpt = {"train_args": {"imgsz": 512}}
    model.save(path)
    return path


@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_engines_agree_on_the_example_paintings(engine, taxonomy, paintings, reference):
    for package in ENGINES[engine]:
        pytest.importorskip(package, reason=f"the engine {engine} is not installed")
    found = yolo.load(settings(), context(taxonomy, engine=engine)).detect(list(paintings.values()))
    assert sum(map(len, reference)) > 60
    for name, ours, theirs in zip(paintings, found, reference, strict=True):
        assert len(ours) == len(theirs), name
        np.testing.assert_allclose(ours.boxes, theirs.boxes, atol=1, err_msg=name)
        np.testing.assert_allclose(ours.scores, theirs.scores, atol=0.01, err_msg=name)
        assert (ours.labels == theirs.labels).all()


def test_people_are_found_where_they_are_drawn(taxonomy, paintings, reference):
    found = dict(zip(paintings, reference, strict=True))
    mona_lisa = found["leonardo_mona_lisa.jpg"]
    assert mona_lisa.labels[0] == taxonomy.id_of("persons")
    assert mona_lisa.scores[0] > 0.8
    assert ious(mona_lisa.boxes[:1], np.array([[23, 30, 314, 492]])).item() > 0.8
    assert (found["kandinsky_composition_viii.jpg"].scores < 0.25).all()


def test_a_pickle_loads_only_when_trusted_and_agrees_with_ultralytics(taxonomy, paintings, pickled):
    own = settings(weights=str(pickled), min_score=0.25)
    with pytest.raises(ModelError, match="can run any program"):
        yolo.load(own, context(taxonomy))
    with pytest.raises(ModelError, match="can run any program"):
        yolo.load(own, context(taxonomy, engine="onnx"))
    images = list(paintings.values())
    ours = yolo.load(own, context(taxonomy, trust_weights=True)).detect(images)

    from ultralytics import YOLO

    bgr = [np.ascontiguousarray(image[..., ::-1]) for image in images]
    model = YOLO(pickled)
    theirs = [model.predict(i, imgsz=512, conf=0.25, iou=0.7, verbose=False, device="cpu")[0].boxes for i in bgr]
    assert sum(map(len, theirs)) > 15
    for name, mine, boxes in zip(paintings, ours, theirs, strict=True):
        assert len(mine) == len(boxes), name
        np.testing.assert_allclose(mine.boxes, boxes.xyxy.numpy(), atol=0.5, err_msg=name)
        np.testing.assert_allclose(mine.scores, boxes.conf.numpy(), atol=0.005, err_msg=name)


@pytest.mark.parametrize("engine", ["torch", "openvino"])
@pytest.mark.parametrize(("ratio", "side"), [(0.8, 416), (1.2, 608), (0.25, 128), (1.0, 512)])
def test_a_scale_is_another_image_size_of_the_same_network(engine, ratio, side, taxonomy, paintings):
    for package in ENGINES[engine]:
        pytest.importorskip(package, reason=f"the engine {engine} is not installed")
    images = [paintings["leonardo_mona_lisa.jpg"]]
    usual = yolo.load(settings(image_size=512), context(taxonomy, engine=engine))
    before, scaled = usual.detect(images)[0], usual.at_scale(ratio).detect(images)[0]
    alone = yolo.load(settings(image_size=side), context(taxonomy, engine=engine)).detect(images)[0]
    assert scaled.boxes.tolist() == alone.boxes.tolist()
    assert scaled.scores.tolist() == alone.scores.tolist()
    assert (scaled.boxes.tolist() == before.boxes.tolist()) == (side == 512)
    assert usual.detect(images)[0].boxes.tolist() == before.boxes.tolist()


def test_networks_without_nms_give_their_boxes_as_they_are(taxonomy, paintings, tmp_path):
    quiet_ultralytics()
    from ultralytics import YOLO

    torch.manual_seed(0)
    model = YOLO("yolo26n.yaml")
    model.model.end2end = True
    model.model.names = dict(enumerate(["persons", *(f"n{i}" for i in range(79))]))
    model.save(tmp_path / "end.pt")
    (tmp_path / "map.yaml").write_text(
        "source: made\nlabels: {persons: persons, " + ", ".join(f"n{i}: ignore" for i in range(79)) + "}\n"
    )
    own = settings(weights=str(tmp_path / "end.pt"), label_map=str(tmp_path / "map.yaml"), image_size=256, min_score=0)
    images = list(paintings.values())[:3]
    assert exported(find_model(own.weights, tmp_path), trusted=True)[1].end_to_end
    results = [
        yolo.load(own, context(taxonomy, engine=engine, trust_weights=True)).detect(images)
        for engine in ("torch", "onnx")
    ]
    for first, second, image in zip(*results, images, strict=True):
        assert first.image_size == image.shape[:2]
        np.testing.assert_allclose(first.scores, second.scores, atol=1e-3)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (700, 3), (33, 512), (640, 480)])
def test_letterbox_puts_the_picture_where_it_says(shape):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (*shape, 3), dtype=np.uint8)
    boxed, placement = letterbox(image, 512, 32)
    assert boxed.shape[0] % 32 == boxed.shape[1] % 32 == 0
    assert max(boxed.shape) == 512
    corners = np.array([[0, 0, shape[1], shape[0]]], dtype=np.float32)
    scale = np.array([placement.x, placement.y, placement.x, placement.y])
    shift = np.array([placement.left, placement.top, placement.left, placement.top])
    inside = corners * scale + shift
    assert inside.min() >= 0
    assert inside[0, 2] <= boxed.shape[1]
    assert inside[0, 3] <= boxed.shape[0]
    np.testing.assert_allclose(placement.to_picture(inside.astype(np.float32)), corners, atol=1e-2)
    border = boxed.copy()
    border[round(inside[0, 1]) : round(inside[0, 3]), round(inside[0, 0]) : round(inside[0, 2])] = 114
    assert (border == 114).all()


def test_candidates_agree_with_a_plain_loop():
    rng = np.random.default_rng(1)
    output = rng.uniform(0, 1, (4 + 3, 50)).astype(np.float32)
    boxes, scores, classes = candidates(output, 0.9)
    expected = []
    for x, y, w, h, *row in output.T:
        if max(row) >= np.float32(0.9):
            expected.append(([x - w / 2, y - h / 2, x + w / 2, y + h / 2], max(row), row.index(max(row))))
    assert len(expected) == len(boxes) > 3
    np.testing.assert_allclose(boxes, [e[0] for e in expected], rtol=1e-6)
    assert scores.tolist() == [e[1] for e in expected]
    assert classes.tolist() == [e[2] for e in expected]
    assert [len(part) for part in candidates(output, 1.1)] == [0, 0, 0]


def test_a_box_of_a_category_gets_a_class_that_is_sure_enough():
    below = np.zeros((4, 4), dtype=bool)
    below[0, [1, 2]] = True  # of the first, the second and third are classes; the fourth is another category
    scores = {
        "sure enough": ((0.8, 0.1, 0.25, 0.0), 2),
        "less": ((0.8, 0.23, 0.2, 0.7), 0),
        "another category": ((0.3, 0.2, 0.1, 0.5), 3),
        "surer": ((0.3, 0.2, 0.6, 0.5), 2),
        "the best of two": ((0.9, 0.6, 0.5, 0.0), 1),
    }
    output = np.array([(9, 9, 4, 4, *row) for row, _ in scores.values()], dtype=np.float32).T
    _, found, classes = candidates(output, 0.2, below)
    assert dict(zip(scores, classes.tolist(), strict=True)) == {name: number for name, (_, number) in scores.items()}
    assert found.tolist() == [max(np.float32(row)) for row, _ in scores.values()]
    assert [len(part) for part in candidates(output, 1.1, below)] == [0, 0, 0]
    assert candidates(output, 0.2)[2].tolist() == [0, 0, 3, 2, 0]


def test_the_export_is_made_once_and_a_killed_one_is_made_again(taxonomy, cache):
    files = find_model("persons_v0", cache)
    path, info = exported(files, trusted=False)
    assert info.classes == ("persons",)
    assert (info.image_size, info.stride, info.end_to_end) == (512, 32, False)
    made = path.stat().st_mtime_ns
    assert exported(files, trusted=False)[0].stat().st_mtime_ns == made
    (path.parent / "info.json").unlink()
    assert exported(files, trusted=False)[0].stat().st_mtime_ns > made
    assert not list(path.parent.parent.glob("export-*"))


@pytest.mark.parametrize("engine", ["onnx", "openvino"])
def test_a_damaged_export_is_a_sentence(taxonomy, tmp_path, monkeypatch, engine):
    monkeypatch.setenv("ARTDET_CACHE_DIR", str(tmp_path))
    path, _ = exported(find_model("persons_v0", tmp_path), trusted=False)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ModelError, match=f"cannot use .*Delete {path.parent}"):
        yolo.load(settings(), context(taxonomy, engine=engine))


@pytest.mark.parametrize("engine", ["torch", "onnx", "openvino"])
def test_a_cache_that_cannot_be_written_is_a_sentence(taxonomy, tmp_path, monkeypatch, engine):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ARTDET_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with pytest.raises(ModelError, match="cannot be written to .* name another folder in ARTDET_CACHE_DIR"):
        yolo.load(settings(), context(taxonomy, engine=engine))


def copied(folder, card, weights=PERSONS):
    folder.mkdir()
    shutil.copy(weights, folder / "model.safetensors")
    (folder / "model.yaml").write_text(card)
    return str(folder)


@pytest.mark.parametrize(
    ("architecture", "classes", "error", "message"),
    [
        pytest.param("yolov5n.yaml", "persons, cat", ModelError, "does not fit", id="classes"),
        pytest.param("yolov5s.yaml", "persons", ModelError, "does not fit", id="size"),
        pytest.param("yolo_nn.yaml", "persons", ModelError, "knows no network", id="network"),
        pytest.param("yolov5n.yaml", "person", LabelError, "no class.*Did you mean 'persons'", id="label"),
    ],
)
def test_a_card_that_does_not_fit_is_a_sentence(taxonomy, tmp_path, architecture, classes, error, message):
    card = f"backend: yolo\narchitecture: {architecture}\nclasses: [{classes}]"
    with pytest.raises(error, match=message):
        yolo.load(settings(weights=copied(tmp_path / "m", card)), context(taxonomy))


def test_a_card_of_another_backend_is_told_which(taxonomy, tmp_path):
    card = "backend: torchvision\narchitecture: x\nclasses: [persons]"
    with pytest.raises(ModelError, match="detector: torchvision"):
        yolo.load(settings(weights=copied(tmp_path / "m", card)), context(taxonomy))


def test_the_score_of_a_class_is_its_share_of_its_parents(tmp_path, paintings):
    """The output of persons twice, the second time as angels, of which the network is as sure as of persons."""
    tensors = load_file(PERSONS)
    for name, tensor in tensors.items():
        if ".cv3." in name and name.split(".")[4] == "2":
            tensors[name] = torch.cat([tensor, tensor])
    save_file(tensors, tmp_path / "two.safetensors")
    shown = torch.from_numpy(letterbox(paintings["leonardo_mona_lisa.jpg"], 512, 32)[0][None])
    found = {}
    for name, parents in (("alone", "{}"), ("below", "{angel: persons}")):
        card = f"backend: yolo\narchitecture: yolov5n.yaml\nclasses: [persons, angel]\nparents: {parents}"
        files = find_model(copied(tmp_path / name, card, tmp_path / "two.safetensors"), tmp_path)
        network, _ = build_network(files, trusted=False)
        with torch.inference_mode():
            found[name] = network(shown)[0].numpy()
    assert found["alone"][4].max() > 0.5
    np.testing.assert_allclose(found["below"][:5], found["alone"][:5], atol=1e-5)
    np.testing.assert_allclose(found["below"][5], found["alone"][4] * found["alone"][5], atol=1e-5)


@pytest.mark.parametrize("parents", ["{angel: mary}", "{mary: persons}", "{angel: persons, persons: angel}"])
def test_parents_that_the_model_does_not_have_are_a_sentence(taxonomy, tmp_path, parents):
    card = f"backend: yolo\narchitecture: yolov5n.yaml\nclasses: [persons, angel]\nparents: {parents}"
    with pytest.raises(ConfigError, match="parents must lead from classes of the model to others"):
        yolo.load(settings(weights=copied(tmp_path / "m", card)), context(taxonomy))


def test_damaged_and_foreign_weights_are_sentences(taxonomy, tmp_path):
    (tmp_path / "w.pt").write_bytes(b"no pickle at all")
    (tmp_path / "w.h5").write_bytes(b"")
    with pytest.raises(ModelError, match="ultralytics cannot load"):
        yolo.load(settings(weights=str(tmp_path / "w.pt")), context(taxonomy, trust_weights=True))
    with pytest.raises(ModelError, match="neither a .safetensors nor a .pt"):
        yolo.load(settings(weights=str(tmp_path / "w.h5")), context(taxonomy))
    missing = settings(weights="animals", get="artdet train --category animals")
    assert len(yolo.requirements(missing, context(taxonomy))) == 1
    assert yolo.requirements(settings(), context(taxonomy)) == []


def test_the_fingerprint_follows_the_weights(taxonomy, tmp_path):
    card = "backend: yolo\narchitecture: yolov5n.yaml\nclasses: [persons]"
    tensors = load_file(PERSONS)
    tensors["model.0.bn.bias"] = tensors["model.0.bn.bias"] + 1
    save_file(tensors, tmp_path / "other.safetensors")
    marks = [
        yolo.fingerprint(settings(weights=copied(tmp_path / name, card, weights)), context(taxonomy))
        for name, weights in (("a", PERSONS), ("b", PERSONS), ("c", tmp_path / "other.safetensors"))
    ]
    assert marks[0] == marks[1] != marks[2]
    assert yolo.fingerprint(settings(), context(taxonomy, engine="onnx"))["engine"] == "onnx"


def test_no_images_give_no_detections(taxonomy):
    for engine in ENGINES:
        assert yolo.load(settings(), context(taxonomy, engine=engine)).detect([]) == []


def test_the_network_takes_pictures_as_they_are():
    network, info = build_network(find_model("persons_v0", PERSONS.parent), trusted=False)
    found = network(torch.zeros(1, 64, 96, 3, dtype=torch.uint8))
    assert found.shape == (1, 4 + len(info.classes), (8 * 12 + 4 * 6 + 2 * 3))
