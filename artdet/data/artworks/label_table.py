"""Reads sources of labels (tables, folders, patterns of names) as columns of text, an image a row."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from artdet.data.artworks.settings import SAYS_NOTHING, LabelSource
from artdet.data.csv_table import DELIMITERS, decoded
from artdet.data.listing import ImageFiles, subfolder
from artdet.errors import InputError, did_you_mean

FILE_COLUMNS = ("file", "filename", "filepath", "image", "imagepath", "imagename", "imagefile", "path", "imageid")
"""What others call the column with the image's path, without case and punctuation; the first that is there is meant."""
FOLDER_COLUMN = "folder"
_SHOWN = 3


@dataclass(frozen=True, eq=False)
class LabelTable:
    """The images of a source and what it says of them.

    Attributes:
        name: of the source.
        root: absolute folder of the images.
        columns: names of all columns.
        values: file, relative to ``root`` -> column -> its different values, without those that say nothing.
        groups: file -> artwork or series.
        notes: what was odd, a sentence each.
    """

    name: str
    root: Path
    columns: tuple[str, ...]
    values: Mapping[str, Mapping[str, tuple[str, ...]]]
    groups: Mapping[str, str]
    notes: tuple[str, ...]

    def check_column(self, column: str) -> None:
        """Raises an InputError where there is no such column."""
        if column not in self.columns:
            raise InputError(
                f"The source {self.name} has no column '{column}'.{did_you_mean(column, self.columns)} "
                "Name one with 'column' in the task."
            )


@dataclass
class _Rows:
    """What was read so far."""

    columns: tuple[str, ...]
    values: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, file: str, cells: Mapping[str, str], nothing: frozenset[str]) -> None:
        row = self.values.setdefault(file, {})
        for column, text in cells.items():
            value = text.strip()
            if value.lower() not in nothing and value not in row.setdefault(column, []):
                row[column].append(value)


def read_table(source: LabelSource, name: str) -> LabelTable:
    """Reads a source whose ``path`` is there.

    Raises:
        InputError: if it cannot be read, has no images, or names only images that are not there.
    """
    place = Path(source.path)
    folder = place.parent if place.is_file() else place
    root = folder / source.images if source.images is not None else subfolder(folder, "images") or folder
    files = ImageFiles.below(root)
    if not len(files) and source.format != "csv":
        raise InputError(f"The source {name} has no images in {root}. Say with 'images' in which folder they are.")
    nothing = frozenset({*SAYS_NOTHING, *(value.lower() for value in source.unknown)})
    if source.format == "csv":
        rows = _from_csv(source, table_path(source, place), files, nothing)
    else:
        rows = _from_names(source, files, nothing, name)
    groups = {file: _group(source, file) for file in rows.values}
    values = {file: {column: tuple(found) for column, found in row.items()} for file, row in rows.values.items()}
    return LabelTable(name, root, rows.columns, values, groups, tuple(f"{name}: {note}" for note in rows.notes))


def table_path(source: LabelSource, place: Path) -> Path:
    """The CSV file of a source: named, or the only one in its folder.

    Raises:
        InputError: if there is none, or several.
    """
    if source.table is not None:
        return (place.parent if place.is_file() else place) / source.table
    if place.is_file():
        return place
    tables = tables_in(place)
    if len(tables) != 1:
        names = f" ({', '.join(entry.name for entry in tables[:4])})" if tables else ""
        raise InputError(f"{place} holds {len(tables)} tables{names}. Name the one with the labels: 'table'.")
    return tables[0]


def tables_in(folder: Path) -> list[Path]:
    """The CSV and TSV files that lie directly in a folder."""
    return sorted(entry for entry in folder.iterdir() if entry.suffix.lower() in (".csv", ".tsv") and entry.is_file())


def names_of(files: Sequence[str]) -> str:
    """The first of some names, for messages."""
    return ", ".join(files[:_SHOWN]) + (", ..." if len(files) > _SHOWN else "")


def _group(source: LabelSource, file: str) -> str:
    found = re.search(source.group, file) if source.group is not None else None
    return found[1] if found and found[1] else file


