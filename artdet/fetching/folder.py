"""The folder of a fetched set: images that are whole, their labels, and a manifest that says what belongs there.

images/        the images; each came here by renaming, after it was decoded
labels.json    COCO form, with the set's own class names
manifest.json  checksums of all these; written last
.chosen/       which images each request came to
.tables/       the set's own tables, or its archive; may be deleted
.incoming/     a call that is under way, or was cut
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from artdet.atomic import cannot_write, whole_file
from artdet.data.raw import RawImage
from artdet.errors import ImageError, InputError
from artdet.fetching.archive import file_digest
from artdet.fetching.plan import Request
from artdet.images.reader import read_image
from artdet.locks import only_one

IMAGES, LABELS, MANIFEST = "images", "labels.json", "manifest.json"
TABLES, CHOSEN, INCOMING = ".tables", ".chosen", ".incoming"
_VERSION = 1
_DECIMALS = 4  # of a pixel


@dataclass(frozen=True)
class Manifest:
    """What a folder holds.

    Attributes:
        requests: digest -> what was asked for, all of it there.
        files: path below the folder -> SHA-256.
        refused: images that their server does not give.
    """

    requests: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    refused: tuple[str, ...] = ()


def read_manifest(folder: Path) -> Manifest:
    """An empty one where there is none that can be read."""
    try:
        data = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if data["version"] == _VERSION:
            return Manifest(dict(data["requests"]), dict(data["files"]), tuple(data["refused"]))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return Manifest()


def write_manifest(manifest: Manifest, folder: Path) -> None:
    """Writes it, whole or not at all.

    Raises:
        RunError: if it cannot be written.
    """
    with whole_file(folder / MANIFEST) as stream:
        stream.write(json.dumps({"version": _VERSION, **asdict(manifest)}, indent=1).encode())


def request_of(request: Request) -> dict[str, Any]:
    """A request as a manifest has it."""
    return asdict(request)


def intact(manifest: Manifest, folder: Path, advance: Callable[[int], None]) -> frozenset[str]:
    """Files of the manifest that are there with the right checksum; those that differ are deleted.

    Raises:
        RunError: if a file cannot be read or deleted.
    """
    good = set()
    for name, digest in manifest.files.items():
        path = folder / name
        try:
            if path.is_file() and file_digest(path) == digest:
                good.add(name)
            else:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise cannot_write(path, error) from error
        advance(1)
    return frozenset(good)


def image_digest(path: Path) -> str | None:
    """SHA-256 of an image that can be decoded to its end, else ``None``."""
    try:
        read = read_image(path, max_side=64)
    except ImageError:
        return None
    return None if any("ends early" in warning for warning in read.warnings) else read.sha256


def write_labels(
    images: Sequence[RawImage],
    sizes: Sequence[tuple[int, int]],
    names: Sequence[str],
    folder: Path,
    *,
    title: str,
    licence: str,
) -> None:
    """Writes boxes in COCO form, with the set's class names and the classes that were looked for in each image.

    Args:
        images: with boxes in pixels or in shares of width and height.
        sizes: (height, width) of each.
        names: of the classes.
        folder: of the set.
        title: of the set.
        licence: as its makers state it.

    Raises:
        RunError: if the file cannot be written.
    """
    names = list(dict.fromkeys([*names, *(box.name for image in images for box in image.boxes)]))
    ids = {name: number for number, name in enumerate(names, start=1)}
    data = {
        "info": {"description": title, "licence": licence, "artdet": {"images": IMAGES}},
        "categories": [{"id": number, "name": name} for name, number in ids.items()],
        "images": [
            _image(number, image, size) for number, (image, size) in enumerate(zip(images, sizes, strict=True), start=1)
        ],
        "annotations": list(_annotations(images, sizes, ids)),
    }
    with whole_file(folder / LABELS) as stream:
        stream.write(json.dumps(data).encode())


def _image(number: int, image: RawImage, size: tuple[int, int]) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": number, "file_name": image.file, "height": size[0], "width": size[1]}
    if image.labelled is not None:
        entry["exhaustive"] = list(image.labelled)
    return {**entry, "fields": dict(image.fields)} if image.fields else entry


def _annotations(
    images: Sequence[RawImage], sizes: Sequence[tuple[int, int]], ids: Mapping[str, int]
) -> Iterator[dict[str, Any]]:
    number = 0
    for index, (image, (height, width)) in enumerate(zip(images, sizes, strict=True), start=1):
        scale_x, scale_y = (width, height) if image.relative else (1, 1)
        for box in image.boxes:
            number += 1
            x1, y1, x2, y2 = box.box
            sides = (x1 * scale_x, y1 * scale_y, (x2 - x1) * scale_x, (y2 - y1) * scale_y)
            entry: dict[str, Any] = {"id": number, "image_id": index, "category_id": ids[box.name]}
            entry |= {"bbox": [round(side, _DECIMALS) for side in sides], "iscrowd": int(box.crowd)}
            yield {**entry, "difficult": 1} if box.difficult else entry


def only_one_fetches(folder: Path) -> AbstractContextManager[None]:
    """Lets one process at a time work in a folder; the system takes the lock from a process that was killed.

    Raises:
        InputError: if another one is at work there.
        RunError: if the folder cannot be written.
    """
    return only_one(folder, InputError(f"Another artdet is fetching into {folder}. Wait for it to end."))
