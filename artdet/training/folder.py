"""The folder of a training run: everything that is needed to use its model, to look at it, and to go on with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from artdet.atomic import cannot_write, make_folder, whole_file
from artdet.errors import RunError
from artdet.modelfiles import MODEL_FILE, TRAINED
from artdet.runs import json_text
from artdet.training.validation import ClassFigures, Figures

FORMAT = "artdet training 1"
_Parsed = TypeVar("_Parsed")


class Line(Protocol):
    """What has a line in ``metrics.jsonl``."""

    def as_line(self) -> str:
        """The line."""


@dataclass(frozen=True)
class Epoch:
    """How one epoch went.

    Attributes:
        number: from 1.
        losses: their means over the epoch, by the backend's names; ``loss`` is their sum.
        learning_rate: at its end.
        seconds: of training, without validation.
        images: that were seen.
        figures: on validation; ``None`` where this epoch was not validated.
        best: whether its weights are the best so far.
    """

    number: int
    losses: Mapping[str, float]
    learning_rate: float
    seconds: float
    images: int
    figures: Figures | None = None
    best: bool = False

    def as_line(self) -> str:
        """One line of ``metrics.jsonl``."""
        return json_text(self.as_json())

    def as_json(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "figures": self.figures.as_json() if self.figures else None}

    @classmethod
    def from_line(cls, line: str) -> Epoch:
        """The epoch of a line."""
        data = json.loads(line)
        if (figures := data["figures"]) is not None:
            figures = Figures(**{**figures, "classes": tuple(ClassFigures(**row) for row in figures["classes"])})
        return cls(**{**data, "figures": figures})


@dataclass(frozen=True)
class TrainingFolder:
    """Where the parts of a run lie.

    Attributes:
        path: of the folder.
    """

    path: Path

    @property
    def info_file(self) -> Path:
        """What ran."""
        return self.path / "training.json"

    @property
    def metrics(self) -> Path:
        """A line for each epoch that is done."""
        return self.path / "metrics.jsonl"

    @property
    def category(self) -> Path:
        """The resolved yaml of the category: every value that counted."""
        return self.path / "category.yaml"

    @property
    def statistics(self) -> Path:
        """What was learnt from: counts, sources, licences."""
        return self.path / "data.json"

    @property
    def checkpoint(self) -> Path:
        """What the backend goes on from."""
        return self.path / "last.pt"

    @property
    def model(self) -> Path:
        """The best weights so far."""
        return self.path / MODEL_FILE

    @property
    def card(self) -> Path:
        """What the weights need to be loaded."""
        return self.model.with_suffix(".yaml")

    def info(self) -> dict[str, Any]:
        """What ran, from ``training.json``.

        Raises:
            RunError: if there is none, or it is of another version.
        """
        try:
            info: dict[str, Any] = json.loads(self.info_file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(
                f"{self.path} is no training run: {self.info_file.name} cannot be read. "
                f"Name a folder below {TRAINED} that artdet train made."
            ) from error
        if info.get("format") != FORMAT:
            raise RunError(f"{self.path} was made by another version of artdet. Train again in another folder.")
        return info

    def write_info(self, info: Mapping[str, Any]) -> None:
        """Makes the folder and says in it what runs."""
        make_folder(self.path)
        self.write(self.info_file, json_text({"format": FORMAT, **info}, indent=2))

    def write(self, file: Path, text: str) -> None:
        """Writes a text file whole or not at all."""
        with whole_file(file) as stream:
            stream.write(text.encode("utf-8"))

    def epochs(self) -> Iterator[Epoch]:
        """The epochs that are done; a line that a killed process left half is not one."""
        return self.lines(Epoch.from_line)

    def lines(self, parse: Callable[[str], _Parsed]) -> Iterator[_Parsed]:
        """What ``metrics.jsonl`` holds, up to a line that is damaged."""
        if not self.metrics.exists():
            return
        for line in self.metrics.read_text(encoding="utf-8").splitlines():
            try:
                yield parse(line)
            except (ValueError, KeyError, TypeError):
                return

    def write_epochs(self, epochs: Sequence[Line]) -> None:
        """Writes all epochs anew, whole or not at all: there are a few hundred at most."""
        self.write(self.metrics, "".join(epoch.as_line() + "\n" for epoch in epochs))

    def tensorboard(self) -> Path:
        """Folder of the TensorBoard log."""
        folder = self.path / "tensorboard"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(folder, error) from error
        return folder
