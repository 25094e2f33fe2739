"""From what a reader gave to a ``Dataset``: labels of our taxonomy, checked boxes, fields and groups."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from artdet.data.checks import BoxTable, Measured, box_table, checked, measured
from artdet.data.dataset import Dataset, Sample
from artdet.data.fields import FieldRules
from artdet.data.problems import Finding, Problems
from artdet.data.raw import RawBox, RawImage, RawSet
from artdet.data.relabelling import relabelled
from artdet.data.settings import SourceFile
from artdet.detections import Detections
from artdet.errors import LabelError, did_you_mean
from artdet.labelmaps import IGNORED_ID, LabelMap
from artdet.resources import shipped
from artdet.taxonomy import IGNORE, Taxonomy

_SHOWN = 20


@dataclass(frozen=True)
class _Labels:
    """What the class names of a source mean.

    Attributes:
        ids: name in the source -> id of the taxonomy or ``IGNORED_ID``.
        declared: ids that the names lead to: what was looked for, where nothing else tells.
        exhaustive: ids that the settings of the source give for all its images.
        taxonomy: of the ids.
    """

    ids: dict[str, int]
    declared: frozenset[int]
    exhaustive: frozenset[int] | None
    taxonomy: Taxonomy

    def of(self, box: RawBox) -> int:
        """Id of a box's class, or ``IGNORED_ID``."""
        return self.ids[box.name] if box.label is None else self.taxonomy.id_of(box.label)


def assemble(raw: RawSet, source: SourceFile, *, name: str, taxonomy: Taxonomy, problems: Problems) -> Dataset:
    """Checks everything that a reader gave; what is odd is mended or left out, and always noted.

    Args:
        raw: names and numbers as the source has them.
        source: with ``path`` absolute.
        name: of the data set, in messages too.
        taxonomy: of the labels.
        problems: with what the reader noted; gets the rest.

    Raises:
        LabelError: naming every class that the label map or the taxonomy does not know.
        ConfigError: for a wrong expression in ``fields`` or ``group``.
        InputError: if nothing can be found out about the images' sizes, or the table of fields cannot be used.
    """
    images = _each_once(raw.images, problems)
    if source.relabelled is not None:
        images = relabelled(images, Path(source.relabelled), taxonomy, problems)
    labels = _labels(images, raw.vocabulary, source, name, taxonomy)
    rules = FieldRules.of(source, images, where=name)
    kept = measured(images, raw.root, problems)
    boxes = checked(box_table(kept, labels.of), kept, taxonomy.names, problems)
    rows = boxes.of_images(len(kept))
    samples = [_sample(entry, own, labels, rules, taxonomy) for entry, own in zip(kept, rows, strict=True)]
    for sample, entry in zip(samples, kept, strict=True):
        _note(sample, entry.image, taxonomy, problems)
    licence = source.licence or raw.licence
    findings, folder = problems.findings(), source.images or ""
    return Dataset(name, raw.root, tuple(samples), taxonomy, findings, licence, source.origin, folder)


def find_copies(dataset: Dataset) -> Finding | None:
    """Images that are byte for byte the same as an earlier one; ``None`` where there are none.

    Only files of the same length are read. Images that are not at hand are passed over.
    """
    by_length: dict[int, list[str]] = defaultdict(list)
    for sample in dataset:
        path = dataset.root / sample.file
        if os.path.isfile(path):
            by_length[os.path.getsize(path)].append(sample.file)
    problems = Problems()
    for files in by_length.values():
        first: dict[bytes, str] = {}
        for file in files if len(files) > 1 else ():
            digest = _digest(dataset.root / file)
            original = file if digest is None else first.setdefault(digest, file)
            if original != file:
                problems.add("copy", f"{file} = {original}")
    return next(iter(problems.findings()), None)


def _digest(path: Path) -> bytes | None:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").digest()
    except OSError:  # unreadable images are a finding of their own
        return None


def _each_once(images: Iterable[RawImage], problems: Problems) -> list[RawImage]:
    """The first of each file, in the order of the files."""
    first: dict[str, RawImage] = {}
    for image in images:
        if image.file in first:
            problems.add("duplicate_image", image.file)
        else:
            first[image.file] = image
    return [first[file] for file in sorted(first)]


def _labels(
    images: Sequence[RawImage], vocabulary: Sequence[str] | None, source: SourceFile, name: str, taxonomy: Taxonomy
) -> _Labels:
    label_map = LabelMap.load(source.label_map)
    met = dict.fromkeys(box.name for image in images for box in image.boxes)
    # Without a vocabulary, the label map's names are what the source could have said.
    declared = vocabulary if vocabulary is not None else label_map.labels or ()
    names = list(dict.fromkeys([*declared, *met]))
    if label_map.labels is None:
        _check_own_names(names, name, taxonomy)
    ids = dict(zip(names, label_map.ids(names, taxonomy).tolist(), strict=True))
    said = {label for image in images for label in image.labelled or ()}
    _check_exhaustive([*(source.exhaustive or ()), *sorted(said)], name, taxonomy)
    exhaustive = None if source.exhaustive is None else taxonomy.ids_of(source.exhaustive)
    declared_ids = frozenset(label for label in ids.values() if label != IGNORED_ID)
    return _Labels(ids, declared_ids, exhaustive, taxonomy)


def _check_own_names(names: Sequence[str], where: str, taxonomy: Taxonomy) -> None:
    """Refuses names that are not ours, where no label map translates them."""
    strange = [name for name in names if name != IGNORE and name not in taxonomy.names]
    if not strange:
        return
    # Where some names are ours, the others may be slips; where none is, they are another vocabulary.
    near = did_you_mean(strange[0], taxonomy.names) if len(strange) < len(names) else ""
    maps = ", ".join(sorted(path.stem for path in shipped("annotations", "labelmaps").glob("*.yaml")))
    raise LabelError(
        f"{where}: {_listed(strange)} {'is no class' if len(strange) == 1 else 'are no classes'} of the taxonomy."
        f"{near} Give a label map with --label-map: a file, or a shipped one ({maps})."
    )


def _check_exhaustive(names: Sequence[str], where: str, taxonomy: Taxonomy) -> None:
    strange = [name for name in names if name not in taxonomy.names]
    if strange:
        near = did_you_mean(strange[0], taxonomy.names)
        raise LabelError(
            f"{where}: exhaustive names {_listed(strange)}, which the taxonomy does not know.{near} "
            "Use our names there, not the source's."
        )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"


def _sample(entry: Measured, boxes: BoxTable, labels: _Labels, rules: FieldRules, taxonomy: Taxonomy) -> Sample:
    image = entry.image
    labelled = labels.exhaustive
    if labelled is None:
        labelled = labels.declared if image.labelled is None else taxonomy.ids_of(image.labelled)
    return Sample(
        file=image.file,
        truth=Detections.of(boxes.box, 1.0, boxes.label, entry.size),
        crowd=boxes.crowd,
        difficult=boxes.difficult,
        annotated=image.annotated,
        labelled=labelled if image.annotated else frozenset(),
        fields=rules.fields(image),
        group=rules.group_of(image),
    )


def _note(sample: Sample, image: RawImage, taxonomy: Taxonomy, problems: Problems) -> None:
    """What is worth knowing about an image that is used."""
    if not image.annotated:
        problems.add("not_annotated", image.file)
    elif not image.boxes:
        problems.add("empty", image.file)
    for label in sample.truth.labels[~taxonomy.among(sample.truth.labels, sample.labelled)].tolist():
        problems.add("not_exhaustive", taxonomy.names[label])
