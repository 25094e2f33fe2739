"""Reads COCO json: ``images``, ``annotations`` with ``bbox`` (x, y, width, height in pixels) and ``categories``.

The format is that of https://cocodataset.org/#format-data. Besides it understands what ``coco_writer`` adds:
``difficult`` of an annotation; ``annotated``, ``group``, ``exhaustive`` and ``fields`` of an image; ``info.artdet``.
"""

from __future__ import annotations

import json
import math
import mmap
import os
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from artdet.data.listing import only_listed
from artdet.data.problems import Problems
from artdet.data.raw import RawBox, RawImage, RawSet
from artdet.data.settings import SourceFile
from artdet.errors import InputError

_KNOWN = {"id", "file_name", "width", "height", "annotated", "group", "exhaustive", "fields"}
_DULL = {"license", "coco_url", "flickr_url", "date_captured"}
_PLACES = (".", "annotations")
_PARTS = ("images", "annotations", "categories")
_SHOWN = 5

Entry = Mapping[str, Any]


def recognises(path: Path) -> bool:
    """See :class:`artdet.data.raw.Reader`: a COCO file, or a folder with exactly one (also in ``annotations``)."""
    return _is_coco(path) if os.path.isfile(path) else len(_files_in(path)) == 1


def read(source: SourceFile, problems: Problems) -> RawSet:
    """See :class:`artdet.data.raw.Reader`. Only the images that the file lists belong to the set."""
    path = _annotation_file(source)
    data = _loaded(path)
    images = _by_id(data["images"], "images", path)
    names = {key: str(entry["name"]) for key, entry in _by_id(data["categories"], "categories", path).items()}
    _by_id(data["annotations"], "annotations", path)
    _check_references(data["annotations"], images, names, path)
    info = _part(data, "info")
    ours = _part(info, "artdet")
    root = _root(source, path, [str(entry["file_name"]) for entry in images.values()], ours.get("images"))
    boxes: dict[Hashable, list[RawBox]] = defaultdict(list)
    for entry in data["annotations"]:
        boxes[entry["image_id"]].append(_box(entry, names))
    labelled = _names(ours.get("exhaustive"))
    listed = tuple(_image(entry, boxes.get(key, ()), root, labelled) for key, entry in images.items())
    licence = info.get("licence") or info.get("license") or ""
    chosen = only_listed(source, listed, problems)
    return RawSet(root, chosen, tuple(dict.fromkeys(names.values())), str(licence))


def _is_coco(path: Path) -> bool:
    if path.suffix.lower() != ".json":
        return False
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            starts = content[:64].removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")
            return starts and all(content.find(f'"{part}"'.encode()) >= 0 for part in _PARTS[:2])
    except (OSError, ValueError):  # an empty file cannot be mapped
        return False


def _files_in(folder: Path) -> list[Path]:
    try:
        return [path for place in _PLACES for path in sorted((folder / place).glob("*.json")) if _is_coco(path)]
    except OSError:
        return []


def _annotation_file(source: SourceFile) -> Path:
    path = Path(source.path)
    if source.annotations is not None:
        path = source.folder / source.annotations
    if not os.path.isdir(path):
        return path
    found = _files_in(path)
    if len(found) == 1:
        return found[0]
    if not found:
        raise InputError(f"{path} has no COCO file, also not in {path / 'annotations'}. Name the json file itself.")
    names = ", ".join(file.relative_to(path).as_posix() for file in found[:_SHOWN])
    raise InputError(f"{path} has {len(found)} COCO files ({names}). Name one of them.")


def _loaded(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}. Name a COCO json file.") from error
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno}: {error.msg})" if isinstance(error, json.JSONDecodeError) else ""
        raise InputError(f"{path} is not JSON{where}. Name a COCO json file, or copy it again.") from error
    if isinstance(data, list):
        raise InputError(
            f"{path} is a results file (a list), not a data set. Name the json with images, annotations and categories."
        )
    missing = [part for part in _PARTS if not (isinstance(data, dict) and isinstance(data.get(part), list))]
    if missing:
        raise InputError(f"{path} has no list of {', '.join(missing)}, so it is not COCO. Check what the file is.")
    return dict(data)


_NEEDED = {
    "images": ("id", "file_name"),
    "annotations": ("id", "image_id", "category_id"),
    "categories": ("id", "name"),
}


def _by_id(entries: Sequence[Any], part: str, path: Path) -> dict[Hashable, Entry]:
    """The entries of a part of the file by their ids."""
    for number, entry in enumerate(entries):
        lacks = [
            key for key in _NEEDED[part] if not isinstance(entry, dict) or not isinstance(entry.get(key), str | int)
        ]
        if lacks:
            raise InputError(
                f"{path}: entry {number} of {part} has no {' and no '.join(lacks)}. Export the file again."
            )
    by_id: dict[Hashable, Entry] = {entry["id"]: entry for entry in entries}
    if len(by_id) < len(entries):
        counts = Counter(entry["id"] for entry in entries)
        twice = [key for key, count in counts.items() if count > 1]
        raise InputError(f"{path}: {_ids(twice)} of {part} stand there more than once. Give each entry its own id.")
    return by_id


