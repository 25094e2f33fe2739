"""CSV with a header and a row per box, as spreadsheets, scripts and ``artdet export --format csv`` write it.

Corners are continuous edges in pixels, or shares of width and height where all of them lie between 0 and 1. A row with
an image but neither label nor corners says that the image has no boxes.
"""

from __future__ import annotations

import csv
import io
import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from artdet.data.listing import ImageFiles, only_listed, subfolder
from artdet.data.problems import Problems
from artdet.data.raw import RawBox, RawImage, RawSet
from artdet.data.settings import SourceFile
from artdet.errors import InputError, did_you_mean

_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "file": ("file", "filename", "filepath", "image", "imagepath", "imagename", "imagefile", "path", "imageid"),
    "label": ("label", "class", "classname", "labelname", "category", "name"),
    "x1": ("x1", "xmin", "left", "bboxx1", "bboxxmin"),
    "y1": ("y1", "ymin", "top", "bboxy1", "bboxymin"),
    "x2": ("x2", "xmax", "right", "bboxx2", "bboxxmax"),
    "y2": ("y2", "ymax", "bottom", "bboxy2", "bboxymax"),
    "x": ("x", "bboxx", *("x1", "xmin", "left")),
    "y": ("y", "bboxy", *("y1", "ymin", "top")),
    "w": ("w", "bboxw", "bboxwidth", "boxwidth"),
    "h": ("h", "bboxh", "bboxheight", "boxheight"),
    "width": ("width", "imagewidth", "imgwidth", "imwidth"),
    "height": ("height", "imageheight", "imgheight", "imheight"),
    "crowd": ("crowd", "iscrowd", "isgroupof"),
    "difficult": ("difficult",),
}
"""Our name of a column -> what others call it, without case and punctuation; the first that is there is meant."""

_CORNERS, _SIDES = ("x1", "y1", "x2", "y2"), ("x", "y", "w", "h")
_NO_FIELDS = frozenset({"score", "confidence", "source", "sha256", "iconclass", "category"})
_TRUE = frozenset({"1", "1.0", "true", "yes"})
DELIMITERS = ",;\t|"
_ENDINGS = (".csv", ".tsv")
_HEAD_BYTES = 65536
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_LOOKED_AT = 20  # tables, before recognises() gives up
_ESCAPED = re.compile(r"\\udc([89a-f][0-9a-f])")
_SHARE_SLACK = 0.05  # how far a box in shares may reach outside its image, before it is taken for one in pixels


@dataclass(frozen=True)
class _Table:
    """The columns of a table.

    Attributes:
        path: of the file.
        header: as it stands there.
        delimiter: between the columns.
        at: our name -> index of the column.
    """

    path: Path
    header: tuple[str, ...]
    delimiter: str
    at: Mapping[str, int]

    @property
    def edges(self) -> tuple[str, ...]:
        """Our names of the four columns of a box."""
        return _CORNERS if all(name in self.at for name in _CORNERS) else _SIDES

    @property
    def missing(self) -> list[str]:
        """What a table of boxes must have and this one has not."""
        lacking = [name for name in ("file", "label") if name not in self.at]
        if not all(name in self.at for name in self.edges):
            lacking.append("x1, y1, x2, y2 (or x, y, w, h)")
        return lacking

    def is_true(self, row: Sequence[str], name: str) -> bool:
        return name in self.at and row[self.at[name]].strip().lower() in _TRUE


@dataclass
class _Image:
    """What the rows of one image say; ``values`` by the index of the column."""

    boxes: list[RawBox] = field(default_factory=list)
    size: tuple[int, int] | None = None
    values: dict[int, set[str]] = field(default_factory=dict)


def recognises(path: Path) -> bool:
    """See :class:`artdet.data.raw.Reader`."""
    try:
        return any(not _table_of_head(table).missing for table in _candidates(path))
    except (OSError, ValueError, csv.Error):
        return False


