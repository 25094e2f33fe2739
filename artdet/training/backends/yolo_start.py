"""The weights that a YOLO training starts from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch

from artdet.detectors.yolo_network import network_of_pickle
from artdet.errors import ModelError
from artdet.labelmaps import LabelMap
from artdet.modelfiles import ModelFiles, is_pickle, load_tensors, read_card
from artdet.training.course import Task
from artdet.training.examples import DetectorClasses

_OUTPUT = re.compile(r"\.cv3\.\d+\.2\.(weight|bias)$")

UNLIKELY = 2.0
"""Minus the bias of a class that begins anew below its category: at first, 12 of 100 are of it."""


def started(network: torch.nn.Module, task: Task) -> bool:
    """Gives a network the weights that a task starts from; whether they know at least some of its classes.

    Raises:
        ModelError: if they do not fit, or are a pickle that is not trusted.
    """
    start, classes = task.start, task.detector_classes
    tensors = start_tensors(start, classes, network, trusted=task.trusted) if start else {}
    network.load_state_dict(tensors, strict=False)
    return knows_outputs(tensors, network)


def start_tensors(
    start: ModelFiles, classes: DetectorClasses, network: torch.nn.Module, *, trusted: bool = False
) -> dict[str, torch.Tensor]:
    """Tensors of other weights that fit a network by name and shape.

    Outputs of classes that the start knows by name are taken over; a class below a category that it knows begins as
    unlikely everywhere.

    Args:
        start: of any YOLO network: safetensors, without a card of which its classes are unknown and outputs begin
            anew; or a ``.pt`` of ultralytics, whose COCO classes are ours by the label map.
        classes: of the network.
        network: that they are for.
        trusted: whether a pickle, which can run code, may be loaded.

    Raises:
        ModelError: if nothing fits, or a pickle is not trusted.
    """
    tensors, names = _pickled(start, trusted) if is_pickle(start.model) else _plain(start)
    own = network.state_dict()
    outputs = set(filter(is_output, own))
    fitting = {
        name: tensor
        for name, tensor in tensors.items()
        if name in own and own[name].shape == tensor.shape and name not in outputs
    }
    if len(fitting) < len(own) // 2:
        raise ModelError(
            f"{start.model} fits this network in only {len(fitting)} of {len(own)} tensors. "
            "Start from weights of the same architecture, or from random ones: --start random."
        )
    known = {classes.general(place) for place in range(len(classes.names))} | set(classes.names)
    for name in outputs & tensors.keys() if known & set(names) else ():
        if tensors[name].shape[1:] == own[name].shape[1:] and len(tensors[name]) == len(names):
            fitting[name] = _output(tensors[name], own[name], names, classes)
    return {name: tensor.to(own[name].dtype) for name, tensor in fitting.items()}


def knows_outputs(tensors: Mapping[str, torch.Tensor], network: torch.nn.Module) -> bool:
    """Whether the tensors to start from give at least some classes a beginning."""
    return set(filter(is_output, network.state_dict())) <= tensors.keys()


def anew_note(start: ModelFiles) -> str:
    """That no class keeps what the start knew of it, and why."""
    if start.card is None and not is_pickle(start.model):
        return (
            f"No card (model.yaml) beside {start.model} says what its classes are: they begin anew, "
            "the rest as it is there."
        )
    return f"The outputs of {start.model} are for other classes, or wider: they begin anew, the rest as it is there."


def is_output(name: str) -> bool:
    """Whether it is the name of weights or biases of a last layer of the classification branch, a row a class.

    >>> [is_output(name) for name in ("model.24.cv3.0.2.bias", "model.24.cv3.0.1.bn.bias", "model.24.cv2.0.2.bias")]
    [True, False, False]
    """
    return bool(_OUTPUT.search(name))


def _output(there: torch.Tensor, own: torch.Tensor, names: Sequence[str], classes: DetectorClasses) -> torch.Tensor:
    """Weights or biases of the last layer of the classification branch, a row a class."""
    rows = rows_by_name(there, names, own, classes.names)
    for place, name in enumerate(classes.names):
        if name not in names and classes.general(place) in names:
            rows[place] = -UNLIKELY if rows.ndim == 1 else 0.0
    return rows


def rows_by_name(
    there: torch.Tensor, names: Sequence[str], own: torch.Tensor, own_names: Sequence[str]
) -> torch.Tensor:
    """``own`` with the rows of ``there`` for classes that both know.

    Args:
        there: weights or biases of a last layer, a row for each of ``names``.
        names: classes of these weights.
        own: the same with a row for each of ``own_names``.
        own_names: classes of the result.
    """
    rows = own.clone()
    for place, name in enumerate(own_names):
        if name in names:
            rows[place] = there[names.index(name)].to(rows.dtype)
    return rows


def _plain(start: ModelFiles) -> tuple[dict[str, torch.Tensor], Sequence[str]]:
    return load_tensors(start.model), read_card(start, backend="yolo").classes if start.card else ()


def _pickled(start: ModelFiles, trusted: bool) -> tuple[dict[str, torch.Tensor], Sequence[str]]:
    network, names, _ = network_of_pickle(start, trusted)
    return dict(network.state_dict()), our_names(names)


def our_names(names: Sequence[str]) -> list[str]:
    """Names of a network's classes, those of COCO by the label map.

    >>> our_names(("person", "bird")), our_names(("persons", "ship"))
    (['persons', 'animals'], ['persons', 'ship'])
    """
    coco = LabelMap.load("coco").labels or {}
    return [coco[name] for name in names] if set(names) <= coco.keys() else list(names)
