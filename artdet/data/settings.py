"""The yaml of a source: where labelled images lie, in which format, and what their labels mean."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from artdet.config import StrictModel

Format = Literal["coco", "voc", "yolo", "openimages", "csv"]


class SourceFile(StrictModel):
    """One source of labelled images; all paths but ``path`` are relative to it.

    Attributes:
        format: which reader.
        path: a folder, or the annotation file itself. A relative one is looked up beside the yaml file, then below
            ``ARTDET_DATA_DIR`` (``data`` in the current folder where that is not set).
        images: folder of the images; the format's usual places by default. Where it is not below ``path``, it is looked
            for below ``ARTDET_DATA_DIR``.
        annotations: file or folder of the annotations; the format's usual places by default.
        image_list: a text file with an image a line; in Pascal VOC's form with ``1`` (has objects) or ``-1`` (has none,
            needs no annotation) behind it. Only listed images belong to the source.
        classes: file of the class names (YOLO ``classes.txt`` or ``data.yaml``, Open Images' class descriptions).
        label_map: a shipped map or a file; none where the names are the taxonomy's own.
        relabelled: a CSV file with the columns file, object (number of a box in its image, from 1, in the order of the
            annotation) and label (of ours), which counts for that box instead of its name.
        exhaustive: classes, of ours, that were boxed wherever they appear. All others are neither hit nor miss in this
            source. By default every class that the source's names lead to.
        fields: name of a field -> regular expression with one group, searched in the image's path: style, artist, year.
        table: a CSV file with further fields, a row an image, the image's path in the column ``file``.
        group: regular expression with one group, searched in the image's path: images alike in it are one artwork.
            By default every image is one of its own.
        columns: for ``csv``: our name of a column (file, label, x1, y1, x2, y2, w, h, width, height, ...) -> theirs.
        first_pixel: for ``voc``: whether the first pixel is 1 (VOC's own) or 0; found out by default.
        origin: where the data come from, and their paper.
        licence: as stated there.
    """

    format: Format
    path: str
    images: str | None = None
    annotations: str | None = None
    image_list: str | None = None
    classes: str | None = None
    label_map: str | None = None
    relabelled: str | None = None
    exhaustive: tuple[str, ...] | None = None
    fields: dict[str, str] = Field(default_factory=dict)
    table: str | None = None
    group: str | None = None
    columns: dict[str, str] = Field(default_factory=dict)
    first_pixel: Literal[0, 1] | None = None
    origin: str = ""
    licence: str = ""

    @property
    def folder(self) -> Path:
        """The folder that the other paths start from: ``path``, or where the annotation file of that name lies."""
        path = Path(self.path)
        return path.parent if path.is_file() else path
