"""Ensemble files: which detectors, how their boxes are fused, which rules follow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, SerializeAsAny, ValidationError, field_validator

from artdet.config import StrictModel, find_yaml, problems, read_yaml, with_overrides, yaml_names
from artdet.detections import MAX_SOURCES
from artdet.detectors.base import Augmentation, MemberSettings, ScalableSettings
from artdet.detectors.table import backend
from artdet.ensemble.fusion import FusionSettings
from artdet.ensemble.rules import RULES, RuleSettings
from artdet.errors import ConfigError, did_you_mean
from artdet.resources import shipped

Part = TypeVar("Part", bound=StrictModel)


class EnsembleSettings(StrictModel):
    """An ensemble file.

    Attributes:
        description: a sentence for people.
        max_side: pictures whose long side is over this many pixels are reduced to it before detection; boxes stay in
            pixels of the original. ``None`` leaves every picture as it is.
        members: each of its detector's own ``Settings`` class.
        fusion: how their boxes become one set.
        rules: each of its rule's own settings class, in the order in which they apply.
    """

    description: str = ""
    max_side: int | None = Field(default=1600, ge=32)
    members: tuple[SerializeAsAny[MemberSettings], ...] = Field(min_length=1, max_length=MAX_SOURCES)
    fusion: FusionSettings = FusionSettings()
    rules: tuple[SerializeAsAny[RuleSettings], ...] = ()

    @field_validator("members")
    @classmethod
    def _names_differ(cls, members: tuple[MemberSettings, ...]) -> tuple[MemberSettings, ...]:
        twice = [name for name, count in Counter(member.name for member in members).items() if count > 1]
        if twice:
            raise ValueError(f"{', '.join(twice)}: appears more than once; give each member a name of its own")
        return members

    @field_validator("rules")
    @classmethod
    def _untouched_comes_last(cls, rules: tuple[RuleSettings, ...]) -> tuple[RuleSettings, ...]:
        if "append_untouched" in [rule.rule for rule in rules[:-1]]:
            raise ValueError("append_untouched must be the last rule, since its boxes pass by all the others")
        return rules


@dataclass(frozen=True)
class EnsembleFile:
    """A checked ensemble file.

    Attributes:
        name: of the file, without its ending.
        path: of the file; ``path.parent`` is where relative paths in it start.
        settings: what it says, with all ``--set`` values.
    """

    name: str
    path: Path
    settings: EnsembleSettings

    @property
    def resolved(self) -> dict[str, Any]:
        """The complete settings, with every default, for ``run.json``; :func:`parse_ensemble` reads them back."""
        return self.settings.model_dump(mode="json")

    def with_min_score(self, score: float) -> EnsembleFile:
        """The same ensemble with one threshold for all members."""
        members = tuple(member.model_copy(update={"min_score": score}) for member in self.settings.members)
        return replace(self, settings=self.settings.model_copy(update={"members": members}))

    def with_tta(self) -> EnsembleFile:
        """The same ensemble with test-time augmentation of every member that takes it and says nothing of it itself.

        Raises:
            ConfigError: if no member takes it.
        """
        members = self.settings.members
        if not any(isinstance(member, ScalableSettings) for member in members):
            raise ConfigError(
                f"the ensemble '{self.name}' has no member that test-time augmentation is for: "
                "faces and nudity see every image once. Leave --tta out."
            )
        widened = tuple(
            member.model_copy(update={"tta": Augmentation()})
            if isinstance(member, ScalableSettings) and member.tta is None
            else member
            for member in members
        )
        return replace(self, settings=self.settings.model_copy(update={"members": widened}))


def ensemble_names() -> list[str]:
    """Names of the shipped ensembles."""
    return yaml_names(shipped("configs", "ensembles"))


def load_ensemble(name_or_path: str, overrides: Sequence[str] = ()) -> EnsembleFile:
    """Reads and checks an ensemble.

    Args:
        name_or_path: a shipped ensemble (``"default"``) or the path of a YAML file.
        overrides: ``dotted.path=value`` texts of ``--set``.

    Raises:
        ConfigError: if there is no such ensemble; else naming every problem of the file, one a line.
    """
    path = find_yaml(name_or_path, shipped("configs", "ensembles"), kind="ensemble")
    data = with_overrides(read_yaml(path), overrides)
    return EnsembleFile(path.stem, path, parse_ensemble(data, where=str(path)))


def parse_ensemble(data: Any, *, where: str) -> EnsembleSettings:
    """Checks the content of an ensemble file.

    Args:
        data: what the YAML file holds.
        where: the file that messages begin with.

    Raises:
        ConfigError: with one line per problem, ``where: members.2.image_size: what is wrong``.
    """
    if not isinstance(data, Mapping):
        kind = "nothing" if data is None else f"a {type(data).__name__}"
        raise ConfigError(f"{where}: must hold keys and values, but holds {kind}.")
    check = _Check(where)
    ready = dict(data)
    for key, parse in (("members", check.member), ("rules", check.rule)):
        if isinstance(data.get(key), list):
            ready[key] = [parse(item, f"{key}.{index}") for index, item in enumerate(data[key])]
    try:
        settings = EnsembleSettings.model_validate(ready)
    except ValidationError as error:
        check.lines = problems(error, EnsembleSettings, where) + check.lines
    if check.lines:
        raise ConfigError("\n".join(check.lines))
    return settings


@dataclass
class _Check:
    """Collects what is wrong with the parts of one file; a wrong part is stood in for, so that the rest is checked."""

    where: str
    lines: list[str] = field(default_factory=list)

    def member(self, item: Any, path: str) -> MemberSettings:
        """The settings of a member, of its backend's class."""
        name = item.get("name") if isinstance(item, Mapping) else None
        stand_in = MemberSettings.model_construct(name=name if isinstance(name, str) else path, detector="")
        if not self._has_name(item, path, "detector"):
            return stand_in
        try:
            model = backend(item["detector"]).Settings
        except ConfigError as error:
            self.lines.append(f"{self.where}: {path}.detector: {error}")
            common = {key: value for key, value in item.items() if key in MemberSettings.model_fields}
            self._part(MemberSettings, common, path)
            return stand_in
        return self._part(model, item, path) or stand_in

    def rule(self, item: Any, path: str) -> RuleSettings:
        """The settings of a rule, of its own class."""
        stand_in = RuleSettings(rule="")
        if not self._has_name(item, path, "rule"):
            return stand_in
        if item["rule"] not in RULES:
            near = did_you_mean(item["rule"], RULES)
            self.lines.append(f"{self.where}: {path}.rule: there is no rule '{item['rule']}'.{near}")
            return stand_in
        return self._part(RULES[item["rule"]].settings, item, path) or stand_in

    def _has_name(self, item: Any, path: str, key: str) -> bool:
        if not isinstance(item, Mapping):
            self.lines.append(f"{self.where}: {path}: must hold keys and values, but got {item!r}")
        elif key not in item:
            self.lines.append(f"{self.where}: {path}.{key}: is missing")
        elif not isinstance(item[key], str):
            self.lines.append(f"{self.where}: {path}.{key}: must be a name, but got {item[key]!r}")
        else:
            return True
        return False

    def _part(self, model: type[Part], item: Mapping[str, Any], path: str) -> Part | None:
        try:
            return model.model_validate(item)
        except ValidationError as error:
            for problem, line in zip(error.errors(), problems(error, model, ""), strict=True):
                told = line.removeprefix(": ")
                self.lines.append(f"{self.where}: {path}{'.' if problem['loc'] else ': '}{told}")
            return None
