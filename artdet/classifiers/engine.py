"""The network of a classifier made quick: pixels in, answers out, in torch or exported for another runtime."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from artdet.classifiers.network import ClassifierNetwork, answers
from artdet.embedders.base import Preprocessing
from artdet.errors import ModelError
from artdet.runtimes import Runtime, cache_place, cached, open_runtime
from artdet.tasks import Task

EXPORT_VERSION = "1"
"""Part of the cache key; raise it when :class:`AnsweringNetwork` or the export changes."""

_ONNX = "model.onnx"


@dataclass(frozen=True)
class EngineSettings:
    """How a network runs.

    Attributes:
        name: ``"torch"``, ``"onnx"`` or ``"openvino"``.
        device: of torch; the others run on the CPU.
        threads: how many it may use.
        precision: ``"auto"`` and ``"float32"`` are float32; ``"bfloat16"`` is that where the machine has it.
    """

    name: str
    device: str
    threads: int
    precision: str


def open_engine(network: Callable[[], AnsweringNetwork], key: str, settings: EngineSettings) -> Runtime:
    """The network, ready to run.

    Args:
        network: builds it, on the CPU; not called where an export of it is in the cache.
        key: of the weights, for the cache.
        settings: how.

    Raises:
        ModelError: if the network cannot be built, or not be exported.
    """
    if settings.name == "torch":
        return TorchRuntime(network(), settings)
    folder = cache_place("classifiers") / f"{key}-v{EXPORT_VERSION}"
    cached(folder, _ONNX, lambda draft: export(network(), draft / _ONNX))
    # Left alone, OpenVINO takes bfloat16, which moves probabilities by up to 0.05: too much to be a matter of the CPU.
    precision = "auto" if settings.precision == "bfloat16" else "float32"
    return open_runtime(settings.name, folder / _ONNX, threads=settings.threads, precision=precision)


class AnsweringNetwork(nn.Module):
    """From images as they are in artdet to the answers of all tasks side by side.

    Args:
        network: is changed: set to evaluation, its convolutions fused with their batch norms.
        preprocessing: of its images.
        tasks: in the order of the answers.
    """

    def __init__(self, network: ClassifierNetwork, preprocessing: Preprocessing, tasks: Sequence[Task]) -> None:
        super().__init__()
        self.network = network.eval()
        fuse(self.network)
        self.requires_grad_(False)
        self.tasks = tuple(tasks)
        self.side = preprocessing.image_size
        mean, deviation = torch.tensor(preprocessing.mean), torch.tensor(preprocessing.deviation)
        self.scale: Tensor
        self.shift: Tensor
        self.register_buffer("scale", (1 / (255 * deviation))[:, None, None], persistent=False)
        self.register_buffer("shift", (-mean / deviation)[:, None, None], persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """(N, outputs of all tasks) float32 of images (N, S, S, 3) uint8."""
        normal = images.permute(0, 3, 1, 2).float() * self.scale + self.shift
        raw = self.network(normal)
        return torch.cat([answers(task, raw[task.name]) for task in self.tasks], dim=1)


class TorchRuntime:
    """The network in torch, channels last; bfloat16 on GPUs only, as CPUs without matrix instructions emulate it.

    Inputs go one by one: sums differ in their last digits with the batch, so that a run that is stopped and continued
    would give other lines.
    """

    def __init__(self, network: AnsweringNetwork, settings: EngineSettings) -> None:
        if settings.device == "cpu":
            torch.set_num_threads(settings.threads)
        self._device = torch.device(settings.device)
        self._network = network.to(self._device).to(memory_format=torch.channels_last)
        self._half = settings.precision == "bfloat16" and self._device.type == "cuda"

    def infer(self, inputs: Iterable[NDArray[np.uint8]]) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yields (index, output); see :class:`artdet.runtimes.Runtime`."""
        for index, values in enumerate(inputs):
            with torch.inference_mode(), torch.autocast(self._device.type, torch.bfloat16, enabled=self._half):
                output = self._network(torch.from_numpy(values).to(self._device)).float().cpu()
            yield index, output.numpy()


def export(network: AnsweringNetwork, path: Path) -> None:
    """Writes the network as an ONNX file that takes ``images`` uint8 (N, S, S, 3) and gives ``answers``.

    Raises:
        ModelError: if a layer of it has no form in ONNX.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(
                network,
                (torch.zeros(2, network.side, network.side, 3, dtype=torch.uint8),),
                str(path),
                input_names=["images"],
                output_names=["answers"],
                dynamic_axes={"images": {0: "batch"}, "answers": {0: "batch"}},
                opset_version=17,
                dynamo=False,
            )
        except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ModelError(
                f"{network.network.backbone.name} cannot be exported to ONNX ({reason}). Use --engine torch."
            ) from error


def fuse(network: nn.Module) -> None:
    """Makes one layer of each convolution and the batch norm right behind it in a sequence, in place."""
    for module in list(network.modules()):
        if not isinstance(module, nn.Sequential):
            continue
        for place in range(len(module) - 1):
            convolution, norm = module[place], module[place + 1]
            if isinstance(convolution, nn.Conv2d) and type(norm) is nn.BatchNorm2d and norm.track_running_stats:
                module[place] = fuse_conv_bn_eval(copy.deepcopy(convolution), norm)
                module[place + 1] = nn.Identity()
