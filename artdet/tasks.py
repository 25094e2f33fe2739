"""What is to be told of an artwork as a whole: its genre, style, artist, year, materials."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from artdet.config import StrictModel

Kind = Literal["label", "labels", "number"]


class Task(StrictModel):
    """One question about an artwork, as models carry it.

    Attributes:
        name: ``genre``.
        kind: exactly one of the classes, any number of them, or a number such as the year.
        classes: names, in the order of the outputs; none for a number.
        tolerance: a number that is off by at most so much counts as right, in its own unit.
        mean: of the training images, for a number; the network answers in deviations from it.
        deviation: of the training images, likewise.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    kind: Kind
    classes: tuple[str, ...] = ()
    tolerance: float = Field(default=50.0, gt=0)
    mean: float = 0.0
    deviation: float = Field(default=1.0, gt=0)

    @model_validator(mode="after")
    def _classes_fit_kind(self) -> Task:
        if self.kind == "number" and self.classes:
            raise ValueError("a number has no classes")
        if self.kind != "number" and len(set(self.classes)) < max(len(self.classes), 2):
            raise ValueError("needs two classes or more, each once")
        return self

    @property
    def outputs(self) -> int:
        """How many numbers a network gives for it."""
        return len(self.classes) or 1