def _from_names(source: LabelSource, files: ImageFiles, nothing: frozenset[str], name: str) -> _Rows:
    """Folders as classes, or a pattern of names."""
    expression = re.compile(source.pattern if source.pattern is not None else rf"^(?:.*/)?(?P<{FOLDER_COLUMN}>[^/]+)/")
    rows = _Rows(_renamed(source, tuple(expression.groupindex), name))
    ours = {theirs: ours for ours, theirs in source.columns.items()}
    odd = []
    for file in files.files:
        found = expression.search(file)
        if found is None:
            odd.append(file)
        cells = found.groupdict("") if found else {}
        rows.add(file, {ours.get(column, column): value for column, value in cells.items()}, nothing)
    if len(odd) == len(files):
        what = "lies in a folder of its class" if source.pattern is None else f"fits the pattern {source.pattern}"
        raise InputError(f"None of the {len(files)} images of {name} {what} (the first is {odd[0]}). Check its yaml.")
    if odd:
        what = "lie in no folder" if source.pattern is None else "do not fit the pattern"
        rows.notes.append(f"{len(odd)} of {len(files)} images {what} and stay without labels ({names_of(odd)})")
    return rows


def _renamed(source: LabelSource, header: Sequence[str], where: object) -> tuple[str, ...]:
    ours = {theirs: ours for ours, theirs in source.columns.items()}
    for theirs in ours:
        if theirs not in header:
            raise InputError(f"{where} has no column '{theirs}', which 'columns' names.{did_you_mean(theirs, header)}")
    return tuple(ours.get(column, column) for column in header)


def _from_csv(source: LabelSource, path: Path, files: ImageFiles, nothing: frozenset[str]) -> _Rows:
    text, is_utf8 = _text(path)
    delimiter = max(DELIMITERS, key=text.partition("\n")[0].count)
    lines = _lines(path, text, delimiter)
    header = tuple(cell.strip() for cell in next(lines, (0, []))[1])
    if not header:
        raise InputError(f"The table {path} is empty. Write a header with 'file' and the tasks, and a row an image.")
    columns = _renamed(source, header, path)
    at = _file_column(source, header, columns, path)
    rows = _Rows(tuple(name for place, name in enumerate(columns) if place != at and name))
    if not is_utf8:
        rows.notes.append(f"{path.name} is not UTF-8 text and was read as Windows-1252; check its accents")
    seen: Counter[str] = Counter()
    absent, damaged = [], []
    for line, row in lines:
        if len(row) != len(header) or not row[at].strip():
            damaged.append(f"line {line}")
        elif (file := files.find(row[at].strip())) is None:
            absent.append(row[at].strip())
        else:
            seen[file] += 1
            rows.add(file, {columns[place]: cell for place, cell in enumerate(row) if place != at}, nothing)
    _say_odd(rows, path, files, seen, absent, damaged)
    return rows


def _say_odd(
    rows: _Rows, path: Path, files: ImageFiles, seen: Counter[str], absent: list[str], damaged: list[str]
) -> None:
    if not seen:
        if not absent:
            raise InputError(f"The table {path} has no rows with an image. Write a row an image below the header.")
        raise InputError(
            f"None of the {len(absent)} images that {path} names is there ({names_of(absent)}). "
            "Put the table into the folder of the images, or say in a yaml of the source with 'images' in which folder "
            "they are, or with 'file' which column names them."
        )
    twice = [file for file, count in seen.items() if count > 1]
    others = [file for file in files.files if file not in seen]
    total = seen.total() + len(absent) + len(damaged)
    for found, what in (
        (absent, f"of {total} rows name images that are not there, left out"),
        (damaged, f"of {total} rows have too few or too many cells or no image, left out"),
        (twice, "images have more than one row, taken together"),
        (others, f"of {len(files)} images are in no row, left out"),
    ):
        if found:
            rows.notes.append(f"{len(found)} {what} ({names_of(found)})")


def _file_column(source: LabelSource, header: Sequence[str], columns: Sequence[str], path: Path) -> int:
    if source.file is not None:
        if source.file not in header:
            near = did_you_mean(source.file, header)
            raise InputError(f"{path} has no column '{source.file}', which 'file' names.{near}")
        return header.index(source.file)
    plain = [plain_name(name) for name in columns]
    found = next((plain.index(name) for name in FILE_COLUMNS if name in plain), None)
    if found is None:
        raise InputError(
            f"{path} has no column with the images' files; its header is {', '.join(header)}. Call that column 'file' "
            "there, or name it with 'file' in a yaml of the source."
        )
    return found


def plain_name(name: str) -> str:
    """Without case, spaces and punctuation.

    >>> plain_name("Art Nouveau (Modern)")
    'artnouveaumodern'
    """
    return re.sub(r"[\W_]+", "", name).lower()


def _text(path: Path) -> tuple[str, bool]:
    try:
        return decoded(path.read_bytes())
    except OSError as error:
        raise InputError(f"The table {path} cannot be read: {error.strerror}. Check its name.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"The table {path} is not text. Save it as CSV in UTF-8.") from error


def _lines(path: Path, text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Rows with the lines that they end in, the header first; blank ones are passed over."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield reader.line_num, row
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: {error}. Mend that line.") from error
