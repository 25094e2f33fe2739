"""What an evaluation leaves on the disk: ``metrics.json`` and ``report.html``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from artdet.atomic import make_folder, whole_file
from artdet.errors import RunError
from artdet.evaluate.evaluation import Evaluation
from artdet.evaluate.results import Report
from artdet.runs import json_text

FOLDER = Path("runs") / "evaluate"
METRICS_FILE = "metrics.json"
REPORT_FILE = "report.html"
FORMAT = 1


def metrics_json(report: Report) -> dict[str, Any]:
    """The content of ``metrics.json``: every figure of the evaluation, ``null`` where there is none."""
    return {"format": FORMAT, "kind": "evaluate", **asdict(report)}


def default_folder(report: Report) -> Path:
    """``runs/evaluate/`` and the names of the runs and the truth.

    >>> from types import SimpleNamespace as Made
    >>> str(default_folder(Made(runs=[Made(name="a/1"), Made(name="b")], truth="People-Art val")))
    'runs/evaluate/a_1_vs_b_on_People-Art_val'
    """
    return named_folder([run.name for run in report.runs], report.truth)


def named_folder(names: Sequence[str], truth: str) -> Path:
    """The same by the names alone."""
    runs = "_vs_".join(names) if len(names) <= 3 else f"{names[0]}_vs_{len(names) - 1}_others"
    return FOLDER / re.sub(r"[^\w.+@-]+", "_", f"{runs}_on_{truth}")[:120]


def save(evaluation: Evaluation, folder: Path | None, *, with_report: bool, command: str = "") -> list[Path]:
    """Writes ``metrics.json`` and, if asked for, ``report.html``; gives their paths.

    Args:
        evaluation: what to write.
        folder: where to; ``None`` for :func:`default_folder`.
        with_report: whether to write the report, which reads images.
        command: the command line, for the report.

    Raises:
        RunError: if the folder cannot be written or holds files of these names that no evaluation wrote.
    """
    target = default_folder(evaluation.report) if folder is None else folder
    paths = [write_metrics(evaluation.report, target)]
    if with_report:
        from artdet.evaluate.report import write_report
        from artdet.evaluate.scenes import Scenes

        paths.append(target / REPORT_FILE)
        taxonomy = evaluation.truth.taxonomy
        write_report(evaluation.report, paths[-1], taxonomy=taxonomy, scene=Scenes(evaluation), command=command)
    return paths


def write_metrics(report: Report, folder: Path) -> Path:
    """Writes ``metrics.json``; see :func:`write_content`."""
    return write_content(metrics_json(report), folder)


def write_content(content: Mapping[str, Any], folder: Path) -> Path:
    """Writes ``metrics.json`` whole or not at all; replaces only one that an evaluation wrote.

    Raises:
        RunError: if the folder cannot be written or holds another file of that name.
    """
    make_folder(folder)
    path = folder / METRICS_FILE
    if path.exists() and not _is_ours(path):
        raise RunError(f"{path} was not written by `artdet evaluate`. Name another folder with --out.")
    if not path.exists() and (folder / REPORT_FILE).exists():
        raise RunError(f"{folder / REPORT_FILE} was not written by `artdet evaluate`. Name another folder with --out.")
    with whole_file(path) as stream:
        stream.write(json_text(content, indent=1).encode("utf-8") + b"\n")
    return path


def _is_ours(path: Path) -> bool:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(data, dict) and data.get("kind") == "evaluate"
