"""What a run folder says of itself, and whether a command may go on in it."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from artdet import __version__
from artdet.atomic import cannot_write, make_folder
from artdet.ensemble.config import EnsembleFile
from artdet.errors import RunError
from artdet.runs import PREDICTIONS_FILE, RUN_FILE, open_run, write_info
from artdet.taxonomy import Taxonomy

IDENTITY = (
    *("kind", "root", "ensemble", "models", "taxonomy_sha256", "reading", "min_score", "keep_members"),
    *("tasks", "top_k", "crops"),
)
"""The keys of ``run.json`` that decide the lines of a run; all others only tell how it came about."""

_PACKAGES = (
    "torch",
    "torchvision",
    "ultralytics",
    "openvino",
    "onnxruntime",
    "mtcnn",
    "ensemble-boxes",
    "timm",
    "numpy",
)


def describe(
    root: Path,
    file: EnsembleFile,
    models: Mapping[str, Mapping[str, str]],
    taxonomy: Taxonomy,
    *,
    max_pixels: int,
    min_score: float | None,
    keep_members: bool,
    device: str,
) -> dict[str, Any]:
    """The content of ``run.json`` for a prediction that is about to start.

    Args:
        root: folder that the files of the records are relative to.
        models: fingerprint of each member.
    """
    return {
        "kind": "predict",
        "root": str(root),
        "ensemble_name": file.name,
        "ensemble": file.resolved,
        "models": {name: dict(marks) for name, marks in models.items()},
        "taxonomy_sha256": taxonomy.sha256,
        "classes": list(taxonomy.names),
        "reading": {"max_pixels": max_pixels},
        "min_score": min_score,
        "keep_members": keep_members,
        **circumstances(device),
    }


def circumstances(device: str) -> dict[str, Any]:
    """How a run that is about to start comes about: what ``run.json`` says beside what decides its lines."""
    return {
        "seed": None,
        "device": device,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"artdet": __version__, "python": platform.python_version(), **_versions()},
    }


def prepare(folder: Path, info: Mapping[str, Any], *, overwrite: bool) -> None:
    """Makes the run folder, or checks that what runs now is what ran there before.

    Raises:
        RunError: if the folder holds a run of another configuration, or other files, or cannot be written.
    """
    make_folder(folder)
    strangers = [path.name for path in folder.iterdir() if not path.name.startswith(".")]
    if RUN_FILE in strangers:
        if not overwrite and _has_lines(folder):
            _refuse_difference(folder, open_run(folder).info, info)
            return
        _clear(folder)
    elif strangers:
        raise RunError(
            f"{folder} is not a run folder, and it is not empty ({', '.join(sorted(strangers)[:3])}). "
            "Name another folder with --out."
        )
    write_info(folder, info)


def _clear(folder: Path) -> None:
    """Removes what a run made, and nothing else: a mistyped --out must not cost anybody's files."""
    try:
        for name in (PREDICTIONS_FILE, RUN_FILE):
            (folder / name).unlink(missing_ok=True)
        for name in ("pictures", "exports", "explanations"):
            if (folder / name).is_dir():
                shutil.rmtree(folder / name)
    except OSError as error:
        raise cannot_write(folder, error) from error


def _has_lines(folder: Path) -> bool:
    """Whether a run got anywhere; one that failed at its start must not stand in the way of its mended repeat."""
    path = folder / PREDICTIONS_FILE
    return path.exists() and path.stat().st_size > 0


def _refuse_difference(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    changes = [line for key in IDENTITY for line in _differences(key, before.get(key), now.get(key))]
    if changes:
        shown = "; ".join(changes[:5]) + (f"; and {len(changes) - 5} more" if len(changes) > 5 else "")
        raise RunError(
            f"{folder} holds a run of another configuration: {shown}. "
            "Name another folder with --out, or start this one anew with --overwrite."
        )


def _differences(path: str, before: Any, now: Any) -> Iterator[str]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in sorted({*before, *now}):
            yield from _differences(f"{path}.{key}", before.get(key), now.get(key))
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for index, (old, new) in enumerate(zip(before, now, strict=True)):
            yield from _differences(f"{path}.{index}", old, new)
    elif before != now:
        yield f"{path} was {_short(before)} and is now {_short(now)}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
