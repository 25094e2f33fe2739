"""The loss where not all classes were looked for, and weights to start from."""

from itertools import product

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import save_file

from artdet.detectors.yolo_network import quiet_ultralytics
from artdet.errors import ModelError
from artdet.modelfiles import ModelFiles
from artdet.training.examples import DetectorClasses

NAMES = ("dog", "persons", "animals", "cat", "angel")
DOG, PERSONS, ANIMALS, CAT, ANGEL = range(5)


@pytest.fixture(scope="module")
def model(cache):
    """The module, with ultralytics quiet."""
    quiet_ultralytics()
    from artdet.training.backends import yolo_model

    return yolo_model


@pytest.fixture(scope="module")
def start(model):
    from artdet.training.backends import yolo_start

    return yolo_start


@pytest.fixture(scope="module")
def classes(taxonomy):
    return DetectorClasses.of(NAMES, taxonomy)


def looked_for(*rows):
    """Bool (B, K) of names."""
    return torch.tensor([[name in row for name in NAMES] for row in rows])


def naive(target, labelled, covered):
    """Whether the answer for each class is known, for one candidate of one image; from the sentences of the loss."""
    families = ("animals", "persons", "animals", "animals", "persons")
    (label,) = [place for place in range(5) if target[place] > 0] or [None]
    known = []
    for place in range(5):
        if labelled[place] or place == label:
            known.append(True)
        elif label is None:
            known.append(bool(covered[place]))
        else:
            carries_a_class = NAMES[label] not in ("animals", "persons")
            known.append(carries_a_class and families[place] == families[label])
    return known


IMAGES = {
    "nothing was looked for": ((), ()),
    "animals as a whole": (("animals",), ("animals", "dog", "cat")),
    "dogs only": (("dog",), ("dog",)),
    "dogs, and persons as a whole": (("dog", "persons"), ("dog", "persons", "angel")),
    "everything by itself": (NAMES, NAMES),
}


def test_what_is_known_of_every_candidate(model, classes):
    labelled = looked_for(*(row for row, _ in IMAGES.values()))
    covered = looked_for(*(row for _, row in IMAGES.values()))
    targets = torch.zeros(len(IMAGES), 6, 5)
    for place in range(5):
        targets[:, place + 1, place] = 0.1 + 0.2 * place
    loss = model._WhereLookedFor(classes)
    loss.labelled, loss.covered = labelled, covered
    known = loss.known(targets > 0)
    for image, candidate in product(range(len(IMAGES)), range(6)):
        expected = naive(targets[image, candidate], labelled[image], covered[image])
        assert known[image, candidate].tolist() == expected, (list(IMAGES)[image], candidate)


@pytest.mark.parametrize(
    ("image", "label", "known"),
    [
        ("nothing was looked for", None, ()),
        ("animals as a whole", None, ("dog", "animals", "cat")),
        ("animals as a whole", ANIMALS, ("animals",)),
        ("animals as a whole", DOG, ("dog", "animals", "cat")),
        ("dogs only", None, ("dog",)),
        ("dogs only", CAT, ("dog", "cat", "animals")),
        ("nothing was looked for", ANGEL, ("angel", "persons")),
        ("dogs, and persons as a whole", PERSONS, ("dog", "persons")),
    ],
)
def test_what_is_known_by_hand(model, classes, image, label, known):
    loss = model._WhereLookedFor(classes)
    by_itself, covered = IMAGES[image]
    loss.labelled, loss.covered = looked_for(by_itself), looked_for(covered)
    target = torch.zeros(1, 1, 5)
    if label is not None:
        target[0, 0, label] = 0.7
    found = loss.known(target > 0)[0, 0].tolist()
    assert {name for name, is_known in zip(NAMES, found, strict=True) if is_known} == set(known)


