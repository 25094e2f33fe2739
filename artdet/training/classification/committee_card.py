"""The card of a committee with a network for each class, ``README.md`` in its folder."""

from __future__ import annotations

from collections.abc import Mapping

from artdet.data.artworks.collection import Artworks
from artdet.data.artworks.partition import Partition
from artdet.metrics.classification import TaskFigures
from artdet.training.classification.card import commands_again
from artdet.training.classification.card_parts import (
    classes,
    figures,
    learnt,
    licences,
    limits,
    tells,
    titled,
    write_parts,
)
from artdet.training.classification.comparison_cells import Result
from artdet.training.classification.folder import ClassifierFolder
from artdet.training.classification.recipe import Recipe
from artdet.training.classification.sources import sources_of
from artdet.training.markdown import duration, number, table
from artdet.training.provenance import LICENCE


def write_committee_card(
    folder: ClassifierFolder,
    artworks: Artworks,
    partition: Partition,
    recipe: Recipe,
    members: Mapping[str, Result],
    validation: TaskFigures,
    test: TaskFigures,
) -> None:
    """Writes the card of a committee with a network for each class.

    Args:
        folder: of the committee, with those of its members.
        artworks: learnt from.
        partition: their parts.
        recipe: how.
        members: class -> result of its network, in the order of the classes.
        validation: figures of the committee.
        test: likewise.

    Raises:
        RunError: if it cannot be written.
    """
    tasks, sources = artworks.tasks, sources_of(artworks, partition)
    views = f"{recipe.crops} views of each image" if recipe.crops > 1 else "one view of each image"
    rows = [
        (name, str(result.best), duration(result.seconds), number(result.test[tasks[0].name].get("accuracy")))
        for name, result in members.items()
    ]
    head = ("class", "best epoch", "training", "accuracy of class or rest on the test part")
    parts = [
        titled(folder, f"Tells {tasks[0].name} of artworks."),
        [
            f"- **Networks**: {len(members)}, one for each class, `{recipe.backbone.name}`; of {views} the surest "
            "network says the class. Each lies in a folder of its own, with a card.",
            f"- **Licence**: {LICENCE}; see the end for that of the data.",
            *([f"- **Follows**: {recipe.published}"] if recipe.published else []),
        ],
        tells(tasks, artworks, partition),
        learnt(sources, artworks, partition),
        ["## Networks", "", *table(head, rows)],
        figures(folder, (validation,), (test,), commands_again(folder, artworks, recipe)),
        classes((test,)),
        limits(tasks, artworks, partition, (test,)),
        licences(LICENCE, sources),
    ]
    write_parts(folder, parts)
