r"""CSV for spreadsheets: one row per box, one row with an empty label per image without boxes; failures apart.

UTF-8 with a byte-order mark, without which Excel misreads every accent (Python: ``encoding="utf-8-sig"``; pandas
needs nothing), commas, quotes where needed, rows end with CR LF (RFC 4180). Corners are pixels of the original image.
Bytes of a file name that are not valid text appear as ``\udcXX``. A truth has columns for crowds and difficult boxes in
place of hash, score and source, and no failures.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from artdet.atomic import whole_file
from artdet.exports.base import Job, TruthBox
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
TRUTH_COLUMNS = (*(name for name in COLUMNS if name not in ("sha256", "score", "source")), "crowd", "difficult")
FAILURE_COLUMNS = ("file", "cause", "message")

EXCEL_ROWS = 1_048_576


def write(job: Job, records: Iterable[Record]) -> Sequence[str]:
    """See :class:`artdet.exports.base.Exporter`."""
    columns = TRUTH_COLUMNS if job.truth else COLUMNS
    with table(job.folder / NAMES[0], columns) as boxes, failures_table(job) as failures:
        written = 1
        for record in records:
            if record.error is not None or record.size is None:
                failures.writerow((record.file, *(record.error or ("", ""))))
                continue
            for row in _rows(job, record, record.size):
                boxes.writerow([row.get(name, "") for name in columns])
                written += 1
    if written <= EXCEL_ROWS:
        return ()
    return (f"{NAMES[0]} has {written:,} rows, but Excel shows only the first {EXCEL_ROWS:,}. Use --min-score.",)


def _rows(job: Job, record: Record, size: tuple[int, int]) -> Iterator[dict[str, Any]]:
    height, width = size
    image = {"file": record.file, "sha256": record.sha256 or "", "width": width, "height": height}
    if not record.detections:
        yield image
    for box in record.detections:
        node = job.taxonomy.nodes[job.label_id(box, record)]
        label = {"label": box.label, "category": node.category, "iconclass": node.iconclass or ""}
        row = {**image, **label, **dict(zip(("x1", "y1", "x2", "y2"), box.box, strict=True))}
        if isinstance(box, TruthBox):
            yield {**row, "crowd": int(box.crowd), "difficult": int(box.difficult)}
        else:
            yield {**row, "score": box.score, "source": box.source}


def failures_table(job: Job) -> AbstractContextManager[Any]:
    """The table of images that could not be read, which a truth has not."""
    return nullcontext() if job.truth else table(job.folder / NAMES[1], FAILURE_COLUMNS)


@contextmanager
def table(path: Path, columns: Sequence[str]) -> Iterator[Any]:
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
