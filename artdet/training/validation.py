"""How well a detector does on the validation images of its category, by the code that ``artdet evaluate`` uses."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from artdet.data.merge import Entry
from artdet.detections import Detections
from artdet.detectors.base import Detector
from artdet.images import RGBImage
from artdet.metrics.coco import coco_figures
from artdet.metrics.levels import LEVELS, Level, Levels
from artdet.metrics.pairs import Pair
from artdet.taxonomy import Taxonomy
from artdet.training.pictures import Pictures

_BATCH = 16


@dataclass(frozen=True)
class ClassFigures:
    """One class at one level.

    Attributes:
        name: of the class.
        level: ``fine`` or ``coarse``.
        boxes: true ones that count.
        ap, ap50, ap75: COCO's average precision (Lin 2014); ``None`` without a true box.
    """

    name: str
    level: Level
    boxes: int
    ap: float | None
    ap50: float | None
    ap75: float | None


@dataclass(frozen=True)
class Figures:
    """How well a detector does.

    Attributes:
        classes: of both levels.
        images: that were looked at.
        ap, ap50, ap75: means over the classes of the fine level that have true boxes.
        coarse_ap, coarse_ap50, coarse_ap75: likewise of the categories.
        fitness: what decides which weights are the best ones: mean of ``ap`` and ``coarse_ap``.
    """

    classes: tuple[ClassFigures, ...]
    images: int
    ap: float | None
    ap50: float | None
    ap75: float | None
    coarse_ap: float | None
    coarse_ap50: float | None
    coarse_ap75: float | None
    fitness: float

    def text(self) -> str:
        """The means in a line: ``fine AP50 0.612, AP 0.310; coarse AP50 0.700, AP 0.371``."""
        fine, coarse = (self.ap50, self.ap), (self.coarse_ap50, self.coarse_ap)
        parts = [
            f"{level} AP50 {ap50:.3f}, AP {ap:.3f}"
            for level, (ap50, ap) in (("fine", fine), ("coarse", coarse))
            if ap50 is not None and ap is not None
        ]
        return "; ".join(parts) or "nothing to measure by"

    def as_json(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "classes": [asdict(row) for row in self.classes]}


def validated(
    detector: Detector,
    entries: Sequence[Entry],
    pictures: Pictures,
    taxonomy: Taxonomy,
    progress: Callable[[int], None],
) -> Figures:
    """Runs a detector over validation images and measures it.

    Args:
        detector: with a low ``min_score``, so that the whole curve of precision is there.
        entries: images of art with true boxes of the detector's classes.
        pictures: reads them.
        taxonomy: of both.
        progress: called with the number of images just done.
    """
    found: list[Detections] = []
    for images in batches(entries, pictures):
        found += detector.detect(images)
        progress(len(images))
    return measured(found, entries, taxonomy)


def batches(entries: Sequence[Entry], pictures: Pictures) -> Iterator[list[RGBImage]]:
    """Images RGB uint8 (H, W, 3) of all entries, in their order, a few at once."""
    for start in range(0, len(entries), _BATCH):
        yield [pictures.read(entry.path) for entry in entries[start : start + _BATCH]]


def paired(found: Sequence[Detections], entries: Sequence[Entry], levels: Levels, level: Level) -> list[Pair]:
    """Boxes of every image, which may have been found at another size of it, beside the true ones."""
    return [
        levels.pair(boxes.rescaled(entry.sample.truth.image_size), entry.sample, level)
        for entry, boxes in zip(entries, found, strict=True)
    ]


def measured(found: Sequence[Detections], entries: Sequence[Entry], taxonomy: Taxonomy) -> Figures:
    """Measures the boxes of validation images, which may have been found at another size of these."""
    levels = Levels(taxonomy)
    rows = [
        row
        for level in LEVELS
        for row in _rows(paired(found, entries, levels, level), levels, entries, level, taxonomy)
    ]
    return figures(rows, len(entries))


def figures(rows: Sequence[ClassFigures], images: int) -> Figures:
    """Means over the classes that have true boxes."""
    means = {
        (level, name): _mean([getattr(row, name) for row in rows if row.level == level])
        for level in LEVELS
        for name in ("ap", "ap50", "ap75")
    }
    fine, coarse = (tuple(means[level, name] for name in ("ap", "ap50", "ap75")) for level in LEVELS)
    return Figures(
        classes=tuple(rows),
        images=images,
        ap=fine[0],
        ap50=fine[1],
        ap75=fine[2],
        coarse_ap=coarse[0],
        coarse_ap50=coarse[1],
        coarse_ap75=coarse[2],
        fitness=_mean([fine[0], coarse[0]]) or 0.0,
    )


def _rows(
    pairs: Sequence[Pair], levels: Levels, entries: Sequence[Entry], level: Level, taxonomy: Taxonomy
) -> list[ClassFigures]:
    classes = levels.classes((entry.sample for entry in entries), level)
    all_of = coco_figures(pairs, classes)
    rows = []
    for place, label in enumerate(classes):
        boxes = sum(int(((pair.truth.labels == label) & ~pair.ignored).sum()) for pair in pairs)
        name = taxonomy.names[label]
        averages = (float(column[place]) for column in (all_of.ap, all_of.ap50, all_of.ap75))
        rows.append(ClassFigures(name, level, boxes, *(None if math.isnan(each) else each for each in averages)))
    return [row for row in rows if row.boxes]


def _mean(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if there else None
