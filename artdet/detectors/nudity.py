"""NudeNet: exposed parts of bodies, and faces. The network inside the ``nudenet`` package, on ONNX Runtime.

Only the package's model is used. Its own code (3.4.2) feeds the network swapped colours, rounds boxes to whole pixels
and moves those that the picture's left and upper border cut.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, cast

from pydantic import Field

from artdet.detectors.base import Detector, LoadContext, MemberSettings, class_ids
from artdet.devices import is_installed
from artdet.errors import MissingBackend, ModelError
from artdet.modelfiles import file_sha256

PACKAGES = ("nudenet", "onnxruntime")
MODEL_FILE = "320n.onnx"
INSTALL = "pip install 'artdet[nudity]'"


class Settings(MemberSettings):
    """A NudeNet member; the defaults are those of the package.

    Attributes:
        image_size: side in pixels that the longer side of a picture is scaled to.
        nms_iou: boxes that overlap more are one object, also where their classes differ.
    """

    detector: Literal["nudity"] = "nudity"
    label_map: str | None = "nudenet"
    min_score: float = Field(default=0.25, ge=0, le=1)
    image_size: int = Field(default=320, ge=32, le=4096, multiple_of=32)
    nms_iou: float = Field(default=0.45, gt=0, le=1)


def requirements(settings: MemberSettings, context: LoadContext) -> list[str]:
    """The packages that are missing; see :class:`artdet.detectors.base.Backend`."""
    missing = _missing()
    return [f"{settings.name}: {' and '.join(missing)} not installed; get it with: {INSTALL}"] if missing else []


def fingerprint(settings: MemberSettings, context: LoadContext) -> Mapping[str, str]:
    """Hash of the model and version of its package; see :class:`artdet.detectors.base.Backend`."""
    return {"weights_sha256": file_sha256(model_path()), "nudenet": importlib.metadata.version("nudenet")}


def load(settings: MemberSettings, context: LoadContext) -> Detector:
    """The detector, on the CPU."""
    path = model_path()
    from artdet.detectors.nudity_model import NudityDetector, open_session

    own = cast(Settings, settings)
    session, classes = open_session(path, threads=context.threads)
    return NudityDetector(session, own, class_ids(own, classes, context))


def model_path() -> Path:
    """The model inside the installed package.

    Raises:
        MissingBackend: if a package is missing.
        ModelError: if the package holds no such model.
    """
    missing = _missing()
    if missing:
        raise MissingBackend(" and ".join(missing), "the detector 'nudity'", f"Install it with: {INSTALL}")
    spec = importlib.util.find_spec("nudenet")
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or ():
        path = Path(folder) / MODEL_FILE
        if path.is_file():
            return path
    raise ModelError(f"the installed nudenet package holds no {MODEL_FILE}. Install it again with: {INSTALL}")


def _missing() -> list[str]:
    return [package for package in PACKAGES if not is_installed(package)]
