"""Precision, recall and F1 of categories on the validation images, by the lowest score that is shown.

For example: python tools/bench/thresholds.py persons persons --from 0.2 --to 0.3 --step 0.02 --nms 0.6

What ``min_score`` of a member of an ensemble should be. A box is right from an intersection over union of 0.5 on, one
view of each image. ARTDET_DATA_DIR must hold the sources of the category.
"""

from __future__ import annotations

import argparse
import os
from typing import cast

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
from views import validating, views, without_doubles

from artdet.detectors import yolo
from artdet.detectors.base import LoadContext, ScalableDetector
from artdet.devices import cpu_threads
from artdet.metrics.levels import Levels
from artdet.metrics.matching import match
from artdet.metrics.pairs import ClassMatches
from artdet.taxonomy import Taxonomy


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
    parser.add_argument("--engine", default="auto")
    options = parser.parse_args()
    taxonomy = Taxonomy.load()
    entries, levels = validating(options.category, taxonomy), Levels(taxonomy)
    classes = levels.classes((entry.sample for entry in entries), "coarse")
    context = LoadContext(taxonomy, device="cpu", engine=options.engine, threads=cpu_threads())
    for name in options.models:
        settings = yolo.Settings(
            name="m",
            weights=name,
            min_score=options.lowest,
            label_map=options.label_map,
            image_size=options.image_size,
        )
        detector = cast(ScalableDetector, yolo.load(settings, context))
        pairs = []
        for entry, boxes in zip(entries, views(detector, entries, (1.0,))[1.0, False], strict=True):
            alone = without_doubles(boxes, options.nms, taxonomy)
            pairs.append(levels.pair(alone.rescaled(entry.sample.truth.image_size), entry.sample, "coarse"))
        matches = match(pairs, classes, ious=np.array([0.5]))
        for label, part in matches.classes.items():
            if part.positives:
                print(f"\n{name}: {taxonomy.names[label]}, {part.positives} boxes\n score  precision  recall     F1")
                for score in np.arange(options.lowest, options.highest + options.step / 2, options.step):
                    print(line(part, float(score)), flush=True)


def line(part: ClassMatches, score: float) -> str:
    shown = (part.scores >= score) & ~part.ignored[0]
    hits = int(part.hit[0][shown].sum())
    precision, recall = hits / max(int(shown.sum()), 1), hits / part.positives
    return f"{score:6.2f}{precision:11.3f}{recall:8.3f}{2 * hits / (shown.sum() + part.positives):7.3f}"


if __name__ == "__main__":
    main()
