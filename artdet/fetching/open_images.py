"""Open Images' tables: which images to take, what is on them, and which classes were looked for in each.

People verified for each image that some classes are there and others are not; they said nothing of the rest. Of a class
that is there every object was boxed, more than five that overlap as one group. Where several classes of one line of the
hierarchy are there (an animal, a dog), only the finest is boxed. So a class was looked for in an image
if it, or one above it that counts as the same of ours, is boxed there, or if it or one above it is verified as absent.

Reference: Kuznetsova et al., The Open Images Dataset V4, IJCV 2020, section 3.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from artdet.data.raw import RawBox, RawImage
from artdet.errors import InputError
from artdet.fetching.balance import balanced
from artdet.fetching.chosen import Chosen
from artdet.fetching.plan import Request, Split
from artdet.labelmaps import IGNORED_ID, LabelMap
from artdet.taxonomy import Taxonomy

_BOX = ("ImageID", "LabelName", "XMin", "YMin", "XMax", "YMax", "IsGroupOf", "IsInside")


@dataclass(frozen=True)
class Tables:
    """Files of one split, as Open Images publishes them.

    Attributes:
        boxes: a row a box.
        labels: a row for each class that someone verified in an image.
        classes: id and name of a class.
        hierarchy: which class is part of which.
    """

    boxes: Path
    labels: Path
    classes: Path
    hierarchy: Path


@dataclass(frozen=True)
class Vocabulary:
    """The set's classes and ours.

    Attributes:
        names: id of a class of the set -> its name.
        above: name -> names of the classes that it belongs to, itself among them.
        labels: name -> our class; without the ignored ones.
        taxonomy: of ours.
    """

    names: Mapping[str, str]
    above: Mapping[str, frozenset[str]]
    labels: Mapping[str, str]
    taxonomy: Taxonomy

    @cached_property
    def _belonging(self) -> dict[str, frozenset[str]]:
        """Ours -> names of the set that lead to it, or to a class of it."""
        found: dict[str, set[str]] = defaultdict(set)
        for name, ours in self.labels.items():
            found[ours].add(name)
            found[self.taxonomy.nodes[self.taxonomy.id_of(ours)].category].add(name)
        return {ours: frozenset(names) for ours, names in found.items()}

    def looked_for(self, boxed: frozenset[str], absent: frozenset[str]) -> tuple[str, ...]:
        """Classes of ours, of whose objects in an image none is without a box.

        Args:
            boxed: names that have boxes in the image.
            absent: names that were verified as absent from it.
        """
        kept = []
        for ours, names in self._belonging.items():
            near = boxed & names  # boxes that count as ours
            if all(above & absent or above & near for above in map(self._lines, names)):
                kept.append(ours)
        return tuple(sorted(kept, key=self.taxonomy.id_of))

    def _lines(self, name: str) -> frozenset[str]:
        return self.above.get(name, frozenset([name]))


def choose(tables: Tables, request: Request, taxonomy: Taxonomy) -> list[Chosen]:
    """The images of a request; the tables, which have millions of rows, are passed through and not kept.

    Raises:
        InputError: if a table is damaged.
    """
    words = vocabulary(tables, taxonomy)
    ids = balanced(_masks(tables.boxes, request, words.names), request.max_images, seed=request.seed)
    boxes: dict[str, list[RawBox]] = {image: [] for image in ids}
    for image, label, *edges, group, inside in _rows(tables.boxes, _BOX):
        if image in boxes:
            # A house seen from inside is as large as the image and looks like none.
            name = words.names.get(label, label)
            boxes[image].append(RawBox(name, _corners(edges, tables.boxes), group == "1", inside == "1"))
    absent: dict[str, set[str]] = {image: set() for image in ids}
    for image, label, confidence in _rows(tables.labels, ("ImageID", "LabelName", "Confidence")):
        if image in absent and confidence.strip() in ("0", "0.0"):
            absent[image].add(words.names.get(label, label))
    return [_chosen(image, boxes[image], absent[image], words, request.split) for image in ids]


def vocabulary(tables: Tables, taxonomy: Taxonomy) -> Vocabulary:
    """Names, hierarchy and label map together.

    Raises:
        InputError: if a table is damaged.
    """
    names = _names(tables.classes)
    above: dict[str, set[str]] = defaultdict(set)
    try:
        _walk(json.loads(tables.hierarchy.read_text(encoding="utf-8")), (), names, above)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise _damaged(tables.hierarchy, error) from error
    shipped = LabelMap.load("openimages")
    known = [name for name in names.values() if name in (shipped.labels or {})]
    ids = zip(known, shipped.ids(known, taxonomy).tolist(), strict=True)
    labels = {name: taxonomy.names[label] for name, label in ids if label != IGNORED_ID}
    return Vocabulary(names, {name: frozenset(own) for name, own in above.items()}, labels, taxonomy)


def _names(table: Path) -> dict[str, str]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            return {row[0]: row[1] for row in csv.reader(stream) if len(row) >= 2 and row[0].startswith("/")}
    except (OSError, ValueError, csv.Error) as error:
        raise _damaged(table, error) from error


def _walk(node: Any, line: tuple[str, ...], names: Mapping[str, str], above: dict[str, set[str]]) -> None:
    """Notes for every class those that it belongs to; the parts of a thing are not of its kind."""
    own = names.get(node["LabelName"], node["LabelName"])  # FiftyOne writes names where the set has ids
    line = (*line, own)
    above[own].update(line)
    for below in node.get("Subcategory", ()):
        _walk(below, line, names, above)


def _masks(table: Path, request: Request, names: Mapping[str, str]) -> dict[str, int]:
    """Images with a box of the classes that are wanted -> which, a bit each."""
    bits = {name: 1 << index for index, name in enumerate(sorted(set(request.classes.values())))}
    own = {label: bits[request.classes[name]] for label, name in names.items() if name in request.classes}
    masks: dict[str, int] = {}
    for image, label, group in _rows(table, ("ImageID", "LabelName", "IsGroupOf")):
        if label in own and group != "1":
            masks[image] = masks.get(image, 0) | own[label]
    return masks


def _rows(table: Path, columns: Sequence[str]) -> Iterator[list[str]]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.reader(stream)
            header = next(rows, [])
            places = [header.index(name) for name in columns]
            for row in rows:
                if row:
                    yield [row[place] for place in places]
    except (OSError, ValueError, IndexError, csv.Error) as error:
        raise _damaged(table, error) from error


def _corners(edges: Sequence[str], table: Path) -> tuple[float, float, float, float]:
    try:
        x1, y1, x2, y2 = map(float, edges)
    except ValueError as error:
        raise _damaged(table, error) from error
    return x1, y1, x2, y2


def _chosen(image: str, boxes: list[RawBox], absent: set[str], words: Vocabulary, split: Split) -> Chosen:
    labelled = words.looked_for(frozenset(box.name for box in boxes), frozenset(absent))
    made = RawImage(f"{image}.jpg", tuple(boxes), relative=True, fields={"split": split}, labelled=labelled)
    return Chosen(made, split)


def _damaged(table: Path, why: object) -> InputError:
    return InputError(f"{table} is not a table of Open Images ({why}). Delete it and run the same command again.")
