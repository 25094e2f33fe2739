"""What several views of an image bring a model on the validation images of a category, and how they are best fused.

For example: python tools/bench/views.py persons persons --scales 0.9,1.1,1.35 0.8,1.0,1.25,1.5 --iou 0.55 0.6 0.65

Each scale is seen once, as it is and mirrored; all sets of scales are fused from that. ARTDET_DATA_DIR must hold the
sources of the category, and --source names one of them that is not among its validation.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import cast

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np

from artdet.boxes import nms
from artdet.data.category import load_category
from artdet.data.dataset import Sample
from artdet.data.merge import Entry, merged
from artdet.data.sources import load_dataset
from artdet.detections import Detections
from artdet.detectors import yolo
from artdet.detectors.base import LoadContext, ScalableDetector
from artdet.devices import cpu_threads
from artdet.ensemble.fusion import FusionSettings, Voter, fuse
from artdet.ensemble.tta import flipped
from artdet.taxonomy import Taxonomy
from artdet.training.pictures import Pictures
from artdet.training.validation import Figures, batches, measured

View = tuple[float, bool]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("category")
    parser.add_argument("model")
    parser.add_argument("--scales", nargs="+", type=numbers, default=[(0.9, 1.1, 1.35), (0.8, 1.0, 1.25, 1.5)])
    parser.add_argument("--iou", nargs="+", type=float, default=[0.55, 0.6, 0.65])
    parser.add_argument("--source", help="all images of this source, in place of the validation images")
    parser.add_argument("--engine", default="auto")
    options = parser.parse_args()
    taxonomy = Taxonomy.load()
    entries = of_source(options.source, taxonomy) if options.source else validating(options.category, taxonomy)
    context = LoadContext(taxonomy, device="cpu", engine=options.engine, threads=cpu_threads())
    detector = cast(
        ScalableDetector, yolo.load(yolo.Settings(name="m", weights=options.model, min_score=0.01), context)
    )
    scales = sorted({1.0, *(scale for chosen in options.scales for scale in chosen)})
    seen = views(detector, entries, scales)
    print(f"{len(entries)} images; AP50 / AP75 / AP of categories")
    for iou in options.iou:
        alone = [without_doubles(boxes, iou, taxonomy) for boxes in seen[1.0, False]]
        print(f"{'one view, NMS at':30} {iou:4} {text(measured(alone, entries, taxonomy))}", flush=True)
    for chosen in options.scales:
        for iou in options.iou:
            parts = [seen[scale, mirrored] for scale in chosen for mirrored in (False, True)]
            voters, settings = [Voter(detector.labels)] * len(parts), FusionSettings(method="wbf", iou=iou)
            fused = [
                fuse(boxes, voters=voters, settings=settings, taxonomy=taxonomy) for boxes in zip(*parts, strict=True)
            ]
            print(f"{chosen!s:30} {iou:4} {text(measured(fused, entries, taxonomy))}", flush=True)


def numbers(said: str) -> tuple[float, ...]:
    return tuple(float(part) for part in said.split(","))


def validating(category: str, taxonomy: Taxonomy) -> Sequence[Entry]:
    return merged(load_category(category, taxonomy)).validation


def of_source(name: str, taxonomy: Taxonomy) -> Sequence[Entry]:
    dataset = load_dataset(name, taxonomy=taxonomy)

    def entry(sample: Sample) -> Entry:
        return Entry(name, dataset.root, dataset.licence, art=True, weight=1.0, negative=False, sample=sample)

    return [entry(sample) for sample in dataset if sample.annotated]


def views(
    detector: ScalableDetector, entries: Sequence[Entry], scales: Sequence[float]
) -> dict[View, list[Detections]]:
    """Boxes of every image in every view, in pixels of the image."""
    seen: dict[View, list[Detections]] = {(scale, mirrored): [] for scale in scales for mirrored in (False, True)}
    at = {scale: detector if scale == 1 else detector.at_scale(scale) for scale in scales}
    for images in batches(entries, Pictures(max_side=1600)):
        mirrors = [np.ascontiguousarray(image[:, ::-1]) for image in images]
        for scale in scales:
            found = at[scale].detect([*images, *mirrors])
            seen[scale, False] += found[: len(images)]
            seen[scale, True] += [flipped(boxes) for boxes in found[len(images) :]]
    return seen


def without_doubles(boxes: Detections, iou: float, taxonomy: Taxonomy) -> Detections:
    """The best of boxes of one category that overlap by more than so much."""
    return boxes[np.sort(nms(boxes.boxes, boxes.scores, iou, groups=taxonomy.coarse_of(boxes.labels)))]


def text(figures: Figures) -> str:
    rows = [row for row in figures.classes if row.level == "coarse"]
    return "   ".join(f"{row.name} {row.ap50:.3f} / {row.ap75:.3f} / {row.ap:.3f}" for row in rows)


if __name__ == "__main__":
    main()
