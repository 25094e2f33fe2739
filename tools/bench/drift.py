"""How far do the boxes of a YOLO member drift in bfloat16, OpenVINO's choice on CPUs that have it?

    python tools/bench/drift.py --images FOLDER [--count 300] [--weights persons_v0] [--min-score 0.25]

Compares with float32 on the same engine: boxes are paired by overlap (IoU at least 0.5, best first); prints how many
have no partner and the quantiles of what differs among the pairs.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np

from artdet.boxes import ious
from artdet.detections import Detections
from artdet.detectors import yolo
from artdet.detectors.base import LoadContext
from artdet.images.finder import find_images
from artdet.images.reader import read_image
from artdet.taxonomy import Taxonomy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--weights", default="persons_v0")
    parser.add_argument("--min-score", type=float, default=0.25)
    arguments = parser.parse_args()
    found = find_images([arguments.images], recursive=True)
    step = max(1, len(found.files) // arguments.count)
    images = [read_image(found.root / file).pixels for file in found.files[::step][: arguments.count]]
    settings = yolo.Settings(name="member", weights=arguments.weights, min_score=arguments.min_score)
    exact, quick = (detect(settings, precision, images) for precision in ("float32", "auto"))
    report(exact, quick)


def detect(settings: yolo.Settings, precision: str, images: list[np.ndarray]) -> list[Detections]:
    context = LoadContext(Taxonomy.load(), device="cpu", engine="openvino", precision=precision, threads=2)
    return yolo.load(settings, context).detect(images)


def report(exact: list[Detections], quick: list[Detections]) -> None:
    corners, scores, overlaps, lost, new = [], [], [], 0, 0
    for a, b in zip(exact, quick, strict=True):
        pairs = paired(a, b)
        lost, new = lost + len(a) - len(pairs), new + len(b) - len(pairs)
        for i, j, overlap in pairs:
            corners.append(float(np.abs(a.boxes[i] - b.boxes[j]).max()))
            scores.append(float(abs(a.scores[i] - b.scores[j])))
            overlaps.append(overlap)
    print(f"{len(exact)} images; float32 {sum(map(len, exact))} boxes, bfloat16 {sum(map(len, quick))}")
    print(f"pairs {len(corners)}; only in float32 {lost}, only in bfloat16 {new}")
    for name, values in (
        ("corner moves, px", corners),
        ("score differs by", scores),
        ("1 - IoU", 1 - np.array(overlaps)),
    ):
        median, most, worst = np.quantile(values, [0.5, 0.95, 1])
        print(f"  {name:<18} median {median:.4f}   95 % {most:.4f}   most {worst:.4f}")


def paired(a: Detections, b: Detections) -> list[tuple[int, int, float]]:
    """Pairs (index in a, index in b, IoU), the largest overlap first, each box once."""
    table = ious(a.boxes, b.boxes)
    pairs = []
    while table.size and table.max() >= 0.5:
        i, j = np.unravel_index(table.argmax(), table.shape)
        pairs.append((int(i), int(j), float(table[i, j])))
        table[i, :] = table[:, j] = 0
    return pairs


if __name__ == "__main__":
    main()
