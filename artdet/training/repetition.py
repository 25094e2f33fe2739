"""What it takes to measure a trained model again with ``artdet predict`` and ``artdet evaluate``.

Sources are divided and reduced to the classes of a category, so no source is by itself the truth that training
validates by. The folder of the run gets that truth, and the model as an ensemble of its own.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import yaml

from artdet.data.coco_writer import write_coco
from artdet.data.dataset import Dataset
from artdet.data.merge import Entry
from artdet.data.sources import DATA_VARIABLE, data_folder
from artdet.modelfiles import ModelFiles, read_card
from artdet.training.course import Task
from artdet.training.folder import TrainingFolder

TRUTH = "validation.json"
ENSEMBLE = "ensemble.yaml"
SOURCE_FIELD = "source"


def write_repetition(task: Task, folder: TrainingFolder) -> tuple[str, ...]:
    """Writes the truth of validation and the ensemble of the model beside it.

    Args:
        task: that was trained.
        folder: with the model and its card.

    Returns:
        The commands that measure the model by that truth, for a shell.

    Raises:
        RunError: if a file cannot be written.
        ModelError: if the model has no card.
    """
    truth = validation_truth(task)
    write_coco(truth, folder.path / TRUTH)
    folder.write(folder.path / ENSEMBLE, _ensemble(task, folder))
    return commands(task.validation, folder)


def validation_truth(task: Task) -> Dataset:
    """The validation images of a task as one data set; the field ``source`` says where each comes from."""
    entries = task.validation
    root = Path(os.path.commonpath([entry.root for entry in entries]))
    return Dataset(
        name=f"{task.category.name} validation",
        root=root,
        samples=tuple(
            replace(
                entry.sample,
                file=entry.path.relative_to(root).as_posix(),
                fields={**entry.sample.fields, SOURCE_FIELD: entry.source},
            )
            for entry in sorted(entries, key=lambda entry: entry.path)
        ),
        taxonomy=task.category.taxonomy,
        licence=", ".join(dict.fromkeys(entry.licence for entry in entries if entry.licence)),
    )


def commands(entries: Sequence[Entry], folder: TrainingFolder) -> tuple[str, ...]:
    """``artdet predict`` on the folders of the validation images, and ``artdet evaluate`` on what it finds.

    Folders below ``ARTDET_DATA_DIR`` are written so; pictures in them that are not validated on count nowhere.
    """
    roots = dict.fromkeys(_common_folder(entries, root) for root in dict.fromkeys(entry.root for entry in entries))
    run = shlex.quote(str(folder.path))
    out = shlex.quote(f"runs/predict/{folder.path.name}_validation")
    predict = [f"artdet predict {' '.join(shell_place(root) for root in roots)} --recursive"]
    predict += [f"--ensemble {run}/{ENSEMBLE} --engine torch --precision float32 --out {out}"]
    return " ".join(predict), f"artdet evaluate {out} --truth {run}/{TRUTH} --by {SOURCE_FIELD}"


def _ensemble(task: Task, folder: TrainingFolder) -> str:
    card = read_card(ModelFiles(folder.model, folder.card))
    member = re.sub(r"[^A-Za-z0-9_.-]", "_", task.category.name) or "trained"
    content = {
        "description": f"The model of {folder.path.name} alone, as it was validated: every box with its score.",
        "max_side": 2 * task.category.settings.image_size,
        "members": [{"name": member, "detector": card.backend, "weights": folder.model.name}],
        "fusion": {"method": "none"},
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120)


def _common_folder(entries: Sequence[Entry], root: Path) -> Path:
    return Path(os.path.commonpath([entry.path.parent for entry in entries if entry.root == root]))


def shell_place(path: Path) -> str:
    """A folder for a shell: below ``ARTDET_DATA_DIR`` or the current folder where it is, else absolute."""
    if path.is_relative_to(data_folder()):
        below = path.relative_to(data_folder()).as_posix()
        return f'"${DATA_VARIABLE}"' + (f"/{shlex.quote(below)}" if below != "." else "")
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))
