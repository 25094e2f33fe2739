"""The folder of a classifier's training: what any training's has, the split, and the figures on the test part."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from artdet.errors import RunError
from artdet.metrics.classification import ClassFigures, TaskFigures
from artdet.runs import json_text
from artdet.training.folder import TrainingFolder


@dataclass(frozen=True)
class ClassifierEpoch:
    """How one epoch went.

    Attributes:
        number: from 1.
        losses: their means over the epoch: each task's own, before weight and scale, and ``loss``, what is minimised.
        learning_rate: of the heads, at its end.
        seconds: of training, without validation.
        images: that were seen.
        validation: the same losses on the validation part.
        figures: of each task on the validation part, those of classes left out.
        score: what the best epoch is chosen by, higher is better; ``None`` where there was nothing to measure.
        best: whether its weights are the best so far.
    """

    number: int
    losses: Mapping[str, float]
    learning_rate: float
    seconds: float
    images: int
    validation: Mapping[str, float]
    figures: tuple[TaskFigures, ...]
    score: float | None
    best: bool = False

    def as_line(self) -> str:
        """One line of ``metrics.jsonl``."""
        return json_text(_plain(asdict(self)))

    @classmethod
    def from_line(cls, line: str) -> ClassifierEpoch:
        """The epoch of a line."""
        data = json.loads(line)
        return cls(**{**data, "figures": tuple(figures_from_json(row) for row in data["figures"])})


class ClassifierFolder(TrainingFolder):
    """Where the parts of a run lie."""

    @property
    def split(self) -> Path:
        """Which image is in which part."""
        return self.path / "split.csv"

    @property
    def test(self) -> Path:
        """Figures of the best weights; written when the training is over."""
        return self.path / "test.json"

    @property
    def has_begun(self) -> bool:
        """Whether there is something to go on with; a training that failed before its first step left nothing.

        Of a network for each class every one has a folder of its own below.
        """
        if any(file.exists() for file in (self.checkpoint, self.metrics, self.test)):
            return True
        return self.info_file.exists() and any(ClassifierFolder(file.parent).has_begun for file in self._members())

    def _members(self) -> Iterator[Path]:
        return self.path.glob(f"*/{self.info_file.name}")

    def history(self) -> Iterator[ClassifierEpoch]:
        """The epochs that are done."""
        return self.lines(ClassifierEpoch.from_line)

    def write_results(
        self, validation: Sequence[TaskFigures], test: Sequence[TaskFigures], facts: Mapping[str, Any]
    ) -> None:
        """Writes the figures of the best weights, and facts about the training."""
        parts = {"validation": validation, "test": test}
        content = {name: [asdict(row) for row in rows] for name, rows in parts.items()}
        self.write(self.test, json_text(_plain({**facts, **content}), indent=2))

    def results(self) -> tuple[tuple[TaskFigures, ...], tuple[TaskFigures, ...], dict[str, Any]] | None:
        """What :meth:`write_results` wrote; ``None`` where the training is not over.

        Raises:
            RunError: if the file is damaged.
        """
        if not self.test.exists():
            return None
        try:
            content = json.loads(self.test.read_text(encoding="utf-8"))
            validation, test = (
                tuple(figures_from_json(row) for row in content.pop(part)) for part in ("validation", "test")
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"{self.test} cannot be read. Delete it, and go on with the training.") from error
        return validation, test, content


def figures_from_json(row: Mapping[str, Any]) -> TaskFigures:
    """Figures of a task as :func:`dataclasses.asdict` gave them; what was not measured is NaN again."""
    figures = {name: math.nan if value is None else value for name, value in row["figures"].items()}
    return TaskFigures(**{**row, "figures": figures, "classes": tuple(ClassFigures(**one) for one in row["classes"])})


def is_classifier_run(path: Path) -> bool:
    """Whether a folder is that of a classifier's training; False where there is none."""
    file = TrainingFolder(path).info_file
    try:
        return "recipe" in json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False


def _plain(data: Any) -> Any:
    """The same with ``None`` for numbers that JSON has not."""
    if isinstance(data, Mapping):
        return {key: _plain(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_plain(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data
