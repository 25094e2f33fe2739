"""Classifiers by name: a trained or bundled model, or a committee. Nothing heavy loads before one answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from artdet.classifiers.base import Classifier, ClassifierCard, Scores
from artdet.classifiers.classifier import load_classifier, read_classifier_card
from artdet.classifiers.committee import COMMITTEE_FILE, load_committee
from artdet.devices import cpu_threads, resolve_device
from artdet.errors import ModelError
from artdet.images import RGBImage
from artdet.modelfiles import TRAINED, ModelFiles, file_sha256, find_model
from artdet.resources import bundled_weights
from artdet.runtimes import choose_engine
from artdet.tasks import Task


@dataclass(frozen=True)
class LoadOptions:
    """How classifiers run.

    Attributes:
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"`` or ``"auto"``.
        engine: ``"auto"``, ``"torch"``, ``"onnx"`` or ``"openvino"``; hand-made features ignore it.
        precision: ``"auto"`` and ``"float32"`` are float32; ``"bfloat16"`` is quicker where the machine has it.
        threads: how many a model may use.
        crops: 1, 5 or 10 views of every image, whose answers are averaged.
    """

    device: str = "auto"
    engine: str = "auto"
    precision: str = "auto"
    threads: int = 1
    crops: int = 1

    @property
    def chosen_engine(self) -> str:
        """The engine that networks run on.

        Raises:
            InputError: if there is no such engine or device.
            MissingBackend: if it is not installed.
        """
        return choose_engine(self.engine, resolve_device(self.device))


@dataclass(frozen=True)
class NamedClassifier:
    """What a name stands for; nothing is loaded before it is asked.

    Attributes:
        name: of the model's folder, or of its file.
        classifier: loads its networks when it first classifies.
        models: the files and cards of the networks, a committee's members one by one.
        committee: the committee's file.
    """

    name: str
    classifier: Classifier
    models: tuple[tuple[ModelFiles, ClassifierCard], ...]
    committee: Path | None = None

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What it answers."""
        return self.classifier.tasks

    def fingerprint(self, options: LoadOptions) -> dict[str, str]:
        """What decides its answers beside the images: hashes of weights and cards, engine and precision."""
        marks = {"engine": options.chosen_engine, "precision": options.precision}
        if self.committee is not None:
            marks["committee_sha256"] = file_sha256(self.committee)
        for place, (files, _) in enumerate(self.models):
            end = f"_{place}" if len(self.models) > 1 else ""
            marks[f"weights_sha256{end}"] = file_sha256(files.model)
            if files.card:
                marks[f"card_sha256{end}"] = file_sha256(files.card)
        return marks

    @property
    def reading_side(self) -> int:
        """Long side in pixels that pictures are to be read at; see :class:`artdet.embedders.base.Preprocessing`."""
        return max(card.preprocessing.reading_side for _, card in self.models)


def classifier_named(name: str, options: LoadOptions | None = None) -> NamedClassifier:
    """The classifier of a name.

    Args:
        name: a folder with a model or a committee, a file, or a name as ``artdet models`` lists it.
        options: how it runs; as well as it can by default.

    Raises:
        ModelError: if there is none, or it is no classifier.
        ConfigError: if a card or a committee is wrong.
    """
    options = options or LoadOptions(threads=cpu_threads())
    committee = _committee_file(name)
    if committee is not None:
        members: list[NamedClassifier] = []

        def member(of: str) -> Classifier:
            members.append(classifier_named(of, options))
            return members[-1].classifier

        whole = load_committee(committee, member)
        models = tuple(model for named in members for model in named.models)
        return NamedClassifier(_short(committee), whole, models, committee)
    files = find_model(name, Path())
    if files is None:
        raise ModelError(f"there is no classifier '{name}'. Name a folder, or one that `artdet models` lists.")
    card = read_classifier_card(files)
    return NamedClassifier(_short(files.model), _Deferred(files, card, options), ((files, card),))


def list_committees() -> list[tuple[str, str, Path]]:
    """(name, ``"trained"`` or ``"bundled"``, file) of the committees that :func:`classifier_named` finds by name."""
    return [
        (file.parent.name, origin, file)
        for origin, folder in (("trained", TRAINED), ("bundled", bundled_weights()))
        for file in sorted(folder.glob(f"*/{COMMITTEE_FILE}"))
    ]


class _Deferred:
    """A classifier that is loaded when it is first needed."""

    def __init__(self, files: ModelFiles, card: ClassifierCard, options: LoadOptions) -> None:
        self.tasks = card.tasks
        self._files, self._options = files, options

    def classify(self, images: Sequence[RGBImage]) -> Scores:
        return self._loaded.classify(images)

    @cached_property
    def _loaded(self) -> Classifier:
        own = self._options
        return load_classifier(
            self._files,
            device=own.device,
            threads=own.threads,
            crops=own.crops,
            precision=own.precision,
            engine=own.engine,
        )


def _committee_file(name: str) -> Path | None:
    named = Path(name).expanduser()
    if named.name == COMMITTEE_FILE and named.is_file():
        return named
    folders = (folder / COMMITTEE_FILE for folder in (named, TRAINED / named, bundled_weights() / named))
    return next((file for file in folders if file.is_file()), None)


def _short(file: Path) -> str:
    return file.absolute().parent.name if file.stem in ("model", "committee") else file.stem
