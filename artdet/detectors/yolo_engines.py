"""Three ways to run an exported YOLO network: torch, ONNX Runtime, OpenVINO."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from artdet.detectors.base import LoadContext
from artdet.detectors.yolo_network import NetworkInfo, build_network, exported
from artdet.images import RGBImage
from artdet.modelfiles import ModelFiles
from artdet.runtimes import open_runtime

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
    return ExportedEngine(name, files, context)


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


class ExportedEngine:
    """The network as ONNX Runtime or OpenVINO runs it on the CPU, bfloat16 in the latter where the CPU has it.

    Args:
        name: ``"onnx"`` or ``"openvino"``.
    """

    def __init__(self, name: str, files: ModelFiles, context: LoadContext) -> None:
        path, self.info = exported(files, trusted=context.trust_weights)
        self._runtime = open_runtime(name, path, threads=context.threads, precision=context.precision)

    def infer(self, images: Iterable[RGBImage]) -> Iterator[tuple[int, Output]]:
        """Yields (index, output), one image at a time."""
        for index, output in self._runtime.infer(image[None] for image in images):
            yield index, output[0]
