"""Which classifiers answer which tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from artdet.classifiers.named import LoadOptions, NamedClassifier, classifier_named, list_committees
from artdet.errors import InputError, ModelError, did_you_mean
from artdet.modelfiles import is_classifier, list_models
from artdet.tasks import Task


@dataclass(frozen=True)
class Choice:
    """Models, and what each of them is asked.

    Attributes:
        answering: name of each task -> the model that answers it.
        notes: what else could have been chosen, a sentence each.
    """

    answering: Mapping[str, NamedClassifier]
    notes: tuple[str, ...] = ()

    @property
    def tasks(self) -> tuple[Task, ...]:
        """All that is asked, in order."""
        return tuple(_task(model, name) for name, model in self.answering.items())

    @property
    def models(self) -> tuple[NamedClassifier, ...]:
        """All that answer something, each once."""
        return tuple({id(model): model for model in self.answering.values()}.values())

    @property
    def named(self) -> dict[str, NamedClassifier]:
        """Name -> model; models of the same name go by their folders."""
        names = [model.name for model in self.models]
        return {
            name if names.count(name) == 1 else str(folder_of(model)): model
            for name, model in zip(names, self.models, strict=True)
        }

    def task_names(self, model: NamedClassifier) -> list[str]:
        """What a model is asked."""
        return [name for name, answering in self.answering.items() if answering is model]


def chosen(models: Sequence[str], tasks: Sequence[str], options: LoadOptions) -> Choice:
    """The models that answer tasks.

    Args:
        models: names or folders; the bundled ones where there are none. One that is named twice counts once.
        tasks: names; all that the models answer where there are none.
        options: how the models run.

    Raises:
        InputError: if two named models answer the same task, or none a task.
        ModelError: if a model is missing or there is no bundled one.
    """
    options.chosen_engine  # noqa: B018 - raises where there is no such engine or device
    read = [classifier_named(name, options) for name in models or _bundled()]
    named = list({_file(model).resolve(): model for model in read}.values())
    if not named:
        raise ModelError(
            "no classifier is bundled. Train one with `artdet train --task genre` and name it with --model."
        )
    offers: dict[str, list[NamedClassifier]] = {}
    for model in named:
        for task in model.tasks:
            offers.setdefault(task.name, []).append(model)
    for name in tasks:
        if name not in offers:
            raise InputError(f"no chosen model answers '{name}'.{did_you_mean(name, offers)}{_trained(name, options)}")
    wanted = {name: offers[name] for name in tasks or offers}
    twice = {name: given for name, given in wanted.items() if len(given) > 1}
    if twice and models:
        name, given = next(iter(twice.items()))
        raise InputError(
            f"{_told_apart(given)} {'both' if len(given) == 2 else 'all'} answer '{name}'. "
            "Name one of them with --model, or make a committee of them."
        )
    notes = tuple(
        f"{name} is answered by {given[0].name}; {', '.join(model.name for model in given[1:])} could too (--model)"
        for name, given in twice.items()
    )
    return Choice({name: given[0] for name, given in wanted.items()}, notes)


def folder_of(model: NamedClassifier) -> Path:
    """Where a model or committee lies, absolute."""
    return _file(model).absolute().parent


def _file(model: NamedClassifier) -> Path:
    return model.committee or model.models[0][0].model


def _told_apart(models: Sequence[NamedClassifier]) -> str:
    """Names of models, or their folders where names are alike."""
    alike = len({model.name for model in models}) < len(models)
    return " and ".join(str(folder_of(model)) if alike else model.name for model in models)


def _bundled() -> list[str]:
    models = [str(files.model) for _, origin, files in list_models() if origin == "bundled" and is_classifier(files)]
    return [*models, *(str(file) for _, origin, file in list_committees() if origin == "bundled")]


def _trained(task: str, options: LoadOptions) -> str:
    """The end of a message: which trained model would answer a task."""
    for name, origin, files in list_models():
        if origin != "trained" or not is_classifier(files):
            continue
        if task in [own.name for own in classifier_named(str(files.model), options).tasks]:
            return f" The trained model {name} does: --model {name}."
    return ""


def _task(model: NamedClassifier, name: str) -> Task:
    return next(task for task in model.tasks if task.name == name)
