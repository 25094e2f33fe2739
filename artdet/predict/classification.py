"""One call of ``artdet classify``: from what the user asked for to a finished run folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artdet.classifiers.named import LoadOptions
from artdet.devices import cpu_threads
from artdet.images.finder import Found, find_images
from artdet.images.reader import DEFAULT_MAX_PIXELS, ReadImage
from artdet.predict.choice import Choice, chosen, folder_of
from artdet.predict.continuation import started_or_continued
from artdet.predict.identity import circumstances
from artdet.predict.journal import Journal
from artdet.predict.prediction import pictures_name
from artdet.predict.reading import ReadSettings
from artdet.predict.runner import Tally, answer_files
from artdet.runs import Label, Record
from artdet.tasks import Task

RUNS = Path("runs") / "classify"

LIKELY = 0.5
"""Of several labels those at least so probable are kept, however many ``top_k`` asks for."""

ALL_OF = 30
"""Of tasks with up to so many classes all are kept by default, so that loss and calibration can be measured."""

_TOP_K = 3
"""Of tasks with more classes, so many are."""


@dataclass(frozen=True)
class Request:
    """What the user asked for; the command line's options by their names.

    Attributes:
        paths: folders, files or globs.
        tasks: names; all that the models answer by default.
        models: names or folders; the bundled ones by default.
        out: the run folder; named after the pictures' folder below ``runs/classify`` by default.
        top_k: so many of the likeliest classes are kept; ``None`` keeps all of tasks with up to ``ALL_OF``.
        crops: 1, 5 or 10 views of each image, whose answers are averaged.
        limit: only so many images, the first ones.
    """

    paths: Sequence[str]
    tasks: Sequence[str] = ()
    models: Sequence[str] = ()
    out: Path | None = None
    top_k: int | None = None
    crops: int = 1
    recursive: bool = False
    limit: int | None = None
    max_pixels: int = DEFAULT_MAX_PIXELS
    device: str = "auto"
    engine: str = "auto"
    precision: str = "auto"
    batch: int = 16
    overwrite: bool = False
    retry_failed: bool = False


@dataclass(frozen=True)
class Classification:
    """A classification that is ready to run.

    Attributes:
        folder: the run folder.
        found: the images.
        files: those of them that this call is about, in order.
        choice: which model answers which task.
    """

    request: Request
    folder: Path
    found: Found
    files: tuple[str, ...]
    choice: Choice
    options: LoadOptions = field(repr=False)

    def run(self, progress: Callable[[int], None]) -> Tally:
        """Prepares the folder, loads the models if there is work for them, and goes through the images.

        Args:
            progress: called once with how many images were done before, then with 1 after each image.

        Raises:
            RunError: if the folder cannot be used.
            ModelError: if weights or libraries are missing.
        """
        asked = self.request
        return started_or_continued(
            self.folder,
            self._described(),
            lambda journal: self._classify(journal, lambda _: progress(1)),
            files=self.files,
            overwrite=asked.overwrite,
            retry_failed=asked.retry_failed,
            progress=progress,
        )

    def _classify(self, journal: Journal, progress: Callable[[Record], None]) -> Tally:
        asked, threads = self.request, self.options.threads
        for model in self.choice.models:
            model.classifier.classify([])  # loads it, which the pace of the images shall not count
        reading = ReadSettings(
            max_side=self.max_side,
            max_pixels=asked.max_pixels,
            threads=threads,
            window=asked.batch + 2 * threads,
        )
        return answer_files(
            self.files,
            self.found.root,
            _Classifying(self.choice, asked.top_k),
            journal,
            reading=reading,
            batch=asked.batch,
            progress=progress,
        )

    @property
    def max_side(self) -> int:
        """Pixels that the long side of a picture is reduced to while it is read."""
        return max(model.reading_side for model in self.choice.models)

    def _described(self) -> dict[str, Any]:
        """The content of ``run.json``."""
        asked = self.request
        return {
            "kind": "classify",
            "root": str(self.found.root),
            "tasks": [task.model_dump(mode="json") for task in self.choice.tasks],
            "models": {
                name: {**model.fingerprint(self.options), "tasks": self.choice.task_names(model)}
                for name, model in self.choice.named.items()
            },
            "model_folders": {name: str(folder_of(model)) for name, model in self.choice.named.items()},
            "reading": {"max_pixels": asked.max_pixels, "max_side": self.max_side},
            "top_k": asked.top_k,
            "crops": asked.crops,
            **circumstances(self.options.device),
        }


def plan(request: Request) -> Classification:
    """Checks everything that can be checked before models load.

    Raises:
        InputError: if there are no images, or no such device, engine or task.
        ModelError: if a model is missing.
        ConfigError: if a card is wrong.
    """
    options = LoadOptions(request.device, request.engine, request.precision, cpu_threads(), request.crops)
    choice = chosen(request.models, request.tasks, options)
    found = find_images(request.paths, recursive=request.recursive)
    out = request.out or _default_folder(request, found)
    return Classification(request, out, found, found.files[: request.limit], choice, options)


def labels_of(task: Task, scores: NDArray[np.float32], top_k: int | None = None) -> tuple[Label, ...]:
    """The answer to a task in the form of a run folder: probabilities to 0.0001, numbers to 0.01.

    Args:
        scores: (outputs,) of one image; see :data:`artdet.classifiers.base.Scores`.
        top_k: so many of the likeliest classes, see :class:`Request`; where several labels may hold, all that are
            ``LIKELY`` too.
    """
    if task.kind == "number":
        return (Label(value=round(float(scores[0]), 2)),)
    order = np.argsort(-scores, kind="stable")
    likely = int((scores >= LIKELY).sum()) if task.kind == "labels" else 0
    if top_k is None:
        top_k = len(order) if len(order) <= ALL_OF else _TOP_K
    kept = order[: max(top_k, likely)].tolist()
    return tuple(Label(task.classes[place], round(float(scores[place]), 4)) for place in kept)


class _Classifying:
    """The answers about images, as an :data:`artdet.predict.runner.Answer`."""

    def __init__(self, choice: Choice, top_k: int | None) -> None:
        self._choice = choice
        self._top_k = top_k

    def __call__(self, images: Sequence[ReadImage]) -> list[Record]:
        pixels = [image.pixels for image in images]
        scores: dict[str, NDArray[np.float32]] = {}
        for model in self._choice.models:
            given = model.classifier.classify(pixels)
            scores |= {name: given[name] for name in self._choice.task_names(model)}
        return [self._record(image, place, scores) for place, image in enumerate(images)]

    def _record(self, image: ReadImage, place: int, scores: dict[str, NDArray[np.float32]]) -> Record:
        answers = {task.name: labels_of(task, scores[task.name][place], self._top_k) for task in self._choice.tasks}
        return Record("", image.sha256, image.original_size, warnings=image.warnings, classifications=answers)


def _default_folder(request: Request, found: Found) -> Path:
    """The run folder where none is named: the same for the same question, so that a repeat goes on."""
    models = dict.fromkeys(Path(name).name for name in request.models)
    views = [f"{request.crops}crops"] if request.crops > 1 else []
    return RUNS / "-".join([pictures_name(request.paths, found), *request.tasks, *models, *views])
