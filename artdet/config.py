"""Closed, frozen settings read from YAML; everything that is wrong with a file is said at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from artdet.errors import ConfigError, did_you_mean

Settings = TypeVar("Settings", bound="StrictModel")


class StrictModel(BaseModel):
    """Base of all settings: unknown keys are errors, values never change after the check."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def read_yaml(path: Path) -> Any:
    """The content of a YAML file.

    Raises:
        ConfigError: if the file cannot be read or is not YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}. Name an existing YAML file.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text. Save it as UTF-8.") from error
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f" in line {where.line + 1}" if where else ""
        problem = getattr(error, "problem", None) or "it cannot be parsed"
        raise ConfigError(f"{path} is not valid YAML{line}: {problem}. Mend that line.") from error


def yaml_text(data: Any) -> str:
    """Plain data as YAML, keys in their order."""
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120)


def find_yaml(name_or_path: str, folder: Path, *, kind: str) -> Path:
    """The YAML file that a user names: a path, or the name of one in ``folder`` without its ending.

    Args:
        name_or_path: a path if it has an ending or a folder.
        folder: of the shipped files of this kind.
        kind: what messages call it.

    Raises:
        ConfigError: if there is no file of that name in ``folder``; a path is not looked up.
    """
    given = Path(name_or_path)
    if given.suffix in {".yaml", ".yml"} or len(given.parts) > 1:
        return given
    path = folder / f"{name_or_path}.yaml"
    if not path.is_file():
        near = did_you_mean(name_or_path, yaml_names(folder))
        raise ConfigError(f"there is no {kind} '{name_or_path}'.{near} Or name a file that ends in .yaml.")
    return path


def yaml_names(folder: Path) -> list[str]:
    """Names of the YAML files in a folder, without their endings, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def with_overrides(data: Any, overrides: Sequence[str]) -> Any:
    """A copy of ``data`` with each ``dotted.path=value`` of ``overrides`` set; values are read as YAML.

    A number in the path is an index into a list: ``members.0.min_score=0.3``.

    Raises:
        ConfigError: if an override has no ``=`` or its path leads nowhere.
    """
    for override in overrides:
        path, sign, text = override.partition("=")
        if not sign or not path:
            raise ConfigError(f"--set {override} is not of the form key.key=value. Write for example fusion.iou=0.5.")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ConfigError(f"--set {override}: the value is not valid YAML. Put it in quotes.") from error
        data = _replaced(data, path.split("."), value, override)
    return data


def _replaced(node: Any, path: Sequence[str], value: Any, override: str) -> Any:
    if not path:
        return value
    key, rest = path[0], path[1:]
    if isinstance(node, list):
        if not key.isdigit() or int(key) >= len(node):
            raise ConfigError(f"--set {override}: '{key}' is no index of a list of {len(node)} entries. Count from 0.")
        return [_replaced(item, rest, value, override) if i == int(key) else item for i, item in enumerate(node)]
    if isinstance(node, Mapping):
        return {**node, key: _replaced(node.get(key, {} if rest else None), rest, value, override)}
    raise ConfigError(f"--set {override}: there is nothing below '{key}' to set. Check the dotted path.")


def validated(model: type[Settings], data: Any, *, where: str) -> Settings:
    """Checks ``data`` against ``model``.

    Args:
        where: the file (and dotted path) that messages begin with.

    Raises:
        ConfigError: with one line per problem, ``where: dotted.path: what is wrong``.
    """
    if not isinstance(data, Mapping):
        kind = "nothing" if data is None else f"a {type(data).__name__}"
        raise ConfigError(f"{where}: must hold keys and values, but holds {kind}.")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ConfigError("\n".join(problems(error, model, where))) from error


def problems(error: ValidationError, model: type[BaseModel], where: str) -> list[str]:
    """One line per problem of a pydantic error, with a dotted path and, for unknown keys, the nearest known one."""
    lines = []
    for item in error.errors():
        path = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            text = f"unknown key.{did_you_mean(str(item['loc'][-1]), _keys_at(model, item['loc'][:-1]))}"
        elif item["type"] == "missing":
            text = "is missing"
        else:
            text = item["msg"].removeprefix("Value error, ")
            if item["type"] != "value_error":
                text = f"{text[0].lower()}{text[1:]}, but got {item['input']!r}"
        lines.append(f"{where}: {path}: {text}" if path else f"{where}: {text}")
    return lines


def _keys_at(model: type[BaseModel], path: Sequence[int | str]) -> list[str]:
    """Names of the fields that the model at ``path`` below ``model`` knows; empty where that is not a model."""
    for part in path:
        field = model.model_fields.get(str(part))
        kind = field.annotation if field else None
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return []
        model = kind
    return list(model.model_fields)
