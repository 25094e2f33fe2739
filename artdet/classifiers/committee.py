"""Several classifiers that answer together: by votes, by the mean, or a network per class of which the surest wins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from artdet.classifiers.base import Classifier, Scores
from artdet.config import StrictModel, read_yaml, validated, yaml_text
from artdet.errors import ConfigError
from artdet.images import RGBImage
from artdet.tasks import Task

COMMITTEE_FILE = "committee.yaml"
REST = "rest"
"""The first class of a member that knows only one: all else."""

Method = Literal["vote", "mean", "most_confident"]
_MAJORITY = 0.5


class CommitteeSettings(StrictModel):
    """A committee file.

    Attributes:
        description: a sentence for people.
        method: ``vote``: each member has a vote, and the mean of all probabilities is one more, which so decides ties;
            of numbers the median. ``mean``: of probabilities or numbers. ``most_confident``: every member tells one
            class from the rest, and the surest wins (one-versus-rest).
        members: models: names or paths, also below the folder of the file; for ``most_confident`` in the order of the
            classes.
    """

    description: str = ""
    method: Method
    members: tuple[str, ...] = Field(min_length=2)

    @field_validator("members")
    @classmethod
    def _each_once(cls, members: tuple[str, ...]) -> tuple[str, ...]:
        twice = sorted({name for name in members if members.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)}: appears more than once; a member has one vote")
        return members


class Committee:
    """A :class:`artdet.classifiers.base.Classifier` made of others.

    Args:
        members: two or more, which answer the same tasks; for ``most_confident`` one task, each of two classes of
            which the first is ``REST``.
        method: see :class:`CommitteeSettings`.
        names: of the members, for messages.

    Raises:
        ConfigError: if the members do not fit each other or the method.
    """

    def __init__(self, members: Sequence[Classifier], method: Method, names: Sequence[str]) -> None:
        self._members, self._method = tuple(members), method
        self._tasks = _united(members, names) if method == "most_confident" else _agreed(members, names)

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What it answers."""
        return self._tasks

    def classify(self, images: Sequence[RGBImage]) -> Scores:
        """Answers for N images RGB uint8 (H, W, 3) of any size, in their order."""
        answers = [member.classify(images) for member in self._members]
        return {task.name: combined(task, [each[task.name] for each in answers], self._method) for task in self._tasks}


def combined(task: Task, answers: Sequence[NDArray[np.float32]], method: Method) -> NDArray[np.float32]:
    """The answer (N, outputs) of a committee to one task.

    The most confident class of one-versus-rest stays so when all are divided by their sum, which they are.

    Args:
        task: of the committee.
        answers: M arrays (N, outputs); for ``most_confident`` M = outputs arrays (N, 2) of rest and class.
        method: see :class:`CommitteeSettings`.
    """
    stacked = np.stack(answers).astype(np.float64)
    if method == "most_confident":
        own = stacked[:, :, 1].T
        total = own.sum(axis=1, keepdims=True)
        even = np.full_like(own, 1 / len(answers))
        return _single(np.divide(own, total, out=even, where=total > 0))
    mean = stacked.mean(axis=0)
    if method == "mean":
        return _single(mean)
    if task.kind == "number":
        return _single(np.median(stacked, axis=0))
    if task.kind == "labels":
        votes = (stacked >= _MAJORITY).sum(axis=0)
    else:
        votes = (stacked.argmax(axis=2)[:, :, None] == np.arange(task.outputs)).sum(axis=0)
    # The mean is below 1 for whatever a member voted against, so it never outdoes a vote.
    return _single((votes + mean) / (len(answers) + 1))


def _single(values: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(values, dtype=np.float32)


def load_committee(path: Path, loader: Callable[[str], Classifier]) -> Committee:
    """The committee of a file.

    Args:
        path: of the YAML file, or of the folder that holds it as ``committee.yaml``.
        loader: gives the classifier of a name or path; a member that lies below the folder of the file comes as path.

    Raises:
        ConfigError: if the file is wrong, or its members do not fit each other.
    """
    file = path / COMMITTEE_FILE if path.is_dir() else path
    settings = read_committee(file)
    named = [str(file.parent / name) if (file.parent / name).exists() else name for name in settings.members]
    return Committee([loader(name) for name in named], settings.method, settings.members)


def read_committee(file: Path) -> CommitteeSettings:
    """The settings of a committee file.

    Raises:
        ConfigError: naming every problem of it.
    """
    return validated(CommitteeSettings, read_yaml(file), where=str(file))


def committee_text(settings: CommitteeSettings) -> str:
    """The YAML text of a committee file."""
    return yaml_text(settings.model_dump(mode="json"))


def _agreed(members: Sequence[Classifier], names: Sequence[str]) -> tuple[Task, ...]:
    first = members[0].tasks
    for name, member in zip(names[1:], members[1:], strict=True):
        if problem := _difference(first, member.tasks):
            raise ConfigError(
                f"The members '{names[0]}' and '{name}' of a committee do not answer the same: {problem}. "
                "Take models that were trained on the same tasks with the same classes in the same order."
            )
    return first


def _difference(ours: Sequence[Task], theirs: Sequence[Task]) -> str:
    """What two lists of tasks differ in; empty if in nothing that a committee minds."""
    by_name = {task.name: task for task in theirs}
    if {task.name for task in ours} != by_name.keys():
        return f"one answers {_listed(task.name for task in ours)}, the other {_listed(by_name)}"
    for task in ours:
        other = by_name[task.name]
        if task.kind != other.kind:
            return f"{task.name} is a {task.kind} for one and a {other.kind} for the other"
        if set(task.classes) != set(other.classes):
            return f"only one of them knows {_listed(set(task.classes) ^ set(other.classes))} as {task.name}"
        if task.classes != other.classes:
            return f"the classes of {task.name} have another order"
    return ""


def _united(members: Sequence[Classifier], names: Sequence[str]) -> tuple[Task, ...]:
    """The one task of members that each know one class of it."""
    for name, member in zip(names, members, strict=True):
        fits = len(member.tasks) == 1 and member.tasks[0].kind == "label" and _knows_one(member.tasks[0])
        if not fits:
            raise ConfigError(
                f"The member '{name}' of a most_confident committee is to tell one class from the rest, and does not: "
                f"it answers {_described(member.tasks)}. Train it with estimator: one_versus_rest, "
                "or take the method vote or mean."
            )
    tasks = {member.tasks[0].name for member in members}
    classes = tuple(member.tasks[0].classes[1] for member in members)
    if len(tasks) > 1 or len(set(classes)) < len(classes):
        said = f"more than one task: {_listed(tasks)}" if len(tasks) > 1 else "one class more than once"
        raise ConfigError(f"The members of a most_confident committee answer {said}. Name a member for each class.")
    return (Task(name=tasks.pop(), kind="label", classes=classes),)


def _knows_one(task: Task) -> bool:
    return len(task.classes) == 2 and task.classes[0] == REST


def _described(tasks: Sequence[Task]) -> str:
    return "; ".join(f"{task.name} ({', '.join(task.classes[:4]) or 'a number'})" for task in tasks)


def _listed(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - 5} more" if len(ordered) > 5 else ""
    return ", ".join(ordered[:5]) + more
