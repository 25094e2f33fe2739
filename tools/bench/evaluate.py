"""How fast are the figures of `artdet evaluate` beside pycocotools' COCOeval, in one process on the same boxes?

    python tools/bench/evaluate.py [--images 5000] [--truths 20000] [--found 40000] [--classes 22] [--rounds 3]

The boxes are made: predictions are shaken true boxes and false alarms, with scores that tell them apart in part. The
whole is what the command does without the report: it reads a run folder and a COCO file, and measures both levels.
Every step runs ``--rounds`` times, in turn with the others; the median counts. pycocotools gets its boxes as lists in
memory, so that no file is read or written, and what it prints is thrown away.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np

from artdet.boxes import clipped
from artdet.data.sources import load_dataset
from artdet.detections import Detections
from artdet.evaluate.evaluation import Request, evaluate
from artdet.evaluate.output import save
from artdet.evaluate.tables import text
from artdet.metrics.bootstrap import bootstrap_ap, draw_resamples, interval, macro
from artdet.metrics.coco import coco_figures
from artdet.metrics.matching import match, match_voc
from artdet.metrics.pairs import Pair
from artdet.metrics.precision import average_precisions, best_f1
from artdet.runs import PREDICTIONS_FILE, Record, boxes_of, write_info
from artdet.taxonomy import Taxonomy

SIZE = (500, 640)
REFERENCE = "pycocotools COCOeval"


def main() -> None:
    arguments = parse()
    pairs = made_pairs(arguments)
    classes = list(range(arguments.classes))
    with tempfile.TemporaryDirectory() as folder:
        run, truth = write_run(pairs, Path(folder) / "run"), write_truth(pairs, Path(folder) / "truth.json")
        steps = step_table(pairs, classes, arguments.resamples)
        steps["the whole of artdet evaluate"] = lambda: whole(run, truth, arguments.resamples)
        measure(steps, arguments)
    check_agreement(pairs, classes)


def measure(steps: dict[str, Callable[[], Any]], arguments: argparse.Namespace) -> None:
    """Times the steps in turn and prints their medians."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(arguments.rounds):
        for name, step in steps.items():
            started = time.perf_counter()
            step()
            times[name].append(time.perf_counter() - started)
    print(
        f"{arguments.images} images, {arguments.truths} true boxes, {arguments.found} predictions, "
        f"{arguments.classes} classes, seconds, median of {arguments.rounds}:"
    )
    reference = statistics.median(times[REFERENCE])
    for name, values in times.items():
        median = statistics.median(values)
        row = ", ".join(f"{value:.2f}" for value in values)
        print(f"  {name:<38} {median:7.3f}   ({row})   {median / reference:.3f} of pycocotools'")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--truths", type=int, default=20_000)
    parser.add_argument("--found", type=int, default=40_000)
    parser.add_argument("--classes", type=int, default=22)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def step_table(pairs: list[Pair], classes: list[int], resamples: int) -> dict[str, Callable[[], Any]]:
    """What is timed; the first is what the others are compared with."""
    matches = match(pairs, classes)
    weights = draw_resamples(len(pairs), resamples)

    def figures() -> None:
        made = match(pairs, classes)
        for part in made.classes.values():
            average_precisions(part)
            best_f1([part], 0)

    def intervals() -> None:
        samples = macro(bootstrap_ap(matches, draw_resamples(len(pairs), resamples)))
        interval(samples, samples[0])

    def second_run() -> None:
        bootstrap_ap(matches, weights)

    return {
        REFERENCE: lambda: reference_figures(pairs, classes),
        "faster-coco-eval by metrics.coco": lambda: coco_figures(pairs, classes),
        "our matching": lambda: match(pairs, classes),
        "our matching by VOC's rule": lambda: match_voc(pairs, classes),
        "our matching, AP and best F1": figures,
        f"bootstrap, {resamples} resamples": intervals,
        f"bootstrap of a second run, {resamples}": second_run,
    }


def whole(run: Path, truth: Path, resamples: int) -> None:
    """What `artdet evaluate RUN --truth TRUTH --no-report` does, but for starting Python and printing."""
    dataset = load_dataset(truth, taxonomy=Taxonomy.load())
    evaluation = evaluate(Request(runs=[run], bootstrap=resamples), dataset)
    text(evaluation.report)
    save(evaluation, run.parent / "out", with_report=False)


def write_run(pairs: list[Pair], folder: Path) -> Path:
    """The predictions as a run folder."""
    folder.mkdir()
    taxonomy = Taxonomy.load()
    write_info(folder, {"root": str(folder), "classes": list(taxonomy.names)})
    with (folder / PREDICTIONS_FILE).open("w") as stream:
        for place, pair in enumerate(pairs):
            boxes = boxes_of(pair.found, taxonomy, ["made"])
            stream.write(Record(f"{place:06}.jpg", "00", SIZE, boxes).as_line() + "\n")
    return folder


