"""Models on the validation images of a category, beside YOLOv5n v7.0 as COCO taught it, mapped to our classes.

For example: python tools/bench/validation.py persons persons --tta --by-source --coco yolov5n_coco.safetensors

The COCO weights are those of the original network (keys model.0 ... model.24), whose head with anchors ultralytics has
no more; it is rebuilt beside this. ARTDET_DATA_DIR must hold the sources of the category.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
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
from artdet.detectors.yolo_network import NetworkInfo
from artdet.devices import cpu_threads
from artdet.ensemble.tta import AugmentedDetector
from artdet.labelmaps import LabelMap
from artdet.taxonomy import Taxonomy
from artdet.training.pictures import Pictures
from artdet.training.validation import Figures, validated

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from anchor_network import AnchorNetwork


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("category")
    parser.add_argument("models", nargs="*")
    parser.add_argument("--coco", type=Path)
    parser.add_argument("--coco-size", type=int, default=640)
    parser.add_argument("--tta", action="store_true", help="each model also in several views")
    parser.add_argument("--by-source", action="store_true")
    parser.add_argument(
        "--files", type=re.compile, default=re.compile(""), help="only images whose path has this in it"
    )
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
        entries = [
            entry
            for entry in data.validation
            if source in (None, entry.source) and options.files.search(entry.path.as_posix())
        ]
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
    ids = LabelMap.load("coco80").ids([str(number) for number in range(80)], taxonomy)
    info = NetworkInfo(tuple(map(str, range(80))), size, 32, end_to_end=False)
    engine = AnchorEngine(AnchorNetwork(weights), info)
    settings = yolo.Settings(name="coco", weights=str(weights), nms_iou=0.6)
    return YoloDetector(engine, settings, ids, yolo.categories_of(ids, taxonomy), image_size=size)


class AnchorEngine:
    """The original YOLOv5n, as detectors of artdet take networks."""

    def __init__(self, network: AnchorNetwork, info: NetworkInfo) -> None:
        self.info = info
        torch.set_num_threads(cpu_threads())
        self._network = network

    def infer(self, images: Iterable[np.ndarray]) -> Iterator[tuple[int, np.ndarray]]:
        """Yields (index, candidates (4 + classes, A)), one image at a time."""
        for index, image in enumerate(images):
            with torch.inference_mode():
                pixels = torch.from_numpy(image[None]).permute(0, 3, 1, 2).float() / 255
                levels = enumerate(self._network.features(pixels))
                found = [self._network.candidates(level, features).reshape(-1, 84) for level, features in levels]
                yield index, torch.cat(found).T.numpy()


if __name__ == "__main__":
    main()
