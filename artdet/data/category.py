"""The yaml of a category: which classes its detector learns, from which sources, and what it is validated on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from artdet.config import StrictModel, find_yaml, read_yaml, validated, with_overrides, yaml_names
from artdet.data.sources import shipped_sources
from artdet.data.training_settings import TrainingSettings
from artdet.errors import ConfigError, did_you_mean
from artdet.resources import shipped
from artdet.taxonomy import Taxonomy


def _split(value: Any) -> Any:
    part = value.get("validation") if isinstance(value, Mapping) and set(value) == {"validation"} else None
    is_share = isinstance(part, int | float) and not isinstance(part, bool) and 0 < part < 1
    if not (is_share or (isinstance(part, str) and part) or value in ("train", "validation")):
        raise ValueError(
            "must be train, validation, {validation: SHARE} with a share between 0 and 1, or {validation: FILE} with a "
            "file that has a work a line"
        )
    return value


def _pattern(value: Any) -> Any:
    if isinstance(value, str):
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"is no regular expression: {error}") from error
    return value


Split = Annotated[Literal["train", "validation"] | dict[Literal["validation"], float | str], BeforeValidator(_split)]
Pattern = Annotated[str | None, BeforeValidator(_pattern)]


class CategorySource(StrictModel):
    """One source of a category.

    Attributes:
        source: name of a source in ``configs/sources``, the yaml of one (also relative to this file), or the data.
        art: whether its images are artworks; only photographs are made to look like art, only art validates.
        split: where its images go; a share is taken by whole groups, a file (relative to this one) names the groups,
            one a line. Which groups a share takes depends on the boxes; those of a file stay when boxes are added.
        weight: how often its images belong in an epoch, beside their repeat factor; 0.5 is every other epoch.
        files: regular expression searched in an image's path; only images in which it is found are used.
        exhaustive: classes, of ours, that are boxed wherever they appear, in place of the source's own statement; for
            ``files`` that someone looked at.
        ignore: classes, of ours, whose boxes are left out.
        optional: whether training goes on without it where its data are not on this machine.
    """

    source: str = Field(min_length=1)
    art: bool
    split: Split = "train"
    weight: float = Field(default=1.0, gt=0, le=100)
    files: Pattern = None
    exhaustive: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    optional: bool = False

    @field_validator("split")
    @classmethod
    def _art_validates(cls, split: Split, info: ValidationInfo) -> Split:
        if split != "train" and info.data.get("art") is False:
            raise ValueError("validation must be art, and this source has art: false; write split: train")
        return split

    @property
    def part(self) -> float | str:
        """Of its groups, how many go to validation, or the file that names them."""
        return self.split["validation"] if isinstance(self.split, dict) else float(self.split == "validation")


class Negatives(StrictModel):
    """Images without the classes, for training.

    Attributes:
        source: as in ``CategorySource``.
        rate: share of the images of an epoch.
        files: as in ``CategorySource``.
        assume_absent: also take images in which nobody looked for the classes, as ``files`` can hardly hold any;
            without it, an image says nothing of classes that nobody looked for in it.
        art: whether these are artworks.
        optional: as in ``CategorySource``.
    """

    source: str = Field(min_length=1)
    rate: float = Field(gt=0, lt=1)
    files: Pattern = None
    assume_absent: bool = False
    art: bool = True
    optional: bool = False


class CategoryFile(StrictModel):
    """What a detector learns, and from what.

    Attributes:
        description: a sentence for people.
        classes: of ours; true boxes of other classes count as their category where it is among these.
        sources: labelled images.
        negatives: images without the classes.
        repeat_threshold: share of the images below which a class is rare (Gupta 2019); 0 repeats nothing.
        image_size: of training, in pixels.
        left_out: class of ours that the detector does not tell apart -> why, and what data would change that.
        seed: of the split, and of all that training draws.
        training: how the detector is trained.
    """

    description: str = ""
    classes: tuple[str, ...] = Field(min_length=1)
    sources: tuple[CategorySource, ...] = Field(min_length=1)
    negatives: tuple[Negatives, ...] = ()
    repeat_threshold: float = Field(default=0.05, ge=0, le=1)
    image_size: int = Field(default=512, ge=32, multiple_of=32)
    left_out: dict[str, str] = Field(default_factory=dict)
    seed: int = Field(default=0, ge=0)
    training: TrainingSettings = TrainingSettings()

    @field_validator("classes")
    @classmethod
    def _differ(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        twice = sorted({name for name in classes if classes.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)}: appears more than once")
        return classes

    @field_validator("negatives")
    @classmethod
    def _leave_room(cls, negatives: tuple[Negatives, ...]) -> tuple[Negatives, ...]:
        if sum(entry.rate for entry in negatives) >= 1:
            raise ValueError("the rates must sum to less than 1, so that images with boxes have room")
        return negatives


@dataclass(frozen=True)
class Category:
    """A checked category file.

    Attributes:
        name: of the file, without its ending.
        path: of the file.
        settings: what it says, with all ``--set`` values.
        taxonomy: of its classes.
    """

    name: str
    path: Path
    settings: CategoryFile
    taxonomy: Taxonomy


def category_names() -> list[str]:
    """Names of the shipped categories."""
    return yaml_names(shipped("configs"))


def load_category(name_or_path: str, taxonomy: Taxonomy, overrides: Sequence[str] = ()) -> Category:
    """Reads and checks a category; its data are not looked at.

    Args:
        name_or_path: a shipped category (``"animals"``) or the path of a YAML file.
        taxonomy: that its classes are of.
        overrides: ``dotted.path=value`` texts of ``--set``.

    Raises:
        ConfigError: if there is no such category; else naming every problem of the file, one a line.
    """
    path = find_yaml(name_or_path, shipped("configs"), kind="category")
    settings = validated(CategoryFile, with_overrides(read_yaml(path), overrides), where=str(path))
    wrong = [f"{path}: {problem}" for problem in _problems(settings, path, taxonomy)]
    if wrong:
        raise ConfigError("\n".join(wrong))
    return Category(path.stem, path, settings, taxonomy)


def source_place(name: str, category: Path) -> str:
    """What to load for a ``source``: a yaml beside the category's file comes before all else."""
    beside = category.parent / name
    return str(beside) if name.endswith((".yaml", ".yml")) and beside.is_file() else name


def _problems(settings: CategoryFile, path: Path, taxonomy: Taxonomy) -> Iterator[str]:
    named = [("classes", settings.classes), ("left_out", tuple(settings.left_out))]
    for index, entry in enumerate(settings.sources):
        named += [(f"sources.{index}.exhaustive", entry.exhaustive or ()), (f"sources.{index}.ignore", entry.ignore)]
    for where, names in named:
        for name in names:
            if name not in taxonomy.names:
                yield f"{where}: the taxonomy has no class '{name}'.{did_you_mean(name, taxonomy.names)}"
    known = shipped_sources()
    places = [(f"sources.{index}", entry.source) for index, entry in enumerate(settings.sources)]
    places += [(f"negatives.{index}", entry.source) for index, entry in enumerate(settings.negatives)]
    for where, name in places:
        if name not in known and not Path(source_place(name, path)).expanduser().exists():
            near = did_you_mean(name, known)
            yield f"{where}.source: there is no source '{name}', by name or as a file.{near}"
