"""Rules that tidy up fused boxes, most of them the Getty report's: pure functions, in the order a YAML file lists them.

None raises the number of boxes, and applying one twice is the same as once. A new rule is a settings class, a function
and a row in ``RULES``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationInfo, field_validator

from artdet.boxes import areas, covered, ious
from artdet.config import StrictModel
from artdet.detections import Detections, concat
from artdet.errors import LabelError
from artdet.taxonomy import Taxonomy


class RuleSettings(StrictModel):
    """Base of every rule's settings; ``rule`` is its key in ``RULES``."""

    rule: str


class PreferSpecific(RuleSettings):
    """See :func:`prefer_specific`."""

    rule: Literal["prefer_specific"] = "prefer_specific"
    iou: float = Field(default=0.7, gt=0, le=1)


class KeepOutermost(RuleSettings):
    """See :func:`keep_outermost`; ``inside`` is the share of a box that must lie inside the larger one.

    ``ratio`` is how sure the larger one must be, beside the smaller; at 0, the report's rule, scores do not matter.
    """

    rule: Literal["keep_outermost"] = "keep_outermost"
    labels: tuple[str, ...] = ("flower", "fruit", "produce", "ship")
    inside: float = Field(default=0.9, gt=0, le=1)
    ratio: float = Field(default=0, ge=0, le=1)


class DropFrameFilling(RuleSettings):
    """See :func:`drop_frame_filling`; ``share`` is that of the picture's area."""

    rule: Literal["drop_frame_filling"] = "drop_frame_filling"
    labels: tuple[str, ...] = ("building",)
    share: float = Field(default=0.85, gt=0, le=1)


class KeepSurest(RuleSettings):
    """See :func:`keep_surest`; ``categories`` stand for themselves and all their classes.

    ``weights`` are those of the categories' scores, 1 for each that has none: models are not sure on one scale. Boxes
    below ``least`` drop nothing.
    """

    rule: Literal["keep_surest"] = "keep_surest"
    categories: tuple[str, ...] = ("persons", "animals")
    weights: dict[str, float] = Field(default_factory=dict)
    iou: float = Field(default=0.6, gt=0, le=1)
    least: float = Field(default=0, ge=0, le=1)

    @field_validator("weights")
    @classmethod
    def _of_categories(cls, weights: dict[str, float], info: ValidationInfo) -> dict[str, float]:
        strange = [name for name in weights if name not in info.data.get("categories", ())]
        if strange or min(weights.values(), default=1.0) <= 0:
            raise ValueError("weights are above 0, for names in categories")
        return weights


class AppendUntouched(RuleSettings):
    """See :func:`append_untouched`; ``categories`` stand for themselves and all their classes."""

    rule: Literal["append_untouched"] = "append_untouched"
    categories: tuple[str, ...] = ("faces",)


def prefer_specific(found: Detections, settings: PreferSpecific, taxonomy: Taxonomy) -> Detections:
    """Drops a box with a category's own label where one with a class of that category overlaps it by over ``iou``."""
    fine = taxonomy.is_fine(found.labels)
    if fine.all() or not fine.any():
        return found
    category = taxonomy.coarse_of(found.labels)
    known = (category[:, None] == category[fine]) & (ious(found.boxes, found.boxes[fine]) > settings.iou)
    return selected(found, fine | ~known.any(axis=1))


def keep_outermost(found: Detections, settings: KeepOutermost, taxonomy: Taxonomy) -> Detections:
    """Drops a box that lies (nearly) inside a larger one of the same label that is sure enough.

    Of two equal boxes the surer stays.
    """
    chosen = np.flatnonzero(among(found, taxonomy.ids_of(settings.labels)))
    if len(chosen) < 2:
        return found
    some = found[chosen]
    size = areas(some.boxes)
    rank = np.empty(len(some), dtype=np.int64)
    rank[np.lexsort((*some.boxes.T[::-1], -some.scores, -size))] = np.arange(len(some))
    inside = covered(some.boxes, some.boxes) >= settings.inside
    inner = inside & (some.labels[:, None] == some.labels) & (rank[:, None] > rank)
    inner &= some.scores >= settings.ratio * some.scores[:, None]
    keep = np.ones(len(found), dtype=bool)
    keep[chosen[inner.any(axis=1)]] = False
    return selected(found, keep)


