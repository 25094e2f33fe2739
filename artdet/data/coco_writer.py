"""Writes a ``Dataset`` as COCO json, with additions that ``artdet.data.coco`` reads and others pass over.

These are ``difficult`` (and ``ignore``) of an annotation; ``annotated``, ``group``, ``exhaustive`` and ``fields`` of an
image, where they say something; in ``info.artdet`` the classes that were looked for and the way to the images.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from artdet.atomic import whole_file
from artdet.data.dataset import Dataset, Sample
from artdet.data.fields import FOLDER
from artdet.runs import json_text
from artdet.taxonomy import Taxonomy

_DECIMALS = 4  # of a pixel


def write_coco(dataset: Dataset, path: Path) -> None:
    """Writes one file with every image, box and class; the images stay where they are.

    Category ids count from 1 in the order of the taxonomy, image ids from 1 in the order of the files.

    Raises:
        RunError: if the file cannot be written; an older one of that name is then untouched.
    """
    common = _common(dataset)
    info = {
        "description": dataset.name,
        "licence": dataset.licence,
        "artdet": {
            "exhaustive": _names(common, dataset.taxonomy),
            "images": Path(os.path.relpath(dataset.root, path.absolute().parent)).as_posix(),
        },
    }
    parts = {"categories": _categories(dataset.taxonomy), "images": _images(dataset, common),
             "annotations": _annotations(dataset)}  # fmt: skip
    with whole_file(path) as stream:
        stream.write(b'{\n"info": ' + json_text(info).encode())
        for name, entries in parts.items():
            stream.write(f',\n"{name}": ['.encode())
            for number, entry in enumerate(entries):
                stream.write((",\n" if number else "\n").encode() + json_text(entry).encode())
            stream.write(b"\n]")
        stream.write(b"\n}\n")


def _common(dataset: Dataset) -> frozenset[int]:
    """The classes that were looked for in most images."""
    counts = Counter(sample.labelled for sample in dataset if sample.annotated)
    return counts.most_common(1)[0][0] if counts else frozenset()


def _names(labelled: Iterable[int], taxonomy: Taxonomy) -> list[str]:
    return [taxonomy.names[label] for label in sorted(labelled)]


def _categories(taxonomy: Taxonomy) -> Iterator[dict[str, Any]]:
    for index, node in enumerate(taxonomy.nodes, start=1):
        yield {"id": index, "name": node.name, "supercategory": node.category}


def _images(dataset: Dataset, common: frozenset[int]) -> Iterator[dict[str, Any]]:
    for index, sample in enumerate(dataset, start=1):
        height, width = sample.truth.image_size
        entry: dict[str, Any] = {"id": index, "file_name": sample.file, "height": height, "width": width}
        fields = {name: text for name, text in sample.fields.items() if name != FOLDER}
        if not sample.annotated:
            entry["annotated"] = False
        elif sample.labelled != common:
            entry["exhaustive"] = _names(sample.labelled, dataset.taxonomy)
        if sample.group != sample.file:
            entry["group"] = sample.group
        if fields:
            entry["fields"] = fields
        yield entry


def _annotations(dataset: Dataset) -> Iterator[dict[str, Any]]:
    number = 0
    for index, sample in enumerate(dataset, start=1):
        for entry in _boxes(sample):
            number += 1
            yield {"id": number, "image_id": index, **entry}


def _boxes(sample: Sample) -> Iterator[dict[str, Any]]:
    corners = sample.truth.boxes.astype(np.float64)
    sides = np.hstack([corners[:, :2], corners[:, 2:] - corners[:, :2]]).round(_DECIMALS).tolist()
    columns = (sides, sample.truth.labels.tolist(), sample.crowd.tolist(), sample.difficult.tolist())
    for bbox, label, crowd, difficult in zip(*columns, strict=True):
        entry = {"category_id": label + 1, "bbox": bbox, "area": round(bbox[2] * bbox[3], _DECIMALS)}
        entry |= {"segmentation": [], "iscrowd": int(crowd)}
        yield {**entry, "ignore": 1, "difficult": 1} if difficult else entry
