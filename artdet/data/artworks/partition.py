"""Splits artworks into training, validation and test, the same on every machine, and keeps the split in a file."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from artdet.atomic import whole_file
from artdet.data.artworks.collection import Artworks, known
from artdet.data.artworks.duplicates import NEAR, components, duplicates
from artdet.data.artworks.label_table import names_of
from artdet.errors import InputError
from artdet.tasks import Task

PARTS = ("train", "validation", "test")
_HEADER = ("name", "part")
_NO_ANSWER = ("", "")

Stratum = tuple[str, str]
"""Task and class."""


@dataclass(frozen=True, eq=False)
class Partition:
    """Places of the images of each part, ascending.

    Attributes:
        train: int64.
        validation: int64.
        test: int64.
    """

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]

    def part(self, name: str) -> NDArray[np.int64]:
        """The places of one of ``PARTS``."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[name]


@dataclass(frozen=True)
class _Works:
    """Images that stay together.

    Attributes:
        key: the lowest of their groups' names; it decides the part.
        places: of the images.
    """

    key: str
    places: tuple[int, ...]


def partition(
    artworks: Artworks,
    *,
    shares: tuple[float, float, float] = (0.7, 0.1, 0.2),
    seed: int = 0,
    near: int | None = NEAR,
    progress: Callable[[int], None] = lambda _: None,
) -> Partition:
    """Splits images so that every class is in each part in its share, and no work or duplicate in two.

    A stratum is a class of the first task (of the next one where an image has no answer to that). Within a stratum the
    works with the lowest hashes go to test, the next to validation; rare classes are served first, and what rounding
    leaves over is carried on. A class of three works or more has one in each part. Neither the order of the images nor
    the machine matters.

    Args:
        artworks: of all tasks; the same images give the same split whichever tasks follow the first.
        shares: of training, validation and test; they sum to 1.
        seed: another one gives another split.
        near: bits in which near duplicates may differ; ``None`` looks for equal bytes only.
        progress: called with the number of images that were read to find duplicates.

    Raises:
        InputError: if a part would have fewer images than a task has classes.
    """
    if min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
        raise ValueError(f"shares {shares} are not three that sum to 1")
    works = _works(artworks, near, progress)
    parts = np.zeros(len(artworks), dtype=np.int64)
    placed = [0, 0, 0]
    seen = 0
    for _, members in _strata(artworks, works):
        ordered = sorted(members, key=lambda work: hashlib.sha256(f"{seed}\0{work.key}".encode()).hexdigest())
        seen += sum(len(work.places) for work in members)
        for part in (2, 1):
            wanted = round(shares[part] * seen) - placed[part]
            keep = sum(1 for earlier in range(part) if shares[earlier] > 0)
            chosen = _chosen(ordered, wanted, keep, least=int(shares[part] > 0))
            ordered = [work for work in ordered if work not in chosen]
            for work in chosen:
                parts[list(work.places)] = part
                placed[part] += len(work.places)
    result = Partition(*(np.flatnonzero(parts == part) for part in range(len(PARTS))))
    _check_sizes(artworks, result, shares)
    return result


def write_partition(path: Path, artworks: Artworks, partition: Partition) -> None:
    """Writes a CSV of names and parts.

    Raises:
        RunError: if it cannot be written.
    """
    stream = io.StringIO(newline="")
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow(_HEADER)
    of = {int(place): part for part in PARTS for place in partition.part(part)}
    rows.writerows((name, of[place]) for place, name in enumerate(artworks.names) if place in of)
    with whole_file(path) as file:
        file.write(stream.getvalue().encode("utf-8", "surrogateescape"))


def read_partition(path: Path, artworks: Artworks, *, subset: bool = False) -> Partition:
    """Reads what :func:`write_partition` wrote.

    Args:
        path: of the file.
        artworks: whose images are looked for in it.
        subset: whether the file may have more images than these, as that of a run with more tasks has.

    Raises:
        InputError: if it cannot be read, is no such file, or has other images.
    """
    part_of = _rows(path)
    lacking = [name for name in artworks.names if name not in part_of]
    there = set(artworks.names)
    extra = [] if subset else [name for name in part_of if name not in there]
    if lacking or extra:
        said = [f"{len(lacking)} images are not in it ({names_of(lacking)})"] if lacking else []
        said += [f"{len(extra)} of its images are not among the data ({names_of(extra)})"] if extra else []
        raise InputError(
            f"The split {path} is of other images: {' and '.join(said)}. Take the tasks and sources that it was made "
            "with, or make a new one."
        )
    parts = np.array([PARTS.index(part_of[name]) for name in artworks.names], dtype=np.int64)
    return Partition(*(np.flatnonzero(parts == part) for part in range(len(PARTS))))


