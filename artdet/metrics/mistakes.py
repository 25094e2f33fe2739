"""The mistakes that are worth a picture: the surest false alarms and the largest misses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from artdet.boxes import areas
from artdet.metrics.errors import ERROR_TYPES, ErrorLabels, reached
from artdet.metrics.pairs import Pairs

PER_IMAGE = 2
"""So many pictures of each kind may be of the same image."""


class BadBox(NamedTuple):
    """A false alarm or a miss.

    Attributes:
        kind: which of the two.
        image: index of the pair.
        box: index in that pair's ``found`` (false alarm) or ``truth`` (miss).
        label: class of the box.
        score: of a false alarm; ``None`` of a miss.
        error: one of :data:`~artdet.metrics.errors.ERROR_TYPES`; of a miss that of the prediction that points at it,
            else ``missed``.
    """

    kind: Literal["false alarm", "miss"]
    image: int
    box: int
    label: int
    score: float | None
    error: str


def worst_mistakes(
    pairs: Pairs, errors: ErrorLabels, *, misses: int = 12, false_alarms: int = 12, min_score: float = 0.0
) -> list[BadBox]:
    """False alarms with the highest scores, then true boxes not found that take the largest share of their image.

    Of either kind at most two are of the same image, and no class has more than half of the places as long as others
    have candidates.

    Args:
        pairs: found and true boxes.
        errors: of these pairs.
        misses: how many misses at most.
        false_alarms: how many false alarms at most.
        min_score: a true box that only predictions below it found counts as not found.
    """
    return [
        *_spread(_false_alarms(errors, min_score), false_alarms),
        *_spread(_misses(pairs, errors, min_score), misses),
    ]


def _false_alarms(errors: ErrorLabels, min_score: float) -> Iterator[BadBox]:
    """The highest score first; of equals the earlier image."""
    alarms = errors.false_alarms
    order = np.lexsort((alarms.box, alarms.image, -alarms.score))
    for index in order[reached(alarms.score[order], min_score)].tolist():
        place, label = (int(alarms.image[index]), int(alarms.box[index])), int(alarms.label[index])
        yield BadBox("false alarm", *place, label, float(alarms.score[index]), ERROR_TYPES[alarms.kind[index]])


def _misses(pairs: Pairs, errors: ErrorLabels, min_score: float) -> Iterator[BadBox]:
    """The largest share of the image first; of equals the earlier image."""
    truths = errors.truths
    missed = truths.missed(min_score)
    order = np.argsort(-_shares(pairs, errors), kind="stable")
    for index in order[~truths.found(min_score)[order]].tolist():
        place, label = (int(truths.image[index]), int(truths.box[index])), int(truths.label[index])
        kind = "missed" if missed[index] else ERROR_TYPES[errors.false_alarms.kind[truths.pointed_by[index]]]
        yield BadBox("miss", *place, label, None, kind)


def _shares(pairs: Pairs, errors: ErrorLabels) -> NDArray[np.float64]:
    """Share (G,) of its image that each true box takes."""
    nothing = np.zeros(0)
    every = np.concatenate([nothing, *(areas(pair.truth.boxes) / np.prod(pair.truth.image_size) for pair in pairs)])
    start = np.cumsum([0, *(len(pair.truth) for pair in pairs)])
    shares: NDArray[np.float64] = every[start[errors.truths.image] + errors.truths.box]
    return shares


def _spread(candidates: Iterable[BadBox], wanted: int) -> list[BadBox]:
    """The first ``wanted`` that keep to the rules, in the order of the candidates."""
    images: Counter[int] = Counter()
    classes: Counter[int] = Counter()
    chosen: list[tuple[int, BadBox]] = []
    spare: list[tuple[int, BadBox]] = []
    for candidate in enumerate(candidates):
        if len(chosen) >= wanted:
            break
        each = candidate[1]
        if images[each.image] >= PER_IMAGE:
            continue
        if classes[each.label] >= max(wanted // 2, 1):
            spare.append(candidate)
            continue
        images[each.image] += 1
        classes[each.label] += 1
        chosen.append(candidate)
    for candidate in spare:
        if len(chosen) < wanted and images[candidate[1].image] < PER_IMAGE:
            images[candidate[1].image] += 1
            chosen.append(candidate)
    return [each for _, each in sorted(chosen, key=lambda numbered: numbered[0])]
