"""The yaml of a source of labels of whole artworks, and that of a task."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from artdet.config import StrictModel
from artdet.tasks import Kind

LabelFormat = Literal["csv", "folders", "pattern"]
LEAST_IMAGES = 3
"""Of a class: one each to train, to validate and to test with."""
SAYS_NOTHING = ("", "?", "-", "n/a", "na", "nan", "none", "null", "unknown", "date unknown", "n.d.", "undated")
"""Values that say that nobody knows, in lower case."""


class LabelSource(StrictModel):
    """Images with columns of labels (``configs/artworks/*.yaml``); all paths but ``path`` are relative to it.

    Attributes:
        format: ``csv`` has a row an image; with ``folders`` the folder's name is the column ``folder``; with
            ``pattern`` the named groups of a regular expression are columns.
        path: a folder, or the CSV file itself. A relative one is looked up beside the yaml file, then below
            ``ARTDET_DATA_DIR`` (``data`` in the current folder where that is not set).
        table: of ``csv``: the file; the only one in the folder by default.
        images: folder of the images; ``images`` where there is one, else ``path`` itself.
        file: of ``csv``: the column with the image's path; found by its usual names by default.
        columns: our name of a column -> theirs.
        pattern: of ``pattern``: searched in the image's path from ``images``, with forward slashes.
        group: regular expression with one group, searched in the image's path: images alike in it are one artwork or
            series, which a split never separates. By default every image is one of its own.
        unknown: further values that say that nobody knows.
        origin: where the data come from, and their paper.
        licence: as stated there.
    """

    format: LabelFormat
    path: str
    table: str | None = None
    images: str | None = None
    file: str | None = None
    columns: dict[str, str] = Field(default_factory=dict)
    pattern: str | None = None
    group: str | None = None
    unknown: tuple[str, ...] = ()
    origin: str = ""
    licence: str = ""

    @field_validator("pattern", "group")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        return None if value is None else _expression(value)

    @model_validator(mode="after")
    def _fits_format(self) -> LabelSource:
        if (self.format == "pattern") != (self.pattern is not None):
            raise ValueError("format pattern needs a pattern, and no other format takes one")
        if self.pattern is not None and not re.compile(self.pattern).groupindex:
            raise ValueError("pattern: needs a named group for each column, such as (?P<artist>[^_]+)_")
        if self.group is not None and re.compile(self.group).groups != 1:
            raise ValueError("group: needs one group in brackets")
        if self.format != "csv" and (self.table is not None or self.file is not None):
            raise ValueError("table and file belong to format csv")
        return self


class Answers(StrictModel):
    """How the values of a column become the answers of a task.

    Attributes:
        column: of the source; the task's by default.
        values: their value -> our class; others stand for themselves.
        find: class -> regular expression that is searched in the value, without regard to case; of ``label`` the first
            that is found is meant. A value in which none is found is unknown to ``label``, and has none of the classes
            for ``labels``.
    """

    column: str | None = None
    values: dict[str, str] = Field(default_factory=dict)
    find: dict[str, str] = Field(default_factory=dict)

    @field_validator("find")
    @classmethod
    def _compile(cls, value: dict[str, str]) -> dict[str, str]:
        return {name: _expression(text) for name, text in value.items()}


class TaskSource(Answers):
    """A source of a task: what it inherits goes before what the task says.

    Attributes:
        source: name of a shipped source of labels, its yaml, a CSV file or a folder.
        value: the answer for every image of the source, which then needs no column.
        where: column -> regular expression that its whole value must match; other images are not taken.
        transform: ``drawing`` takes drawing-like pictures made of the images instead of these.
    """

    source: str
    value: str | None = None
    where: dict[str, str] = Field(default_factory=dict)
    transform: Literal["drawing"] | None = None

    @field_validator("where")
    @classmethod
    def _compile_where(cls, value: dict[str, str]) -> dict[str, str]:
        return {name: _expression(text) for name, text in value.items()}


class TaskFile(Answers):
    """One question about artworks, and where answers to learn from are (``configs/tasks/*.yaml``).

    Attributes:
        description: a sentence for people.
        kind: see :class:`artdet.tasks.Task`.
        classes: names in the order of the outputs; by default all values that occur.
        min_images: takes the classes that have so many images; the others are unknown.
        separator: between the values of one cell, for ``labels`` without ``find``.
        tolerance: a number that is off by at most so much counts as right.
        sources: where images and values come from.
    """

    description: str = ""
    kind: Kind = "label"
    classes: tuple[str, ...] = ()
    min_images: int | None = Field(default=None, ge=LEAST_IMAGES)
    separator: str = Field(default=";", min_length=1)
    tolerance: float = Field(default=50.0, gt=0)
    sources: tuple[TaskSource, ...] = Field(min_length=1)

    @field_validator("sources", mode="before")
    @classmethod
    def _names_are_sources(cls, value: object) -> object:
        if not isinstance(value, list | tuple):
            return value
        return [{"source": entry} if isinstance(entry, str) else entry for entry in value]

    @model_validator(mode="after")
    def _fits_kind(self) -> TaskFile:
        if self.kind == "number" and (self.classes or self.min_images is not None or self.find):
            raise ValueError("a number has no classes, no min_images and nothing to find")
        if self.classes and self.min_images is not None:
            raise ValueError("classes and min_images exclude each other: leave one out")
        if self.classes and len(set(self.classes)) < max(len(self.classes), 2):
            raise ValueError("classes: needs two or more, each once")
        return self


def _expression(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"'{text}' is no regular expression: {error}") from error
    return text
