"""How the training of a run's model went, where its folder tells: for learning curves."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from artdet.evaluate.classification.results import Course
from artdet.modelfiles import MODEL_FILE, TRAINED, file_sha256
from artdet.runs import Run

HISTORY_FILE = "metrics.jsonl"
_MAIN: Mapping[str, str] = {"label": "accuracy", "labels": "map", "number": "within"}


def courses_of(run: Run, tasks: Sequence[str], folder: Path | None = None) -> tuple[Course, ...]:
    """Losses of training and validation, and the main figure of each task on the validation part, over the epochs.

    Args:
        run: whose ``run.json`` names the models.
        tasks: those that are shown.
        folder: where a model may lie besides ``runs/train``.
    """
    made: dict[str, tuple[list[int], list[float]]] = {}
    for line in _lines(run, folder):
        for name, value in _values(line, tasks):
            if value is not None:
                epochs, values = made.setdefault(name, ([], []))
                epochs.append(int(line["number"]))
                values.append(float(value))
    return tuple(Course(name, tuple(epochs), tuple(values)) for name, (epochs, values) in made.items())


def _values(line: Mapping[str, Any], tasks: Sequence[str]) -> Iterator[tuple[str, float | None]]:
    yield "loss, training", (line.get("losses") or {}).get("loss")
    yield "loss, validation", (line.get("validation") or {}).get("loss")
    for row in line.get("figures") or ():
        if row["task"] in tasks:
            metric = _MAIN[row["kind"]]
            yield f"{row['task']} {metric}", row["figures"].get(metric)


def _lines(run: Run, folder: Path | None) -> Iterator[Mapping[str, Any]]:
    """The epochs of the first model whose folder has any; a damaged line ends them."""
    for place in _folders(run, folder):
        path = place / HISTORY_FILE
        if not path.is_file():
            continue
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                data = json.loads(line)
            except ValueError:
                return
            if not isinstance(data, dict) or "number" not in data:
                return
            yield data
        return


def _folders(run: Run, folder: Path | None) -> Iterator[Path]:
    """Folders of the run's models, as far as they are still there with the very weights that the run used."""
    folders = run.info.get("model_folders") or {}
    for name, marks in (run.info.get("models") or {}).items():
        used = {value for key, value in marks.items() if key.startswith("weights_sha256")}
        named = Path(folders.get(name, TRAINED / name))
        for place in (named, *([folder] if folder and folder != named else [])):
            if (place / MODEL_FILE).is_file() and file_sha256(place / MODEL_FILE) in used:
                yield place
