"""What a run folder says of its training, so that it is gone on with on the same data by the same recipe only."""

from __future__ import annotations

import hashlib
import json
import platform
import time
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import artdet
from artdet.config import validated
from artdet.data.artworks.collection import Artworks
from artdet.data.artworks.partition import Partition
from artdet.errors import RunError
from artdet.training.classification.folder import ClassifierFolder
from artdet.training.classification.recipe import Recipe

_PACKAGES = ("torch", "torchvision", "numpy", "scikit-learn", "timm")
_SHOWN = 3  # values of a recipe that differ


def written_down(
    folder: ClassifierFolder, artworks: Artworks, partition: Partition, recipe: Recipe, origin: Mapping[str, Any]
) -> None:
    """Writes ``training.json``.

    Args:
        folder: is made.
        artworks: to learn from.
        partition: their parts.
        recipe: resolved: every value that counts.
        origin: how the artworks were read: ``tasks``, ``sources``, ``overrides``; empty where a program made them.
    """
    parts = {name: len(getattr(partition, name)) for name in ("train", "validation", "test")}
    folder.write_info(
        {
            "artdet": artdet.__version__,
            "begun": time.time(),
            "recipe": recipe.model_dump(mode="json"),
            "tasks": [task.model_dump(mode="json") for task in artworks.tasks],
            "origin": dict(origin),
            "data": {"sha256": data_hash(artworks, partition), "images": len(artworks), **parts},
            "notes": list(artworks.notes),
            "versions": {"python": platform.python_version(), **_versions()},
        }
    )


def refuse_others(folder: ClassifierFolder, artworks: Artworks, partition: Partition, recipe: Recipe) -> None:
    """Refuses a folder whose training is another one; one without a training is fine.

    Raises:
        RunError: saying what differs.
    """
    if not (folder.info_file.exists() and folder.has_begun):
        return
    info = folder.info()
    if "recipe" not in info:
        raise RunError(f"{folder.path} holds the training of a detector. Train into another folder: --name NAME.")
    if recipe_of(folder) != recipe:
        raise RunError(
            f"{folder.path} was trained with another recipe: {difference(info['recipe'], recipe)}. "
            "Train into another folder: --name NAME."
        )
    if info["data"]["sha256"] != data_hash(artworks, partition):
        raise RunError(
            f"The data of {folder.path} are others now: images, labels or the split have changed since it began. "
            "Train again in another folder: --name NAME."
        )


def recipe_of(folder: ClassifierFolder) -> Recipe:
    """The recipe of a run.

    Raises:
        RunError: if the folder holds no training of a classifier.
        ConfigError: if its recipe is not of the right form.
    """
    info = folder.info()
    if "recipe" not in info:
        raise RunError(f"{folder.path} holds no training of a classifier. Name a folder below runs/train.")
    return validated(Recipe, info["recipe"], where=str(folder.info_file))


def data_hash(artworks: Artworks, partition: Partition) -> str:
    """SHA-256 of all that is learnt from: tasks, names, sizes of files, answers and parts."""
    tasks = [task.model_dump(mode="json") for task in artworks.tasks]
    sizes = [path.stat().st_size if path.exists() else -1 for path in artworks.paths]
    digest = hashlib.sha256(json.dumps([tasks, artworks.names, sizes]).encode())
    for task in artworks.tasks:
        digest.update(artworks.targets[task.name].tobytes())
    for places in (partition.train, partition.validation, partition.test):
        digest.update(len(places).to_bytes(8, "little") + places.tobytes())
    return digest.hexdigest()


def difference(before: Mapping[str, Any], recipe: Recipe) -> str:
    """What a recipe of old had instead of this one's values, as ``batch 32 instead of 64``; empty if in nothing."""
    old, new = _flat(before), _flat(recipe.model_dump(mode="json"))
    changed = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    shown = ", ".join(
        f"{key} {json.dumps(old.get(key))} instead of {json.dumps(new.get(key))}" for key in changed[:_SHOWN]
    )
    return shown + (f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else "")


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _flat(data: Any, path: str = "") -> dict[str, Any]:
    if not isinstance(data, Mapping) or not data:
        return {path: data}
    return {
        key: value for name, part in data.items() for key, value in _flat(part, f"{path}.{name}".lstrip(".")).items()
    }
