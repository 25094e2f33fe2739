"""Open Images: CSV tables with a row per box, corners as shares of width and height.

The classes are Freebase ids such as ``/m/0k4j``; a table of two columns, ``class-descriptions-boxable.csv``, names
them. Image-level labels say which classes people looked for and did not find: an image with such a verified negative is
annotated, even if it has no box. Boxes round groups (``IsGroupOf``) are crowds.

Reference: Kuznetsova et al., The Open Images Dataset V4, IJCV 2020.
"""

from __future__ import annotations

import csv
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from artdet.data.listing import ImageFiles, files_below, only_listed, subfolder
from artdet.data.problems import Problems
from artdet.data.raw import RawBox, RawImage, RawSet
from artdet.data.settings import SourceFile
from artdet.errors import InputError

_EDGES = ("XMin", "YMin", "XMax", "YMax")
_BOX_COLUMNS = ("ImageID", "LabelName", *_EDGES)
_LABEL_COLUMNS = ("ImageID", "LabelName", "Confidence")
_LOOKED_AT = 20  # tables, before recognises() gives up
_HEAD_CHARACTERS = 4096


@dataclass
class _Found:
    """What the tables say.

    Attributes:
        boxes: by image id.
        negative: ids of images that someone looked at and found a class missing.
        unknown: ids of images that are not at hand.
    """

    boxes: dict[str, list[RawBox]] = field(default_factory=dict)
    negative: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)


def recognises(path: Path) -> bool:
    """See :class:`artdet.data.raw.Reader`."""
    try:
        tables = [path] if path.is_file() else itertools.islice(_csv_files(path), _LOOKED_AT)
        return any(set(_BOX_COLUMNS) <= set(_header(table)) for table in tables)
    except (OSError, ValueError, csv.Error):
        return False


def read(source: SourceFile, problems: Problems) -> RawSet:
    """See :class:`artdet.data.raw.Reader`."""
    box_tables, label_tables, classes = _tables(source)
    root = source.folder / source.images if source.images is not None else _image_folder(source.folder)
    files = ImageFiles.below(root)
    names = {} if classes is None else _descriptions(classes)
    found = _Found()
    for table in box_tables:
        _read_boxes(table, files, names, found, problems)
    for table in label_tables:
        _read_labels(table, files, found, problems)
    if files and not found.boxes and not found.negative:
        raise InputError(f"{root} has none of the images of the tables. Name the folder of the images with 'images'.")
    for image in sorted(found.unknown):
        problems.add("missing_image", image)
    images = only_listed(source, _images(files, found), problems)
    return RawSet(root, images, tuple(dict.fromkeys(names.values())) if names else None)


def _image_folder(folder: Path) -> Path:
    return subfolder(folder, "images", "data") or folder


def _csv_files(folder: Path) -> Iterator[Path]:
    """Tables of a folder and of the usual folders inside."""
    inside = [subfolder(folder, name) for name in ("annotations", "labels", "metadata")]
    for place in [folder, *filter(None, inside)]:
        yield from sorted(path for path in place.iterdir() if path.suffix.lower() == ".csv" and path.is_file())


def _header(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        head = stream.readline(_HEAD_CHARACTERS)
    return [name.strip() for name in next(csv.reader([head]), [])]


def _tables(source: SourceFile) -> tuple[list[Path], list[Path], Path | None]:
    """Tables of boxes, tables of image-level labels, and the one that names the classes."""
    tables = list(_named_tables(source))
    boxes = [path for path in tables if set(_BOX_COLUMNS) <= set(_safe_header(path))]
    if not boxes:
        raise InputError(
            f"None of the tables in {source.path} has the columns {', '.join(_BOX_COLUMNS)}. "
            "Name the table of boxes with 'annotations'."
        )
    around = tables if Path(source.path).is_dir() else [*tables, *_csv_files(source.folder)]
    labels = [path for path in tables if path not in boxes and set(_LABEL_COLUMNS) <= set(_safe_header(path))]
    if source.classes is not None:
        return boxes, labels, source.folder / source.classes
    described = [path for path in around if "class-descriptions" in path.name.lower()]
    # The table of all 20,000 classes is often there too; boxes use the 600 of this one.
    described.sort(key=lambda path: ("boxable" not in path.name.lower(), path))
    return boxes, labels, described[0] if described else None


def _named_tables(source: SourceFile) -> Iterator[Path]:
    path = source.folder / source.annotations if source.annotations is not None else Path(source.path)
    if path.is_file():
        return iter([path])
    if not path.is_dir():
        raise InputError(f"There is no {path}. Check 'path' and 'annotations' of the source.")
    return files_below(path, ".csv") if source.annotations is not None else _csv_files(path)


def _safe_header(path: Path) -> list[str]:
    try:
        return _header(path)
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"The table {path} cannot be read: {error}. Save it as CSV in UTF-8.") from error


