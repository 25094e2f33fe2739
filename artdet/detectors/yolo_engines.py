"""Three ways to run an exported YOLO network: torch, ONNX Runtime, OpenVINO."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from artdet.detectors.base import LoadContext
from artdet.detectors.yolo_network import NetworkInfo, build_network, cache_place, exported
from artdet.errors import ModelError
from artdet.images import RGBImage
from artdet.modelfiles import ModelFiles

if TYPE_CHECKING:
    import torch

Output = NDArray[np.float32]
"""One image's candidates (4 + classes, A), or (M, 6) of an end-to-end network; see ``yolo_network.exported``."""


class Engine(Protocol):
    """Runs one network."""

    info: NetworkInfo

    def infer(self, images: Iterable[RGBImage]) -> Iterator[tuple[int, Output]]:
        """Yields (index, output) of letterboxed images (H, W, 3), in any order.

        ``images`` may be a generator: what it does then overlaps with the network's own work.
        """


def open_engine(name: str, files: ModelFiles, *, device: str, context: LoadContext) -> Engine:
    """The engine ``name`` (``"torch"``, ``"onnx"`` or ``"openvino"``) with the network of ``files``."""
    if name == "torch":
        network, info = build_network(files, trusted=context.trust_weights)
        return TorchEngine(network, info, device=device, threads=context.threads)
    return OnnxEngine(files, context) if name == "onnx" else OpenVinoEngine(files, context)


class TorchEngine:
    """The network in torch, channels last. On a GPU images of one size go through together.

    On the CPU they go one by one: together they are hardly quicker, and sums differ in their last digits with the
    batch, so that a run that is stopped and continued would give other lines.

    Args:
        network: as :func:`artdet.detectors.yolo_network.for_inference` gives it.
        info: of the network.
    """

    def __init__(self, network: torch.nn.Module, info: NetworkInfo, *, device: str, threads: int) -> None:
        self.info = info
        import torch

        if device == "cpu":
            # Importing ultralytics, and choosing a device through it, lowers torch's threads.
            torch.set_num_threads(threads)
        self._network = network.to(device).to(memory_format=torch.channels_last)
        self._device = device
        self._torch = torch

    def infer(self, images: Iterable[RGBImage]) -> Iterator[tuple[int, Output]]:
        """Yields (index, output), on a GPU grouped by image size."""
        groups: dict[tuple[int, ...], list[int]] = {}
        waiting: dict[int, RGBImage] = {}
        for index, image in enumerate(images):
            if self._device == "cpu":
                yield index, self._run(image[None])[0]
                continue
            groups.setdefault(image.shape, []).append(index)
            waiting[index] = image
        for indices in groups.values():
            yield from zip(indices, self._run(np.stack([waiting[index] for index in indices])), strict=True)

    def _run(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        with self._torch.inference_mode():
            outputs: NDArray[np.float32] = (
                self._network(self._torch.from_numpy(batch).to(self._device)).float().cpu().numpy()
            )
        return outputs


class OnnxEngine:
    """ONNX Runtime on the CPU."""

    def __init__(self, files: ModelFiles, context: LoadContext) -> None:
        path, self.info = exported(files, trusted=context.trust_weights)
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = context.threads
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime has a class of its own for every kind of failure
            raise _unusable(path, "ONNX Runtime", error) from error

    def infer(self, images: Iterable[RGBImage]) -> Iterator[tuple[int, Output]]:
        """Yields (index, output), one image at a time."""
        for index, image in enumerate(images):
            yield index, self._session.run(None, {"images": image[None]})[0][0]


class OpenVinoEngine:
    """OpenVINO on the CPU: as many images at once as there are cores, a core each; bfloat16 where the CPU has it."""

    def __init__(self, files: ModelFiles, context: LoadContext) -> None:
        path, self.info = exported(files, trusted=context.trust_weights)
        import openvino

        core = openvino.Core()
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "NUM_STREAMS": str(context.threads),
            "INFERENCE_NUM_THREADS": str(context.threads),
            "CACHE_DIR": str(cache_place("openvino")),
        }
        if context.precision == "float32":
            settings["INFERENCE_PRECISION_HINT"] = "f32"
        try:
            self._model = core.compile_model(core.read_model(str(path)), "CPU", settings)
        except RuntimeError as error:
            raise _unusable(path, "OpenVINO", error) from error
        self._queue = openvino.AsyncInferQueue(self._model, context.threads + 1)

    def infer(self, images: Iterable[RGBImage]) -> Iterator[tuple[int, Output]]:
        """Yields (index, output) after all images went through."""
        outputs: dict[int, Output] = {}

        def keep(request: Any, index: int) -> None:
            outputs[index] = request.get_output_tensor(0).data[0].copy()

        self._queue.set_callback(keep)
        for index, image in enumerate(images):
            self._queue.start_async({0: image[None]}, index)
        self._queue.wait_all()
        yield from sorted(outputs.items())


def _unusable(exported_model: Path, engine: str, error: Exception) -> ModelError:
    reason = " ".join(str(error).split())[:200]
    return ModelError(
        f"{engine} cannot use {exported_model} ({reason}). "
        f"Delete {exported_model.parent}, so that it is exported anew, or use --engine torch."
    )
