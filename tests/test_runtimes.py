import subprocess
import sys

import numpy as np
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


@pytest.fixture
def exported(tmp_path):
    """Writes a network of one operation for OpenVINO."""
    pytest.importorskip("openvino", reason="OpenVINO is not installed")
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")

    def write(operation, inputs, shape):
        first, last = (onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, shape) for n in ("in", "out"))
        graph = onnx.helper.make_graph([onnx.helper.make_node(operation, inputs, ["out"])], "one", [first], [last])
        model = onnx.helper.make_model(graph, ir_version=8, opset_imports=[onnx.helper.make_opsetid("", 17)])
        onnx.save(model, tmp_path / "network.onnx")
        return tmp_path / "network.onnx"

    return write


@pytest.fixture
def doubling(exported):
    """OpenVINO on two threads with a network that adds its input to itself."""
    path = exported("Add", ["in", "in"], [1, 2])
    return runtimes.open_runtime("openvino", path, threads=2, precision="float32")


def numbered(count):
    return (np.full((1, 2), index, np.float32) for index in range(count))


def test_openvino_answers_more_inputs_than_it_takes_at_once(doubling):
    answers = [(index, output.tolist()) for index, output in doubling.infer(numbered(10))]
    assert answers == [(index, [[2.0 * index, 2.0 * index]]) for index in range(10)]
    assert list(doubling.infer(iter(()))) == []


def test_openvino_goes_on_after_inputs_that_failed_or_were_left(doubling):
    def torn():
        yield from numbered(2)
        raise OSError("torn")

    with pytest.raises(OSError, match="torn"):
        list(doubling.infer(torn()))
    left = doubling.infer(numbered(10))
    next(left)
    left.close()
    assert [index for index, _ in doubling.infer(numbered(5))] == list(range(5))


INTERRUPTED = """
import os, signal, sys, time
from pathlib import Path
import numpy as np
from artdet.runtimes import open_runtime

both = [open_runtime("openvino", Path(sys.argv[1]), threads=1, precision="float32") for _ in range(2)]
for runtime in both:
    assert list(runtime.infer([np.ones((1, 3, 4, 4), np.float32)]))[0][1].sum() == 48
del runtime
both.pop(0)
both.pop(0)
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(5)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_after_two_networks_of_openvino(exported):
    """Of two cores of OpenVINO, one leaves a freed stack for signals; in a process of its own, as it would crash."""
    command = [sys.executable, "-c", INTERRUPTED, str(exported("Relu", ["in"], [1, 3, 4, 4]))]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "interrupted\n"