def read(source: SourceFile, problems: Problems) -> RawSet:
    """See :class:`artdet.data.raw.Reader`."""
    path = _path(source)
    text = _text(path, problems)
    table = _table(path, text, source.columns)
    if table.missing:
        raise InputError(
            f"{path} has no column for {', '.join(table.missing)}; its header is {', '.join(table.header)}. "
            "Say which is which with 'columns' in the source's yaml, for example columns: {file: picture}."
        )
    root = _root(source)
    files = ImageFiles.below(root)
    rows = _images(table, text, files, problems)
    relative = _are_shares(itertools.chain.from_iterable(image.boxes for image in rows.values()))
    fields = _fields(table, rows.values())
    images = [
        RawImage(file, tuple(image.boxes), image.size, relative=relative, fields=_constant(image, fields))
        for file, image in rows.items()
    ]
    images += [RawImage(file, annotated=False) for file in files.files if file not in rows]
    return RawSet(root, only_listed(source, images, problems), None)


def _candidates(path: Path) -> Iterator[Path]:
    if path.is_file():
        return iter([path] if path.suffix.lower() in _ENDINGS else [])
    there = (entry for entry in path.iterdir() if entry.suffix.lower() in _ENDINGS and entry.is_file())
    return itertools.islice(there, _LOOKED_AT)


def _table_of_head(path: Path) -> _Table:
    with path.open("rb") as stream:
        head = stream.readline(_HEAD_BYTES)
        if head.startswith(_UTF16) and len(head) % 2:
            head += stream.read(1)
    return _table(path, decoded(head)[0], {})


def _path(source: SourceFile) -> Path:
    """The table: named, or the only one in the folder that has boxes."""
    path = source.folder / source.annotations if source.annotations is not None else Path(source.path)
    if path.is_file():
        return path
    if not path.is_dir():
        raise InputError(f"There is no {path}. Check 'path' and 'annotations' of the source.")
    tables = sorted(entry for entry in path.iterdir() if entry.suffix.lower() in _ENDINGS and entry.is_file())
    if len(tables) > 1:
        tables = [entry for entry in tables if recognises(entry)] or tables
    if len(tables) != 1:
        names = f" ({', '.join(entry.name for entry in tables[:4])})" if tables else ""
        raise InputError(f"{path} holds {len(tables)} tables{names}. Name the one with the boxes.")
    return tables[0]


def _root(source: SourceFile) -> Path:
    if source.images is not None:
        return source.folder / source.images
    return subfolder(source.folder, "images") or source.folder


def _text(path: Path, problems: Problems) -> str:
    try:
        text, is_utf8 = decoded(path.read_bytes())
    except OSError as error:
        raise InputError(f"The table {path} cannot be read: {error.strerror}. Allow it, or name another.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"The table {path} is not text. Save it as CSV in UTF-8.") from error
    if not is_utf8:
        problems.add("encoding", path.name)
    return text


def decoded(content: bytes) -> tuple[str, bool]:
    """Text and whether it is in UTF-8; older spreadsheets write the encoding of western Windows."""
    if content.startswith(_UTF16):
        return content.decode("utf-16"), True
    try:
        return content.decode("utf-8-sig"), True
    except UnicodeDecodeError:
        return content.decode("cp1252"), False


def _table(path: Path, text: str, columns: Mapping[str, str]) -> _Table:
    """The header of a table, with ``columns`` of the source's settings before the usual names."""
    head = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=head.count)
    header = tuple(name.strip() for name in next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), []))
    for theirs in columns.values():
        if theirs not in header:
            raise InputError(f"{path} has no column '{theirs}', which 'columns' names.{did_you_mean(theirs, header)}")
    chosen = {ours: header.index(theirs) for ours, theirs in columns.items()}
    plain = [re.sub(r"[\W_]+", "", name).lower() for name in header]
    usual = {
        ours: plain.index(name)
        for ours, names in _COLUMNS.items()
        if (name := next((name for name in names if name in plain), None)) is not None
    }
    at = {**usual, **chosen}
    # "x, y, width, height" is a box: without a box of its own, the table would make no sense.
    if {"x", "y", "width", "height"} <= set(at) and not {"x2", "y2", "w", "h"} & set(at):
        at["w"], at["h"] = at.pop("width"), at.pop("height")
    return _Table(path, header, delimiter, at)


