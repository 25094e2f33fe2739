"""YOLOv5u as ultralytics trained it on COCO's 80 classes, as a teacher: its body, and what its head answers where."""

from __future__ import annotations

from pathlib import Path

import torch
from anchor_network import features_of

from artdet.detectors.yolo_network import network_of_pickle
from artdet.modelfiles import ModelFiles


class AnchorFreeNetwork(torch.nn.Module):
    """Body and head.

    Args:
        weights: a ``.pt`` of ultralytics; loading it can run code that is in it.
    """

    def __init__(self, weights: Path) -> None:
        super().__init__()
        network, _, _ = network_of_pickle(ModelFiles(weights, None), trusted=True)
        self.layers = torch.nn.ModuleList(list(network.model)[:-1])
        self.head = network.model[-1]
        self.float().eval()

    def features(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        """What the head takes, of images (B, 3, H, W) in 0..1, RGB: three maps, of strides 8, 16 and 32."""
        return features_of(self.layers, pixels, self.head.f)

    def answers(self, features: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Boxes (B, A, 4), xyxy in pixels, and scores (B, A, 80) at the A positions of all levels."""
        found = self.head(list(features))[0]  # (B, 4 + 80, A), centres and sizes
        x, y, w, h = found[:, :4].unbind(1)
        boxes = torch.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], dim=-1)
        return boxes, found[:, 4:].transpose(1, 2)
