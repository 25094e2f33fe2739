"""The images that a request comes to, with their boxes: settled once, before the first of them is fetched."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from artdet.atomic import make_folder, whole_file
from artdet.data.raw import RawBox, RawImage
from artdet.fetching.plan import Split


@dataclass(frozen=True)
class Chosen:
    """One image to fetch.

    Attributes:
        image: what is known about it; ``file`` is its name in the folder of the images.
        split: of the set.
        address: of the image, where the set's table has one.
    """

    image: RawImage
    split: Split
    address: str = ""


def write_chosen(images: Iterable[Chosen], path: Path) -> None:
    """Writes them, whole or not at all.

    Raises:
        RunError: if the file cannot be written.
    """
    make_folder(path.parent)
    with whole_file(path) as stream:
        for one in images:
            stream.write(json.dumps(asdict(one)).encode() + b"\n")


def read_chosen(path: Path) -> list[Chosen]:
    """What :func:`write_chosen` wrote; nothing where there is no such file."""
    if not path.is_file():
        return []
    with path.open("rb") as stream:
        return [_one(json.loads(line)) for line in stream]


def _one(data: dict[str, Any]) -> Chosen:
    image = data["image"]
    boxes = tuple(RawBox(**{**box, "box": tuple(box["box"])}) for box in image.pop("boxes"))
    size, labelled = image.pop("size"), image.pop("labelled")
    made = RawImage(
        **image,
        boxes=boxes,
        size=None if size is None else tuple(size),
        labelled=None if labelled is None else tuple(labelled),
    )
    return Chosen(made, data["split"], data["address"])
