"""Models on the validation images of a category, beside YOLOv5n v7.0 as COCO taught it, mapped to our classes.

For example: python tools/bench/validation.py persons persons --tta --by-source --coco yolov5n_coco.safetensors

The COCO weights are those of the original network (keys model.0 ... model.24), whose head with anchors ultralytics has
no more; it is rebuilt here. ARTDET_DATA_DIR must hold the sources of the category.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import torch

from artdet.data.category import load_category
from artdet.data.merge import merged
from artdet.detectors import yolo
from artdet.detectors.base import Augmentation, LoadContext, ScalableDetector
from artdet.detectors.yolo_detector import YoloDetector
from artdet.detectors.yolo_network import NetworkInfo, quiet_ultralytics
from artdet.devices import cpu_threads
from artdet.ensemble.tta import AugmentedDetector
from artdet.labelmaps import LabelMap
from artdet.modelfiles import load_tensors
from artdet.taxonomy import Taxonomy
from artdet.training.pictures import Pictures
from artdet.training.validation import Figures, validated

ANCHORS = ((10, 13, 16, 30, 33, 23), (30, 61, 62, 45, 59, 119), (116, 90, 156, 198, 373, 326))  # of YOLOv5, in pixels
STRIDES = (8, 16, 32)
LEVELS = (17, 20, 23)  # layers whose features the head takes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("category")
    parser.add_argument("models", nargs="*")
    parser.add_argument("--coco", type=Path)
    parser.add_argument("--coco-size", type=int, default=640)
    parser.add_argument("--tta", action="store_true", help="each model also in several views")
    parser.add_argument("--by-source", action="store_true")
    options = parser.parse_args()
    taxonomy = Taxonomy.load()
    data = merged(load_category(options.category, taxonomy))
    detectors: dict[str, Any] = {}
    if options.coco:
        detectors["COCO"] = coco_detector(options.coco, taxonomy, options.coco_size)
    context = LoadContext(taxonomy, device="cpu", engine="torch", threads=cpu_threads())
    for name in options.models:
        detectors[name] = yolo.load(yolo.Settings(name="model", weights=name), context)
        if options.tta:
            views = cast(ScalableDetector, detectors[name])
            detectors[f"{name} --tta"] = AugmentedDetector(views, Augmentation(), taxonomy=taxonomy)
    sources = dict.fromkeys(entry.source for entry in data.validation) if options.by_source else {}
    pictures = Pictures(max_side=1024)
    for source in (None, *sources):
        entries = [entry for entry in data.validation if source in (None, entry.source)]
        found = {
            name: validated(detector, entries, pictures, taxonomy, lambda count: None)
            for name, detector in detectors.items()
        }
        print(f"\n{source or 'all'}, {len(entries)} images: AP50 / AP75 / AP")
        print(table(found), flush=True)


def table(found: dict[str, Figures]) -> str:
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for name, figures in found.items():
        for row in figures.classes:
            rows.setdefault((row.level, row.name), {"boxes": row.boxes})[name] = row
    lines = [f"{'':24}{'boxes':>6}" + "".join(f"{name:>24}" for name in found)]
    for (level, name), row in rows.items():
        figures = "".join(f"{shown(row.get(model)):>24}" for model in found)
        lines.append(f"{name + (' (coarse)' if level == 'coarse' else ''):24}{row['boxes']:>6}" + figures)
    for name, value in found.items():
        lines.append(f"{name}: {value.text()}")
    return "\n".join(lines)


def shown(row: Any) -> str:
    return f"{row.ap50:.3f} / {row.ap75:.3f} / {row.ap:.3f}" if row else ""


def coco_detector(weights: Path, taxonomy: Taxonomy, size: int) -> YoloDetector:
    tensors = {name: tensor.float() for name, tensor in load_tensors(weights).items()}
    ids = LabelMap.load("coco80").ids([str(number) for number in range(80)], taxonomy)
    info = NetworkInfo(tuple(map(str, range(80))), size, 32, end_to_end=False)
    engine = AnchorEngine(tensors, info)
    settings = yolo.Settings(name="coco", weights=str(weights), nms_iou=0.6)
    return YoloDetector(engine, settings, ids, yolo.categories_of(ids, taxonomy), image_size=size)


class AnchorEngine:
    """The original YOLOv5n: layers 0 to 23 of ultralytics' network, and the head with anchors."""

    def __init__(self, tensors: dict[str, torch.Tensor], info: NetworkInfo) -> None:
        quiet_ultralytics()
        from ultralytics.nn.tasks import DetectionModel

        self.info = info
        torch.set_num_threads(cpu_threads())
        self._network = DetectionModel("yolov5n.yaml", nc=80, verbose=False).eval()
        body = {name: tensor for name, tensor in tensors.items() if not name.startswith("model.24.")}
        self._network.load_state_dict(body, strict=False)
        self._head = [
            (tensors[f"model.24.m.{level}.weight"], tensors[f"model.24.m.{level}.bias"]) for level in range(3)
        ]

    def infer(self, images: Iterable[np.ndarray]) -> Iterator[tuple[int, np.ndarray]]:
        """Yields (index, candidates), one image at a time."""
        for index, image in enumerate(images):
            with torch.inference_mode():
                pixels = torch.from_numpy(image[None]).permute(0, 3, 1, 2).float() / 255
                yield index, self._candidates(pixels).numpy()

    def _candidates(self, pixels: torch.Tensor) -> torch.Tensor:
        """(4 + classes, A): xywh (centre) in pixels, and objectness times class scores."""
        parts = []
        for level, features in enumerate(self._features(pixels)):
            out = torch.nn.functional.conv2d(features, *self._head[level])
            _, _, height, width = out.shape
            out = out.view(3, 85, height, width).permute(0, 2, 3, 1).sigmoid()
            rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
            grid = torch.stack([columns, rows], dim=-1)
            centres = (out[..., :2] * 2 - 0.5 + grid) * STRIDES[level]
            sizes = (out[..., 2:4] * 2) ** 2 * torch.tensor(ANCHORS[level]).view(3, 1, 1, 2)
            scores = out[..., 4:5] * out[..., 5:]
            parts.append(torch.cat([centres, sizes, scores], dim=-1).reshape(-1, 84))
        return torch.cat(parts).T

    def _features(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        kept: list[Any] = []
        value: Any = pixels
        for layer in list(self._network.model)[:24]:
            sources = layer.f if isinstance(layer.f, list) else [layer.f]
            inputs = [value if source == -1 else kept[source] for source in sources]
            value = layer(inputs if isinstance(layer.f, list) else inputs[0])
            kept.append(value)
        return [kept[level] for level in LEVELS]


if __name__ == "__main__":
    main()
