"""True boxes in the formats of others: the writers are those of the runs.

COCO is one file, ``NAME.json``. Beside each of the others stands ``NAME.yaml``, a source that says what the format
cannot: where the images lie, under which licence, and which classes were looked for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import yaml

from artdet.atomic import whole_file
from artdet.data.coco_writer import write_coco
from artdet.data.dataset import Dataset, Sample
from artdet.exports.base import Exported, Job, TruthBox, claim
from artdet.exports.table import exporter
from artdet.runs import Record

_READ = {"yolo": ".", "voc": ".", "csv": "boxes.csv"}
"""Format -> what a source of it names as its ``path``."""


def export_truth(dataset: Dataset, format: str, out: Path) -> Exported:
    """Writes the true boxes of a data set with the names of our classes; its images stay where they are.

    An earlier conversion to the same format in the same folder is replaced; nothing else ever is.

    Args:
        dataset: the truth.
        format: a name in ``artdet.exports.EXPORTS``.
        out: the folder to write to.

    Returns:
        What was written, with a note for everything that the format cannot hold.

    Raises:
        ConfigError: if there is no such format.
        RunError: if the target cannot be written or holds files that no conversion made.
    """
    module = exporter(format)
    names = (f"{dataset.name}.json",) if format == "coco" else (*module.NAMES, _source_file(dataset))
    claim(out, format, names, dataset.root, truth=True)
    if format == "coco":
        write_coco(dataset, out / names[0])
        notes: tuple[str, ...] = ()
    else:
        notes = tuple(module.write(Job(out, dataset.taxonomy, truth=True), _records(dataset)))
        _write_source(dataset, format, out)
    paths = tuple(out / name for name in names if (out / name).exists())
    left_out = _neither(dataset) if format == "yolo" else 0
    listed = len(dataset) if format == "coco" else sum(sample.annotated for sample in dataset)
    boxes = sum(len(sample.truth) for sample in dataset if sample.annotated or format == "coco") - left_out
    return Exported(out, paths, listed, boxes, 0, (*notes, *_losses(dataset, format)))


def _records(dataset: Dataset) -> Iterator[Record]:
    """The annotated images: in these formats, one without an entry is one that nobody has looked at."""
    for sample in dataset:
        if sample.annotated:
            yield Record(sample.file, None, sample.truth.image_size, tuple(_boxes(sample, dataset.taxonomy.names)))


def _boxes(sample: Sample, names: tuple[str, ...]) -> Iterator[TruthBox]:
    columns = (sample.truth.boxes.astype(np.float64).round(4).tolist(), sample.truth.labels.tolist())
    marks = (sample.crowd.tolist(), sample.difficult.tolist())
    for (x1, y1, x2, y2), label, crowd, difficult in zip(*columns, *marks, strict=True):
        yield TruthBox(names[label], 1.0, (x1, y1, x2, y2), "", crowd, difficult)


def _source_file(dataset: Dataset) -> str:
    # YOLO has a data.yaml of its own.
    return "data_source.yaml" if dataset.name == "data" else f"{dataset.name}.yaml"


def _write_source(dataset: Dataset, format: str, out: Path) -> None:
    content = {
        "format": format,
        "path": _READ[format],
        "images": Path(os.path.relpath(dataset.root, out.absolute())).as_posix(),
        **({"first_pixel": 1} if format == "voc" else {}),
        "exhaustive": [dataset.taxonomy.names[label] for label in sorted(_labelled_everywhere(dataset))],
        "origin": f"converted by artdet from {dataset.name}",
        "licence": dataset.licence,
    }
    with whole_file(out / _source_file(dataset)) as stream:
        stream.write(yaml.safe_dump(content, sort_keys=False, allow_unicode=True).encode("utf-8"))


def _labelled_everywhere(dataset: Dataset) -> frozenset[int]:
    sets = [sample.labelled for sample in dataset if sample.annotated]
    return frozenset.intersection(*sets) if sets else frozenset()


def _neither(dataset: Dataset) -> int:
    """How many boxes are crowds or difficult."""
    return sum(int((sample.crowd | sample.difficult).sum()) for sample in dataset if sample.annotated)


def _losses(dataset: Dataset, format: str) -> Iterator[str]:
    """A sentence for each thing that a format cannot hold."""
    if format == "coco":
        return
    neither, crowds = _neither(dataset), sum(int(sample.crowd.sum()) for sample in dataset)
    if format == "yolo" and neither:
        yield f"{neither} crowds and difficult boxes were left out: YOLO cannot say that a box does not count."
    if format == "voc" and crowds:
        yield f"{crowds} crowds became difficult boxes: VOC has no word for crowds."
    absent = sum(not sample.annotated for sample in dataset)
    if absent:
        yield f"{absent} images without annotation have no entry."
    everywhere = _labelled_everywhere(dataset)
    if any(sample.labelled != everywhere for sample in dataset if sample.annotated):
        yield (
            f"{_source_file(dataset)} has only the classes that were looked for in all images: that they differ "
            "between images is lost (COCO keeps it)."
        )
    fields = sorted({name for sample in dataset for name in sample.fields} - {"folder"})
    if fields:
        yield f"The fields {', '.join(fields)} are lost (COCO keeps them)."
    if any(sample.group != sample.file for sample in dataset):
        yield "Which images belong to one artwork is lost (COCO keeps it)."
