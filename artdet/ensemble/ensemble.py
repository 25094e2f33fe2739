"""``Ensemble``: several detectors that look like one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from artdet.detections import Detections, concat
from artdet.detectors.base import Detector, LoadContext, MemberSettings, ScalableDetector, ScalableSettings
from artdet.detectors.table import backend
from artdet.ensemble.config import EnsembleFile
from artdet.ensemble.fusion import FusionSettings, Voter, fuse
from artdet.ensemble.rules import RuleSettings, among, apply_rules, check_labels, selected, untouched_labels
from artdet.ensemble.tta import AugmentedDetector, view_min_score
from artdet.errors import ModelError
from artdet.images import RGBImage
from artdet.taxonomy import Taxonomy


@dataclass(frozen=True)
class Member:
    """A detector in an ensemble."""

    name: str
    detector: Detector
    weight: float = 1.0


class Ensemble:
    """Runs every member on every image, fuses their boxes and applies the rules. It is a ``Detector`` itself."""

    def __init__(
        self,
        members: Sequence[Member],
        *,
        taxonomy: Taxonomy,
        fusion: FusionSettings | None = None,
        rules: Sequence[RuleSettings] = (),
    ) -> None:
        """Members in the order of their source bits.

        Raises:
            LabelError: if a rule names a class that the taxonomy lacks.
        """
        check_labels(rules, taxonomy)
        self._members = tuple(members)
        self._taxonomy = taxonomy
        self._fusion = fusion or FusionSettings()
        self._rules = tuple(rules)
        self._voters = [Voter(member.detector.labels, member.weight) for member in members]
        self._untouched = untouched_labels(rules, taxonomy)

    @property
    def labels(self) -> frozenset[int]:
        """Ids of the taxonomy nodes that at least one member can give."""
        return frozenset[int]().union(*(member.detector.labels for member in self._members))

    @property
    def member_names(self) -> tuple[str, ...]:
        """Names of the members; bit i of ``Detections.sources`` stands for the i-th."""
        return tuple(member.name for member in self._members)

    def detect(self, images: Sequence[RGBImage]) -> list[Detections]:
        """Fused boxes of each image, RGB uint8 (H, W, 3), in pixels of that image."""
        return [self.fuse(per_member) for per_member in self.detect_members(images)]

    def detect_members(self, images: Sequence[RGBImage]) -> list[list[Detections]]:
        """What each member gives, unfused: per image, per member."""
        if not images:
            return []
        found = [member.detector.detect(images) for member in self._members]
        return [list(per_member) for per_member in zip(*found, strict=True)]

    def fuse(self, per_member: Sequence[Detections]) -> Detections:
        """One image's boxes of all members, in the members' order, fused and put through the rules."""
        if len(per_member) != len(self._members):
            raise ValueError(f"there are {len(self._members)} members, but got boxes of {len(per_member)}")
        size = per_member[0].image_size
        marked = [part.from_source(index) for index, part in enumerate(per_member)]
        passing = [among(part, self._untouched) for part in marked]
        aside = concat([selected(part, mask) for part, mask in zip(marked, passing, strict=True)], size)
        others = [selected(part, ~mask) for part, mask in zip(marked, passing, strict=True)]
        fused = fuse(others, voters=self._voters, settings=self._fusion, taxonomy=self._taxonomy)
        return apply_rules(fused, self._rules, self._taxonomy, untouched=aside)


def load(file: EnsembleFile, context: LoadContext) -> Ensemble:
    """Loads every member; relative paths start where the file lies.

    Raises:
        ModelError: as :func:`refuse_missing`.
        LabelError: if a rule names a class that the taxonomy lacks.
    """
    settings = file.settings
    check_labels(settings.rules, context.taxonomy)
    refuse_missing(file, context)
    here = _beside(file, context)
    members = [Member(one.name, _detector(one, here, settings.fusion), one.weight) for one in settings.members]
    return Ensemble(members, taxonomy=context.taxonomy, fusion=settings.fusion, rules=settings.rules)


def _detector(settings: MemberSettings, context: LoadContext, fusion: FusionSettings) -> Detector:
    """A member's detector, on several views of every image where its settings say so."""
    load_member = backend(settings.detector).load
    if not isinstance(settings, ScalableSettings) or settings.tta is None:
        return load_member(settings, context)
    seen = settings.model_copy(update={"min_score": view_min_score(settings.min_score)})
    detector = cast(ScalableDetector, load_member(seen, context))
    least = kept_from(settings)
    return AugmentedDetector(detector, settings.tta, taxonomy=context.taxonomy, per=fusion.per, min_score=least)


def kept_from(settings: MemberSettings) -> float:
    """The lowest score of boxes that a member gives: in several views it is lower than in one."""
    views = settings.tta if isinstance(settings, ScalableSettings) else None
    return settings.min_score * (views.min_score_share if views else 1)


def missing(file: EnsembleFile, context: LoadContext) -> list[str]:
    """What the members lack, a sentence each: the member, what it is, and the command that gets it."""
    here = _beside(file, context)
    wanted = [text for one in file.settings.members for text in backend(one.detector).requirements(one, here)]
    return list(dict.fromkeys(wanted))


def refuse_missing(file: EnsembleFile, context: LoadContext) -> None:
    """Checks that all members can load, before any does.

    Raises:
        ModelError: if weights or libraries are missing, with all of them and the commands that get them.
    """
    lacking = missing(file, context)
    if lacking:
        lines = "\n".join(f"  {line}" for line in lacking)
        raise ModelError(f"the ensemble '{file.name}' is not complete. Get what it lacks:\n{lines}")


def fingerprints(file: EnsembleFile, context: LoadContext) -> dict[str, Mapping[str, str]]:
    """Per member's name, what decides its results beside the settings, for ``run.json``."""
    here = _beside(file, context)
    return {one.name: dict(backend(one.detector).fingerprint(one, here)) for one in file.settings.members}


def _beside(file: EnsembleFile, context: LoadContext) -> LoadContext:
    return replace(context, folder=file.path.parent)
