import hashlib

import pytest

from artdet.errors import ConfigError, ModelError
from artdet.modelfiles import file_sha256, find_model, list_models, load_tensors, read_card, refuse_pickle


def test_bundled_models_are_found_by_name_with_a_card(tmp_path):
    files = find_model("persons_v0", tmp_path)
    assert files is not None
    assert read_card(files).classes == ("persons",)
    assert ("persons_v0", "bundled", files) in list_models()
    assert files.model.stat().st_size < 6_000_000


def test_models_are_found_by_path_below_the_folder_and_among_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    places = {"beside/w.safetensors": "w.safetensors", "runs/train/horses/model.safetensors": "horses"}
    for place in places:
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_bytes(b"x")
    assert find_model("w.safetensors", tmp_path / "beside").model == tmp_path / "beside/w.safetensors"
    assert find_model("horses", tmp_path).model.as_posix() == "runs/train/horses/model.safetensors"
    assert find_model("runs/train/horses", tmp_path).model.name == "model.safetensors"
    assert find_model("nothing", tmp_path) is None


def test_a_model_without_card_is_refused(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(b"x")
    with pytest.raises(ModelError, match="no card beside it"):
        read_card(find_model(str(tmp_path / "w.safetensors"), tmp_path))


def test_a_wrong_card_is_told_with_its_place(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(b"x")
    (tmp_path / "w.yaml").write_text("backend: yolo\narchitecture: y\nclasses: []\n")
    with pytest.raises(ConfigError, match="w.yaml: classes:"):
        read_card(find_model(str(tmp_path / "w.safetensors"), tmp_path))


@pytest.mark.parametrize("name", ["m.pt", "m.PTH", "m.pkl"])
def test_pickles_need_trust(tmp_path, name):
    with pytest.raises(ModelError, match="can run any program.*--trust-weights"):
        refuse_pickle(tmp_path / name, trusted=False)
    refuse_pickle(tmp_path / name, trusted=True)
    refuse_pickle(tmp_path / "m.safetensors", trusted=False)


def test_the_hash_follows_the_file(tmp_path):
    path = tmp_path / "w"
    for content in (b"one", b"three"):
        path.write_bytes(content)
        assert file_sha256(path) == hashlib.sha256(content).hexdigest()


def test_damaged_weights_are_a_sentence(tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"not a tensor in sight")
    with pytest.raises(ModelError, match=r"w\.safetensors cannot be read"):
        load_tensors(path)
