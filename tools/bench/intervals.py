"""How often do the intervals of `artdet evaluate` hold the true figure? They should in 95 of 100 cases.

    python tools/bench/intervals.py [--images 300] [--classes 20] [--worlds 100] [--resamples 400]

Each world is a made collection: images differ in difficulty, boxes of an image share it. The true AP, AP50 and AP75
(means over the classes) come from a very large collection of the same kind; small ones are drawn from it, measured, and
their intervals checked. Printed beside ours is what plain percentiles of the resamples would give.
"""

from __future__ import annotations

import argparse

import numpy as np

from artdet.metrics.bootstrap import bootstrap_ap, draw_resamples, interval, macro
from artdet.metrics.pairs import COCO_IOUS, ClassMatches, Matches
from artdet.metrics.precision import average_precisions

LARGE = 60_000


def main() -> None:
    arguments = parse()
    rng = np.random.default_rng(arguments.seed)
    true = np.nanmean(figures(collection(rng, LARGE, arguments.classes)), axis=0)
    held: dict[str, list[np.ndarray]] = {"ours": [], "plain percentiles": []}
    for world in range(arguments.worlds):
        matches = collection(rng, arguments.images, arguments.classes)
        samples = macro(bootstrap_ap(matches, draw_resamples(arguments.images, arguments.resamples, seed=world)))
        ours = interval(samples, np.nanmean(figures(matches), axis=0))
        plain = np.nanquantile(samples, [0.025, 0.975], axis=0)
        for name, (low, high) in (("ours", ours), ("plain percentiles", plain)):
            held[name].append((low <= true) & (true <= high))
    print(f"{arguments.images} images, {arguments.classes} classes; share of {arguments.worlds} that held the truth:")
    for name, hits in held.items():
        shares = "  ".join(
            f"{what} {share:.2f}" for what, share in zip(("AP", "AP50", "AP75"), np.mean(hits, axis=0), strict=True)
        )
        print(f"  {name:<18} {shares}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--classes", type=int, default=20)
    parser.add_argument("--worlds", type=int, default=100)
    parser.add_argument("--resamples", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def collection(rng: np.random.Generator, images: int, classes: int) -> Matches:
    difficulty = rng.normal(size=images)
    return Matches(COCO_IOUS, images, {label: one_class(rng, difficulty) for label in range(classes)})


def one_class(rng: np.random.Generator, difficulty: np.ndarray) -> ClassMatches:
    """The matches of a class: true boxes are found the more rarely and the more loosely, the harder their image is."""
    images = len(difficulty)
    truth = np.repeat(np.arange(images), rng.poisson(0.28, images))
    found = rng.random(len(truth)) < 1 / (1 + np.exp(difficulty[truth] - 1.2))
    overlap = np.clip(0.75 + 0.12 * rng.normal(size=len(truth)) - 0.05 * difficulty[truth], 0, 0.999)
    false = np.repeat(np.arange(images), rng.poisson(0.35, images))
    image = np.concatenate([truth[found], false])
    scores = np.concatenate([rng.beta(4, 2, found.sum()), rng.beta(2, 3, len(false))])
    level = np.concatenate([overlap[found], np.zeros(len(false))])
    order = np.argsort(-scores, kind="stable")
    hit = level[order] >= COCO_IOUS[:, None]
    number, count = np.zeros(len(image), dtype=np.int64), np.zeros(len(truth), dtype=np.int64)
    return ClassMatches(
        scores=scores[order],
        image=image[order],
        box=number,
        hit=hit,
        ignored=np.zeros_like(hit),
        truth=np.zeros(hit.shape, dtype=np.int64),
        truth_image=truth,
        truth_box=count,
        truth_ignored=np.zeros(len(truth), dtype=bool),
        found_by=np.zeros((len(COCO_IOUS), len(truth)), dtype=np.int64),
    )


def figures(matches: Matches) -> np.ndarray:
    """AP, AP50, AP75 (C, 3) of each class."""
    ap = np.array([average_precisions(part) for part in matches.classes.values()])
    return np.stack([ap.mean(axis=1), ap[:, matches.at(0.5)], ap[:, matches.at(0.75)]], axis=1)


if __name__ == "__main__":
    main()
