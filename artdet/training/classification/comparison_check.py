"""What is wrong with one of many trainings is said before the first of them begins, not hours later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from artdet.training.classification.augmentations import check_augmentations
from artdet.training.classification.one_versus_rest import only_task
from artdet.training.classification.parts import check_parts, parts_of

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
        network = (recipe.backbone, recipe.head)
        if recipe.estimator in ("network", "one_versus_rest") and network not in built:
            parts_of(recipe, artworks.tasks, trusted=request.trusted)
            built.add(network)
