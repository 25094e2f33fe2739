"""Checkpoints of torch trainings, and the weights that are kept: written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from artdet.atomic import whole_file
from artdet.config import StrictModel, yaml_text
from artdet.errors import RunError
from artdet.training.folder import TrainingFolder


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Writes everything that going on needs: tensors, numbers, strings and containers of them."""
    with whole_file(path) as stream:
        torch.save(dict(state), stream)


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """What :func:`save_checkpoint` wrote; ``None`` if there is none. No code of the file is run.

    Raises:
        RunError: if the file is damaged.
    """
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # zip, pickle and torch have their own classes
        reason = " ".join(str(error).split())[:200]
        raise RunError(f"{path} cannot be read ({reason}). Train again in another folder.") from error
    return state


def save_weights(folder: TrainingFolder, tensors: Mapping[str, torch.Tensor], card: StrictModel) -> None:
    """Writes the model of a run: weights as float16 where they fit, and the card that tells how to rebuild it."""
    with whole_file(folder.model) as stream:
        stream.write(save(halved(tensors)))
    folder.write(folder.card, yaml_text(card.model_dump(mode="json", exclude_none=True)))


def halved(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights as float16, where they fit; numbers that are no floats as they are."""
    return {name: _half(tensor) for name, tensor in tensors.items()}


def are_in_bounds(tensors: Mapping[str, torch.Tensor]) -> bool:
    """Whether all values are numbers that float16 can hold; weights beyond that have gone astray."""
    most = torch.finfo(torch.float16).max
    return all(bool((tensor.abs() <= most).all()) for tensor in tensors.values() if tensor.is_floating_point())


def _half(tensor: torch.Tensor) -> torch.Tensor:
    plain = tensor.detach().cpu().contiguous()
    if not plain.is_floating_point() or bool((plain.abs() > torch.finfo(torch.float16).max).any()):
        return plain.clone()
    return plain.half()
