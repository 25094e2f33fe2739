"""The three networks of MTCNN in torch, and the weights of the ``mtcnn`` package for them.

Zhang, Zhang, Li and Qiao, "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks", 2016.
The package keeps each network as a flat list of float32 arrays in the order and the layout of Keras. The attributes
below are declared in that same order, so that parameters and arrays pair up one by one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from artdet.errors import ModelError

_FROM_KERAS = {4: (3, 2, 0, 1), 2: (1, 0)}
"""Axes that turn a convolution (H, W, in, out) and a dense layer (in, out) into torch's order."""


class ProposalNet(nn.Module):
    """P-Net: a 12x12 window, every 2 pixels, over a whole image."""

    WINDOW = 12
    STRIDE = 2

    def __init__(self, width: int = 10) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, width, 3), nn.PReLU(width)
        self.conv2, self.prelu2 = nn.Conv2d(width, 16, 3), nn.PReLU(16)
        self.conv3, self.prelu3 = nn.Conv2d(16, 32, 3), nn.PReLU(32)
        self.box = nn.Conv2d(32, 4, 1)
        self.face = nn.Conv2d(32, 2, 1)

    def forward(self, images: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Offsets (B, 4, h, w) in windows, and probabilities (B, h, w) of a face.

        Args:
            images: (B, 3, H, W), normalised.
            height: of the pictures in it, which start at the upper left; below them and to their right is filling,
                and what windows see there means nothing.
            width: of the pictures, likewise.
        """
        maps = self.prelu1(self.conv1(images))
        # Pooling must not see the filling: the last of an odd number of rows or columns stands alone.
        maps[:, :, height - 2 : height - 1] = -torch.inf
        maps[:, :, :, width - 2 : width - 1] = -torch.inf
        maps = _pooled_by_two(maps)
        maps = self.prelu3(self.conv3(self.prelu2(self.conv2(maps))))
        return self.box(maps), _probability(self.face(maps))


class RefineNet(nn.Module):
    """R-Net: looks again at each proposal, as a crop of 24x24 pixels."""

    def __init__(self, width: int = 28) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, width, 3), nn.PReLU(width)
        self.conv2, self.prelu2 = nn.Conv2d(width, 48, 3), nn.PReLU(48)
        self.conv3, self.prelu3 = nn.Conv2d(48, 64, 2), nn.PReLU(64)
        self.dense4, self.prelu4 = nn.Linear(576, 128), nn.PReLU(128)
        self.box = nn.Linear(128, 4)
        self.face = nn.Linear(128, 2)
        self.pool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.pool2 = nn.MaxPool2d(3, 2)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Crops (N, 3, 24, 24), normalised -> offsets (N, 4) in box sides, and probabilities (N,) of a face."""
        maps = self.pool1(self.prelu1(self.conv1(crops)))
        maps = self.pool2(self.prelu2(self.conv2(maps)))
        maps = self.prelu3(self.conv3(maps))
        features = self.prelu4(self.dense4(_columns_first(maps)))
        return self.box(features), _probability(self.face(features))


class OutputNet(nn.Module):
    """O-Net: the last word on each box, from a crop of 48x48 pixels. Its facial landmarks are not computed."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, width, 3), nn.PReLU(width)
        self.conv2, self.prelu2 = nn.Conv2d(width, 64, 3), nn.PReLU(64)
        self.conv3, self.prelu3 = nn.Conv2d(64, 64, 3), nn.PReLU(64)
        self.conv4, self.prelu4 = nn.Conv2d(64, 128, 2), nn.PReLU(128)
        self.dense5, self.prelu5 = nn.Linear(1152, 256), nn.PReLU(256)
        self.box = nn.Linear(256, 4)
        self.landmarks = nn.Linear(256, 10)
        self.face = nn.Linear(256, 2)
        self.pool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.pool2 = nn.MaxPool2d(3, 2)
        self.pool3 = nn.MaxPool2d(2, 2, ceil_mode=True)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Crops (N, 3, 48, 48), normalised -> offsets (N, 4) in box sides, and probabilities (N,) of a face."""
        maps = self.pool1(self.prelu1(self.conv1(crops)))
        maps = self.pool2(self.prelu2(self.conv2(maps)))
        maps = self.pool3(self.prelu3(self.conv3(maps)))
        maps = self.prelu4(self.conv4(maps))
        features = self.prelu5(self.dense5(_columns_first(maps)))
        return self.box(features), _probability(self.face(features))


def load_network(network: nn.Module, path: Path, device: str) -> nn.Module:
    """Fills ``network`` from a weight file of the ``mtcnn`` package and puts it on ``device``, ready to run.

    Raises:
        ModelError: if the file is missing or damaged, or holds another network.
    """
    parameters = list(network.parameters())
    arrays = _arrays(path)
    if len(arrays) != len(parameters):
        raise _damaged(path, f"holds {len(arrays)} arrays where {len(parameters)} are expected")
    for parameter, array in zip(parameters, arrays, strict=True):
        values = _in_torch_order(array, parameter.ndim)
        if values.shape != tuple(parameter.shape):
            raise _damaged(path, f"holds an array of shape {values.shape} where {tuple(parameter.shape)} is expected")
        if not np.isfinite(values).all():
            raise _damaged(path, "holds numbers that are not finite")
        parameter.data = torch.from_numpy(values)
    network = _widened(network)
    network.requires_grad_(False).eval()
    # Channels last runs about twice as fast as channels first: the networks have few channels on many pixels.
    return network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _widened(network: nn.Module) -> nn.Module:
    """The same network with its first channels filled up by zeros to a multiple of 16.

    On vectors of 16 floats PReLU and pooling run several times faster, and the results stay the same.
    """
    given = network.get_parameter("conv1.bias").shape[0]
    wide: nn.Module = type(network)(-(-given // 16) * 16)
    for target, source in zip(wide.parameters(), network.parameters(), strict=True):
        target.data.zero_()
        target.data[tuple(slice(size) for size in source.shape)] = source.data
    return wide


def _arrays(path: Path) -> list[NDArray[np.float32]]:
    try:
        content = joblib.load(path)
    except Exception as error:  # a damaged pickle can raise anything
        raise _damaged(path, f"cannot be read ({type(error).__name__})") from error
    if not isinstance(content, list) or not all(isinstance(item, np.ndarray) for item in content):
        raise _damaged(path, "does not hold a list of arrays")
    return content


def _in_torch_order(array: NDArray[Any], ndim: int) -> NDArray[np.float32]:
    """A Keras array as torch wants it; a PReLU slope (1, 1, C) has one axis in torch (``ndim``)."""
    plain = array.reshape(-1) if ndim == 1 else array.transpose(_FROM_KERAS.get(array.ndim, range(array.ndim)))
    return np.array(plain, dtype=np.float32, order="C")


def _damaged(path: Path, what: str) -> ModelError:
    return ModelError(
        f"{path} {what}. Repair the package with: python -m pip install --force-reinstall --no-deps mtcnn"
    )


def _pooled_by_two(maps: Tensor) -> Tensor:
    """Largest of each 2x2 of maps (B, C, H, W); an odd last row or column stands alone.

    In channels-last order this is several times faster than ``max_pool2d``.
    """
    height, width = maps.shape[2:]
    if height % 2 or width % 2:
        maps = functional.pad(maps, (0, width % 2, 0, height % 2), value=-torch.inf)
    rows = torch.maximum(maps[:, :, 0::2], maps[:, :, 1::2])
    return torch.maximum(rows[:, :, :, 0::2], rows[:, :, :, 1::2])


def _columns_first(maps: Tensor) -> Tensor:
    """Maps (N, C, H, W) as vectors (N, W * H * C): the weights come from Caffe's MATLAB version, x before y."""
    return maps.permute(0, 3, 2, 1).flatten(1)


def _probability(logits: Tensor) -> Tensor:
    """Probability of the second of two classes along axis 1: the softmax of two is the sigmoid of their difference."""
    return torch.sigmoid(logits[:, 1] - logits[:, 0])