def test_what_is_unknown_has_no_gradient_and_the_rest_has_that_of_cross_entropy(model, classes):
    """Of dogs and cats it is asked at the candidates of animals alone, as much as these are animals."""
    torch.manual_seed(0)
    loss = model._WhereLookedFor(classes)
    loss.labelled, loss.covered = looked_for(NAMES, ()), looked_for(NAMES, ())
    loss.specific = torch.zeros(2, 3, 5)
    scores = torch.randn(2, 3, 5, requires_grad=True)
    targets = torch.zeros(2, 3, 5)
    targets[0, 0, ANIMALS] = loss.specific[0, 0, CAT] = 0.6
    targets[0, 1, ANIMALS] = 0.3
    targets[1, 1, PERSONS] = loss.specific[1, 1, ANGEL] = 0.9
    value = loss(scores, targets)
    value.sum().backward()
    expected = torch.zeros(2, 3, 5)
    probability = torch.sigmoid(scores.detach())
    for place in (PERSONS, ANIMALS):
        expected[0, :, place] = probability[0, :, place] - targets[0, :, place]
    expected[1, 1, PERSONS] = probability[1, 1, PERSONS] - targets[1, 1, PERSONS]
    # The other image has a person: where there is none, this is asked a little. Nobody speaks of animals.
    expected[1, [0, 2], PERSONS] = model.PARTLY * probability[1, [0, 2], PERSONS]
    for image, candidate, place, share, answer in (
        (0, 0, DOG, 0.6, 0),
        (0, 0, CAT, 0.6, 1),
        (0, 1, DOG, 0.3, 0),  # an animal that is neither: both were looked for
        (0, 1, CAT, 0.3, 0),
        (1, 1, ANGEL, 0.9, 1),
    ):
        expected[image, candidate, place] = share * (probability[image, candidate, place] - answer)
    torch.testing.assert_close(scores.grad, expected)
    assert ((value > 0) == (expected != 0)).all()
    by_hand = -0.6 * probability[0, 0, CAT].log() - 0.6 * (1 - probability[0, 0, DOG]).log()
    torch.testing.assert_close(value[0, 0, [CAT, DOG]].sum(), by_hand)


def test_a_class_without_its_category_is_asked_of_everywhere(model, taxonomy):
    loss = model._WhereLookedFor(DetectorClasses.of(("dog", "ship"), taxonomy))
    loss.labelled = loss.covered = torch.ones(1, 2, dtype=torch.bool)
    targets = torch.tensor([[[0.0, 0.0], [0.7, 0.0]]])
    usual = torch.nn.functional.binary_cross_entropy_with_logits(torch.ones(1, 2, 2), targets, reduction="none")
    torch.testing.assert_close(loss(torch.ones(1, 2, 2), targets), usual)


def test_a_box_of_a_class_is_learnt_as_its_category_too(model, classes):
    """The usual assignment sees categories alone; the class has the category's target besides."""
    given = []

    class Usual(torch.nn.Module):
        def forward(self, scores, boxes, points, labels, *rest):
            given.append(labels.squeeze(2).tolist())
            targets = torch.zeros_like(scores)
            if labels.shape[1]:
                targets[0, 0, labels[0, 1, 0]] = 0.8  # the first candidate has the second box
            which = torch.zeros(1, 2)
            which[0, 0] = 1
            return None, boxes, targets, targets.any(dim=2), which

    loss = model._WhereLookedFor(classes)
    assigner = model._ByCategory(Usual(), loss, classes)
    labels = torch.tensor([[[CAT], [ANGEL], [PERSONS]]]).float()
    found = assigner(torch.zeros(1, 2, 5), torch.zeros(1, 2, 4), None, labels, None, None)
    assert given == [[[ANIMALS, PERSONS, PERSONS]]]
    assert (found[2][0, 0, PERSONS], found[2].sum()) == (pytest.approx(0.8), pytest.approx(0.8))
    assert (loss.specific[0, 0, ANGEL], loss.specific.sum()) == (pytest.approx(0.8), pytest.approx(0.8))
    loss.labelled, loss.covered = looked_for(NAMES), looked_for(NAMES)
    value = loss(torch.full((1, 2, 5), 3.0), found[2])
    assert (value[0, 0] > 0).tolist() == [name in ("persons", "animals", "angel") for name in NAMES]
    assert value[0, 0, ANGEL] < value[0, 0, PERSONS] < value[0, 0, ANIMALS]
    nothing = assigner(torch.zeros(1, 2, 5), torch.zeros(1, 2, 4), None, torch.zeros(1, 0, 1), None, None)
    assert (nothing is None, loss.specific) == (False, None)


@pytest.fixture(scope="module")
def network(model, classes):
    from ultralytics.cfg import get_cfg

    torch.manual_seed(3)
    made = model.TrainedNetwork("yolov5n.yaml", classes, low_precision=False)
    made.args = get_cfg()
    return made


@pytest.mark.parametrize("names", [(), ("dog",), ("persons", "cat")])
def test_outputs_of_classes_that_were_not_looked_for_learn_nothing(network, names):
    """Of two images, one with a dog that somebody boxed and one with nothing."""
    network.zero_grad()
    looked = looked_for(names, names)
    batch = {
        "img": torch.rand(2, 3, 64, 96),
        "labelled": looked,
        "covered": looked,
        "cls": torch.zeros(0, 1),
        "bboxes": torch.zeros(0, 4),
        "batch_idx": torch.zeros(0),
    }
    loss, _ = network.loss(batch)
    loss.sum().backward()
    learning = [branch[-1].bias.grad.abs() > 0 for branch in network.model[-1].cv3]
    for rows in learning:  # where there are no animals, nothing is learnt of cats and dogs
        assert rows.tolist() == [name in names and name in ("persons", "animals") for name in NAMES]


