"""Files that show the same: byte for byte, or by their look (another scan, another print of the plate, resized)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from artdet.data.artworks.hash_cache import ImageHash, image_hashes
from artdet.errors import ImageError

NEAR = 10
"""Bits of the 64 in which the perceptual hashes of two near duplicates may differ."""
LEAST_CORRELATION = 0.75
"""Of the small grey pictures. Measured on WikiArt, People-Art and Chicago's paintings (3,901 works): up to 8 bits all
of 12 pairs show the same; at 10 bits the two of 7 pairs above this do or are of one series, those below are not."""
_BITS = 64
_BLOCK = 1024


@dataclass(frozen=True)
class DuplicateGroup:
    """Files that show the same.

    Attributes:
        places: of the files in the list that was given, ascending.
        exact: whether all have the same bytes.
        distance: the most bits in which the hashes of two that were linked differ.
        copies: those of the places whose file has the same bytes as an earlier one of the group.
    """

    places: tuple[int, ...]
    exact: bool
    distance: int
    copies: tuple[int, ...] = ()


@dataclass(frozen=True)
class Duplicates:
    """What was found.

    Attributes:
        groups: each with two files or more, in the order of their first.
        unreadable: place -> why the file cannot be read; it is in no group.
    """

    groups: tuple[DuplicateGroup, ...]
    unreadable: Mapping[int, ImageError]


def duplicates(
    paths: Sequence[Path], *, near: int | None = NEAR, progress: Callable[[int], None] = lambda _: None
) -> Duplicates:
    """Finds files that show the same.

    Near duplicates differ in at most ``near`` bits of their perceptual hashes (the signs of the lowest frequencies of
    the grey picture) and their small grey pictures correlate. Whoever is a duplicate of a duplicate is in its group.

    Args:
        paths: of images.
        near: see ``NEAR``; ``None`` finds equal bytes only.
        progress: called with the number of images just read; first with those whose hashes were kept on the disk.
    """
    hashes = image_hashes(paths, progress=progress)
    read = [place for place, found in enumerate(hashes) if isinstance(found, ImageHash)]
    known = [found for found in hashes if isinstance(found, ImageHash)]
    pairs = list(_exact_pairs(known))
    if near is not None and len(known) > 1:
        pairs += _near_pairs(known, near)
    unreadable = {place: found for place, found in enumerate(hashes) if isinstance(found, ImageError)}
    return Duplicates(tuple(_groups(known, pairs, read)), unreadable)


def components(count: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """(count,) for each place the lowest place that pairs lead to from it."""
    parents = list(range(count))

    def lowest(place: int) -> int:
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = parents[place]
        return place

    for first, second in pairs:
        a, b = sorted((lowest(first), lowest(second)))
        parents[b] = a
    return [lowest(place) for place in range(count)]


def _exact_pairs(hashes: Sequence[ImageHash]) -> Iterator[tuple[int, int, int]]:
    first: dict[str, int] = {}
    for place, found in enumerate(hashes):
        if (before := first.setdefault(found.sha256, place)) != place:
            yield before, place, 0


def _near_pairs(hashes: Sequence[ImageHash], near: int) -> list[tuple[int, int, int]]:
    """(place, later place, bits that differ)."""
    bits = _signs(hashes)
    small = _centred(hashes)
    pairs = []
    for start in range(0, len(hashes), _BLOCK):
        distances = (_BITS - bits[start : start + _BLOCK] @ bits[start:].T) / 2
        for row, column in zip(*np.nonzero(distances <= near + 0.25), strict=True):
            first, second = start + int(row), start + int(column)
            if first < second and float(small[first] @ small[second]) >= LEAST_CORRELATION:
                pairs.append((first, second, round(float(distances[row, column]))))
    return pairs


def _signs(hashes: Sequence[ImageHash]) -> NDArray[np.float32]:
    """(N, 64) of -1 and 1, whose products count equal bits less different ones."""
    looks = np.array([found.look for found in hashes], dtype=">u8")
    bits = np.unpackbits(looks.view(np.uint8).reshape(-1, 8), axis=1)
    return bits.astype(np.float32) * 2 - 1


def _centred(hashes: Sequence[ImageHash]) -> NDArray[np.float32]:
    """(N, pixels) grey small pictures of mean 0 and length 1, whose products are correlations.

    A picture of one colour has length 0: nothing but equal bytes makes it a duplicate.
    """
    grey = np.stack([found.thumbnail.reshape(-1, 3).mean(axis=1, dtype=np.float32) for found in hashes])
    grey -= grey.mean(axis=1, keepdims=True)
    return np.asarray(grey / np.maximum(np.linalg.norm(grey, axis=1, keepdims=True), 1e-3), dtype=np.float32)


def _groups(
    hashes: Sequence[ImageHash], pairs: Sequence[tuple[int, int, int]], read: Sequence[int]
) -> Iterator[DuplicateGroup]:
    lowest = components(len(hashes), ((first, second) for first, second, _ in pairs))
    members: dict[int, list[int]] = {}
    for place, root in enumerate(lowest):
        members.setdefault(root, []).append(place)
    distances: dict[int, int] = {}
    for first, _, distance in pairs:
        root = lowest[first]
        distances[root] = max(distances.get(root, 0), distance)
    for root, places in members.items():
        if len(places) > 1:
            earliest: dict[str, int] = {}
            copies = [place for place in places if earliest.setdefault(hashes[place].sha256, place) != place]
            yield DuplicateGroup(
                tuple(read[place] for place in places),
                len(earliest) == 1,
                distances[root],
                tuple(read[place] for place in copies),
            )
