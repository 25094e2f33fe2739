"""Which sets a category needs, which of their classes, and at most how many images."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from artdet.data.category import Category
from artdet.errors import InputError, did_you_mean
from artdet.labelmaps import IGNORED_ID, LabelMap

Split = Literal["train", "validation"]
Kind = Literal["coco", "open images", "archive"]


@dataclass(frozen=True)
class ImageSet:
    """A set that can be fetched; its yaml in ``configs/sources`` has the same name.

    Attributes:
        name: of the set.
        title: for people.
        kind: of its tables.
        label_map: shipped one, of its class names.
        folder: below the data folder.
        licence: as its makers state it.
        tables: what comes before the first image: name of a split -> its size in words.
        by_default: whether it is fetched where no sets are named.
        year: of COCO.
    """

    name: str
    title: str
    kind: Kind
    label_map: str
    folder: str
    licence: str
    tables: Mapping[Split, str]
    by_default: bool = True
    year: str = ""


_COCO_LICENCE = "annotations CC BY 4.0; photographs of Flickr under licences of their own"
SETS = {
    one.name: one
    for one in (
        ImageSet(
            "open_images", "Open Images V7", "open images", "openimages", "photos/open_images",
            "annotations CC BY 4.0, photographs listed as CC BY 2.0",
            {"train": "about 2.6 GB", "validation": "about 60 MB"},
        ),
        ImageSet(
            "coco2017", "COCO 2017", "coco", "coco", "photos/coco2017", _COCO_LICENCE,
            {"train": "about 240 MB", "validation": "about 240 MB"}, year="2017",
        ),
        # The photographs of 2017 in another split.
        ImageSet(
            "coco2014", "COCO 2014", "coco", "coco", "photos/coco2014", _COCO_LICENCE,
            {"train": "about 240 MB", "validation": "about 240 MB"}, by_default=False, year="2014",
        ),
        ImageSet(
            "iconart", "IconArt v1 (paintings)", "archive", "iconart", "iconart",
            "see its page on Zenodo; paintings from Wikimedia Commons",
            {"train": "one archive with all images", "validation": "one archive with all images"},
        ),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Request:
    """What to get of one set.

    Attributes:
        set: its name.
        classes: of its own -> the class of the category that an object of it counts as.
        split: of the set.
        max_images: at most.
        seed: of the choice among more images than that.
    """

    set: str
    classes: Mapping[str, str]
    split: Split
    max_images: int
    seed: int

    @property
    def digest(self) -> str:
        """A name for exactly this request."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


def plan(
    category: Category,
    *,
    max_images: int,
    sets: Sequence[str] = (),
    split: Split = "train",
    seed: int = 0,
) -> tuple[Request, ...]:
    """One request for each set that shows something of the category.

    Args:
        category: whose classes are wanted.
        max_images: of each set.
        sets: names; all that are fetched by default where none is given.
        split: of the sets.
        seed: of the choice.

    Raises:
        InputError: for an unknown set, or if no set shows a class of the category.
    """
    for name in sets:
        if name not in SETS:
            raise InputError(f"There is no set '{name}' to fetch.{did_you_mean(name, SETS)}")
    wanted = dict.fromkeys(sets) if sets else [one.name for one in SETS.values() if one.by_default]
    classes = {name: foreign_classes(SETS[name], category) for name in wanted}
    found = tuple(Request(name, own, split, max_images, seed) for name, own in classes.items() if own)
    if not found:
        raise InputError(
            f"None of {_listed(wanted)} has boxes for a class of {category.name} "
            f"({', '.join(category.settings.classes)}). Add labelled images of your own as a source, see docs/data.md."
        )
    return found


def foreign_classes(one: ImageSet, category: Category) -> dict[str, str]:
    """A set's own class names -> the class of the category that each counts as; those without one are left out."""
    taxonomy = category.taxonomy
    labels = LabelMap.load(one.label_map)
    names = list(labels.labels or ())
    nearest = taxonomy.nearest(taxonomy.ids_of(category.settings.classes))
    pairs = zip(names, labels.ids(names, taxonomy).tolist(), strict=True)
    return {
        name: taxonomy.names[nearest[label]] for name, label in pairs if label != IGNORED_ID and nearest[label] >= 0
    }


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
