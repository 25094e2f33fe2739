from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from artdet.detections import Detections, concat
from artdet.images import RGBImage


class CountingEnsemble:
    """Two members that box the picture by its colour, so that every result can be told from the file; counts."""

    member_names = ("left", "right")

    def __init__(self) -> None:
        self.seen = 0
        self.batches: list[int] = []

    def detect_members(self, images: Sequence[RGBImage]) -> list[list[Detections]]:
        self.seen += len(images)
        self.batches.append(len(images))
        return [self._both(image) for image in images]

    def fuse(self, per_member: Sequence[Detections]) -> Detections:
        marked = [part.from_source(index) for index, part in enumerate(per_member)]
        return concat(marked, per_member[0].image_size).sorted()

    def _both(self, image: RGBImage) -> list[Detections]:
        size = (image.shape[0], image.shape[1])
        score = float(np.asarray(image)[..., 0].mean()) / 255
        middle = size[1] / 2
        return [
            Detections.of([[0, 0, middle, size[0]]], [score], [0], size),
            Detections.of([[middle, 0, size[1], size[0]]], [score / 2], [7], size),
        ]


@pytest.fixture
def ensemble() -> CountingEnsemble:
    return CountingEnsemble()
