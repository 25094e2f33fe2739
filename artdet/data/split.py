"""A split into training and validation that never separates an artwork and is the same on every machine."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from artdet.data.dataset import Sample
from artdet.data.listing import text_of
from artdet.errors import InputError

_NO_CLASS = -1


def validation_groups(samples: Sequence[Sample], share: float, seed: int) -> frozenset[str]:
    """Groups (artworks, series) that go to validation.

    Within each stratum (the rarest class that a group holds) the groups with the lowest hashes are taken, so neither
    the order of the samples nor the machine matters; what rounding leaves over is carried on to the next stratum.

    Args:
        samples: of one source.
        share: of the groups that go to validation, in [0, 1].
        seed: another one gives another split.
    """
    classes: dict[str, set[int]] = defaultdict(set)
    for sample in samples:
        classes[sample.group].update(sample.truth.labels.tolist())
    strata = _strata(classes)
    chosen: list[str] = []
    seen = 0
    for _, groups in strata:
        seen += len(groups)
        wanted = round(share * seen) - len(chosen)
        chosen += sorted(groups, key=lambda group: _hash(group, seed))[: max(0, wanted)]
    return frozenset(chosen)


def split_samples(samples: Sequence[Sample], share: float, seed: int) -> tuple[list[Sample], list[Sample]]:
    """Training and validation samples, each in the order given; see :func:`validation_groups`."""
    return sides(samples, validation_groups(samples, share, seed))


def listed_groups(path: Path, samples: Sequence[Sample]) -> frozenset[str]:
    """Groups that a file gives to validation, one a line; lines that begin with # say nothing.

    Raises:
        InputError: if the file cannot be read, or names none of the samples' groups.
    """
    lines = text_of(path, "The list of works", "Check 'split' of the category.").splitlines()
    named = frozenset(line.strip() for line in lines if line.strip() and not line.startswith("#"))
    if not any(sample.group in named for sample in samples):
        shown = next((f", such as '{sample.group}'" for sample in samples), "")
        raise InputError(
            f"{path} names no work of its source. Write one a line, as 'group' of the source gives it{shown}."
        )
    return named


def sides(samples: Sequence[Sample], chosen: Collection[str]) -> tuple[list[Sample], list[Sample]]:
    """Training samples, and validation samples of the chosen groups; each in the order given."""
    train = [sample for sample in samples if sample.group not in chosen]
    return train, [sample for sample in samples if sample.group in chosen]


def _strata(classes: Mapping[str, set[int]]) -> list[tuple[int, list[str]]]:
    """Groups by the rarest class that they hold, rare classes first, groups without boxes last."""
    counts = Counter(label for labels in classes.values() for label in labels)
    strata: dict[int, list[str]] = defaultdict(list)
    for group, labels in classes.items():
        strata[min(labels, key=lambda label: (counts[label], label), default=_NO_CLASS)].append(group)
    return sorted(strata.items(), key=lambda item: (item[0] == _NO_CLASS, counts[item[0]], item[0]))


def _hash(group: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}\0{group}".encode()).hexdigest()