def _images(table: _Table, text: str, files: ImageFiles, problems: Problems) -> dict[str, _Image]:
    """The images of all rows, in their order."""
    images: dict[str, _Image] = {}
    others = _other_columns(table)
    file_of: dict[str, str] = {}
    for line, row in _rows(table, text):
        where = f"{table.path.name}:{line}"
        name = row[table.at["file"]].strip() if len(row) == len(table.header) else ""
        if not name:
            problems.add("damaged_box", where)
            continue
        if name not in file_of:
            file_of[name] = _file(name, files)
        image = images.setdefault(file_of[name], _Image())
        image.size = image.size or _size(table, row)
        for column in others:
            image.values.setdefault(column, set()).add(row[column].strip())
        corners = [row[table.at[name]].strip() for name in table.edges]
        label = row[table.at["label"]].strip()
        if not label and not any(corners):
            continue
        box = _box(table, corners)
        if box is None or not label:
            problems.add("damaged_box", where)
            continue
        is_crowd, is_difficult = table.is_true(row, "crowd"), table.is_true(row, "difficult")
        image.boxes.append(RawBox(label, box, crowd=is_crowd, difficult=is_difficult))
    return images


def _rows(table: _Table, text: str) -> Iterator[tuple[int, list[str]]]:
    """Rows below the header with the lines that they end in; blank ones are passed over."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=table.delimiter)
    try:
        next(reader)
        for row in reader:
            if any(value.strip() for value in row):
                yield reader.line_num, row
    except csv.Error as error:
        raise InputError(f"{table.path}, line {reader.line_num}: {error}. Mend that line.") from error


def _file(name: str, files: ImageFiles) -> str:
    """The image that a row names, the bytes of its name as ``os.fsdecode`` gives them."""
    if found := files.find(name):
        return found
    original = _ESCAPED.sub(lambda match: chr(int(f"dc{match[1]}", 16)), name)
    return files.find(original) or original.removeprefix("./")


def _number(text: str, delimiter: str) -> float | None:
    try:
        value = float(text.replace(",", ".") if delimiter != "," else text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _size(table: _Table, row: Sequence[str]) -> tuple[int, int] | None:
    if not {"width", "height"} <= set(table.at):
        return None
    height, width = (_number(row[table.at[name]].strip(), table.delimiter) for name in ("height", "width"))
    return (round(height), round(width)) if height and width and height >= 1 and width >= 1 else None


def _box(table: _Table, texts: Sequence[str]) -> tuple[float, float, float, float] | None:
    a, b, c, d = (_number(text, table.delimiter) for text in texts)
    if a is None or b is None or c is None or d is None:
        return None
    return (a, b, c, d) if table.edges == _CORNERS else (a, b, a + c, b + d)


def _are_shares(boxes: Iterable[RawBox]) -> bool:
    """Whether all corners lie between 0 and 1 and some between the two: in pixels no such box would show anything."""
    edges = [edge for box in boxes for edge in box.box]
    inside = all(-_SHARE_SLACK <= edge <= 1 + _SHARE_SLACK for edge in edges)
    return inside and any(not edge.is_integer() for edge in edges)


def _other_columns(table: _Table) -> list[int]:
    taken = {index for name, index in table.at.items() if name in _COLUMNS}
    return [at for at, name in enumerate(table.header) if at not in taken and name and name.lower() not in _NO_FIELDS]


def _fields(table: _Table, images: Iterable[_Image]) -> dict[int, str]:
    """Names of the columns that are about images: those that never differ within one."""
    ours = {index: name for name, index in table.at.items() if name not in _COLUMNS}
    names = {column: ours.get(column, table.header[column]) for column in _other_columns(table)}
    varying = {column for image in images for column, values in image.values.items() if len(values - {""}) > 1}
    return {column: name for column, name in names.items() if column not in varying}


def _constant(image: _Image, fields: Mapping[int, str]) -> dict[str, str]:
    values = {name: image.values.get(column, set()) - {""} for column, name in fields.items()}
    return {name: next(iter(found)) for name, found in values.items() if found}
