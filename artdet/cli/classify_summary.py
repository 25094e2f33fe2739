"""What ``artdet classify`` says at its end: counted from the run folder, so that a resumed run is told whole."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from artdet.cli.summary import common_json, common_text, count_text, whole_run
from artdet.predict.classification import Classification
from artdet.predict.runner import Tally
from artdet.runs import PREDICTIONS_FILE, open_run


def summary_json(classification: Classification, tally: Tally, explanations: Path | None) -> dict[str, Any]:
    """The summary of a run for scripts: counts over the whole run folder, times of this call."""
    whole = whole_run(classification.folder)
    return {
        "run": str(classification.folder),
        "predictions": str(classification.folder / PREDICTIONS_FILE),
        "explanations": str(explanations) if explanations else None,
        "tasks": {task.name: dict(_counts(whole, task.name)) for task in classification.choice.tasks},
        "models": {
            name: classification.choice.task_names(model) for name, model in classification.choice.named.items()
        },
        **common_json(whole, tally, classification.found),
    }


def summary_text(classification: Classification, tally: Tally, explanations: Path | None) -> str:
    """The summary of a run for people."""
    whole = whole_run(classification.folder)
    lines = [count_text(whole.images, "image")]
    now = tally.images + sum(tally.failures.values())
    if now < whole.images + sum(whole.failures.values()):
        lines[0] += f" ({now} images now, the others before)"
    for task in classification.choice.tasks:
        lines.append(f"  {task.name + ':':<12} {_told(classification, whole, task.name, task.kind)}")
    lines += common_text(whole, tally, classification.found)
    lines.append(f"labels: {classification.folder / PREDICTIONS_FILE}")
    if explanations:
        lines.append(f"explanations: {explanations}")
    return "\n".join(lines)


def _told(classification: Classification, whole: Tally, task: str, kind: str) -> str:
    if kind != "number":
        return ", ".join(f"{label} {number}" for label, number in _counts(whole, task).most_common()) or "no image"
    values = sorted(
        labels[0].value
        for record in open_run(classification.folder).records()
        if (labels := (record.classifications or {}).get(task)) and labels[0].value is not None
    )
    if not values:
        return "no image"
    return f"{values[0]:.0f} to {values[-1]:.0f}, half of them below {values[len(values) // 2]:.0f}"


def _counts(whole: Tally, task: str) -> Counter[str]:
    return Counter({label: number for (name, label), number in whole.labels.items() if name == task and label})
