"""Training of a network per class, and the figures of all of them together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from artdet.devices import cpu_threads, resolve_device
from artdet.modelfiles import ModelFiles
from artdet.training.classification.folder import ClassifierFolder
from artdet.training.classification.watch import Watch

if TYPE_CHECKING:
    from artdet.classifiers.base import Classifier
    from artdet.training.classification.run import Outcome, TrainingRequest


def train_committee(request: TrainingRequest, folder: ClassifierFolder, watch: Watch) -> Outcome:
    """Trains a network for each class into folders of their own below the run's, and measures the committee.

    Raises:
        ConfigError: if there are several tasks, or one of another kind.
        TrainingStopped: after Ctrl-C.
    """
    from artdet.classifiers.classifier import load_classifier
    from artdet.training.classification.one_versus_rest import measured, train_one_versus_rest
    from artdet.training.classification.run import Outcome, train

    results = train_one_versus_rest(request, lambda own: train(own, watch), say=watch.note)
    device = resolve_device(request.device)

    def loader(path: str) -> Classifier:
        own = ClassifierFolder(type(folder.path)(path))
        files = ModelFiles(own.model, own.card)
        return load_classifier(files, device=device, threads=cpu_threads(), crops=request.recipe.crops)

    validation, test = measured(request, loader, watch.validating)
    seconds = sum(result.seconds or 0.0 for result in results)
    facts = {"epochs": 0, "best": 0, "seconds": seconds, "start": f"{len(results)} networks, one for each class."}
    folder.write_results((validation,), (test,), facts)
    return Outcome(request.folder, 0, 0, (validation,), (test,), seconds)
