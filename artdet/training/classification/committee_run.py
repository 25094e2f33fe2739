"""Training of a network per class, and the figures of all of them together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from artdet.devices import cpu_threads, resolve_device
from artdet.training.classification.committee_card import write_committee_card
from artdet.training.classification.folder import ClassifierFolder
from artdet.training.classification.watch import Watch

if TYPE_CHECKING:
    from artdet.training.classification.run import Outcome, TrainingRequest


def train_committee(request: TrainingRequest, folder: ClassifierFolder, watch: Watch) -> Outcome:
    """Trains a network for each class into folders of their own below the run's, and measures the committee.

    Raises:
        ConfigError: if there are several tasks, or one of another kind.
        TrainingStopped: after Ctrl-C.
    """
    from artdet.classifiers.named import LoadOptions, classifier_named
    from artdet.training.classification.one_versus_rest import measured, train_one_versus_rest
    from artdet.training.classification.run import Outcome, train

    results = train_one_versus_rest(request, lambda own: train(own, watch), say=watch.note)
    # As training measures single networks: with torch, without an export.
    device, crops = resolve_device(request.device), request.recipe.crops
    options = LoadOptions(device=device, engine="torch", threads=cpu_threads(), crops=crops)
    named = classifier_named(str(folder.path), options)
    validation, test = measured(request, named.classifier, named.reading_side, watch.validating)
    seconds = sum(result.seconds for result in results)
    facts = {"epochs": 0, "best": 0, "seconds": seconds, "start": f"{len(results)} networks, one for each class."}
    members = dict(zip(request.artworks.tasks[0].classes, results, strict=True))
    write_committee_card(folder, request.artworks, request.partition, request.recipe, members, validation, test)
    folder.write_results((validation,), (test,), facts)
    return Outcome(request.folder, 0, 0, (validation,), (test,), seconds)
