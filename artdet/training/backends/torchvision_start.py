"""The weights that a training of Faster R-CNN starts from."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torchvision.models import get_model_weights
from torchvision.models.detection import FasterRCNN_ResNet50_FPN_Weights

from artdet.detectors.torchvision import ARCHITECTURES
from artdet.detectors.torchvision_architectures import as_named_now, without_epsilon
from artdet.detectors.torchvision_model import NO_OBJECT
from artdet.errors import ModelError
from artdet.labelmaps import IGNORED_ID, LabelMap
from artdet.modelfiles import ModelFiles, is_pickle, load_tensors, read_card, refuse_pickle
from artdet.taxonomy import Taxonomy

_PREDICTOR = "roi_heads.box_predictor."


@dataclass(frozen=True)
class Start:
    """Tensors to start from.

    Attributes:
        tensors: by their names in the network.
        names: classes of their outputs, background as ``None`` first; ``None`` where nobody knows.
        where: what they are, for messages.
    """

    tensors: Mapping[str, torch.Tensor]
    names: Sequence[str | None] | None
    where: str


def from_files(files: ModelFiles) -> Start:
    """The weights of a model of artdet, or a safetensors file without a card.

    Raises:
        ModelError: if they cannot be read, or are of another library.
    """
    if is_pickle(files.model):
        refuse_pickle(files.model, trusted=False)
    names = [None, *read_card(files, backend="torchvision").classes] if files.card else None
    return Start(as_named_now(load_tensors(files.model)), names, str(files.model))


def from_cache(architecture: str, taxonomy: Taxonomy) -> Start | None:
    """Weights of torchvision itself, if they lie in torch's cache: of COCO, else of ImageNet for the backbone alone."""
    for weights, is_detector in _published(architecture):
        if not cached_file(weights).is_file():
            continue
        try:
            with contextlib.redirect_stdout(sys.stderr):
                tensors = weights.get_state_dict(progress=False, weights_only=True)
        except Exception as error:  # zip, pickle and torch have their own classes
            raise ModelError(
                f"{cached_file(weights)} cannot be read ({' '.join(str(error).split())[:200]}). Delete it."
            ) from error
        if not is_detector:
            body = "features." if "mobilenet" in architecture else ""
            tensors = {f"backbone.body.{name.removeprefix(body)}": tensor for name, tensor in tensors.items()}
            return Start(tensors, None, str(weights))
        if weights == FasterRCNN_ResNet50_FPN_Weights.COCO_V1:
            tensors = without_epsilon(tensors)
        return Start(as_named_now(tensors), _coco_names(weights.meta["categories"], taxonomy), str(weights))
    return None


def cached_file(weights: Any) -> Path:
    """Where torch keeps published weights of torchvision."""
    return Path(torch.hub.get_dir(), "checkpoints", os.path.basename(weights.url))


def missing_note(architecture: str) -> str:
    """The sentence for a training that starts from random weights because there are no others."""
    links = ", ".join(str(weights.url) for weights, _ in _published(architecture))
    return (
        "Training starts from random weights, which needs many more images and epochs: torchvision's own are not in "
        f"{Path(torch.hub.get_dir()) / 'checkpoints'}. Put one of {links} there, or name a trained model with --start."
    )


def fill_start(network: torch.nn.Module, start: Start, classes: Sequence[str]) -> None:
    """Loads tensors that fit a network by name and shape, and the outputs of classes of the same name.

    Args:
        network: with one output for the background and one for each class.
        start: of any network of torchvision.
        classes: of the network, in the order of its outputs.

    Raises:
        ModelError: if less than half of the backbone fits: it would be no start, and its normalisations may be frozen.
    """
    own = network.state_dict()
    fitting = {
        name: tensor
        for name, tensor in start.tensors.items()
        if name in own and own[name].shape == tensor.shape and (start.names is None or not name.startswith(_PREDICTOR))
    }
    backbone = [name for name in own if name.startswith("backbone.body.") and not name.endswith("num_batches_tracked")]
    found = sum(name in fitting for name in backbone)
    if found < len(backbone) // 2:
        raise ModelError(
            f"{start.where} fits the backbone of this network in only {found} of {len(backbone)} tensors. "
            "Start from weights of the same architecture, or from random ones: --start random."
        )
    if start.names is not None:
        fitting.update(_outputs(start.tensors, own, start.names, [None, *classes]))
    network.load_state_dict({name: tensor.to(own[name].dtype) for name, tensor in fitting.items()}, strict=False)


def _published(architecture: str) -> list[tuple[Any, bool]]:
    """Weights of torchvision for an architecture, the best first, and whether they are of a whole detector."""
    backbone = [(weights, False) for weights in get_model_weights(ARCHITECTURES[architecture])]
    try:
        return [*((weights, True) for weights in get_model_weights(architecture)), *backbone]
    except ValueError:  # those on ResNet-101 are ours, and torchvision has no name for them
        return backbone


def _coco_names(categories: Sequence[str], taxonomy: Taxonomy) -> list[str | None]:
    """Our names of torchvision's COCO outputs."""
    known = [name for name in categories if name not in NO_OBJECT]
    ids = LabelMap.load("coco").ids(known, taxonomy).tolist()
    ours = {name: taxonomy.names[label] for name, label in zip(known, ids, strict=True) if label != IGNORED_ID}
    return [ours.get(name, "") if name in known else None for name in categories]


def _outputs(
    tensors: Mapping[str, torch.Tensor],
    own: Mapping[str, torch.Tensor],
    names: Sequence[str | None],
    wanted: Sequence[str | None],
) -> dict[str, torch.Tensor]:
    """The last layers, block by block: classes that the start knows keep what they learnt, and so does background."""
    rows = {}
    for name, tensor in own.items():
        there = tensors.get(name)
        if not name.startswith(_PREDICTOR) or there is None or there.shape[1:] != tensor.shape[1:]:
            continue
        row = tensor.clone().reshape(len(wanted), -1, *tensor.shape[1:])
        given = there.reshape(len(names), -1, *there.shape[1:])
        for place, each in enumerate(wanted):
            if each in names:
                row[place] = given[list(names).index(each)].to(row.dtype)
        rows[name] = row.flatten(0, 1)
    return rows
