"""Which images of two sources are the same: a run's and a truth's, say."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Images:
    """The images of one side.

    Attributes:
        root: folder that the files start from.
        files: paths relative to it, with forward slashes.
    """

    root: Path
    files: Sequence[str]


@dataclass(frozen=True)
class Paired:
    """The images that both sides have.

    Attributes:
        files: file of the second side -> file of the first.
        by_name: how many of them lie at different places and were recognised by their names.
    """

    files: dict[str, str]
    by_name: int


def paired(first: Images, second: Images) -> Paired:
    """Finds for each image of the second side the same image of the first.

    The same place on the disk is the same image. Of the others those are the same whose one path ends with the other,
    or whose names are equal, as long as only one image on each side is in question.
    """
    by_place = dict(zip(_places(first), first.files, strict=True))
    same = {
        file: by_place[place] for file, place in zip(second.files, _places(second), strict=True) if place in by_place
    }
    taken = set(same.values())
    rest = [file for file in second.files if file not in same]
    others = _by_end([file for file in first.files if file not in taken], rest)
    return Paired(same | others, len(others))


def _places(images: Images) -> list[str]:
    root = os.path.abspath(images.root)
    return [os.path.normpath(os.path.join(root, file)) for file in images.files]


def _by_end(first: Iterable[str], second: Sequence[str]) -> dict[str, str]:
    by_name: dict[str, list[str]] = {}
    for file in first:
        by_name.setdefault(_name(file), []).append(file)
    times = Counter(_name(file) for file in second)
    matched = {}
    for file in second:
        offers = by_name.get(_name(file), [])
        best = [offer for offer in offers if _ends_with(offer, file) or _ends_with(file, offer)]
        if len(best) == 1:
            matched[file] = best[0]
        elif len(offers) == 1 and times[_name(file)] == 1:
            matched[file] = offers[0]
    chosen = Counter(matched.values())
    return {file: offer for file, offer in matched.items() if chosen[offer] == 1}


def _ends_with(path: str, end: str) -> bool:
    return f"/{path}".endswith(f"/{end}")


def _name(file: str) -> str:
    return file.rpartition("/")[2]