@pytest.fixture(scope="module")
def write_start(model, taxonomy, tmp_path_factory):
    """Random weights of a network with these classes, with a card unless it is to be without."""

    def write(names, *, architecture="yolov5n.yaml", card=True):
        torch.manual_seed(7)
        made = model.TrainedNetwork(architecture, DetectorClasses.of(names, taxonomy), low_precision=False)
        folder = tmp_path_factory.mktemp("start")
        path = folder / "model.safetensors"
        tensors = {name: tensor.half().float().contiguous() for name, tensor in made.state_dict().items()}
        save_file(tensors, path)
        content = {"backend": "yolo", "architecture": architecture, "classes": list(names)}
        path.with_suffix(".yaml").write_text(yaml.safe_dump(content))
        return ModelFiles(path, path.with_suffix(".yaml") if card else None), tensors

    return write


def outputs(network):
    """Names of weights and biases that have a row a class."""
    head = len(network.model) - 1
    return [f"model.{head}.cv3.{level}.2.{part}" for level in range(3) for part in ("weight", "bias")]


def test_rows_are_taken_over_by_name_in_any_order(start, network, classes, write_start):
    files, there = write_start(("animals", "angel", "dog", "ship"))
    found = start.start_tensors(files, classes, network)
    assert start.knows_outputs(found, network)
    own = network.state_dict()
    for name in outputs(network):
        torch.testing.assert_close(found[name][DOG], there[name][2])
        torch.testing.assert_close(found[name][ANIMALS], there[name][0])
        torch.testing.assert_close(found[name][ANGEL], there[name][1])
        unlikely = -2.0 if name.endswith("bias") else 0.0
        assert (found[name][CAT] == unlikely).all()  # its category is known, it is not
        torch.testing.assert_close(found[name][PERSONS], own[name][PERSONS])  # a category is none of its classes
    rest = set(there) - set(outputs(network))
    assert set(found) == set(own)
    assert all(torch.equal(found[name], there[name].to(own[name].dtype)) for name in rest)


@pytest.mark.parametrize(
    ("names", "card"),
    [(NAMES, False), (("ship", "fish"), True), (("ship", "fish", "cow", "mountain", "meat"), True)],
    ids=["no card", "other classes", "as many other classes"],
)
def test_outputs_begin_anew_where_nothing_is_known_of_them(start, network, classes, write_start, names, card):
    files, _ = write_start(names, card=card)
    found = start.start_tensors(files, classes, network)
    assert not start.knows_outputs(found, network)
    assert not set(outputs(network)) & set(found)
    assert len(found) > 0.9 * len(network.state_dict())


def test_other_architectures_and_pickles_are_refused(start, network, classes, write_start, tmp_path):
    files, _ = write_start(NAMES, architecture="yolov5s.yaml")
    with pytest.raises(ModelError, match=r"fits this network in only \d+ of \d+ tensors\. .* --start random"):
        start.start_tensors(files, classes, network)
    (tmp_path / "model.pt").write_bytes(b"")
    with pytest.raises(ModelError, match="pickle"):
        start.start_tensors(ModelFiles(tmp_path / "model.pt", None), classes, network)


def test_pickle_of_ultralytics_brings_its_coco_classes(start, network, classes, tmp_path):
    from ultralytics import YOLO
    from ultralytics.nn.tasks import DetectionModel

    written = YOLO("yolov5n.yaml")
    written.model = DetectionModel("yolov5n.yaml", nc=3, verbose=False)
    written.model.names = {0: "person", 1: "bicycle", 2: "dog"}
    written.save(tmp_path / "coco.pt")
    there = {name: tensor.float() for name, tensor in written.model.state_dict().items()}
    found = start.start_tensors(ModelFiles(tmp_path / "coco.pt", None), classes, network, trusted=True)
    assert start.knows_outputs(found, network)
    for name in outputs(network):
        torch.testing.assert_close(found[name][PERSONS], there[name][0], rtol=1e-3, atol=1e-3)  # saved as float16
        torch.testing.assert_close(found[name][DOG], there[name][2], rtol=1e-3, atol=1e-3)


def test_low_precision_changes_the_loss_little_and_the_loss_is_float32(model, network, classes):
    looked = looked_for(NAMES)
    batch = {
        "img": torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1)),
        "labelled": looked,
        "covered": looked,
        "cls": torch.tensor([[0.0]]),
        "bboxes": torch.tensor([[0.5, 0.5, 0.5, 0.6]]),
        "batch_idx": torch.zeros(1),
    }
    values = []
    for low in (False, True):
        network.low_precision = low
        loss, parts = network.loss(dict(batch))
        assert loss.dtype == torch.float32
        values.append([float(part) for part in parts.values()])
    network.low_precision = False
    assert values[0] != values[1]
    np.testing.assert_allclose(values[1], values[0], rtol=0.1)
