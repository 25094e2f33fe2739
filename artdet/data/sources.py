"""From what a user names (a source's yaml, a shipped source, or the data themselves) to a ``Dataset``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, get_args

from artdet.config import read_yaml, validated
from artdet.data.assembly import assemble
from artdet.data.dataset import Dataset
from artdet.data.formats import FORMATS, reader
from artdet.data.problems import Problems
from artdet.data.settings import Format, SourceFile
from artdet.errors import ConfigError, InputError, MissingData, did_you_mean
from artdet.resources import shipped
from artdet.taxonomy import Taxonomy

DATA_VARIABLE = "ARTDET_DATA_DIR"
"""Environment variable: the folder below which sources look for their data."""

_YAML = (".yaml", ".yml")


def load_dataset(
    source: str | Path,
    *,
    taxonomy: Taxonomy,
    label_map: str | None = None,
    images: str | Path | None = None,
    format: str | None = None,
) -> Dataset:
    """Reads a source of labelled images.

    Args:
        source: the yaml of a source, the name of a shipped one, or the data themselves, whose format is found out.
        taxonomy: of the labels.
        label_map: a shipped label map or a file, instead of the one that the source names.
        images: folder of the images, instead of the one that the source names or the format's usual places.
        format: a key of ``FORMATS``, instead of the one that the source names or that the data look like.

    Raises:
        InputError: if there is no such source or data, their format is unknown, or they are not of it.
        ConfigError: if the yaml is wrong, or there is no such label map.
        LabelError: if class names are unknown.
    """
    settings, name = _settings(str(source), format)
    options = {"label_map": label_map, "images": None if images is None else str(_images_folder(images))}
    given = {key: value for key, value in options.items() if value is not None}
    settings = settings.model_copy(update=given)
    problems = Problems()
    raw = reader(settings.format).read(settings, problems)
    return assemble(raw, settings, name=name, taxonomy=taxonomy, problems=problems)


def shipped_sources() -> dict[str, Path]:
    """Name -> yaml of every source that comes with artdet."""
    return {path.stem: path for path in sorted(shipped("configs", "sources").glob("*.yaml"))}


def data_folder() -> Path:
    """Where sources look for their data: ``ARTDET_DATA_DIR``, else ``data`` in the current folder."""
    return _absolute(os.environ.get(DATA_VARIABLE) or "data")


def data_place(name: str, yaml: Path, *, origin: str = "") -> Path:
    """The data that the ``path`` of a yaml means: beside the yaml, else below the data folder; absolute.

    Raises:
        MissingData: if there are none.
    """
    relative = Path(name).expanduser()
    places = [_absolute(folder / relative) for folder in (yaml.parent, data_folder())]
    for place in places:
        if os.path.exists(place):
            return place
    looked = " and ".join(map(str, dict.fromkeys(places)))
    raise MissingData(
        f"The data of the source {yaml.stem} are not there: looked for {looked}. "
        f"Set {DATA_VARIABLE} to the folder that has '{name}'.",
        source=yaml.stem,
        wanted=name,
        origin=origin,
    )


def _settings(source: str, format: str | None) -> tuple[SourceFile, str]:
    """The settings of a source with an absolute ``path``, and the name of its data set."""
    if format is not None and format not in FORMATS:
        raise InputError(f"There is no format '{format}'.{did_you_mean(format, FORMATS)}")
    path = _absolute(source)
    if os.path.isfile(path) and path.suffix.lower() in _YAML and not _is_data(path):
        return _from_yaml(path, format), path.stem
    known = shipped_sources()
    if source in known:
        return _from_yaml(known[source], format), source
    if not os.path.exists(path):
        raise InputError(
            f"There is no source '{source}': no file or folder of that name, and none that comes with artdet."
            f"{did_you_mean(source, known)}"
        )
    settings = {"format": format or _recognised(path), "path": str(path)}
    return validated(SourceFile, settings, where=source), path.stem if path.is_file() else path.name


def _is_data(path: Path) -> bool:
    """Whether a yaml file is no source but part of the data, as YOLO's ``data.yaml`` is."""
    content = read_yaml(path)
    return isinstance(content, dict) and "format" not in content and "names" in content


def _from_yaml(path: Path, format: str | None) -> SourceFile:
    content: Any = read_yaml(path)
    if format is not None and isinstance(content, dict):
        content = {**content, "format": format}
    settings = validated(SourceFile, content, where=str(path))
    place = data_place(settings.path, path, origin=settings.origin)
    update = {
        "path": str(place),
        "label_map": _label_map(settings.label_map, place, path),
        "relabelled": settings.relabelled and _beside("relabelled", settings.relabelled, place, path),
    }
    return _with_images(settings.model_copy(update=update))


def _with_images(settings: SourceFile) -> SourceFile:
    """With images that are not beside the annotations looked for in the data folder: artdet has boxes on some sets."""
    if settings.images is None or (settings.folder / settings.images).exists():
        return settings
    elsewhere = data_folder() / settings.images
    return settings.model_copy(update={"images": str(elsewhere)}) if elsewhere.exists() else settings


def _label_map(name: str | None, data: Path, yaml: Path) -> str | None:
    """A label map of the source's own is a file beside its data or its yaml."""
    return _beside("label_map", name, data, yaml) if name is not None and name.endswith(_YAML) else name


def _beside(key: str, name: str, data: Path, yaml: Path) -> str:
    """A file beside the data or the yaml of a source."""
    places = [(data.parent if data.is_file() else data) / name, yaml.parent / name]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise ConfigError(f"{yaml}: {key}: there is no file {places[0]}, and none beside this yaml. Check the name.")
    return str(found)


def _recognised(path: Path) -> str:
    for name in FORMATS:
        if reader(name).recognises(path):
            return name
    if path.suffix.lower() == ".json":
        return "coco"  # whose reader says what is wrong with the file
    formats = ", ".join(get_args(Format))
    raise InputError(f"{path} is of no format that artdet recognises. Say which one it is: --format {formats}.")


def _images_folder(images: str | Path) -> Path:
    folder = _absolute(images)
    if not os.path.isdir(folder):
        raise InputError(f"There is no folder of images {folder}. Check --images.")
    return folder


def _absolute(path: str | Path) -> Path:
    return Path(os.path.abspath(Path(path).expanduser()))
