"""What ``artdet train --task --dry-run`` prints."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
import numpy as np

from artdet.data.artworks.collection import Artworks, known
from artdet.data.artworks.duplicates import duplicates
from artdet.data.artworks.partition import PARTS, Partition
from artdet.training.classification.estimate import Estimate, estimated
from artdet.training.markdown import duration

if TYPE_CHECKING:
    from artdet.tasks import Task
    from artdet.training.classification.run import TrainingRequest

_SHOWN = 10  # groups of duplicates


def plan(request: TrainingRequest, *, as_json: bool) -> None:
    """Prints the counts of classes in each part, duplicates, and how long training would take."""
    artworks, split = request.artworks, request.partition
    found = [[artworks.names[place] for place in group.places] for group in duplicates(artworks.paths).groups]
    time = estimated(request)
    if as_json:
        counts = {task.name: _counts(task, artworks, split) for task in artworks.tasks}
        content = {
            "folder": str(request.folder),
            "recipe": request.recipe.model_dump(mode="json"),
            "images": {part: len(split.part(part)) for part in PARTS},
            "tasks": {
                name: {row[0]: dict(zip(PARTS, row[1], strict=True)) for row in rows} for name, rows in counts.items()
            },
            "duplicates": found,
            "seconds": {"features": time.features, "epoch": time.epoch, "all": time.whole},
        }
        click.echo(json.dumps(content, indent=2))
        return
    blocks = [_task_text(task, artworks, split) for task in artworks.tasks]
    images = ", ".join(f"{len(split.part(part)):,} {part}" for part in PARTS)
    lines = [f"images: {images}; works or series: {len(set(artworks.groups)):,}"]
    lines += _duplicate_lines(found)
    lines += _time_lines(time, request)
    click.echo("\n\n".join([*blocks, "\n".join(lines)]))


def _counts(task: Task, artworks: Artworks, split: Partition) -> list[tuple[str, tuple[int, ...]]]:
    """Class -> images of each part; ``no answer`` last."""
    values = artworks.targets[task.name]
    there = known(task, values)
    rows: list[tuple[str, tuple[int, ...]]] = []
    for index, name in enumerate(task.classes):
        held = np.asarray(values == index if task.kind == "label" else np.nan_to_num(values)[:, index] == 1)
        rows.append((name, tuple(int(held[split.part(part)].sum()) for part in PARTS)))
    if task.kind == "number":
        rows.append(("with an answer", tuple(int(there[split.part(part)].sum()) for part in PARTS)))
    rows.append(("no answer", tuple(int((~there)[split.part(part)].sum()) for part in PARTS)))
    return rows


def _task_text(task: Task, artworks: Artworks, split: Partition) -> str:
    cells: list[tuple[str, ...]] = [("", *PARTS)]
    cells += [(name, *(f"{count:,}" for count in counts)) for name, counts in _counts(task, artworks, split)]
    return f"{task.name.upper()} ({task.kind})\n{_aligned(cells)}"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = [[row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))] for row in rows]
    return "\n".join("  ".join(line) for line in lines)


def _duplicate_lines(found: Sequence[Sequence[str]]) -> list[str]:
    if not found:
        return ["duplicates: none"]
    images = sum(len(group) for group in found)
    lines = [f"duplicates: {len(found)} groups of {images} images, each in one part"]
    lines += [f"  {' = '.join(group)}" for group in found[:_SHOWN]]
    return lines + ([f"  and {len(found) - _SHOWN} more; --json lists all"] if len(found) > _SHOWN else [])


def _time_lines(time: Estimate, request: TrainingRequest) -> list[str]:
    lines = [f"features: about {duration(time.features)}, once; later trainings read them"] if time.features else []
    most = f"{request.recipe.epochs} epochs" if request.recipe.estimator == "network" else "the training"
    each = f"an epoch about {duration(time.epoch)}, " if time.epoch else ""
    return [
        *lines,
        f"time: {each}{most} at most about {duration(time.whole)} on {time.device}, as measured with a few steps",
    ]
