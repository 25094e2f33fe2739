"""Faces: MTCNN with the weights inside the ``mtcnn`` package, on torch. TensorFlow is neither needed nor imported."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, cast

from pydantic import Field

from artdet.detectors.base import Detector, LoadContext, MemberSettings, class_ids
from artdet.devices import is_installed, resolve_device
from artdet.errors import ModelError
from artdet.modelfiles import file_sha256

CLASSES = ("faces",)
PACKAGE = "mtcnn"
NEEDED = (PACKAGE, "joblib", "lz4")
"""Packages: the weights, and what reads them."""

WEIGHTS = ("pnet.lz4", "rnet.lz4", "onet.lz4")

Probability = Annotated[float, Field(ge=0, le=1)]


class Settings(MemberSettings):
    """A member that finds faces; the defaults are those of the ``mtcnn`` package 1.0.0.

    Attributes:
        min_face: side in pixels of the smallest face that is looked for; the larger, the faster.
        scale_factor: side of a level of the image pyramid in sides of the level before.
        thresholds: face probability that a box must exceed in each of the three networks.
    """

    detector: Literal["faces"] = "faces"
    min_face: float = Field(default=20, ge=6, allow_inf_nan=False)
    scale_factor: float = Field(default=0.709, ge=0.2, le=0.95)
    thresholds: tuple[Probability, Probability, Probability] = (0.6, 0.7, 0.8)


def requirements(settings: MemberSettings, context: LoadContext) -> list[str]:
    """The missing package or weights; see :class:`artdet.detectors.base.Backend`."""
    missing = _missing()
    if missing is None:
        return []
    return [f"{settings.name}: {missing}; get it with: python -m pip install --force-reinstall {PACKAGE}"]


def fingerprint(settings: MemberSettings, context: LoadContext) -> Mapping[str, str]:
    """Version of the package and hashes of its weights; see :class:`artdet.detectors.base.Backend`."""
    folder = _weights_folder(settings, context)
    hashes = {f"{Path(name).stem}_sha256": file_sha256(folder / name) for name in WEIGHTS}
    return {"mtcnn": importlib.metadata.version(PACKAGE), **hashes}


def load(settings: MemberSettings, context: LoadContext) -> Detector:
    """The detector. It uses as many threads as torch and OpenCV are set to; the caller sets them."""
    from artdet.detectors.mtcnn import Cascade, MtcnnDetector
    from artdet.detectors.mtcnn_networks import OutputNet, ProposalNet, RefineNet, load_network

    own = cast(Settings, settings)
    folder = _weights_folder(own, context)
    device = resolve_device(context.device)
    proposal, refine, output = WEIGHTS
    cascade = Cascade(
        load_network(ProposalNet(), folder / proposal, device),
        load_network(RefineNet(), folder / refine, device),
        load_network(OutputNet(), folder / output, device),
        thresholds=own.thresholds,
        min_face=own.min_face,
        scale_factor=own.scale_factor,
        device=device,
    )
    return MtcnnDetector(cascade, class_ids(own, CLASSES, context), min_score=own.min_score)


def _weights_folder(settings: MemberSettings, context: LoadContext) -> Path:
    problems = requirements(settings, context)
    folder = _package_folder()
    if problems or folder is None:
        raise ModelError("\n".join(problems) + ".")
    return folder


def _missing() -> str | None:
    absent = [package for package in NEEDED if not is_installed(package)]
    if absent:
        return f"faces need the package {' and '.join(absent)}, which is not installed"
    folder = _package_folder()
    lost = [name for name in WEIGHTS if folder is None or not (folder / name).is_file()]
    if lost:
        return f"the package {PACKAGE} is there, but without its weights {', '.join(lost)}"
    return None


def _package_folder() -> Path | None:
    """The folder of the weights; the package is found without importing it, because that imports TensorFlow."""
    spec = importlib.util.find_spec(PACKAGE)
    places = spec.submodule_search_locations if spec else None
    return Path(next(iter(places))) / "assets" / "weights" if places else None