def _rows(path: Path) -> dict[str, str]:
    try:
        text = path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise InputError(f"The split {path} cannot be read: {error.strerror}. Check its name.") from error
    rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    if not rows or tuple(rows[0]) != _HEADER:
        raise InputError(f"{path} is no split: its first line is not '{','.join(_HEADER)}'. Name a split.csv.")
    for line, row in enumerate(rows[1:], start=2):
        if len(row) != len(_HEADER) or row[1] not in PARTS:
            raise InputError(f"{path}, line {line}: is not a name and one of {', '.join(PARTS)}. Mend that line.")
    return {row[0]: row[1] for row in rows[1:]}


def _works(artworks: Artworks, near: int | None, progress: Callable[[int], None]) -> list[_Works]:
    """Images by what must stay together: groups, and duplicates between them."""
    pairs: list[tuple[int, int]] = []
    first: dict[str, int] = {}
    for place, group in enumerate(artworks.groups):
        pairs.append((first.setdefault(group, place), place))
    for found in duplicates(artworks.paths, near=near, progress=progress).groups:
        pairs += [(found.places[0], place) for place in found.places[1:]]
    members: dict[int, list[int]] = {}
    for place, root in enumerate(components(len(artworks), pairs)):
        members.setdefault(root, []).append(place)
    return [_Works(min(artworks.groups[place] for place in places), tuple(places)) for places in members.values()]


def _strata(artworks: Artworks, works: Sequence[_Works]) -> list[tuple[Stratum, list[_Works]]]:
    """Works by the rarest class that they hold, rare classes first, those without an answer last."""
    classes = _classes(artworks)
    held = [{label for place in work.places for label in classes[place]} for work in works]
    order = {task.name: index for index, task in enumerate(artworks.tasks)}
    counts = Counter(label for labels in held for label in labels)
    strata: dict[Stratum, list[_Works]] = {}
    for work, labels in zip(works, held, strict=True):
        rarest = min(labels, key=lambda label: (order[label[0]], counts[label], label), default=_NO_ANSWER)
        strata.setdefault(rarest, []).append(work)
    return sorted(strata.items(), key=lambda item: (order.get(item[0][0], len(order)), counts[item[0]], item[0]))


def _classes(artworks: Artworks) -> list[list[Stratum]]:
    """For each image its classes of the first task that it has an answer to."""
    classes: list[list[Stratum]] = [[] for _ in artworks.names]
    for task in artworks.tasks:
        values = artworks.targets[task.name]
        for place in np.flatnonzero(known(task, values)):
            if not classes[place]:
                classes[place] = [(task.name, name) for name in _names(task, values[place])]
    return classes


def _names(task: Task, value: NDArray[np.float32] | np.int64 | np.float32) -> list[str]:
    if task.kind == "label":
        return [task.classes[int(value)]]
    if task.kind == "labels":
        return [task.classes[index] for index in np.flatnonzero(np.asarray(value))] or ["none of them"]
    return ["a number"]


def _chosen(ordered: Sequence[_Works], wanted: int, keep: int, *, least: int) -> list[_Works]:
    """The first works that sum to ``wanted`` images; ``least`` works where ``keep`` others stay for the other parts."""
    chosen: list[_Works] = []
    free = len(ordered) - keep
    for work in ordered:
        if len(chosen) < free and wanted > 0 and len(work.places) <= 2 * wanted - 1:
            chosen.append(work)
            wanted -= len(work.places)
    if not chosen and free >= least:
        # Small ones first: a long series must not fill a small part.
        chosen = sorted(ordered, key=lambda work: len(work.places))[:least]
    return chosen


def _check_sizes(artworks: Artworks, parts: Partition, shares: Sequence[float]) -> None:
    answered: Mapping[str, NDArray[np.bool_]] = {task.name: artworks.known(task.name) for task in artworks.tasks}
    for task in artworks.tasks:
        for part, share in zip(PARTS, shares, strict=True):
            count = int(answered[task.name][parts.part(part)].sum())
            if share > 0 and task.kind == "label" and count < len(task.classes):
                raise InputError(
                    f"The {part} part has {count} images with an answer to the task {task.name}, fewer than its "
                    f"{len(task.classes)} classes. Add images, or raise min_images so that fewer classes stay."
                )
            if share > 0 and not count:
                raise InputError(
                    f"The {part} part has no image with an answer to the task {task.name}. Add images of it."
                )
