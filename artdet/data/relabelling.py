"""Boxes of a source that someone looked at again and called otherwise: an angel where the source says person."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from artdet.data.listing import text_of
from artdet.data.problems import Problems
from artdet.data.raw import RawImage
from artdet.errors import InputError, LabelError, did_you_mean
from artdet.taxonomy import Taxonomy

_COLUMNS = ("file", "object", "label")


def relabelled(images: Sequence[RawImage], path: Path, taxonomy: Taxonomy, problems: Problems) -> list[RawImage]:
    """The images with the labels of a table on the boxes that it names.

    Args:
        images: of the source.
        path: of a CSV table with the columns ``file`` (an image's path, as in the source), ``object`` (number of a box
            in it, from 1, in the order of the annotation) and ``label`` (a name of the taxonomy).
        taxonomy: of the labels.
        problems: takes boxes that are not there; images that are not there belong to other parts of the set, but
            not all of them.

    Raises:
        InputError: if the table cannot be read or is none of these.
        LabelError: for a label that the taxonomy does not know.
    """
    labels = _read(path, taxonomy)
    if images and labels and labels.keys().isdisjoint(image.file for image in images):
        problems.add("no_such_object", f"none of the images of {path.name} is here", sum(map(len, labels.values())))
    return [_with_labels(image, labels.get(image.file, {}), problems) for image in images]


def _with_labels(image: RawImage, labels: Mapping[int, str], problems: Problems) -> RawImage:
    for number in sorted(labels):
        if not 1 <= number <= len(image.boxes):
            problems.add("no_such_object", f"{image.file}: object {number}")
    if not labels:
        return image
    boxes = (replace(box, label=labels.get(number)) for number, box in enumerate(image.boxes, 1))
    return replace(image, boxes=tuple(boxes))


def _read(path: Path, taxonomy: Taxonomy) -> dict[str, dict[int, str]]:
    """File -> number of a box -> label."""
    text = text_of(path, "The table", "Check 'relabelled' of the source.")
    rows = csv.DictReader(io.StringIO(text, newline=""))
    if not set(_COLUMNS) <= set(rows.fieldnames or ()):
        raise InputError(f"{path} lacks one of the columns {', '.join(_COLUMNS)}. Add it to the first line.")
    found: dict[str, dict[int, str]] = {}
    for row in rows:
        if row["label"] not in taxonomy.names:
            near = did_you_mean(row["label"] or "", taxonomy.names)
            raise LabelError(f"{path}, line {rows.line_num}: there is no class '{row['label']}'.{near}")
        if not (row["object"] or "").isdecimal():
            raise InputError(
                f"{path}, line {rows.line_num}: '{row['object']}' is no number of an object. They count from 1."
            )
        found.setdefault(row["file"], {})[int(row["object"])] = row["label"]
    return found
