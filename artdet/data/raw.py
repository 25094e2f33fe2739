"""What a reader of a format gives: names and numbers as the source has them, before any check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from artdet.data.problems import Problems
from artdet.data.settings import SourceFile


@dataclass(frozen=True)
class RawBox:
    """One box of a source.

    Attributes:
        name: the source's own class name.
        box: (x1, y1, x2, y2), continuous edges, unchecked: in pixels of the size that the annotation states (of the
            upright image where it states none), or in shares of width and height where the image is ``relative``.
        label: class of ours, where a second look told one; it counts instead of the name.
    """

    name: str
    box: tuple[float, float, float, float]
    crowd: bool = False
    difficult: bool = False
    label: str | None = None


@dataclass(frozen=True)
class RawImage:
    """One image of a source.

    Attributes:
        file: path relative to the set's root, with forward slashes.
        boxes: as they stand there.
        size: (height, width) that the annotation states; ``None`` where it states none.
        relative: whether the boxes are shares of width and height.
        annotated: ``False`` for an image that the source has without saying anything about it.
        fields: what the annotation says about the image besides: style, artist ...
        labelled: classes, of ours, that were looked for in this image, where the annotation itself says so.
        group: the artwork or series, where the annotation itself says so.
    """

    file: str
    boxes: tuple[RawBox, ...] = ()
    size: tuple[int, int] | None = None
    relative: bool = False
    annotated: bool = True
    fields: Mapping[str, str] = field(default_factory=dict)
    labelled: tuple[str, ...] | None = None
    group: str | None = None


@dataclass(frozen=True)
class RawSet:
    """A whole source.

    Attributes:
        root: absolute folder of the images; it need not exist.
        images: annotated ones and those that merely lie there, in any order.
        vocabulary: every class name that the source declares (COCO's categories, YOLO's names), used or not; ``None``
            where the format declares none and the names met in the boxes are all that is known.
        licence: as the annotation itself states it.
    """

    root: Path
    images: tuple[RawImage, ...]
    vocabulary: tuple[str, ...] | None
    licence: str = ""


class Reader(Protocol):
    """What a module in ``artdet.data.formats.FORMATS`` offers."""

    def recognises(self, path: Path) -> bool:
        """Whether a file or folder that a user named without saying its format is of this one; never raises."""

    def read(self, source: SourceFile, problems: Problems) -> RawSet:
        """Reads the annotations (and lists the images, without opening them).

        Args:
            source: with ``path`` absolute.
            problems: takes the oddities of the annotation files themselves.

        Raises:
            InputError: if what the format needs is not there or is not of the format.
        """
