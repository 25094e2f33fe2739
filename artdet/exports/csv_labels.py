"""CSV of the labels of images: a row per image and answer, the likeliest first; failures apart.

In the form of :mod:`artdet.exports.csv_table`. A number stands in the column ``value``, a class in ``label``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from artdet.exports.base import Job
from artdet.exports.csv_table import EXCEL_ROWS, FAILURE_COLUMNS, table
from artdet.runs import Record, Run

NAMES = ("labels.csv", "failures.csv")

COLUMNS = ("file", "sha256", "width", "height", "task", "rank", "label", "score", "value")

SHOWN = 3
"""Of a run that kept all classes, so many are written."""
_LIKELY = 0.5


def shown(run: Run, top_k: int | None = None) -> Run:
    """The run with only those classes that people look at: the likeliest, and all with a probability of at least 0.5.

    Args:
        run: of ``artdet classify``.
        top_k: how many; by default as many as the run was asked to keep, else ``SHOWN``.
    """
    return _Shown(run.folder, run.info, top_k or run.info.get("top_k") or SHOWN)


@dataclass(frozen=True)
class _Shown(Run):
    top_k: int

    def records(self) -> Iterator[Record]:
        for record in super().records():
            answers = record.classifications
            if answers is not None:
                answers = {
                    task: tuple(
                        label for rank, label in enumerate(labels) if rank < self.top_k or (label.score or 0) >= _LIKELY
                    )
                    for task, labels in answers.items()
                }
            yield replace(record, classifications=answers)


def write(job: Job, records: Iterable[Record]) -> Sequence[str]:
    """See :class:`artdet.exports.base.Exporter`."""
    written = 1
    with table(job.folder / NAMES[0], COLUMNS) as labels, table(job.folder / NAMES[1], FAILURE_COLUMNS) as failures:
        for record in records:
            if record.error is not None or record.size is None:
                failures.writerow((record.file, *(record.error or ("", ""))))
                continue
            for row in _rows(record, record.size):
                labels.writerow([row.get(name, "") for name in COLUMNS])
                written += 1
    if written <= EXCEL_ROWS:
        return ()
    return (f"{NAMES[0]} has {written:,} rows, but Excel shows only the first {EXCEL_ROWS:,}. Use --min-score.",)


def _rows(record: Record, size: tuple[int, int]) -> Iterator[dict[str, Any]]:
    image = {"file": record.file, "sha256": record.sha256 or "", "width": size[1], "height": size[0]}
    answers = record.classifications or {}
    if not any(answers.values()):
        yield image
    for task, labels in answers.items():
        for rank, label in enumerate(labels, start=1):
            told = {"value": label.value} if label.label is None else {"label": label.label, "score": label.score}
            yield {**image, "task": task, "rank": rank, **told}
