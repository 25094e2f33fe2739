"""What an evaluation of labels leaves on the disk: ``metrics.json`` and ``report.html``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from artdet.evaluate.classification.results import Report
from artdet.evaluate.output import FORMAT, REPORT_FILE, named_folder, write_content


def metrics_json(report: Report) -> dict[str, Any]:
    """The content of ``metrics.json``: every figure of the evaluation, ``null`` where there is none."""
    return {"format": FORMAT, "kind": "evaluate", "of": "labels", **asdict(report)}


def save(report: Report, folder: Path | None, *, with_report: bool, command: str = "") -> list[Path]:
    """Writes ``metrics.json`` and, if asked for, ``report.html``; gives their paths.

    Args:
        report: what to write.
        folder: where to; by default ``runs/evaluate/`` and the names of the runs and the truth.
        with_report: whether to write the report, which reads images.
        command: the command line, for the report.

    Raises:
        RunError: if the folder cannot be written or holds files of these names that no evaluation wrote.
    """
    truth = Path(report.truth).stem + (f"_{report.part}" if report.part else "")
    target = named_folder([run.name for run in report.runs], truth) if folder is None else folder
    paths = [write_content(metrics_json(report), target)]
    if with_report:
        from artdet.evaluate.classification.report import write_report

        paths.append(target / REPORT_FILE)
        write_report(report, paths[-1], command=command)
    return paths
