"""Checkpoints that hold what was saved, and models that are small and whole."""

import pickle

import pytest
import torch
from safetensors.torch import load_file

from artdet.errors import RunError
from artdet.modelfiles import ModelCard, ModelFiles, read_card
from artdet.training.backends.checkpoints import are_in_bounds, load_checkpoint, save_checkpoint, save_weights

CARD = ModelCard(backend="yolo", architecture="yolov5n.yaml", classes=("dog",), image_size=64)


def test_without_a_checkpoint_there_is_nothing_to_go_on_from(tmp_path):
    assert load_checkpoint(tmp_path / "last.pt") is None


def test_a_checkpoint_holds_what_was_saved(tmp_path):
    state = {"epoch": 3, "rate": 0.1, "model": {"a": torch.arange(6.0).reshape(2, 3)}, "groups": [{"lr": 1e-3}]}
    save_checkpoint(tmp_path / "last.pt", state)
    found = load_checkpoint(tmp_path / "last.pt")
    assert torch.equal(found.pop("model")["a"], state.pop("model")["a"])
    assert found == state
    assert [path.name for path in tmp_path.iterdir()] == ["last.pt"]


class Program:
    def __reduce__(self):
        return (pytest.fail, ("code of the file was run",))


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04 torn", pickle.dumps({"epoch": Program()}, protocol=2)],
    ids=["empty", "torn", "a program"],
)
def test_a_damaged_one_is_told_and_runs_nothing(tmp_path, content):
    path = tmp_path / "last.pt"
    path.write_bytes(content)
    with pytest.raises(RunError, match=r"last\.pt cannot be read .* Train again in another folder"):
        load_checkpoint(path)


def test_weights_are_halves_where_they_fit(folder):
    tensors = {
        "plain": torch.tensor([[0.1, -2.0], [3.0, 4.0]]).t(),
        "large": torch.tensor([1e5, 1.0]),
        "count": torch.tensor(70_000),
        "empty": torch.zeros(0),
    }
    save_weights(folder, tensors, CARD)
    found = load_file(folder.model)
    assert {name: tensor.dtype for name, tensor in found.items()} == {
        "plain": torch.float16,
        "large": torch.float32,
        "count": torch.int64,
        "empty": torch.float16,
    }
    for name, tensor in tensors.items():
        torch.testing.assert_close(found[name].to(tensor.dtype), tensor, rtol=1e-3, atol=0)
    assert read_card(ModelFiles(folder.model, folder.card), backend="yolo") == CARD


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], True), ([1.0, -65504.0], True), ([1.0, -65505.0], False), ([1.0, torch.nan], False), ([torch.inf], False)],
)
def test_bounds(values, expected):
    tensors = {"fine": torch.zeros(2), "these": torch.tensor(values), "count": torch.tensor(70_000)}
    assert are_in_bounds(tensors) is expected