def _check_references(
    annotations: Iterable[Entry], images: Mapping[Hashable, Entry], names: Mapping[Hashable, str], path: Path
) -> None:
    for key, known, part in (("image_id", images, "images"), ("category_id", names, "categories")):
        lost = [entry[key] for entry in annotations if entry[key] not in known]
        if lost:
            raise InputError(
                f"{path}: {len(lost)} annotations have the {key} of {part} that are not there "
                f"({_ids(list(dict.fromkeys(lost)))}). Add these {part}, or remove the annotations."
            )


def _ids(keys: Sequence[Hashable]) -> str:
    shown = ", ".join(repr(key) for key in keys[:_SHOWN])
    return f"id {shown}" if len(keys) == 1 else f"ids {shown}{', ...' if len(keys) > _SHOWN else ''}"


def _root(source: SourceFile, path: Path, files: Sequence[str], said: object) -> Path:
    """The folder of the images: as the settings say, else where most of them are."""
    if source.images is not None:
        return Path(os.path.normpath(source.folder / source.images))
    near = [path.parent, path.parent / "images", source.folder, source.folder / "images"]
    if isinstance(said, str):
        near.insert(0, Path(os.path.normpath(path.parent / said)))
    counts = {folder: sum(os.path.isfile(folder / file) for file in files) for folder in dict.fromkeys(near)}
    best = max(counts, key=lambda folder: counts[folder])
    if counts[best]:
        return best
    above = sorted(folder for folder in path.parent.parent.glob("*") if folder.is_dir())
    return next(
        (folder for folder in above if files and all(os.path.isfile(folder / file) for file in files)), path.parent
    )


def _image(entry: Entry, boxes: Sequence[RawBox], root: Path, labelled: tuple[str, ...] | None) -> RawImage:
    group = entry.get("group")
    extra = {key: value for key, value in entry.items() if key not in _KNOWN | _DULL}
    fields = {**extra, **_part(entry, "fields")}
    return RawImage(
        file=_relative(str(entry["file_name"]), root),
        boxes=tuple(boxes),
        size=_size(entry),
        annotated=entry.get("annotated") is not False,
        fields={key: str(value) for key, value in fields.items() if isinstance(value, str | int | float)},
        labelled=_names(entry["exhaustive"]) if "exhaustive" in entry else labelled,
        group=group if isinstance(group, str) else None,
    )


def _relative(name: str, root: Path) -> str:
    """A file name relative to the root; some tools write Windows' separators, or whole paths of another machine."""
    if "\\" in name and not os.path.isfile(root / name):
        name = name.replace("\\", "/")
    path = PurePosixPath(name)
    if path.is_absolute():
        inside = path.is_relative_to(root.as_posix())
        return path.relative_to(root.as_posix()).as_posix() if inside else path.name
    return path.as_posix()


def _size(entry: Entry) -> tuple[int, int] | None:
    height, width = (_number(entry.get(key)) for key in ("height", "width"))
    if not (1 <= height < math.inf and 1 <= width < math.inf):
        return None
    return int(height), int(width)


def _part(entry: Entry, key: str) -> Entry:
    part = entry.get(key)
    return part if isinstance(part, dict) else {}


def _names(value: object) -> tuple[str, ...] | None:
    return tuple(map(str, value)) if isinstance(value, list) else None


def _box(entry: Entry, names: Mapping[Hashable, str]) -> RawBox:
    left, top, width, height = (_numbers(entry.get("bbox"), 4) or _of_outline(entry.get("segmentation")))[:4]
    return RawBox(
        names[entry["category_id"]],
        (left, top, left + width, top + height),
        crowd=bool(entry.get("iscrowd")),
        difficult=bool(entry.get("difficult") or entry.get("ignore")),
    )


def _numbers(values: object, count: int) -> list[float] | None:
    """The values of a list of at least ``count``."""
    return [_number(value) for value in values] if isinstance(values, list) and len(values) >= count else None


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _of_outline(polygons: object) -> list[float]:
    """x, y, width and height round all polygons of an object; not a number where there is none."""
    parts = [_numbers(part, 6) for part in polygons] if isinstance(polygons, list) else []
    flat = [part for part in parts if part is not None]
    if not flat:
        return [math.nan] * 4
    xs, ys = ([value for part in flat for value in part[start::2]] for start in (0, 1))
    return [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
