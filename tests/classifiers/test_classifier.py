import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from artdet.classifiers.classifier import build_network, load_classifier, read_classifier_card
from artdet.classifiers.engine import fuse
from artdet.classifiers.named import LoadOptions, classifier_named
from artdet.classifiers.network import answers
from artdet.embedders.backbones import build
from artdet.embedders.preprocess import crops, normalised, prepared
from artdet.errors import ModelError
from artdet.modelfiles import find_model
from artdet.tasks import Task

GENRE = Task(name="genre", kind="label", classes=("portrait", "landscape", "still life"))
MATERIAL = Task(name="material", kind="labels", classes=("oil", "paper"))
YEAR = Task(name="year", kind="number", mean=1800, deviation=60)
TASKS = (GENRE, MATERIAL, YEAR)


@pytest.fixture
def files(make_classifier, tmp_path):
    return find_model(str(make_classifier(*TASKS)), tmp_path)


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    coarse = [rng.integers(0, 256, (5, 4, 3), dtype=np.uint8) for _ in range(3)]
    return [np.kron(image, np.ones((20 + i, 30, 1), dtype=np.uint8)) for i, image in enumerate(coarse)]


def plainly(files, images, count):
    """The same in plain torch, unfused and image by image: task -> (N, outputs)."""
    card = read_classifier_card(files)
    network = build_network(files, card)
    found = {task.name: [] for task in TASKS}
    for image in images:
        with torch.no_grad():
            raw = network(normalised(np.stack(crops(image, card.preprocessing, count)), card.preprocessing))
            for task in TASKS:
                found[task.name].append(answers(task, raw[task.name]).mean(0).numpy())
    return {name: np.stack(rows) for name, rows in found.items()}


@pytest.mark.parametrize("engine", ["torch", "onnx", "openvino"])
def test_no_images_give_no_answers(files, engine):
    scores = load_classifier(files, device="cpu", engine=engine).classify([])
    assert {name: values.shape for name, values in scores.items()} == {
        "genre": (0, 3),
        "material": (0, 2),
        "year": (0, 1),
    }


@pytest.mark.parametrize("count", [1, 5, 10])
@pytest.mark.parametrize("engine", ["torch", "onnx", "openvino"])
def test_every_engine_answers_as_plain_torch(files, images, engine, count):
    classifier = load_classifier(files, device="cpu", threads=2, crops=count, engine=engine)
    scores = classifier.classify(images)
    for name, expected in plainly(files, images, count).items():
        np.testing.assert_allclose(scores[name], expected, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(scores["genre"].sum(1), 1, atol=1e-5)
    assert np.ptp(scores["year"]) > 0


@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_answers_do_not_depend_on_the_company(files, images, engine):
    classifier = load_classifier(files, device="cpu", threads=2, engine=engine)
    together = classifier.classify(images)
    alone = [classifier.classify([image]) for image in images]
    for name in together:
        np.testing.assert_array_equal(together[name], np.concatenate([each[name] for each in alone]))


def test_fusing_changes_nothing_and_leaves_no_batch_norm():
    network = build("mobilenet_v2_tf", image_size=64).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    pixels = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        before = network(pixels)
        fuse(network)
        torch.testing.assert_close(network(pixels), before, rtol=1e-3, atol=1e-4)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda t: t.pop("heads.outputs.genre_head.1.bias"), "genre_head.1.bias is missing", id="missing"),
        pytest.param(lambda t: t.update(stranger=torch.zeros(1)), "stranger is not of it", id="stranger"),
        pytest.param(
            lambda t: t.update({"heads.outputs.genre_head.1.bias": torch.zeros(7)}), "another shape", id="shape"
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused(files, change, message):
    tensors = load_file(files.model)
    change(tensors)
    save_file(tensors, files.model)
    with pytest.raises(ModelError, match=f"does not fit its card.*{message}.*Check backbone"):
        load_classifier(files, device="cpu", engine="torch")


def test_a_detector_is_no_classifier_and_a_name_must_be_there():
    with pytest.raises(ModelError, match="no classifier but a detector. Use it with `artdet predict`"):
        classifier_named("persons_v0")
    with pytest.raises(ModelError, match="there is no classifier 'nobody'"):
        classifier_named("nobody")


def test_weights_without_a_card_are_refused(files):
    files.card.unlink()
    with pytest.raises(ModelError, match="no card beside it"):
        classifier_named(str(files.model))


def test_a_committee_is_a_classifier_by_name(make_classifier, images, tmp_path):
    for seed, folder in enumerate(("pair/one", "pair/two")):
        make_classifier(GENRE, folder=folder, seed=seed)
    (tmp_path / "pair" / "committee.yaml").write_text("method: mean\nmembers: [one, two]\n")
    options = LoadOptions(device="cpu", engine="torch", threads=2)
    named = classifier_named(str(tmp_path / "pair"), options)
    single = [classifier_named(str(tmp_path / "pair" / name), options) for name in ("one", "two")]
    mean = np.mean([each.classifier.classify(images)["genre"] for each in single], axis=0)
    np.testing.assert_allclose(named.classifier.classify(images)["genre"], mean, atol=1e-6)
    assert (named.name, [task.name for task in named.tasks], len(named.models)) == ("pair", ["genre"], 2)
    marks = named.fingerprint(options)
    assert {"committee_sha256", "weights_sha256_0", "weights_sha256_1"} <= marks.keys()
    assert marks["weights_sha256_0"] != marks["weights_sha256_1"]


def grad_cam(files, image, label):
    """Selvaraju's formula by hand: maps weighted by their mean gradients, what is negative left out, coarse (h, w)."""
    card = read_classifier_card(files)
    network = build_network(files, card)
    pixels = normalised(prepared(image, card.preprocessing)[None], card.preprocessing)
    maps = network.backbone.spatial(pixels).detach().requires_grad_(True)
    network.heads(network.backbone.pooled(maps))["genre"][0, GENRE.classes.index(label)].backward()
    return torch.relu((maps * maps.grad.mean((2, 3), keepdim=True)).sum(1))[0].detach().numpy()


def test_heat_is_grad_cam(make_classifier, tmp_path):
    pytest.importorskip("captum")
    from artdet.classifiers.explanation import Explainer, overlaid

    files = find_model(str(make_classifier(GENRE, YEAR, backbone="mobilenet_v2_tf", side=96)), tmp_path)
    explainer = Explainer(files, read_classifier_card(files))
    image = np.random.default_rng(1).integers(0, 256, (90, 70, 3), dtype=np.uint8)
    for label in GENRE.classes:
        seen, heat = explainer.heat(image, "genre", label)
        assert (seen.shape, heat.shape, heat.dtype) == ((96, 96, 3), (96, 96), np.float32)
        expected = cv2.resize(grad_cam(files, image, label), (96, 96), interpolation=cv2.INTER_CUBIC).clip(0)
        np.testing.assert_allclose(heat, expected / max(expected.max(), 1e-12), atol=1e-3)
    assert explainer.heat(image, "year", None)[1].max() in (0, 1)
    assert overlaid(seen, np.zeros_like(heat)).tolist() == seen.tolist()
    assert (overlaid(seen, np.ones_like(heat)) != seen).any()
