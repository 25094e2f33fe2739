r"""Pascal VOC: ``Annotations/<path of the image>.xml``, one file per image.

VOC counts pixels from 1 and includes the last one: ``xmin = floor(x1) + 1`` and ``xmax = ceil(x2)``, so that a box has
every pixel that the original touches and stays in 1..width; the continuous edges come back, to 1 px, as ``xmin - 1``
and ``xmax``. ``score`` and ``source`` are not part of VOC: the score stands in ``<confidence>``, as in VOC's own result
files, the source is left out. A true box has no score; where it is a crowd it is ``difficult``, which is how VOC says
that neither finding nor missing it counts. Characters that XML forbids appear as ``\xNN`` or ``\uNNNN``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from xml.sax.saxutils import escape

from artdet.exports.base import Job, TruthBox, readable
from artdet.exports.trees import fresh_tree
from artdet.runs import Box, Record

NAMES = ("Annotations",)

_HEAD = """\
<?xml version="1.0" encoding="utf-8"?>
<annotation>
  <folder>{folder}</folder>
  <filename>{filename}</filename>
  <path>{path}</path>
  <source><database>artdet</database></source>
  <size><width>{width}</width><height>{height}</height><depth>3</depth></size>
  <segmented>0</segmented>
"""

_CONFIDENCE = "    <confidence>{score:.6g}</confidence>\n"

_OBJECT = """\
  <object>
    <name>{name}</name>
    <pose>Unspecified</pose>
    <truncated>0</truncated>
    <difficult>{difficult}</difficult>
{confidence}    <bndbox><xmin>{left}</xmin><ymin>{top}</ymin><xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox>
  </object>
"""

# A carriage return is allowed, but every reader turns it into a line feed.
_FORBIDDEN = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(job: Job, records: Iterable[Record]) -> Sequence[str]:
    """See :class:`artdet.exports.base.Exporter`."""
    with fresh_tree(job.folder / NAMES[0], ".xml") as tree:
        for record, size in readable(records):
            for box in record.detections:
                job.label_id(box, record)
            tree.add(record, _document(record, size))
    return tree.notes("annotation files")


def _document(record: Record, size: tuple[int, int]) -> bytes:
    path = PurePosixPath(record.file)
    text = _HEAD.format(
        folder=_text(str(path.parent) if path.parent.name else ""),
        filename=_text(path.name),
        path=_text(record.file),
        height=size[0],
        width=size[1],
    )
    objects = (_object(box, size) for box in record.detections)
    return "".join([text, *objects, "</annotation>\n"]).encode("utf-8")


def _object(box: Box, size: tuple[int, int]) -> str:
    left, top, right, bottom = _pixels(box, size)
    return _OBJECT.format(
        name=_text(box.label),
        difficult=int(isinstance(box, TruthBox) and (box.crowd or box.difficult)),
        confidence="" if isinstance(box, TruthBox) else _CONFIDENCE.format(score=box.score),
        left=left,
        top=top,
        right=right,
        bottom=bottom,
    )


def _pixels(box: Box, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """First and last pixel, counted from 1, of each axis; a box without width has the one pixel at its place."""
    (height, width), (x1, y1, x2, y2) = size, box.box
    left, top = min(math.floor(x1) + 1, width), min(math.floor(y1) + 1, height)
    return left, top, max(math.ceil(x2), left), max(math.ceil(y2), top)


def _text(value: str) -> str:
    """Text as it may stand between two tags."""
    return escape(_FORBIDDEN.sub(_escaped, value))


def _escaped(found: re.Match[str]) -> str:
    code = ord(found.group())
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
