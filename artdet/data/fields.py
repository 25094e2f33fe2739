"""Style, artist, year and the group of an image, from the annotation, a table and the image's path."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from artdet.data.listing import text_of
from artdet.data.raw import RawImage
from artdet.data.settings import SourceFile
from artdet.errors import ConfigError, InputError

FOLDER = "folder"
"""The field that every image has."""

_KEY = "file"


@dataclass(frozen=True)
class FieldRules:
    """How a source's images get their fields and groups.

    Attributes:
        patterns: name of a field -> expression with one group, searched in the path.
        group: the same for the group; ``None`` where every image is one of its own.
        table: path of an image -> further fields.
    """

    patterns: Mapping[str, re.Pattern[str]]
    group: re.Pattern[str] | None
    table: Mapping[str, Mapping[str, str]]

    @classmethod
    def of(cls, source: SourceFile, images: Sequence[RawImage], *, where: str) -> FieldRules:
        """The rules of a source's settings.

        Args:
            source: with ``path`` absolute.
            images: those that a table is about.
            where: what messages begin with.

        Raises:
            ConfigError: for every expression that is none, or has not exactly one group.
            InputError: if the table cannot be read, has no column ``file`` or none of the images.
        """
        named = {f"fields.{name}": text for name, text in source.fields.items()}
        if source.group is not None:
            named["group"] = source.group
        wrong = [f"{where}: {name}: {problem}" for name, text in named.items() if (problem := _problem(text))]
        if FOLDER in source.fields:
            wrong.append(f"{where}: fields.{FOLDER}: is always the image's folder; choose another name")
        if wrong:
            raise ConfigError("\n".join(wrong))
        table = {} if source.table is None else _matched(source.folder / source.table, [i.file for i in images])
        patterns = {name: re.compile(text) for name, text in source.fields.items()}
        return cls(patterns, None if source.group is None else re.compile(source.group), table)

    def fields(self, image: RawImage) -> dict[str, str]:
        """All fields of an image; those of the path before those of the table before those of the annotation."""
        found = {name: _found(pattern, image.file) for name, pattern in self.patterns.items()}
        from_path = {name: text for name, text in found.items() if text is not None}
        folder = str(PurePosixPath(image.file).parent)
        return {**image.fields, **self.table.get(image.file, {}), **from_path, FOLDER: folder}

    def group_of(self, image: RawImage) -> str:
        """The artwork or series that an image belongs to: by default the image alone."""
        named = None if self.group is None else _found(self.group, image.file)
        return named or image.group or image.file


def _problem(text: str) -> str:
    try:
        groups = re.compile(text).groups
    except re.error as error:
        return f"is no regular expression: {error}"
    return "" if groups == 1 else f"must have exactly one group in parentheses, but has {groups}"


def _found(pattern: re.Pattern[str], file: str) -> str | None:
    match = pattern.search(file)
    return match[1] if match else None


def _matched(path: Path, files: Sequence[str]) -> dict[str, dict[str, str]]:
    """The rows of a table by the images that they are about: the same path, else the same name where it is unique."""
    table = _table(path)
    bare = Counter(map(_bare, table))
    unique = {_bare(file): row for file, row in table.items() if bare[_bare(file)] == 1}
    images = Counter(map(_bare, files))
    by_name = {file: unique[_bare(file)] for file in files if images[_bare(file)] == 1 and _bare(file) in unique}
    matched = {**by_name, **{file: table[file] for file in files if file in table}}
    if files and not matched:
        raise InputError(f"The table {path} has none of the images ({files[0]}, ...). Check its column '{_KEY}'.")
    return matched


def _bare(file: str) -> str:
    return file.rpartition("/")[2]


def _table(path: Path) -> dict[str, dict[str, str]]:
    text = text_of(path, "The table", "Check 'table' of the source.")
    head = text.partition("\n")[0]
    rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count)))
    if not rows or _KEY not in rows[0]:
        raise InputError(f"The table {path} has no rows with a column '{_KEY}'. Name the image's path in it.")
    return {row[_KEY].replace("\\", "/"): _filled(row) for row in rows if row[_KEY]}


def _filled(row: Mapping[str, str | None]) -> dict[str, str]:
    return {name: text for name, text in row.items() if name and name != _KEY and isinstance(text, str) and text}
