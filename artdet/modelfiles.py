"""Files of models: finding them by name or path, their card, their hash, and why pickles are refused."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from artdet.config import StrictModel, read_yaml, validated
from artdet.errors import ModelError
from artdet.resources import bundled_weights

MODEL_FILE = "model.safetensors"
PICKLES = frozenset({".pt", ".pth", ".pkl", ".ckpt", ".bin"})
TRAINED = Path("runs") / "train"
CLASSIFIER = "classifier"
"""What the card of a classifier has for a backend; see ``artdet.classifiers.base.ClassifierCard``."""


class ModelCard(StrictModel):
    """What a weights file needs beside it to be rebuilt without a pickle.

    Attributes:
        backend: key in ``artdet.detectors.table.DETECTORS``.
        architecture: the network, in the words of its library: ``yolov5n.yaml``, ``fasterrcnn_resnet50_fpn``.
        classes: the model's class names in the order of its outputs, without background.
        image_size: side in pixels that it was trained at, for backends with one.
        min_size: short side in pixels, for backends that scale by it.
        max_size: limit of the long side in pixels, likewise.
        description: a sentence for people.
        licence: of the weights.
        trained_on: the data.
        left_out: class that it does not tell apart -> why, and what data would change that.
        parents: class -> the class among ``classes`` that its output presupposes (YOLO9000, Redmon 2017): the network
            says how sure it is of the class if there is one of the parent, and the class's score is their product.
    """

    backend: str
    architecture: str
    classes: tuple[str, ...] = Field(min_length=1)
    image_size: int | None = Field(default=None, gt=0)
    min_size: int | None = Field(default=None, gt=0)
    max_size: int | None = Field(default=None, gt=0)
    description: str = ""
    licence: str = ""
    trained_on: str = ""
    left_out: dict[str, str] = Field(default_factory=dict)
    parents: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_parents(self) -> Self:
        above = set(self.parents.values())
        if wrong := (set(self.parents) | above) - set(self.classes) | set(self.parents) & above:
            raise ValueError(f"parents must lead from classes of the model to others above them; see {sorted(wrong)}")
        return self


@dataclass(frozen=True)
class ModelFiles:
    """A weights file and, where there is one, the card beside it."""

    model: Path
    card: Path | None


def find_model(weights: str, folder: Path) -> ModelFiles | None:
    """Looks for weights by path (as given, or below ``folder``), then by name among trained and bundled models.

    Args:
        weights: a file, a folder that holds ``model.safetensors``, or a name as ``artdet models`` lists it.
        folder: where a relative path may also start, such as the folder of the ensemble file.

    Returns:
        The files, or ``None`` if nothing of that name is there.
    """
    named = Path(weights).expanduser()
    for candidate in (named, folder / named, TRAINED / named, bundled_weights() / named):
        if candidate.is_file():
            return ModelFiles(candidate, _card_beside(candidate))
        if (candidate / MODEL_FILE).is_file():
            return ModelFiles(candidate / MODEL_FILE, _card_beside(candidate / MODEL_FILE))
    return None


def require_model(member: str, weights: str, folder: Path, get: str | None) -> ModelFiles:
    """The files that :func:`find_model` finds for a member of an ensemble.

    Raises:
        ModelError: if nothing of that name is there.
    """
    files = find_model(weights, folder)
    if files is None:
        raise ModelError(missing_weights(member, weights, get) + ".")
    return files


def read_card(files: ModelFiles, *, backend: str | None = None) -> ModelCard:
    """The card of a model, of a certain backend where one is named.

    Raises:
        ModelError: if there is none, or it is of another backend.
        ConfigError: if it is not of the right form.
    """
    if files.card is None:
        raise ModelError(
            f"{files.model} has no card beside it, so its network and classes are unknown. "
            f"Put a {files.model.with_suffix('.yaml').name} with backend, architecture and classes there."
        )
    data = read_yaml(files.card)
    if _backend(data) == CLASSIFIER:
        raise ModelError(f"{files.model} is a classifier, which finds no boxes. Use it with `artdet classify`.")
    card = validated(ModelCard, data, where=str(files.card))
    if backend is not None and card.backend != backend:
        raise ModelError(f"{files.model} is a model of '{card.backend}'. Write detector: {card.backend} for it.")
    return card


def is_classifier(files: ModelFiles) -> bool:
    """Whether the card says that the model answers about an image as a whole, and gives no boxes.

    Raises:
        ConfigError: if the card is no YAML.
    """
    return files.card is not None and _backend(read_yaml(files.card)) == CLASSIFIER


def _backend(card: Any) -> Any:
    return card.get("backend") if isinstance(card, dict) else None


def is_pickle(path: Path) -> bool:
    """Whether loading the file would unpickle it, by its extension."""
    return path.suffix.lower() in PICKLES


def refuse_pickle(path: Path, *, trusted: bool) -> None:
    """Lets a pickle pass only when the user vouches for it.

    Raises:
        ModelError: for a pickle that is not trusted.
    """
    if is_pickle(path) and not trusted:
        raise ModelError(
            f"{path} is a pickle, and a pickle can run any program on this machine while it is loaded. "
            "If you trust where it comes from, repeat the command with --trust-weights."
        )


def missing_weights(member: str, weights: str, get: str | None) -> str:
    """The sentence for weights that are not there."""
    remedy = f"get them with: {get}" if get else "name a file, or a model that `artdet models` lists"
    return f"{member}: the weights '{weights}' are not here; {remedy}"


def file_sha256(path: Path) -> str:
    """Hash of a file's bytes, in hexadecimal; computed once per state of the file in a process."""
    status = path.stat()
    return _sha256(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=256)
def _sha256(path: Path, size: int, modified: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def load_tensors(path: Path) -> dict[str, Any]:
    """The tensors of a safetensors file, as torch tensors on the CPU.

    Raises:
        ModelError: if the file is damaged or not safetensors.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read as safetensors ({error}). Fetch or train it again.") from error


def first_mismatches(wrong: list[str]) -> str:
    """The first few of what does not fit between a network and its tensors, for a message."""
    more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
    return "; ".join(sorted(wrong)[:3]) + more


def _card_beside(model: Path) -> Path | None:
    card = model.with_suffix(".yaml")
    return card if card.is_file() else None


def list_models() -> list[tuple[str, str, ModelFiles]]:
    """(name, ``"trained"`` or ``"bundled"``, files) of the models that :func:`find_model` finds by name."""
    rows = []
    for origin, folder in (("trained", TRAINED), ("bundled", bundled_weights())):
        for model in sorted(folder.glob(f"*/{MODEL_FILE}")):
            rows.append((model.parent.name, origin, ModelFiles(model, _card_beside(model))))
    return rows