def write_truth(pairs: list[Pair], path: Path) -> Path:
    """The true boxes as a COCO file whose images lie nowhere."""
    names = Taxonomy.load().names
    images = [
        {"id": place, "file_name": f"{place:06}.jpg", "height": SIZE[0], "width": SIZE[1]}
        for place in range(len(pairs))
    ]
    categories = [{"id": place, "name": name} for place, name in enumerate(names)]
    data = {"images": images, "categories": categories, "annotations": coco_rows(pairs, of_found=False)}
    path.write_text(json.dumps(data))
    return path


def made_pairs(arguments: argparse.Namespace, seed: int = 0) -> list[Pair]:
    rng = np.random.default_rng(seed)
    height, width = SIZE
    corner = rng.uniform(0, 0.7, (arguments.truths, 2)) * [width, height]
    true_boxes = np.hstack([corner, corner + rng.lognormal(4.3, 0.7, corner.shape).clip(8, 250)])
    true_labels = rng.integers(arguments.classes, size=arguments.truths)
    true_images = rng.integers(arguments.images, size=arguments.truths)
    crowd, difficult = rng.random(arguments.truths) < 0.03, rng.random(arguments.truths) < 0.05

    of = rng.integers(arguments.truths, size=arguments.found)
    good = rng.random(arguments.found) < 0.6
    sides = np.tile(true_boxes[of, 2:] - true_boxes[of, :2], 2)
    strength = rng.choice([0.02, 0.05, 0.1, 0.3], (arguments.found, 1))
    found_boxes = true_boxes[of] + rng.normal(size=(arguments.found, 4)) * sides * strength
    found_boxes = np.hstack(
        [np.minimum(found_boxes[:, :2], found_boxes[:, 2:]), np.maximum(found_boxes[:, :2], found_boxes[:, 2:])]
    )
    found_labels = np.where(rng.random(arguments.found) < 0.85, true_labels[of], rng.integers(arguments.classes))
    found_images = np.where(good, true_images[of], rng.integers(arguments.images, size=arguments.found))
    scores = np.where(good, rng.beta(4, 2, arguments.found), rng.beta(1.5, 4, arguments.found))

    pairs = []
    of_found, of_truth = rows_by_image(found_images, arguments.images), rows_by_image(true_images, arguments.images)
    for f, t in zip(of_found, of_truth, strict=True):
        found = Detections.of(clipped(found_boxes[f], SIZE), scores[f], found_labels[f], SIZE)
        truth = Detections.of(clipped(true_boxes[t], SIZE), 1.0, true_labels[t], SIZE)
        pairs.append(Pair(found, truth, crowd[t], difficult[t]))
    return pairs


def rows_by_image(images: np.ndarray, count: int) -> list[np.ndarray]:
    order = np.argsort(images, kind="stable")
    return np.split(order, np.searchsorted(images[order], np.arange(1, count)))


def reference_figures(pairs: list[Pair], classes: list[int]) -> Any:
    """What pycocotools makes of boxes in memory, called as its own examples do it."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    rows = [coco_rows(pairs, found) for found in (False, True)]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "images": [{"id": image} for image in range(len(pairs))],
            "annotations": rows[0],
            "categories": [{"id": label} for label in classes],
        }
        truth.createIndex()
        program = COCOeval(truth, truth.loadRes(rows[1]), "bbox")
        program.evaluate()
        program.accumulate()
        program.summarize()
    return program.stats


def coco_rows(pairs: list[Pair], of_found: bool) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for image, pair in enumerate(pairs):
        side = pair.found if of_found else pair.truth
        boxes = side.boxes.astype(np.float64).tolist()
        for k, ((x1, y1, x2, y2), label) in enumerate(zip(boxes, side.labels.tolist(), strict=True)):
            row: dict[str, Any] = {"image_id": image, "category_id": label, "bbox": [x1, y1, x2 - x1, y2 - y1]}
            if of_found:
                row["score"] = float(side.scores[k])
            else:
                area = 1e11 if pair.difficult[k] else (x2 - x1) * (y2 - y1)
                row |= {"id": len(rows) + 1, "area": area, "iscrowd": int(pair.crowd[k])}
            rows.append(row)
    return rows


def check_agreement(pairs: list[Pair], classes: list[int]) -> None:
    ap = np.array([average_precisions(part) for part in match(pairs, classes).classes.values()])
    figures = {
        REFERENCE: list(reference_figures(pairs, classes)[:3]),
        "faster-coco-eval": [coco_figures(pairs, classes).mean()[name] for name in ("ap", "ap50", "ap75")],
        "our matching": [ap.mean(), ap[:, 0].mean(), ap[:, 5].mean()],
    }
    for name, values in figures.items():
        print(f"  AP, AP50, AP75 by {name:<22}" + "  ".join(f"{value:.9f}" for value in values))


if __name__ == "__main__":
    main()
