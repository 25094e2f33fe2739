"""The card of a run, and what its commands need: the truth of validation and the model as an ensemble."""

import hashlib
import shlex
from dataclasses import replace

import numpy as np
import pytest
import yaml

from artdet.data.sources import load_dataset
from artdet.ensemble.config import load_ensemble
from artdet.modelfiles import ModelFiles
from artdet.training.model_card import CARD, leading_comment, left_out, write_card
from artdet.training.repetition import ENSEMBLE, TRUTH, commands, write_repetition


@pytest.fixture
def trained(folder):
    """A folder with weights and their card."""
    folder.model.write_bytes(b"weights")
    content = {"backend": "yolo", "architecture": "yolov5n.yaml", "classes": ["animals", "dog", "cat"]}
    folder.card.write_text(yaml.safe_dump({**content, "licence": "AGPL-3.0-or-later"}))
    return folder


def test_no_card_before_there_are_weights(task, folder, trained, make_epochs):
    assert write_card(task, trained, []) is None
    assert write_card(task, trained, make_epochs(1, every=2)) is None
    trained.model.unlink()
    assert write_card(task, trained, make_epochs(1)) is None
    assert not (folder.path / CARD).exists()


def _cells(text, first):
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines()]
    return [row[1:] for row in rows if row[0].strip() == first]


def test_the_card_says_what_counts(task, trained, make_epochs, tmp_path):
    (tmp_path / "start.safetensors").write_bytes(b"start")
    begun = replace(task, start=ModelFiles(tmp_path / "start.safetensors", None))
    (trained.path / "curves.png").write_bytes(b"")
    text = write_card(begun, trained, make_epochs(5, every=2)).read_text()
    assert text.startswith("# pets run\n\nPets.\n")
    assert _cells(text, "dog") == [["2", "1", "1", "1"], ["fine", "10", "0.600", "0.200", "0.400"]]
    assert _cells(text, "animals") == [["0", "0", "0", "0"], ["coarse", "20", "0.800", "0.200", "0.400"]]
    assert _cells(text, "snaps") == [
        ["photographs; 1 without boxes", "3", "3", "0", "0", "CC0", "a walk \\| in the park"]
    ]
    assert _cells(text, "prints") == [["art", "0", "0", "2", "2", "none stated", "a folder of prints"]]
    for sentence in (
        f"`start.safetensors`, SHA-256 `{hashlib.sha256(b'start').hexdigest()}`",
        f"SHA-256 `{hashlib.sha256(b'weights').hexdigest()}`",
        "5 of at most 9; the weights are those after epoch 4",
        "5 min of training, validation not counted, on cpu, 2 threads",
        "learning rate at most 0.01,",
        "Its author says: No duck: nobody drew one. Prints validate.",
        "fewer than 50 boxes to learn from: animals (0), dog (2), cat (1)",
        "Not told apart, of animals: ",
        "their boxes count as animals",
        "validated on prints (2)",
        "Weights: AGPL-3.0-or-later.",
        "Data, CC0: snaps.",
        "(curves.png)",
    ):
        assert sentence in text
    assert str(tmp_path / "start.safetensors") not in text
    assert "Data, none stated" not in text  # nothing was learnt from the prints


def test_the_card_names_the_teacher(task, trained, make_epochs, tmp_path):
    (tmp_path / "large.safetensors").write_bytes(b"larger")
    taught = replace(task, teacher=ModelFiles(tmp_path / "large.safetensors", None))
    text = write_card(taught, trained, make_epochs(1)).read_text()
    assert f"**Teacher**: `large.safetensors`, SHA-256 `{hashlib.sha256(b'larger').hexdigest()}`." in text
    assert str(tmp_path / "large.safetensors") not in text


def test_random_weights_and_no_picture(task, trained, make_epochs):
    text = write_card(task, trained, make_epochs(1)).read_text()
    assert "**Start**: random weights." in text
    assert "Teacher" not in text
    assert "curves.png" not in text


def test_classes_that_are_left_out(task):
    assert set(left_out(task)) == {"animals"}
    assert "duck" in left_out(task)["animals"]
    assert not {"dog", "cat", "animals"} & set(left_out(task)["animals"])


@pytest.mark.parametrize(
    ("text", "said"),
    [("", ""), ("a: 1 # no\n# no\n", ""), ("# One.\n#\n#   Two.\na: 1\n# no\n", "One. Two.")],
    ids=["empty", "none at the head", "lines"],
)
def test_leading_comment(tmp_path, text, said):
    (tmp_path / "a.yaml").write_text(text)
    assert leading_comment(tmp_path / "a.yaml") == said
    assert leading_comment(tmp_path / "absent.yaml") == ""


def test_the_truth_is_what_training_validates_by(task, trained, taxonomy):
    write_repetition(task, trained)
    truth = load_dataset(trained.path / TRUTH, taxonomy=taxonomy)
    assert len(truth) == len(task.validation) == 2
    for sample, entry in zip(truth, task.validation, strict=True):
        assert truth.root / sample.file == entry.path
        assert sample.labelled == entry.sample.labelled
        assert sample.fields["source"] == entry.source
        assert sample.truth.labels.tolist() == entry.sample.truth.labels.tolist()
        np.testing.assert_allclose(sample.truth.boxes, entry.sample.truth.boxes, atol=1e-3)
    assert not truth.findings or all(not finding.loses for finding in truth.findings)


def test_the_ensemble_is_the_model_alone(task, trained):
    write_repetition(task, trained)
    found = load_ensemble(str(trained.path / ENSEMBLE)).settings
    assert found.max_side == 128
    assert (found.fusion.method, found.rules) == ("none", ())
    (member,) = found.members
    assert (member.detector, member.weights, member.min_score) == ("yolo", "model.safetensors", 0)


def test_commands(task, trained, category_file, monkeypatch):
    predict, evaluate = map(shlex.split, commands(task.validation, trained))
    assert predict[:3] == ["artdet", "predict", str(category_file.parent / "prints/images")]
    assert predict[predict.index("--ensemble") + 1] == str(trained.path / ENSEMBLE)
    assert evaluate[evaluate.index("--truth") + 1] == str(trained.path / TRUTH)
    assert evaluate[2] == predict[predict.index("--out") + 1] == "runs/predict/pets run_validation"
    monkeypatch.setenv("ARTDET_DATA_DIR", str(category_file.parent))
    assert '"$ARTDET_DATA_DIR"/prints/images' in commands(task.validation, trained)[0]
    monkeypatch.setenv("ARTDET_DATA_DIR", str(category_file.parent / "prints/images"))
    assert 'predict "$ARTDET_DATA_DIR" --recursive' in commands(task.validation, trained)[0]
    monkeypatch.delenv("ARTDET_DATA_DIR")
    monkeypatch.chdir(category_file.parent)
    assert "predict prints/images --recursive" in commands(task.validation, trained)[0]
