"""Precision, recall and F1 of categories on the validation images, by the lowest score that is shown.

For example: python tools/bench/thresholds.py persons persons --from 0.2 --to 0.3 --step 0.02 --nms 0.6

What ``min_score`` of a member of an ensemble should be. A box is right from an intersection over union of 0.5 on.
ARTDET_DATA_DIR must hold the sources of the category.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import cast

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
from views import validating, without_doubles

from artdet.data.merge import Entry
from artdet.detectors import yolo
from artdet.detectors.base import Augmentation, Detector, LoadContext, ScalableDetector
from artdet.devices import cpu_threads
from artdet.ensemble.tta import AugmentedDetector, view_min_score
from artdet.metrics.levels import Levels
from artdet.metrics.matching import match
from artdet.metrics.pairs import ClassMatches, Pair
from artdet.taxonomy import Taxonomy
from artdet.training.pictures import Pictures
from artdet.training.validation import batches, paired

HALF = np.array([0.5])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("category")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--from", dest="lowest", type=float, default=0.1)
    parser.add_argument("--to", dest="highest", type=float, default=0.5)
    parser.add_argument("--step", type=float, default=0.02)
    parser.add_argument("--nms", type=float, default=0.6, help="intersection over union")
    parser.add_argument("--label-map", help="what its classes mean, as in an ensemble")
    parser.add_argument("--image-size", type=int)
    parser.add_argument("--tta", action="store_true", help="several views of each image, in place of one")
    parser.add_argument("--engine", default="auto")
    options = parser.parse_args()
    taxonomy = Taxonomy.load()
    entries = validating(options.category, taxonomy)
    classes = Levels(taxonomy).classes((entry.sample for entry in entries), "coarse")
    for name in options.models:
        matches = match(pairs(detector(name, options, taxonomy), entries, options.nms, taxonomy), classes, ious=HALF)
        for label, part in matches.classes.items():
            if part.positives:
                print(f"\n{name}: {taxonomy.names[label]}, {part.positives} boxes\n score  precision  recall     F1")
                for score in np.arange(options.lowest, options.highest + options.step / 2, options.step):
                    print(line(part, float(score)), flush=True)


def detector(name: str, options: argparse.Namespace, taxonomy: Taxonomy) -> Detector:
    """A model that gives boxes down to the lowest score."""
    settings = yolo.Settings(
        name="m",
        weights=name,
        min_score=view_min_score(options.lowest) if options.tta else options.lowest,
        label_map=options.label_map,
        image_size=options.image_size,
    )
    context = LoadContext(taxonomy, device="cpu", engine=options.engine, threads=cpu_threads())
    found: Detector = yolo.load(settings, context)
    return AugmentedDetector(cast(ScalableDetector, found), Augmentation(), taxonomy=taxonomy) if options.tta else found


def pairs(model: Detector, entries: Sequence[Entry], iou: float, taxonomy: Taxonomy) -> list[Pair]:
    """Boxes that do not overlap by more than so much, beside the true ones, of categories."""
    found = [boxes for images in batches(entries, Pictures(max_side=1600)) for boxes in model.detect(images)]
    alone = [without_doubles(boxes, iou, taxonomy) for boxes in found]
    return paired(alone, entries, Levels(taxonomy), "coarse")


def line(part: ClassMatches, score: float) -> str:
    """Precision, recall and F1 of the boxes from a score on."""
    shown = (part.scores >= score) & ~part.ignored[0]
    hits = int(part.hit[0][shown].sum())
    precision, recall = hits / max(int(shown.sum()), 1), hits / part.positives
    return f"{score:6.2f}{precision:11.3f}{recall:8.3f}{2 * hits / (shown.sum() + part.positives):7.3f}"


if __name__ == "__main__":
    main()
