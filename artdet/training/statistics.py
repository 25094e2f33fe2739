"""What a training learnt from, for people and for going on: counts, licences, origins, and hashes of all true boxes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np

from artdet.data.merge import Entry, Merged
from artdet.data.training_plan import training_plan
from artdet.errors import RunError
from artdet.runs import json_text
from artdet.taxonomy import Taxonomy
from artdet.training.folder import TrainingFolder


@dataclass(frozen=True)
class SourceFacts:
    """What one source gave to a category.

    Attributes:
        name: of the source.
        licence: as it states it; empty where it states none.
        origin: where its data come from, likewise.
        art_images: of ``train_images``, those of artworks.
        negatives: of ``train_images``, those that are there for having no boxes.
        sha256: of all images' names, true boxes, labels and marks on both sides, in their order.
    """

    name: str
    licence: str
    origin: str
    train_images: int
    art_images: int
    negatives: int
    train_boxes: int
    validation_images: int
    validation_boxes: int
    sha256: str


def source_facts(data: Merged) -> tuple[SourceFacts, ...]:
    """Every source that gave an image, in the order of training and then of validation."""
    names = dict.fromkeys(entry.source for entry in (*data.train, *data.validation))
    return tuple(_facts(name, data) for name in names)


def write_statistics(data: Merged, folder: TrainingFolder, *, cores: int) -> None:
    """Writes ``data.json``: the plan of the training with its sources; no paths of this machine.

    Raises:
        RunError: if it cannot be written.
    """
    facts = source_facts(data)
    content = {
        "sha256": _whole(facts),
        "sources": [asdict(one) for one in facts],
        **training_plan(data, cores=cores).as_json(),
        "held_back": len(data.held_back),
        "unused": dict(data.unused),
    }
    folder.write(folder.statistics, json_text(content, indent=2))


def refuse_other_data(data: Merged, folder: TrainingFolder) -> None:
    """Lets a training go on only with what it has learnt from so far.

    Raises:
        RunError: naming the sources that differ; or if ``data.json`` cannot be read.
    """
    if not folder.statistics.exists():
        return
    try:
        before = json.loads(folder.statistics.read_text(encoding="utf-8"))
        then = {one["name"]: one["sha256"] for one in before["sources"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{folder.statistics} cannot be read. Train again in another folder.") from error
    facts = source_facts(data)
    if before.get("sha256") == _whole(facts):
        return
    now = {one.name: one.sha256 for one in facts}
    changes = [f"{name} has changed" for name in now if name in then and then[name] != now[name]]
    changes += [f"{name} is new" for name in now if name not in then]
    changes += [f"{name} is missing" for name in then if name not in now]
    raise RunError(
        f"{folder.path} was trained on other data than are there now ({', '.join(changes) or 'another order'}). "
        "Bring back the data as they were, or train anew in another folder."
    )


def _whole(facts: Iterable[SourceFacts]) -> str:
    return hashlib.sha256("".join(one.sha256 for one in facts).encode()).hexdigest()


def _facts(name: str, data: Merged) -> SourceFacts:
    train = [entry for entry in data.train if entry.source == name]
    validation = [entry for entry in data.validation if entry.source == name]
    taxonomy = data.category.taxonomy
    digest = hashlib.sha256()
    for side, entries in (("train", train), ("validation", validation)):
        for entry in entries:
            digest.update(_content(entry, side, taxonomy))
    return SourceFacts(
        name=name,
        licence=(train or validation)[0].licence,
        origin=data.origins[name],
        train_images=len(train),
        art_images=sum(entry.art for entry in train),
        negatives=sum(entry.negative for entry in train),
        train_boxes=sum(len(entry.sample.truth) for entry in train),
        validation_images=len(validation),
        validation_boxes=sum(len(entry.sample.truth) for entry in validation),
        sha256=digest.hexdigest(),
    )


def _content(entry: Entry, side: str, taxonomy: Taxonomy) -> bytes:
    """All that training or validation takes from an entry but its pixels, the same on every machine."""
    sample = entry.sample
    said = {
        "side": side,
        "file": sample.file,
        "size": list(sample.truth.image_size),
        "art": entry.art,
        "negative": entry.negative,
        "labels": [taxonomy.names[label] for label in sample.truth.labels],
        "labelled": sorted(taxonomy.names[label] for label in sample.labelled),
        "crowd": sample.crowd.tolist(),
        "difficult": sample.difficult.tolist(),
    }
    boxes = np.ascontiguousarray(sample.truth.boxes, dtype="<f4").tobytes()
    return json_text(said).encode("utf-8", "surrogatepass") + boxes
