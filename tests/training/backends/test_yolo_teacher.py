"""What a network learns from a teacher's answers."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file

from artdet.data.training_settings import TrainingSettings
from artdet.detectors.yolo_network import quiet_ultralytics
from artdet.errors import ModelError
from artdet.modelfiles import ModelFiles
from artdet.training.examples import DetectorClasses

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def teachers(cache):
    """The module, with ultralytics quiet."""
    quiet_ultralytics()
    from artdet.training.backends import yolo_teacher

    return yolo_teacher


@pytest.fixture(scope="module")
def write(teachers, taxonomy, tmp_path_factory):
    """Random weights of a network with these classes, as a training leaves them."""

    def write(names, architecture="yolov5n.yaml"):
        from ultralytics.nn.tasks import DetectionModel

        torch.manual_seed(11)
        path = tmp_path_factory.mktemp("teacher") / "model.safetensors"
        made = DetectionModel(architecture, nc=len(names), verbose=False)
        save_file({name: tensor.contiguous() for name, tensor in made.state_dict().items()}, path)
        classes = DetectorClasses.of(names, taxonomy)
        parents = {name: classes.general(place) for place, name in enumerate(names) if classes.general(place)}
        card = {"backend": "yolo", "architecture": architecture, "classes": list(names), "parents": parents}
        path.with_suffix(".yaml").write_text(yaml.safe_dump(card), encoding="utf-8")
        return ModelFiles(path, path.with_suffix(".yaml"))

    return write


@pytest.fixture(scope="module")
def teacher_for(teachers, taxonomy):
    """The teacher of files for a YOLOv5n of some classes."""

    def teacher(files, names, *, trusted=False):
        from ultralytics.nn.tasks import DetectionModel

        task = SimpleNamespace(
            teacher=files,
            trusted=trusted,
            classes=names,
            detector_classes=DetectorClasses.of(names, taxonomy),
            settings=TrainingSettings(teacher_weight=2),
        )
        pupil = DetectionModel("yolov5n.yaml", nc=len(names), verbose=False)
        return teachers.teacher_of(task, pupil, CPU, low_precision=False)

    return teacher


def divergence(said, found):
    return said * math.log(said / found) + (1 - said) * math.log((1 - said) / (1 - found))


def test_distance_from_the_teacher_by_hand(teachers):
    """Of four classes the teacher knows two: persons, the third output, and angels among them, the first."""
    rng = torch.Generator().manual_seed(4)
    scores, edges = torch.randn(2, 4, 3, generator=rng), torch.randn(2, 4 * 5, 3, generator=rng)
    said, said_edges = torch.rand(2, 2, 3, generator=rng), torch.randn(2, 4 * 5, 3, generator=rng)
    taught = teachers.Taught(torch.tensor([2, 0]), torch.tensor([0, 0]), said, said_edges, weight=1.0)
    of_classes, of_edges = teachers.apart(scores, edges, taught)
    classes = sides = 0.0
    for image in range(2):
        for candidate in range(3):
            person, angel = (float(said[image, place, candidate]) for place in range(2))
            found = torch.sigmoid(scores[image, :, candidate]).tolist()
            classes += divergence(person, found[2]) + person * divergence(angel, found[0])
            for side in range(4):
                ours, theirs = (
                    np.exp(part[image, 5 * side : 5 * side + 5, candidate].double().numpy())
                    for part in (edges, said_edges)
                )
                ours, theirs = ours / ours.sum(), theirs / theirs.sum()
                sides += person * float((theirs * np.log(theirs / ours)).sum()) / 4
    total = max(1.0, float(said[:, 0].sum()))
    assert float(of_classes) == pytest.approx(classes / total, rel=1e-4)
    assert float(of_edges) == pytest.approx(sides / total, rel=1e-4)


def test_who_answers_like_the_teacher_has_nothing_to_learn(teachers):
    scores, edges = torch.randn(1, 3, 4), torch.randn(1, 4 * 16, 4)
    taught = teachers.Taught(torch.tensor([0, 2]), torch.tensor([0, 1]), scores[:, [0, 2]].sigmoid(), edges, weight=1.0)
    assert [float(part) for part in teachers.apart(scores, edges, taught)] == pytest.approx([0, 0], abs=1e-5)


def test_a_teacher_says_what_its_network_says(teacher_for, write):
    """Of the classes that it shares, in the order of the network that learns, whatever its architecture."""
    from artdet.detectors.yolo_network import trained_network

    files = write(("persons", "ship", "angel"), "yolov8n.yaml")
    images = torch.rand(2, 3, 64, 96)
    taught = teacher_for(files, ("cow", "angel", "persons", "animals"))(images)
    assert (taught.places.tolist(), taught.above.tolist(), taught.weight) == ([1, 2], [1, 1], 2.0)
    network, _ = trained_network(files, trusted=False)
    with torch.no_grad():
        _, found = network.eval()(images)
    torch.testing.assert_close(taught.probabilities, found["scores"][:, [2, 0]].sigmoid(), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(taught.edges, found["boxes"], rtol=1e-3, atol=1e-3)
    assert not taught.edges.requires_grad


@pytest.mark.parametrize(
    ("theirs", "ours", "shared"),
    [
        (("angel",), ("persons", "angel"), None),  # says how sure it is of an angel, we its share in persons
        (("persons", "angel"), ("angel",), None),
        (("angel", "ship"), ("angel",), [0]),
        (("animals", "persons"), ("persons", "mary"), [0]),
        (("dog",), ("persons",), None),
    ],
)
def test_only_outputs_that_mean_the_same_are_taught(teacher_for, write, theirs, ours, shared):
    if shared is None:
        with pytest.raises(ModelError, match=r"knows none of .*\. Name one that was trained .*: --teacher RUN\."):
            teacher_for(write(theirs), ours)
    else:
        teacher = teacher_for(write(theirs), ours)
        assert teacher(torch.rand(1, 3, 64, 64)).places.tolist() == shared


@pytest.mark.parametrize("architecture", ["yolov10n.yaml", "yolov5n-p6.yaml", "yolo26n.yaml"])
def test_a_teacher_with_other_candidates_is_refused(teacher_for, write, architecture):
    with pytest.raises(ModelError, match=r"cannot teach this network: .*\. Name a teacher of YOLOv5u"):
        teacher_for(write(("persons",), architecture), ("persons",))


def test_of_coco_only_classes_that_alone_are_one_of_ours_teach(teacher_for, tmp_path):
    from ultralytics import YOLO
    from ultralytics.nn.tasks import DetectionModel

    written = YOLO("yolov5n.yaml")
    written.model = DetectionModel("yolov5n.yaml", nc=4, verbose=False)
    written.model.names = dict(enumerate(("bird", "person", "sheep", "dog")))
    written.save(tmp_path / "coco.pt")
    files = ModelFiles(tmp_path / "coco.pt", None)
    names = ("animals", "dog", "persons")
    with pytest.raises(ModelError, match="pickle"):
        teacher_for(files, names)
    teacher = teacher_for(files, names, trusted=True)
    assert teacher(torch.rand(1, 3, 64, 64)).places.tolist() == [2]  # not animals; and its dogs are no share in them


def test_the_loss_of_a_batch_has_the_teachers_part(teacher_for, write, taxonomy):
    from ultralytics.cfg import get_cfg

    from artdet.training.backends.yolo_model import TrainedNetwork

    classes = DetectorClasses.of(("persons", "angel"), taxonomy)
    torch.manual_seed(5)
    network = TrainedNetwork("yolov5n.yaml", classes, low_precision=False)
    network.args = get_cfg()
    looked = torch.ones(2, 2, dtype=torch.bool)
    batch = {
        "img": torch.rand(2, 3, 64, 64),
        "labelled": looked,
        "covered": looked,
        "cls": torch.zeros(1, 1),
        "bboxes": torch.tensor([[0.5, 0.5, 0.5, 0.6]]),
        "batch_idx": torch.zeros(1),
    }
    plain, parts = network.loss(batch)
    taught = teacher_for(write(("persons", "angel")), ("persons", "angel"))(batch["img"])
    with_teacher, all_parts = network.loss({**batch, "taught": taught})
    assert set(all_parts) - set(parts) == {"teacher_loss"}
    torch.testing.assert_close(with_teacher[:3], plain, rtol=1e-3, atol=1e-3)
    assert with_teacher[3].item() == pytest.approx(2 * float(all_parts["teacher_loss"]))
    _, twice = network.loss({**batch, "taught": replace(taught, weight=4.0)})
    assert float(twice["teacher_loss"]) == pytest.approx(2 * float(all_parts["teacher_loss"]), rel=1e-3)
