"""What lies in the folder of a run."""

import json

import pytest

from artdet.errors import RunError
from artdet.training.folder import FORMAT


def test_an_empty_folder_is_no_run(folder):
    assert list(folder.epochs()) == []
    with pytest.raises(RunError, match=r"is no training run: training\.json cannot be read\. Name a folder below"):
        folder.info()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is no training run"),
        ('{"format": "artdet training 0"}', "another version of artdet. Train again in another folder"),
        ("{}", "another version"),
    ],
    ids=["torn", "older", "without a format"],
)
def test_other_files(folder, text, said):
    folder.info_file.write_text(text)
    with pytest.raises(RunError, match=said):
        folder.info()


def test_what_runs_is_written_into_a_folder_that_is_made(folder):
    folder.path.rmdir()
    folder.write_info({"category": "pets"})
    assert folder.info() == {"format": FORMAT, "category": "pets"}


def test_epochs_survive(folder, make_epochs):
    epochs = make_epochs(3, every=2)
    folder.write_epochs(epochs)
    assert list(folder.epochs()) == epochs
    assert [json.loads(line)["number"] for line in folder.metrics.read_text().splitlines()] == [1, 2, 3]


@pytest.mark.parametrize("tail", ['{"number": 3, "lo', "[]", '{"number": 3}', '{"figures": {"classes": 1}}'])
def test_what_a_killed_process_left_half_is_no_epoch(folder, make_epochs, tail):
    epochs = make_epochs(2)
    folder.write_epochs(epochs)
    with folder.metrics.open("a") as stream:
        stream.write(tail)
    assert list(folder.epochs()) == epochs


def test_files_lie_where_predict_looks_for_them(folder):
    assert folder.card == folder.model.with_suffix(".yaml")
    assert folder.model.name == "model.safetensors"
    assert folder.tensorboard().is_dir()
