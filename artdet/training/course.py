"""What every backend gets to train, and how the training goes so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from artdet.data.category import Category
from artdet.data.merge import Entry, Merged
from artdet.data.training_settings import TrainingSettings
from artdet.detectors.base import Detector
from artdet.modelfiles import ModelFiles
from artdet.training.examples import DetectorClasses, Example
from artdet.training.folder import Epoch, TrainingFolder
from artdet.training.history import History
from artdet.training.pictures import Pictures
from artdet.training.validation import Figures, validated

_SMALLER_RATE = ("training.learning_rate=0.001", "training.precision=float32")


class Watch(Protocol):
    """Shows how the training goes; ``artdet train`` has one for terminals and logs."""

    def steps(self, epoch: int, epochs: int, done: int, total: int, losses: Mapping[str, float]) -> None:
        """After each step: of how many in this epoch it is."""

    def validating(self, done: int, total: int) -> None:
        """While validation runs: images."""

    def epoch(self, epoch: Epoch, epochs: int) -> None:
        """After each epoch."""

    def note(self, text: str) -> None:
        """Something worth knowing, a sentence."""


class SilentWatch:
    """Shows nothing; for tests and programs."""

    def steps(self, epoch: int, epochs: int, done: int, total: int, losses: Mapping[str, float]) -> None:
        """Nothing."""

    def validating(self, done: int, total: int) -> None:
        """Nothing."""

    def epoch(self, epoch: Epoch, epochs: int) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be trained.

    Attributes:
        data: merged sources of the category.
        examples: its training images, in the numbering of the classes; ``data.factors`` belongs to them.
        pictures: reads training images, or variants of them.
        validation: entries to validate on.
        validation_pictures: reads those, never variants.
        start: weights to begin with; ``None`` for random ones.
        device: ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"mps"``.
        threads: of the CPU.
        seed: of everything that is drawn.
        trusted: whether weights to start from, or a teacher, that are a pickle, which can run code, may be loaded.
        teacher: a network whose answers are learnt beside the boxes; ``None`` for none.
    """

    data: Merged
    examples: tuple[Example, ...]
    pictures: Pictures
    validation: tuple[Entry, ...]
    validation_pictures: Pictures
    start: ModelFiles | None
    device: str
    threads: int
    seed: int
    trusted: bool = False
    teacher: ModelFiles | None = None

    @property
    def category(self) -> Category:
        """What the detector learns."""
        return self.data.category

    @property
    def settings(self) -> TrainingSettings:
        """How it learns."""
        return self.category.settings.training

    @property
    def classes(self) -> tuple[str, ...]:
        """Names in the order of the detector's outputs."""
        return self.category.settings.classes

    @property
    def detector_classes(self) -> DetectorClasses:
        """These classes, and which belong together."""
        return DetectorClasses.of(self.classes, self.category.taxonomy)


class Course(History[Epoch]):
    """How a training goes: its epochs, which one is the best, and when it ends.

    Args:
        task: what is trained.
        folder: where everything is written.
        watch: shows progress.
        after_epoch: called with all epochs so far after each: curves, TensorBoard.
    """

    def __init__(
        self,
        task: Task,
        folder: TrainingFolder,
        watch: Watch,
        after_epoch: Callable[[Sequence[Epoch]], None] = lambda epochs: None,
    ) -> None:
        super().__init__(folder, list(folder.epochs()), smaller_rate=_SMALLER_RATE, after_epoch=after_epoch)
        self.task, self.watch = task, watch

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or none became better for as long as ``patience`` says."""
        settings = self.task.settings
        if len(self.epochs) >= settings.epochs:
            return True
        best, looked = self.best, [epoch.number for epoch in self.epochs if epoch.figures]
        return bool(settings.patience and best and looked[-1] - best.number >= settings.patience)

    def due(self, number: int) -> bool:
        """Whether an epoch, from 1, is to be validated."""
        settings = self.task.settings
        return number % settings.validate_every == 0 or number == settings.epochs

    def figures(self, detector: Detector) -> Figures:
        """Measures a detector on the validation images."""
        total, done = len(self.task.validation), 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            self.watch.validating(done, total)

        taxonomy = self.task.category.taxonomy
        return validated(detector, self.task.validation, self.task.validation_pictures, taxonomy, advance)

    def judged(self, epoch: Epoch) -> Epoch:
        """The epoch, marked if it is the best so far. Not written yet: its weights are to be saved before."""
        best = self.best
        if epoch.figures is None:
            return epoch
        is_best = best is None or best.figures is None or epoch.figures.fitness > best.figures.fitness
        return replace(epoch, best=is_best)

    def add(self, epoch: Epoch) -> None:
        """Writes down an epoch whose weights are saved."""
        super().add(epoch)
        self.watch.epoch(epoch, self.task.settings.epochs)
