"""A backbone as an embedder: images of any size in, features out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from artdet.embedders.backbone import Backbone
from artdet.embedders.preprocess import normalised, prepared
from artdet.images import RGBImage


class BackboneEmbedder:
    """Features of a backbone that learns no more.

    Args:
        backbone: is moved to the device and set to evaluation, in place.
        device: name that torch understands.
        threads: of torch on the CPU, for the whole process; as it is by default.
        batch: images at a time.
    """

    def __init__(self, backbone: Backbone, *, device: str = "cpu", threads: int | None = None, batch: int = 16) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self._device, self._batch, self._dim = device, batch, backbone.dim
        self.backbone = backbone.eval()
        self.backbone.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def dim(self) -> int:
        """Length D of the vectors."""
        return self._dim

    def embed(self, images: Sequence[RGBImage]) -> NDArray[np.float32]:
        """(N, D) float32, rows of L2 norm 1, of N images RGB uint8 (H, W, 3) of any size."""
        features = self.features(images)
        norms = np.linalg.norm(features, axis=1, keepdims=True)
        unit: NDArray[np.float32] = features / np.maximum(norms, np.finfo(np.float32).tiny)
        return unit

    def features(self, images: Sequence[RGBImage]) -> NDArray[np.float32]:
        """(N, D) float32 as the backbone gives them, which a classifier's heads take."""
        found = np.empty((len(images), self.dim), dtype=np.float32)
        for first in range(0, len(images), self._batch):
            views = [prepared(image, self.backbone.preprocessing) for image in images[first : first + self._batch]]
            found[first : first + self._batch] = self.features_of_prepared(np.stack(views))
        return found

    @torch.inference_mode()
    def features_of_prepared(self, views: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, D) float32 of images (N, S, S, 3) that are prepared already."""
        features = self.backbone(normalised(views, self.backbone.preprocessing, self._device))
        found: NDArray[np.float32] = features.float().cpu().numpy()
        return found
