"""What training on a category comes to: counts of each side, repeat factors, licences, time, and what is weak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artdet.data.dataset import Dataset
from artdet.data.merge import Entry, Merged
from artdet.data.sampling import class_factors
from artdet.data.statistics import Statistics, statistics
from artdet.taxonomy import Taxonomy

FEW_BOXES = 50
"""Fewer training boxes than this are weak."""

# Measured with YOLOv5n, epochs of `artdet train --category persons`, on the machine that artdet was made on.
_SECONDS, _PIXELS, _CORES = 0.050, 512, 2


@dataclass(frozen=True)
class ClassPlan:
    """One class of a category.

    Attributes:
        name: of the class.
        boxes: to learn from.
        images: of training with one of them.
        not_looked_for: training images in which it may be without a box: no box there does not mean that it is absent.
        repeat_factor: r(c) of repeat-factor sampling.
        epoch_share: of the images of an epoch, those that hold it.
        validation_boxes: that count as hit or miss: of classes looked for, no crowds and no difficult ones.
        validation_images: with one of those.
    """

    name: str
    boxes: int
    images: int
    not_looked_for: int
    repeat_factor: float
    epoch_share: float
    validation_boxes: int
    validation_images: int


@dataclass(frozen=True, eq=False)
class TrainingPlan:
    """What a dry run says.

    Attributes:
        classes: in the order of the category.
        train: a set for each source, of what is learnt from it.
        validation: a set for each source that validates.
        images_per_epoch: on average.
        negatives: training images without boxes.
        negative_share: of the images of an epoch.
        seconds_per_epoch: an estimate, see :func:`estimated_seconds`.
        works_on_both_sides: 0.
        weak: what to mistrust, a sentence each.
    """

    classes: tuple[ClassPlan, ...]
    train: tuple[Statistics, ...]
    validation: tuple[Statistics, ...]
    images_per_epoch: float
    negatives: int
    negative_share: float
    seconds_per_epoch: float
    works_on_both_sides: int
    weak: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The whole as JSON."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        sides = {name: [part.as_json() for part in plain[name]] for name in ("train", "validation")}
        return {**plain, **sides, "classes": [asdict(row) for row in self.classes], "weak": list(self.weak)}


def training_plan(merged: Merged, *, cores: int) -> TrainingPlan:
    """Counts everything.

    Args:
        merged: sources of a category.
        cores: that training may use.
    """
    settings, taxonomy = merged.category.settings, merged.category.taxonomy
    epoch = float(merged.factors.sum())
    negative = np.array([entry.negative for entry in merged.train], dtype=bool)
    share = float(merged.factors[negative].sum()) / epoch
    held = [entry.sample.truth.labels for entry in merged.train if not entry.negative]
    factors = class_factors(held, settings.repeat_threshold)
    classes = tuple(_class_plan(name, merged, factors) for name in settings.classes)
    return TrainingPlan(
        classes=classes,
        train=_by_source(merged.train, taxonomy),
        validation=_by_source(merged.validation, taxonomy),
        images_per_epoch=epoch,
        negatives=int(negative.sum()),
        negative_share=share,
        seconds_per_epoch=estimated_seconds(epoch, settings.image_size, cores),
        works_on_both_sides=len(merged.shared_works),
        weak=tuple(_weak(classes, sum(entry.rate for entry in settings.negatives), share)),
    )


def estimated_seconds(images: float, image_size: int, cores: int) -> float:
    """Seconds that training on so many images takes on a CPU, from one measurement scaled by pixels and cores.

    >>> round(estimated_seconds(1000, 512, 2))
    50
    """
    return images * _SECONDS * (image_size / _PIXELS) ** 2 * _CORES / cores


def _class_plan(name: str, merged: Merged, factors: Mapping[int, float]) -> ClassPlan:
    taxonomy = merged.category.taxonomy
    label = taxonomy.id_of(name)
    counts = np.array([int((entry.sample.truth.labels == label).sum()) for entry in merged.train])
    checked = np.array([_counting(entry, label, taxonomy) for entry in merged.validation])
    return ClassPlan(
        name=name,
        boxes=int(counts.sum()),
        images=int((counts > 0).sum()),
        not_looked_for=sum(not _looked_for(entry, label, taxonomy) for entry in merged.train),
        repeat_factor=factors.get(label, 1.0),
        epoch_share=float(merged.factors[counts > 0].sum() / merged.factors.sum()),
        validation_boxes=int(checked.sum()),
        validation_images=int((checked > 0).sum()),
    )


def _looked_for(entry: Entry, label: int, taxonomy: Taxonomy) -> bool:
    """Whether the absence of a box says that none of the class is there."""
    return bool(taxonomy.among(np.array([label]), entry.sample.labelled)[0])


def _counting(entry: Entry, label: int, taxonomy: Taxonomy) -> int:
    sample = entry.sample
    rows: NDArray[np.bool_] = (sample.truth.labels == label) & ~sample.crowd & ~sample.difficult
    return int(rows.sum()) if _looked_for(entry, label, taxonomy) else 0


def _by_source(entries: Sequence[Entry], taxonomy: Taxonomy) -> tuple[Statistics, ...]:
    sources = {entry.source: entry for entry in entries}
    samples = {name: tuple(e.sample for e in entries if e.source == name) for name in sources}
    return tuple(
        statistics(Dataset(name, first.root, samples[name], taxonomy, (), first.licence))
        for name, first in sources.items()
    )


def _weak(classes: Sequence[ClassPlan], wanted: float, share: float) -> list[str]:
    few = [f"{row.name} ({row.boxes})" for row in classes if row.boxes < FEW_BOXES]
    unchecked = [row.name for row in classes if not row.validation_boxes]
    thin = [f"{row.name} ({row.validation_boxes})" for row in classes if 0 < row.validation_boxes < FEW_BOXES]
    said = [f"fewer than {FEW_BOXES} boxes to learn from: {', '.join(few)}"] if few else []
    said += [f"no box to validate on: {', '.join(unchecked)}"] if unchecked else []
    said += [f"fewer than {FEW_BOXES} boxes to validate on: {', '.join(thin)}"] if thin else []
    if share < wanted - 0.005:
        said.append(f"too few negatives for their rate: {share:.0%} of an epoch instead of {wanted:.0%}")
    return said