def drop_frame_filling(found: Detections, settings: DropFrameFilling, taxonomy: Taxonomy) -> Detections:
    """Drops boxes of the labels that fill more than ``share`` of the picture: the model took the scene for a thing."""
    height, width = found.image_size
    fills = areas(found.boxes) > settings.share * height * width
    return selected(found, ~(fills & among(found, taxonomy.ids_of(settings.labels))))


def keep_surest(found: Detections, settings: KeepSurest, taxonomy: Taxonomy) -> Detections:
    """Drops a box where a surer one of another of the categories overlaps it by over ``iou``: both are one thing.

    A rider and the horse overlap less than that.
    """
    chosen = np.flatnonzero(among(found, taxonomy.expanded(settings.categories)))
    category = taxonomy.coarse_of(found.labels)
    some = found[chosen]
    weight = {taxonomy.id_of(name): value for name, value in settings.weights.items()}
    sure = some.scores * [weight.get(label, 1.0) for label in category[chosen].tolist()]
    chosen = chosen[np.lexsort((some.labels, *some.boxes.T[::-1], -sure))]
    overlap = ious(found.boxes[chosen], found.boxes[chosen]) > settings.iou
    clash = overlap & (category[chosen, None] != category[chosen]) & (found.scores[chosen] >= settings.least)
    keep = np.ones(len(found), dtype=bool)
    for place, index in enumerate(chosen.tolist()):
        keep[index] = not (clash[place, :place] & keep[chosen[:place]]).any()
    return selected(found, keep)


def append_untouched(found: Detections, settings: AppendUntouched, taxonomy: Taxonomy) -> Detections:
    """Puts the boxes of the categories last, highest score first; they passed by fusion and the other rules."""
    last = among(found, taxonomy.expanded(settings.categories))
    if not last.any():
        return found
    return concat([found[~last], found[last].sorted()], found.image_size)


class Rule(NamedTuple):
    """A row of ``RULES``."""

    settings: type[RuleSettings]
    apply: Callable[[Detections, Any, Taxonomy], Detections]


RULES = {
    "prefer_specific": Rule(PreferSpecific, prefer_specific),
    "keep_outermost": Rule(KeepOutermost, keep_outermost),
    "drop_frame_filling": Rule(DropFrameFilling, drop_frame_filling),
    "keep_surest": Rule(KeepSurest, keep_surest),
    "append_untouched": Rule(AppendUntouched, append_untouched),
}


def apply_rules(
    found: Detections, rules: Sequence[RuleSettings], taxonomy: Taxonomy, *, untouched: Detections
) -> Detections:
    """All rules in order.

    Args:
        found: fused boxes.
        rules: settings of the rules.
        taxonomy: the classes that labels and rules mean.
        untouched: boxes that passed by fusion, for ``append_untouched``; empty where that rule is not listed.
    """
    for rule in rules:
        if isinstance(rule, AppendUntouched):
            found = concat([found, untouched], found.image_size) if len(untouched) else found
        found = RULES[rule.rule].apply(found, rule, taxonomy)
    return found


def untouched_labels(rules: Sequence[RuleSettings], taxonomy: Taxonomy) -> frozenset[int]:
    """Ids of the nodes whose boxes pass by fusion and rules, because ``append_untouched`` is listed for them."""
    names = [name for rule in rules if isinstance(rule, AppendUntouched) for name in rule.categories]
    return taxonomy.expanded(names)


def check_labels(rules: Sequence[RuleSettings], taxonomy: Taxonomy) -> None:
    """Looks up every class name in the rules.

    Raises:
        LabelError: if the taxonomy lacks one, with its place in the file.
    """
    for index, rule in enumerate(rules):
        for field in ("labels", "categories"):
            try:
                taxonomy.ids_of(getattr(rule, field, ()))
            except LabelError as error:
                raise LabelError(f"rules.{index}.{field}: {error}") from error


def among(found: Detections, ids: frozenset[int]) -> NDArray[np.bool_]:
    """Which boxes (N,) carry one of the labels ``ids``."""
    return np.array([label in ids for label in found.labels.tolist()], dtype=bool)


def selected(found: Detections, mask: NDArray[np.bool_]) -> Detections:
    """``found[mask]``; where that is all of them, the same object."""
    return found if mask.all() else found[mask]
