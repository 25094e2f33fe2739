"""Linear models on features that do not change: of a frozen network, or made by hand."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from artdet.classifiers.network import ClassifierNetwork, TaskHeads
from artdet.devices import resolve_device
from artdet.embedders.base import HANDMADE, Preprocessing
from artdet.embedders.handmade import handmade
from artdet.training.backends.checkpoints import save_weights
from artdet.training.classification.features import cached_features, key_of
from artdet.training.classification.folder import ClassifierFolder
from artdet.training.classification.inputs import FeatureInputs, counted
from artdet.training.classification.linear import fit_linear
from artdet.training.classification.loop import Setup
from artdet.training.classification.measuring import Measuring
from artdet.training.classification.parts import card_of, with_scales
from artdet.training.classification.sources import trained_on
from artdet.training.classification.watch import Watch
from artdet.training.pictures import Pictures

if TYPE_CHECKING:
    from artdet.training.classification.run import Outcome, Prepared, TrainingRequest


def train_linear(request: TrainingRequest, folder: ClassifierFolder, watch: Watch) -> Outcome:
    """Fits a linear model for each task, and writes it as the heads of a network.

    Raises:
        TrainingError: if a class has no training images.
    """
    from artdet.training.classification.run import finished, prepared

    begun = time.monotonic()
    by_hand = request.recipe.backbone.name.startswith(HANDMADE)
    ready, tensors = _by_hand(request, watch) if by_hand else (prepared(request, watch, features=True), {})
    setup = ready.setup
    _fit(request, setup, watch)
    network = setup.network.heads.state_dict(prefix="heads.") if by_hand else setup.network.state_dict()
    save_weights(folder, {**tensors, **network}, setup.card)
    return finished(request, folder, ready, (), seconds=time.monotonic() - begun)


def _fit(request: TrainingRequest, setup: Setup, watch: Watch) -> None:
    assert isinstance(setup.inputs, FeatureInputs), "features are computed before"
    recipe, split, targets = request.recipe, setup.partition, setup.artworks.targets
    features = setup.inputs.features
    assert recipe.estimator in ("logistic", "svm"), "others are no linear models"
    for task in setup.artworks.tasks:
        values = targets[task.name]
        found = fit_linear(
            features[split.train],
            task,
            values[split.train],
            recipe.estimator,
            class_weights=recipe.loss.class_weights,
            seed=recipe.seed,
            validation=(features[split.validation], values[split.validation]),
        )
        setup.network.heads.set_linear(task.name, torch.from_numpy(found.weight), torch.from_numpy(found.bias))
        chosen = ", ".join(f"{value:g}" for value in dict.fromkeys(found.strengths))
        watch.note(f"{task.name}: {recipe.estimator} with C {chosen}.")
        if not found.settled:
            watch.note(f"{task.name}: the fit stopped before its optimum, as it reached its limit of steps.")


def _by_hand(request: TrainingRequest, watch: Watch) -> tuple[Prepared, dict[str, torch.Tensor]]:
    """Features made by hand, a network of heads alone, and the tensors of the embedder as those of its backbone."""
    from artdet.training.classification.run import Prepared

    recipe, split, device = request.recipe, request.partition, resolve_device(request.device)
    artworks = with_scales(request.artworks, split)
    preprocessing = Preprocessing(image_size=recipe.backbone.image_size or Preprocessing().image_size)
    embedder, side = handmade(recipe.backbone.name), preprocessing.reading_side
    watch.note("Features are made by hand, once.")
    pictures = Pictures(max_side=side, kept_bytes=0)
    embedder.fit((pictures.read(artworks.paths[place]) for place in split.train), recipe.seed)
    key = key_of(embedder.tensors(), embedder.name)
    bar = counted(watch.features, len(artworks))
    features = cached_features(key, artworks.paths, embedder.features, bar=bar, max_side=side)
    network: Any = ClassifierNetwork(nn.Identity(), TaskHeads(embedder.dim, recipe.head, artworks.tasks))  # type: ignore[arg-type]
    network.to(device)
    network.backbone.name, network.backbone.preprocessing = embedder.name, preprocessing
    inputs = FeatureInputs(features, device)
    setup = Setup(
        artworks=artworks,
        partition=split,
        network=network,
        card=card_of(network, recipe, artworks.tasks, trained_on=trained_on(artworks, split)),
        inputs=inputs,
        measuring=Measuring(artworks, inputs, device, False, watch.validating),
        device=device,
        low=False,
    )
    tensors = {f"backbone.{name}": torch.from_numpy(value.copy()) for name, value in embedder.tensors().items()}
    return Prepared(setup, None, f"Features made by hand ({embedder.name}).", 0.0), tensors
