"""The fields of the dataset of a run, and those that a truth brings along: style, artist, year ..."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from artdet.data.dataset import Dataset, Sample

BOOKKEEPING = ("sha256", "agreement", "labelled", "run_line", "run_boxes", "truth_line")
"""Fields of each image besides its boxes; the last three tell whether the run, the truth or a person changed them."""

_RESERVED = frozenset({"id", "filepath", "tags", "metadata", "created_at", "last_modified_at", "predictions", "truth"})


def declare(dataset: Any, member_fields: Sequence[str], *, truth: bool) -> None:
    """Makes the fields that are not there yet."""
    import fiftyone

    for name in BOOKKEEPING:
        if name == "labelled":
            dataset.add_sample_field(name, fiftyone.ListField, subfield=fiftyone.StringField)
        else:
            dataset.add_sample_field(name, fiftyone.FloatField if name == "agreement" else fiftyone.StringField)
    text, number, flag = fiftyone.StringField, fiftyone.FloatField, fiftyone.BooleanField
    shared = {"category": text}
    _boxes(dataset, "predictions", {**shared, "source": text, "agreement": number, "compared_as": text})
    for name in member_fields:
        _boxes(dataset, name, shared)
    if truth:
        extra = {"iscrowd": flag, "difficult": flag, "ignored": flag, "compared_as": text}
        _boxes(dataset, "truth", {**shared, **extra})


def declare_facts(dataset: Any, truth: Dataset) -> dict[str, tuple[str, type]]:
    """Makes the fields of a truth.

    Returns:
        Name in the truth -> name and type (``int`` where all values are digits, else ``str``) in the dataset.
    """
    import fiftyone

    values: dict[str, set[str]] = {}
    for sample in truth:
        for name, value in sample.fields.items():  # "." is the folder of a truth that has no folders
            if value and value != ".":
                values.setdefault(name, set()).add(value)
    kinds: dict[str, tuple[str, type]] = {}
    for name, seen in values.items():
        kind: type = int if all(value.isascii() and value.isdigit() and len(value) < 16 for value in seen) else str
        kinds[name] = (_field_name(name), kind)
    there = dataset.get_field_schema()
    for name, kind in kinds.values():
        wanted = fiftyone.IntField if kind is int else fiftyone.StringField
        if name in there and not isinstance(there[name], wanted):
            dataset.delete_sample_field(name)
        dataset.add_sample_field(name, wanted)
    return kinds


def fact_values(sample: Sample, kinds: Mapping[str, tuple[str, type]]) -> dict[str, Any]:
    """The values of a truth's fields for one image."""
    made = {}
    for name, (target, kind) in kinds.items():
        value = sample.fields.get(name)
        made[target] = kind(value) if value and value != "." else None
    return made


def _boxes(dataset: Any, name: str, attributes: Mapping[str, Any]) -> None:
    import fiftyone

    if name not in dataset.get_field_schema():
        dataset.add_sample_field(name, fiftyone.EmbeddedDocumentField, embedded_doc_type=fiftyone.Detections)
    for attribute, kind in attributes.items():
        dataset.add_sample_field(f"{name}.detections.{attribute}", kind)


def _field_name(name: str) -> str:
    clean = "".join(sign if sign.isascii() and sign.isalnum() else "_" for sign in name).strip("_") or "field"
    taken = clean in _RESERVED or clean in BOOKKEEPING or clean.startswith(("member_", "eval")) or clean[0].isdigit()
    return f"source_{clean}" if taken else clean
