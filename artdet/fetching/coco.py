"""COCO's table of boxes (``instances_train2017.json``): which images to take, and what is on them.

All 80 classes are boxed wherever they appear; where an object cannot be told from its like, a crowd is boxed.

Reference: Lin et al., Microsoft COCO: Common Objects in Context, ECCV 2014.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from artdet.data.raw import RawBox, RawImage
from artdet.errors import InputError
from artdet.fetching.balance import balanced
from artdet.fetching.chosen import Chosen
from artdet.fetching.plan import Request, Split

PARTS = ("images", "annotations", "categories")


def choose(table: Path, request: Request) -> list[Chosen]:
    """The images of a request.

    Raises:
        InputError: if the table is damaged.
    """
    content = _loaded(table)
    try:
        names = {entry["id"]: entry["name"] for entry in content["categories"]}
        boxes: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for entry in content["annotations"]:
            boxes[entry["image_id"]].append(entry)
        bits = {name: 1 << index for index, name in enumerate(sorted(set(request.classes.values())))}
        images = {entry["file_name"]: entry for entry in content["images"]}
        masks = {file: _mask(boxes[entry["id"]], names, request, bits) for file, entry in images.items()}
        licences = {entry.get("id"): entry.get("name", "") for entry in content.get("licenses", ())}
        files = balanced(masks, request.max_images, seed=request.seed)
        return [_chosen(images[file], boxes[images[file]["id"]], names, licences, request.split) for file in files]
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(table, repr(error)) from error


def _loaded(table: Path) -> dict[str, Any]:
    try:
        content = json.loads(table.read_bytes())
    except (OSError, ValueError) as error:
        raise _damaged(table, error) from error
    if not (isinstance(content, dict) and all(isinstance(content.get(part), list) for part in PARTS)):
        raise _damaged(table, f"no {', '.join(PARTS)}")
    return content


def _damaged(table: Path, why: object) -> InputError:
    return InputError(f"{table} is not COCO's table of boxes ({why}). Delete it and run the same command again.")


def _mask(boxes: list[dict[str, Any]], names: dict[int, str], request: Request, bits: dict[str, int]) -> int:
    mask = 0
    for entry in boxes:
        own = request.classes.get(names[entry["category_id"]])
        if own is not None and not entry.get("iscrowd"):
            mask |= bits[own]
    return mask


def _chosen(
    entry: dict[str, Any], boxes: list[dict[str, Any]], names: dict[int, str], licences: dict[Any, str], split: Split
) -> Chosen:
    fields = {"split": split, "licence": licences.get(entry.get("license"), "")}
    image = RawImage(
        file=entry["file_name"],
        boxes=tuple(_box(box, names) for box in boxes),
        size=(int(entry["height"]), int(entry["width"])),
        fields={name: text for name, text in fields.items() if text},
    )
    return Chosen(image, split, str(entry["coco_url"]))


def _box(entry: dict[str, Any], names: dict[int, str]) -> RawBox:
    x, y, width, height = map(float, entry["bbox"])
    return RawBox(names[entry["category_id"]], (x, y, x + width, y + height), crowd=bool(entry.get("iscrowd")))
