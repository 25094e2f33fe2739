r"""CSV for spreadsheets: one row per box, one row with an empty label per image without boxes; failures apart.

UTF-8 with a byte-order mark, without which Excel misreads every accent (Python: ``encoding="utf-8-sig"``; pandas
needs nothing), commas, quotes where needed, rows end with CR LF (RFC 4180). Corners are pixels of the original image.
Bytes of a file name that are not valid text appear as ``\udcXX``.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from artdet.atomic import whole_file
from artdet.exports.base import Job
from artdet.runs import Record

NAMES = ("boxes.csv", "failures.csv")

COLUMNS = (
    "file",
    "sha256",
    "width",
    "height",
    "label",
    "category",
    "iconclass",
    "score",
    "x1",
    "y1",
    "x2",
    "y2",
    "source",
)
FAILURE_COLUMNS = ("file", "cause", "message")

_EXCEL_ROWS = 1_048_576


def write(job: Job, records: Iterable[Record]) -> Sequence[str]:
    """See :class:`artdet.exports.base.Exporter`."""
    written = 1
    with _table(job.folder / NAMES[0], COLUMNS) as boxes, _table(job.folder / NAMES[1], FAILURE_COLUMNS) as failures:
        for record in records:
            if record.error is not None or record.size is None:
                failures.writerow((record.file, *(record.error or ("", ""))))
                continue
            for row in _rows(job, record, record.size):
                boxes.writerow(row)
                written += 1
    if written <= _EXCEL_ROWS:
        return ()
    return (f"{NAMES[0]} has {written:,} rows, but Excel shows only the first {_EXCEL_ROWS:,}. Use --min-score.",)


def _rows(job: Job, record: Record, size: tuple[int, int]) -> Iterator[tuple[Any, ...]]:
    height, width = size
    image = (record.file, record.sha256 or "", width, height)
    if not record.detections:
        yield image + ("",) * (len(COLUMNS) - len(image))
    for box in record.detections:
        node = job.taxonomy.nodes[job.label_id(box, record)]
        yield (*image, box.label, node.category, node.iconclass or "", box.score, *box.box, box.source)


@contextmanager
def _table(path: Path, columns: Sequence[str]) -> Iterator[Any]:
    """A csv writer whose file appears when the block ends well."""
    with whole_file(path) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="backslashreplace", newline="")
        try:
            writer = csv.writer(text)
            writer.writerow(columns)
            yield writer
        finally:
            # Gives the stream back, flushed, to the one who closes it.
            text.detach()
