"""What runs exported networks: ONNX Runtime and OpenVINO, which of them to take, and the cache of exported files."""

from __future__ import annotations

import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from artdet.devices import is_installed
from artdet.errors import InputError, MissingBackend, ModelError
from artdet.resources import cache_folder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ENGINES = {"openvino": ("openvino", "onnx"), "onnx": ("onnxruntime", "onnx"), "torch": ("torch",)}
"""Engine -> packages that it needs (onnx is what torch exports with); the quickest on a CPU first."""

INSTALL = {
    "openvino": "Install it with: pip install 'artdet[openvino]'",
    "onnx": "Install it with: pip install 'artdet[onnx]'",
    "torch": "Install it with: pip install torch",
}


class Runtime(Protocol):
    """Runs one network with one input and one output."""

    def infer(self, inputs: Iterable[NDArray[np.uint8]]) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yields (index, output) of each input, whose first axis is the batch, in any order.

        ``inputs`` may be a generator: what it does then overlaps with the network's own work.
        """


def choose_engine(wanted: str, device: str) -> str:
    """The engine to use: the wanted one, or for ``"auto"`` the quickest that is installed and runs on the device.

    Raises:
        InputError: if there is no such engine, or it does not run on the device.
        MissingBackend: if the wanted one is not installed.
    """
    if wanted == "auto":
        usable = ("torch",) if device != "cpu" else tuple(ENGINES)
        return next(engine for engine in usable if engine == "torch" or not _lacking(engine))
    if wanted not in ENGINES:
        raise InputError(f"there is no engine '{wanted}'. Use auto, {', '.join(ENGINES)}.")
    if lacking := _lacking(wanted):
        raise MissingBackend(" and ".join(lacking), f"--engine {wanted}", INSTALL[wanted])
    if wanted != "torch" and device != "cpu":
        raise InputError(f"--engine {wanted} runs on the CPU only, but the device is {device}. Use --engine torch.")
    return wanted


def open_runtime(engine: str, exported_model: Path, *, threads: int, precision: str) -> Runtime:
    """An exported network, ready to run.

    Args:
        engine: ``"onnx"`` or ``"openvino"``.
        exported_model: an ONNX file.
        threads: how many it may use.
        precision: ``"auto"``, which lets OpenVINO take bfloat16 where the CPU has it, or ``"float32"``.

    Raises:
        ModelError: if the file cannot be used.
    """
    if engine == "onnx":
        return OnnxRuntime(exported_model, threads)
    return OpenVinoRuntime(exported_model, threads, precision)


class OnnxRuntime:
    """ONNX Runtime on the CPU, an input after the other."""

    def __init__(self, exported_model: Path, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(exported_model), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime has a class of its own for every kind of failure
            raise _unusable(exported_model, "ONNX Runtime", error) from error
        self._input = self._session.get_inputs()[0].name

    def infer(self, inputs: Iterable[NDArray[np.uint8]]) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yields (index, output); see :class:`Runtime`."""
        for index, values in enumerate(inputs):
            yield index, self._session.run(None, {self._input: values})[0]


@cache
def _openvino_core() -> Any:
    """The one OpenVINO core of this process, which lives as long as it.

    A core changes the stack that signals are handled on and puts the former one back at its end: of two, the second
    to end would put back what the first has freed, and the next Ctrl-C would crash the process.
    """
    import openvino

    return openvino.Core()


class OpenVinoRuntime:
    """OpenVINO on the CPU: as many inputs at once as there are threads, a core each."""

    def __init__(self, exported_model: Path, threads: int, precision: str) -> None:
        core = _openvino_core()
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "NUM_STREAMS": str(threads),
            "INFERENCE_NUM_THREADS": str(threads),
            "CACHE_DIR": str(cache_place("openvino")),
        }
        if precision == "float32":
            settings["INFERENCE_PRECISION_HINT"] = "f32"
        try:
            model = core.compile_model(core.read_model(str(exported_model)), "CPU", settings)
        except RuntimeError as error:
            raise _unusable(exported_model, "OpenVINO", error) from error
        self._requests = [model.create_infer_request() for _ in range(threads + 1)]

    def infer(self, inputs: Iterable[NDArray[np.uint8]]) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yields (index, output) in the order of the inputs; see :class:`Runtime`.

        Without callbacks in Python, as an ``AsyncInferQueue`` has them: the thread of OpenVINO that frees the last one
        may still wait for the interpreter when that ends, which aborts the process after its work is done.
        """
        running = deque[tuple[int, Any]]()
        try:
            for index, values in enumerate(inputs):
                if len(running) == len(self._requests):
                    yield _finished(running)
                request = self._requests[index % len(self._requests)]
                request.start_async({0: values})
                running.append((index, request))
            while running:
                yield _finished(running)
        finally:
            for _, request in running:
                request.wait()


def _finished(running: deque[tuple[int, Any]]) -> tuple[int, NDArray[np.float32]]:
    """Index and output of the first request of OpenVINO, which is waited for and taken out."""
    index, request = running[0]
    request.wait()
    output = request.get_output_tensor(0).data.copy()
    running.popleft()
    return index, output


def cache_place(name: str) -> Path:
    """A folder inside artdet's cache, made where it is not there yet.

    Raises:
        ModelError: if it cannot be made.
    """
    folder = cache_folder() / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    return folder


def cached(folder: Path, marker: str, make: Callable[[Path], None]) -> None:
    """Fills a folder of the cache once; a killed export leaves nothing that looks whole, and two at once do not mix.

    Args:
        folder: the one to fill, inside a :func:`cache_place`.
        marker: the file in it that says that it is whole.
        make: writes the files, ``marker`` among them, into the folder that it gets.

    Raises:
        ModelError: if it cannot be written.
    """
    if (folder / marker).is_file():
        return
    try:
        draft = Path(tempfile.mkdtemp(prefix="export-", dir=folder.parent))
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        make(draft)
        if not (folder / marker).is_file():
            shutil.rmtree(folder, ignore_errors=True)
            draft.rename(folder)
    except OSError as error:
        if not (folder / marker).is_file():
            raise _unwritable(folder, error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _lacking(engine: str) -> list[str]:
    return [package for package in ENGINES[engine] if not is_installed(package)]


def _unwritable(folder: Path, error: OSError) -> ModelError:
    return ModelError(
        f"the cache of exported models cannot be written to {folder} ({error.strerror}). "
        "Free space there, or name another folder in ARTDET_CACHE_DIR."
    )


def _unusable(exported_model: Path, engine: str, error: Exception) -> ModelError:
    reason = " ".join(str(error).split())[:200]
    return ModelError(
        f"{engine} cannot use {exported_model} ({reason}). "
        f"Delete {exported_model.parent}, so that it is exported anew, or use --engine torch."
    )
