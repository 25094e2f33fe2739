"""Training images as ultralytics wants them, with its mosaics, turns and colours."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader
from ultralytics.data.augment import Mosaic
from ultralytics.data.dataset import YOLODataset

from artdet.training.examples import Example, scaled_boxes_share
from artdet.training.pictures import Pictures


class ExampleDataset(YOLODataset):  # type: ignore[misc]
    """Examples as a data set of ultralytics. It looks for no label files and writes none of its caches.

    Args:
        examples: what is learnt from.
        pictures: reads them.
        classes: names, in the order of the labels.
        options: of ultralytics: ``imgsz``, ``hyp``, ``batch_size``, ``stride``.
    """

    def __init__(self, examples: Sequence[Example], pictures: Pictures, classes: Sequence[str], **options: Any) -> None:
        self._examples = examples
        self._pictures = pictures
        groups = {example.labelled.tobytes() + example.covered.tobytes(): None for example in examples}
        numbers = {key: number for number, key in enumerate(groups)}
        self.groups = [numbers[example.labelled.tobytes() + example.covered.tobytes()] for example in examples]
        data = {"nc": len(classes), "names": dict(enumerate(classes)), "channels": 3}
        super().__init__(img_path="", augment=True, data=data, task="detect", **options)

    def get_img_files(self, img_path: Any) -> list[str]:
        """Paths of the images, in the order of the examples."""
        return [str(example.path) for example in self._examples]

    def get_labels(self) -> list[dict[str, Any]]:
        """Boxes as ultralytics has them: xywh, as shares of the image."""
        return [
            {
                "im_file": str(example.path),
                "index": index,
                "shape": example.image_size,
                "cls": example.labels.astype(np.float32).reshape(-1, 1),
                "bboxes": scaled_boxes_share(example.boxes, example.image_size),
                "segments": [],
                "keypoints": None,
                "normalized": True,
                "bbox_format": "xywh",
            }
            for index, example in enumerate(self._examples)
        ]

    def load_image(
        self, i: int, rect_mode: bool = True, resize_short: bool = False
    ) -> tuple[NDArray[np.uint8], tuple[int, int], tuple[int, int]]:
        """BGR uint8 (H, W, 3) with the longer side at the size of training; its size before and now.

        What was read last stays in ``buffer``, from which mosaics take their other parts, as in ultralytics.
        """
        if self.ims[i] is None:
            rng = np.random.default_rng(random.getrandbits(64))
            image = self._pictures.chosen(self._examples[i].path, rng)
            height, width = image.shape[:2]
            ratio = self.imgsz / max(height, width)
            size = (min(self.imgsz, round(width * ratio)) or 1, min(self.imgsz, round(height * ratio)) or 1)
            if size != (width, height):
                method = cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR
                image = cv2.resize(image, size, interpolation=method)
            self.ims[i] = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
            self.im_hw0[i], self.im_hw[i] = (height, width), (size[1], size[0])
            self._remember(i)
        return self.ims[i], self.im_hw0[i], self.im_hw[i]

    def _remember(self, index: int) -> None:
        self.buffer.append(index)
        if 1 < len(self.buffer) >= self.max_buffer_length:
            oldest = self.buffer.pop(0)
            self.ims[oldest], self.im_hw0[oldest], self.im_hw[oldest] = None, None, None

    def forget(self) -> None:
        """Empties the buffer, so that an epoch does not depend on the one before it."""
        for index in self.buffer:
            self.ims[index], self.im_hw0[index], self.im_hw[index] = None, None, None
        self.buffer.clear()

    def build_transforms(self, hyp: Any = None) -> Any:
        """Those of ultralytics, with mosaics of images in which the same classes were looked for."""
        transforms = super().build_transforms(hyp)
        first = transforms.transforms[0]
        if hasattr(first, "transforms") and isinstance(first.transforms[0], Mosaic):
            first.transforms[0] = AlikeMosaic(self, imgsz=self.imgsz, p=hyp.mosaic)
        return transforms


class AlikeMosaic(Mosaic):  # type: ignore[misc]
    """Joins images in which the same classes were looked for, so that this is true of the whole as well."""

    _group = -1

    def get_params(self, labels: dict[str, Any]) -> dict[str, Any]:
        """Takes note of the first image's group, then chooses."""
        self._group = self.dataset.groups[labels["index"]]
        params: dict[str, Any] = super().get_params(labels)
        return params

    def get_indexes(self) -> list[int]:
        """Of three more images, from those read last."""
        alike = [index for index in self.dataset.buffer if self.dataset.groups[index] == self._group]
        return random.choices(alike, k=self.n - 1)


class EpochLoader(DataLoader):  # type: ignore[type-arg]
    """A loader with what the trainer of ultralytics calls on its own."""

    def reset(self) -> None:
        """Nothing to do: every epoch begins anew."""

    def close(self) -> None:
        """Nothing to do: processes end with the epoch."""
