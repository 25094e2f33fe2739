import pytest

from artdet import runtimes
from artdet.errors import InputError, MissingBackend, ModelError


def test_choosing_an_engine(monkeypatch):
    monkeypatch.setattr(runtimes, "is_installed", lambda package: package in ("torch", "onnxruntime", "openvino"))
    assert runtimes.choose_engine("auto", "cpu") == "torch"
    with pytest.raises(MissingBackend, match=r"--engine openvino needs onnx, which.*pip install 'artdet\[openvino\]'"):
        runtimes.choose_engine("openvino", "cpu")
    monkeypatch.setattr(runtimes, "is_installed", lambda package: package in ("torch", "onnxruntime", "onnx"))
    assert runtimes.choose_engine("auto", "cpu") == "onnx"
    assert runtimes.choose_engine("auto", "cuda") == "torch"
    with pytest.raises(MissingBackend, match=r"pip install 'artdet\[openvino\]'"):
        runtimes.choose_engine("openvino", "cpu")
    with pytest.raises(InputError, match="runs on the CPU only"):
        runtimes.choose_engine("onnx", "cuda:0")
    with pytest.raises(InputError, match="no engine 'tensorrt'"):
        runtimes.choose_engine("tensorrt", "cpu")


def write(text):
    return lambda folder: (folder / "marker").write_text(text)


def test_a_folder_of_the_cache_is_filled_once(tmp_path):
    runtimes.cached(tmp_path / "key", "marker", write("first"))
    runtimes.cached(tmp_path / "key", "marker", write("second"))
    assert (tmp_path / "key" / "marker").read_text() == "first"


def test_what_an_export_left_unfinished_is_made_anew(tmp_path):
    (tmp_path / "key").mkdir()
    (tmp_path / "key" / "torn.onnx").touch()
    runtimes.cached(tmp_path / "key", "marker", write("whole"))
    assert [path.name for path in (tmp_path / "key").iterdir()] == ["marker"]


def test_a_failed_export_leaves_nothing(tmp_path):
    def fail(folder):
        (folder / "half").touch()
        raise ModelError("no")

    with pytest.raises(ModelError, match="no"):
        runtimes.cached(tmp_path / "key", "marker", fail)
    assert list(tmp_path.iterdir()) == []
