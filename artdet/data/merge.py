"""The sources of a category merged into what is trained on and what is validated on."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from artdet.data.category import Category, CategorySource, Negatives, source_place
from artdet.data.dataset import BACKGROUND_HASH, Dataset, Sample
from artdet.data.problems import Finding
from artdet.data.sampling import repeat_factors
from artdet.data.sources import DATA_VARIABLE, data_folder, load_dataset
from artdet.data.split import listed_groups, sides, split_samples
from artdet.errors import InputError, MissingData
from artdet.modelfiles import file_sha256
from artdet.taxonomy import Taxonomy


@dataclass(frozen=True, eq=False)
class Entry:
    """One image of a category.

    Attributes:
        source: that it comes from.
        root: absolute folder that ``sample.file`` starts from.
        licence: as the source states it.
        art: whether it is an artwork.
        weight: how often it belongs in an epoch, without its repeat factor; of negatives, the rate of their kind.
        negative: whether it is there for having no boxes.
        sample: with labels of the category's classes only. ``labelled`` still says which of them were looked for: a
            class that is not among these, itself or by its category, may be there without a box.
    """

    source: str
    root: Path
    licence: str
    art: bool
    weight: float
    negative: bool
    sample: Sample

    @property
    def path(self) -> Path:
        """Of the image."""
        return self.root / self.sample.file

    @property
    def work(self) -> tuple[str, str]:
        """The artwork: groups of different folders are different works."""
        return str(self.root), self.sample.group


@dataclass(frozen=True, eq=False)
class Merged:
    """What a category is trained and validated on.

    Attributes:
        category: whose classes the labels are.
        train: with a box of the classes, and negatives behind them.
        validation: images of art in which some of the classes were looked for.
        factors: (T,) how often each training image belongs in an epoch: repeat factor x weight.
        held_back: files left out of training, as their work, a byte-for-byte copy of them, or what they were composed
            on is in validation.
        unused: source -> images that serve neither side.
        findings: source -> what was odd about it.
        origins: source -> where its data come from, as it says; empty where it does not.
        absent: optional sources whose data are not on this machine; the category is without them.
    """

    category: Category
    train: tuple[Entry, ...]
    validation: tuple[Entry, ...]
    factors: NDArray[np.float64]
    held_back: tuple[str, ...]
    unused: Mapping[str, int]
    findings: Mapping[str, tuple[Finding, ...]]
    origins: Mapping[str, str]
    absent: tuple[str, ...] = ()

    @property
    def shared_works(self) -> frozenset[tuple[str, str]]:
        """Artworks on both sides: none."""
        return frozenset(e.work for e in self.train) & frozenset(e.work for e in self.validation)


def merged(category: Category, *, skip_missing: bool = False) -> Merged:
    """Reads all sources of a category and brings them together.

    Args:
        category: what is to be learnt from what.
        skip_missing: whether all sources are optional.

    Raises:
        InputError: in one sentence, if data are missing; if a list of works is none; or if nothing is left to train or
            validate on.
        ConfigError: if the yaml of a source is wrong.
        LabelError: if class names are unknown.
    """
    datasets, absent = _datasets(category, skip_missing)
    category = _without(category, absent)
    settings = category.settings
    train: list[Entry] = []
    validation: list[Entry] = []
    for source in settings.sources:
        learnt, checked = _sides(source, datasets[source.source], category)
        train += learnt
        validation += checked
    validation = _each_once(validation)
    train += [e for n in settings.negatives for e in _negatives(n, datasets[n.source], category)]
    train, held_back = _apart(_each_once(train), validation)
    for side, entries in (("train", train), ("validate", validation)):
        if not any(len(entry.sample.truth) for entry in entries):
            raise InputError(f"The sources of {category.name} leave no box to {side} on. Check 'sources' and 'split'.")
    train = [*(e for e in train if not e.negative), *(e for e in train if e.negative)]
    used = {entry.path for entry in (*train, *validation)}
    return Merged(
        category,
        tuple(train),
        tuple(validation),
        _factors(train, settings.negatives, settings.repeat_threshold),
        tuple(held_back),
        {name: sum(d.root / s.file not in used for s in d) for name, d in datasets.items()},
        {name: dataset.findings for name, dataset in datasets.items()},
        {dataset.name: dataset.origin for dataset in datasets.values()},
        absent,
    )


def _without(category: Category, absent: Sequence[str]) -> Category:
    """The category without some sources."""
    parts = {
        part: tuple(entry for entry in getattr(category.settings, part) if entry.source not in absent)
        for part in ("sources", "negatives")
    }
    return replace(category, settings=category.settings.model_copy(update=parts)) if absent else category


def _datasets(category: Category, skip_missing: bool) -> tuple[dict[str, Dataset], tuple[str, ...]]:
    """Every source that is named, read once; and those that are not here and need not be.

    Raises:
        InputError: naming all whose data are missing.
    """
    settings = category.settings
    entries: tuple[CategorySource | Negatives, ...] = (*settings.sources, *settings.negatives)
    needed = set() if skip_missing else {entry.source for entry in entries if not entry.optional}
    found: dict[str, Dataset] = {}
    absent: dict[str, str] = {}
    for name in dict.fromkeys(entry.source for entry in entries):
        try:
            dataset = load_dataset(source_place(name, category.path), taxonomy=category.taxonomy)
        except MissingData as error:
            absent[name] = _place(error.source, error.wanted, error.origin)
            continue
        if any(finding.kind == "sizes_from_annotation" for finding in dataset.findings):
            absent[name] = _place(dataset.name, dataset.images or str(dataset.root), dataset.origin)
        else:
            found[name] = dataset
    if lacking := [text for name, text in absent.items() if name in needed]:
        raise InputError(
            f"The data of {len(lacking)} of the {len(needed)} sources of {category.name} are not on this machine: "
            f"{', '.join(lacking)}; get each from the origin named behind it, lay it under the path named before that "
            f"into one folder, and set {DATA_VARIABLE} to that folder (now {data_folder()}), or train on what is "
            f"there, and on photographs that `artdet data fetch --category {category.name}` gets, with --skip-missing."
        )
    return found, tuple(absent)


def _place(name: str, wanted: str, origin: str) -> str:
    """A source that is not here: the path to lay it under, and where to get it."""
    return f"{name} ({wanted}{'; ' if origin else ''}{origin})"


def _sides(source: CategorySource, dataset: Dataset, category: Category) -> tuple[list[Entry], list[Entry]]:
    """What one source gives to training and to validation."""
    taxonomy = category.taxonomy
    classes = taxonomy.ids_of(category.settings.classes)
    samples = [reduced(s, classes, taxonomy, source) for s in dataset if s.annotated and _matches(source.files, s)]
    samples = [sample for sample in samples if len(sample.truth) or sample.labelled]
    if isinstance(source.part, str):
        train, validation = sides(samples, listed_groups(category.path.parent / source.part, samples))
    else:
        train, validation = split_samples(samples, source.part, category.settings.seed)

    def entries(side: Iterable[Sample]) -> list[Entry]:
        return [
            Entry(dataset.name, dataset.root, dataset.licence, source.art, source.weight, negative=False, sample=sample)
            for sample in side
        ]

    return entries(s for s in train if len(s.truth)), entries(s for s in validation if s.labelled)


def reduced(sample: Sample, classes: frozenset[int], taxonomy: Taxonomy, source: CategorySource) -> Sample:
    """A sample with the category's classes only.

    A box of another class becomes one of its category where that is among the classes, and is left out otherwise.
    ``labelled`` keeps what says something of the classes: themselves, and their categories.

    Args:
        sample: with labels of the taxonomy.
        classes: ids of the detector's classes.
        taxonomy: of them.
        source: with ``exhaustive`` and ``ignore``.
    """
    labels = taxonomy.nearest(classes)[sample.truth.labels]
    kept = (labels >= 0) & ~np.isin(sample.truth.labels, list(taxonomy.ids_of(source.ignore)))
    labelled = sample.labelled if source.exhaustive is None else taxonomy.ids_of(source.exhaustive)
    return replace(
        sample,
        truth=sample.truth[kept].relabelled(labels[kept]),
        crowd=sample.crowd[kept],
        difficult=sample.difficult[kept],
        labelled=labelled & (classes | frozenset(taxonomy.coarse_of(np.array(sorted(classes))).tolist())),
    )


def _negatives(negatives: Negatives, dataset: Dataset, category: Category) -> list[Entry]:
    """Images that hold none of the classes, as far as someone looked or may assume it; weighed later."""
    taxonomy, names = category.taxonomy, category.settings.classes
    classes = taxonomy.ids_of(names)
    wanted = np.array(sorted(classes))
    plain = CategorySource(source=negatives.source, art=negatives.art)
    entries = []
    for sample in dataset:
        if not (sample.annotated and _matches(negatives.files, sample)):
            continue
        own = reduced(sample, classes, taxonomy, plain)
        absent = wanted[taxonomy.among(wanted, own.labelled)]
        if len(own.truth) or not (negatives.assume_absent or len(absent)):
            continue
        # Of classes that nobody looked for, the image says nothing.
        own = replace(own, labelled=classes if negatives.assume_absent else frozenset(absent.tolist()))
        entries.append(Entry(dataset.name, dataset.root, dataset.licence, negatives.art, negatives.rate, True, own))
    return entries


def _matches(pattern: str | None, sample: Sample) -> bool:
    return pattern is None or re.search(pattern, sample.file) is not None


def _each_once(entries: Sequence[Entry]) -> list[Entry]:
    first: dict[Path, Entry] = {}
    for entry in entries:
        first.setdefault(entry.path, entry)
    return list(first.values())


def _apart(train: Sequence[Entry], validation: Sequence[Entry]) -> tuple[list[Entry], list[str]]:
    """Training without the works of validation, and the files that this costs."""
    works = {entry.work for entry in validation}
    contents = _Contents(entry.path for entry in validation)
    kept, held_back = [], []
    for entry in train:
        behind = entry.sample.fields.get(BACKGROUND_HASH)
        if entry.work in works or contents.has(entry.path) or (behind and behind in contents.hashes):
            held_back.append(str(entry.path))
        else:
            kept.append(entry)
    return kept, held_back


class _Contents:
    """Which bytes some files have; for copies only files of equal length are read."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._by_length: dict[int, list[Path]] = defaultdict(list)
        for path in paths:
            self._by_length[os.path.getsize(path)].append(path)

    def has(self, path: Path) -> bool:
        """Whether one of the files is byte for byte the same."""
        same_length = self._by_length.get(os.path.getsize(path), ())
        return any(other.read_bytes() == path.read_bytes() for other in same_length)

    @cached_property
    def hashes(self) -> frozenset[str]:
        """SHA-256 of all of them; computed where composed pictures ask for it."""
        return frozenset(file_sha256(path) for paths in self._by_length.values() for path in paths)


def _factors(train: Sequence[Entry], negatives: Sequence[Negatives], threshold: float) -> NDArray[np.float64]:
    """(T,) repeat factor x weight; negatives share what their rate asks for, each at most once an epoch."""
    positive = [entry for entry in train if not entry.negative]
    weights = np.array([entry.weight for entry in positive])
    factors = repeat_factors([entry.sample.truth.labels for entry in positive], threshold) * weights
    # What the epoch comes to with all negatives in it.
    whole = factors.sum() / (1 - sum(entry.rate for entry in negatives))
    rest = [(entry.source, entry.weight) for entry in train if entry.negative]
    counts = Counter(rest)
    each = [min(1.0, rate * whole / counts[source, rate]) for source, rate in rest]
    return np.concatenate([factors, np.array(each, dtype=np.float64)])
