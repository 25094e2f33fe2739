"""Where the images of a classifier's training come from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from artdet.config import read_yaml
from artdet.data.artworks.collection import Artworks
from artdet.data.artworks.label_source import shipped_label_sources
from artdet.data.artworks.partition import Partition


@dataclass(frozen=True)
class Source:
    """A source of artworks.

    Attributes:
        name: as in the names of its images.
        train: images of it to learn from.
        validation: likewise.
        test: likewise.
        licence: as its yaml states it.
        origin: likewise.
    """

    name: str
    train: int
    validation: int
    test: int
    licence: str
    origin: str


def sources_of(artworks: Artworks, partition: Partition) -> list[Source]:
    """The sources with their numbers of images in each part."""
    counts = [_counts(artworks, places) for places in (partition.train, partition.validation, partition.test)]
    names = dict.fromkeys(name for part in counts for name in part)
    train, validation, test = counts
    return [Source(name, train[name], validation[name], test[name], *_stated(name)) for name in names]


def trained_on(artworks: Artworks, partition: Partition) -> str:
    """The sources of training with their numbers of images: ``wikiart (1,236), artic_cc0 (187)``."""
    counts = _counts(artworks, partition.train)
    return ", ".join(f"{name} ({count:,})" for name, count in counts.items())


def _counts(artworks: Artworks, places: NDArray[np.int64]) -> Counter[str]:
    return Counter(artworks.names[place].partition("/")[0] for place in places)


def _stated(name: str) -> tuple[str, str]:
    """Licence and origin, as the yaml of the source states them."""
    # Of pictures made from a source, such as drawings, the name has a plus sign.
    file = shipped_label_sources().get(name.partition("+")[0])
    content = read_yaml(file) if file else {}
    return str(content.get("licence", "")), str(content.get("origin", ""))
