"""The original YOLOv5n: layers 0 to 23 of ultralytics' network, and its head with anchors, which is no more there.

Weights have the keys ``model.0`` to ``model.24``, as YOLOv5 v7.0 (Jocher 2022) wrote them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

from artdet.detectors.yolo_network import quiet_ultralytics
from artdet.modelfiles import load_tensors

ANCHORS = ((10, 13, 16, 30, 33, 23), (30, 61, 62, 45, 59, 119), (116, 90, 156, 198, 373, 326))  # in pixels
STRIDES = (8, 16, 32)
LEVELS = (17, 20, 23)  # layers whose features the head takes


def features_of(layers: Iterable[Any], pixels: torch.Tensor, levels: Sequence[int]) -> list[torch.Tensor]:
    """What a body of ultralytics' layers gives at some of them.

    Args:
        layers: each with the places ``f`` of the layers that it takes, -1 for the one before.
        pixels: images (B, 3, H, W) in 0..1, RGB.
        levels: places of the layers.
    """
    kept: list[Any] = []
    value: Any = pixels
    for layer in layers:
        sources = layer.f if isinstance(layer.f, list) else [layer.f]
        inputs = [value if source == -1 else kept[source] for source in sources]
        value = layer(inputs if isinstance(layer.f, list) else inputs[0])
        kept.append(value)
    return [kept[level] for level in levels]


class AnchorNetwork(torch.nn.Module):
    """Body and head.

    Args:
        weights: safetensors.
    """

    def __init__(self, weights: Path) -> None:
        super().__init__()
        quiet_ultralytics()
        from ultralytics.nn.tasks import DetectionModel

        tensors = {name: tensor.float() for name, tensor in load_tensors(weights).items()}
        network = DetectionModel("yolov5n.yaml", nc=80, verbose=False)
        body = {name: tensor for name, tensor in tensors.items() if not name.startswith("model.24.")}
        network.load_state_dict(body, strict=False)
        self.layers = torch.nn.ModuleList(list(network.model)[:24])
        self.head = torch.nn.ModuleList(
            _convolution(tensors[f"model.24.m.{level}.weight"], tensors[f"model.24.m.{level}.bias"])
            for level in range(3)
        )
        self.eval()

    def features(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        """What the head takes, of images (B, 3, H, W) in 0..1, RGB: three maps, of strides 8, 16 and 32."""
        return features_of(self.layers, pixels, LEVELS)

    def candidates(self, level: int, features: torch.Tensor) -> torch.Tensor:
        """(B, H, W, 3, 84) of a level: xywh (centre) in pixels, and objectness times class scores; three anchors."""
        out = self.head[level](features).float()
        batch, _, height, width = out.shape
        out = out.view(batch, 3, 85, height, width).permute(0, 3, 4, 1, 2).sigmoid()
        rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        grid = torch.stack([columns, rows], dim=-1)[:, :, None].to(out.device)
        anchors = torch.tensor(ANCHORS[level], device=out.device).view(3, 2)
        centres = (out[..., :2] * 2 - 0.5 + grid) * STRIDES[level]
        sizes = (out[..., 2:4] * 2) ** 2 * anchors
        return torch.cat([centres, sizes, out[..., 4:5] * out[..., 5:]], dim=-1)

    def answers(self, features: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Boxes (B, A, 4), xyxy in pixels, and scores (B, A, 80) at the A positions of all levels.

        Of the three anchors of a position, the box is that of the surest and each score the highest.
        """
        found = [self.candidates(level, maps).flatten(1, 2) for level, maps in enumerate(features)]
        candidates = torch.cat(found, dim=1)  # (B, A, 3, 84)
        place = candidates[..., 4:].amax(dim=3).argmax(dim=2)[..., None, None].expand(-1, -1, 1, 4)
        x, y, w, h = candidates[..., :4].gather(2, place).squeeze(2).unbind(-1)
        boxes = torch.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], dim=-1)
        return boxes, candidates[..., 4:].amax(dim=2)


def _convolution(weight: torch.Tensor, bias: torch.Tensor) -> torch.nn.Conv2d:
    layer = torch.nn.Conv2d(weight.shape[1], weight.shape[0], 1)
    layer.load_state_dict({"weight": weight, "bias": bias})
    return layer
