"""What artdet's own trainings of Detectron2's networks leave out of their card because it is always the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

ARCHITECTURES = {
    "R50-FPN": "COCO-Detection/faster_rcnn_R_50_FPN_3x.yaml",
    "R101-FPN": "COCO-Detection/faster_rcnn_R_101_FPN_3x.yaml",
    "X101-FPN": "COCO-Detection/faster_rcnn_X_101_32x8d_FPN_3x.yaml",
}
"""Faster R-CNN with FPN on ResNet-50, -101 and ResNeXt-101 32x8d -> config in Detectron2's model zoo."""

MIN_SCORE = 0.01
"""Boxes below it are not given; what a user wants to see is for ``min_score`` to say."""


def network_options(
    classes: int, *, min_size: int | None, max_size: int | None, normalised_fpn: bool
) -> dict[str, Any]:
    """Keys that the config of the model zoo needs so that it is a trained network's.

    Args:
        classes: how many it has.
        min_size: short side of images in pixels; ``None`` leaves Detectron2's.
        max_size: limit of the long side, likewise.
        normalised_fpn: see :func:`has_normalised_fpn`.
    """
    sizes = {"INPUT.MIN_SIZE_TEST": min_size, "INPUT.MAX_SIZE_TEST": max_size}
    return {
        "MODEL.ROI_HEADS.NUM_CLASSES": classes,
        "MODEL.ROI_HEADS.SCORE_THRESH_TEST": MIN_SCORE,
        "MODEL.FPN.NORM": "FrozenBN" if normalised_fpn else "",
        "MODEL.WEIGHTS": "",
        **{key: value for key, value in sizes.items() if value is not None},
    }


def has_normalised_fpn(tensors: Iterable[str]) -> bool:
    """Whether the names of a network's tensors tell that its FPN has normalisation layers.

    Networks that began with random weights have them; those of Detectron2's model zoo have none.
    """
    return any(name.startswith("backbone.fpn_") and ".norm." in name for name in tensors)