def _rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, list[str] | None]]:
    """Line number and the values of ``columns`` (empty where the table has no such column) of each row.

    Gives ``None`` for a row that is shorter than the header.
    """
    header = _safe_header(path)
    places = [header.index(name) if name in header else -1 for name in columns]
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.reader(stream)
            next(rows)
            for row in rows:
                if row:
                    whole = len(row) >= len(header)
                    yield rows.line_num, [row[at] if at >= 0 else "" for at in places] if whole else None
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"The table {path} cannot be read: {error}. Save it as CSV in UTF-8.") from error


def _read_boxes(table: Path, files: ImageFiles, names: Mapping[str, str], found: _Found, problems: Problems) -> None:
    for line, values in _rows(table, (*_BOX_COLUMNS, "IsGroupOf")):
        if values is None:
            problems.add("damaged_box", f"{table.name}:{line}")
            continue
        image, label, *edges, group = values
        if not _is_at_hand(image, files, found):
            continue
        boxes = found.boxes.setdefault(image, [])
        corners = _corners(edges)
        if corners is None or not label:
            problems.add("damaged_box", f"{table.name}:{line}")
        else:
            boxes.append(RawBox(names.get(label, label), corners, crowd=group.strip() == "1"))


def _is_at_hand(image: str, files: ImageFiles, found: _Found) -> bool:
    """Whether a row is worth keeping: the tables have millions, people have some thousand of the images."""
    if image in found.boxes or not files:
        return True
    if image in found.unknown:
        return False
    if files.find(image) is None:
        found.unknown.add(image)
        return False
    return True


def _corners(edges: Sequence[str]) -> tuple[float, float, float, float] | None:
    try:
        x1, y1, x2, y2 = map(float, edges)
    except ValueError:
        return None
    return (x1, y1, x2, y2) if all(map(math.isfinite, (x1, y1, x2, y2))) else None


def _read_labels(table: Path, files: ImageFiles, found: _Found, problems: Problems) -> None:
    """Notes images with a verified negative; positives say nothing about whether boxes were drawn."""
    for line, values in _rows(table, _LABEL_COLUMNS):
        if values is None or _corners([values[2]] * 4) is None:
            problems.add("unreadable_annotation", f"{table.name}:{line}")
        elif float(values[2]) == 0 and (not files or files.find(values[0]) is not None):
            found.negative.add(values[0])


def _images(files: ImageFiles, found: _Found) -> Iterator[RawImage]:
    annotated = {files.find(image) or f"{image}.jpg": image for image in [*found.negative, *found.boxes]}
    for file in sorted({*files.files, *annotated}):
        boxes = tuple(found.boxes.get(annotated.get(file, ""), ()))
        yield RawImage(file, boxes, relative=True, annotated=file in annotated)


def _descriptions(path: Path) -> dict[str, str]:
    """Freebase id -> name, from a table of two columns with or without a header."""
    names = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            for row in csv.reader(stream):
                if len(row) >= 2 and row[0].startswith("/"):
                    names[row[0].strip()] = row[1].strip()
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"The class descriptions {path} cannot be read: {error}. Check 'classes'.") from error
    if not names:
        raise InputError(f"{path} has no rows such as '/m/0k4j,Car'. Name the class descriptions with 'classes'.")
    return names
