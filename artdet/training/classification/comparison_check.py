"""What is wrong with one of many trainings is said before the first of them begins, not hours later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from artdet.embedders.base import HANDMADE
from artdet.embedders.handmade import handmade
from artdet.training.classification.augmentations import check_augmentations
from artdet.training.classification.one_versus_rest import only_task
from artdet.training.classification.parts import LINEAR, check_parts, parts_of

if TYPE_CHECKING:
    from artdet.training.classification.run import TrainingRequest


def check_requests(requests: Sequence[TrainingRequest]) -> None:
    """Checks data and settings of trainings, and builds each network that differs from those before once.

    Raises:
        ArtdetError: as the training of the first that is wrong would.
    """
    built = set()
    for request in requests:
        recipe, artworks = request.recipe, request.artworks
        check_parts(artworks, request.partition)
        check_augmentations(recipe.augmentations)
        if recipe.estimator == "one_versus_rest":
            only_task(request)
        network = (recipe.backbone, recipe.head, recipe.estimator in LINEAR)
        if network not in built:
            _build(request)
            built.add(network)


def _build(request: TrainingRequest) -> None:
    name = request.recipe.backbone.name
    if name.startswith(HANDMADE):
        handmade(name)
    else:
        parts_of(request.recipe, request.artworks.tasks, trusted=request.trusted)
