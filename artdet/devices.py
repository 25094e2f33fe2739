"""Where models run, and what is installed for them."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import shutil
from pathlib import Path

from artdet.errors import InputError

CONTRIB = "pip install --force-reinstall --no-deps opencv-contrib-python-headless"
"""Puts the one OpenCV build back that has all that artdet uses; uninstalling another build would break it as well."""


def resolve_device(name: str) -> str:
    """The device behind ``name``: ``"cpu"``, ``"cuda"``, ``"cuda:N"``, ``"mps"``; ``"auto"`` is CUDA where it works.

    torch, which takes seconds to import, is asked only where something points to a GPU.

    Raises:
        InputError: if there is no such device here.
    """
    if name == "cpu":
        return "cpu"
    if name == "auto":
        return "cuda" if _has_nvidia_driver() and _cuda_count() else "cpu"
    match = re.fullmatch(r"cuda(?::(\d+))?|mps", name)
    if match is None:
        raise InputError(f"there is no device '{name}'. Use cpu, cuda, cuda:N, mps or auto.")
    if name == "mps":
        torch = importlib.import_module("torch")
        if not torch.backends.mps.is_available():
            raise InputError("this machine has no Apple GPU that torch can use. Use --device cpu.")
    elif _cuda_count() <= int(match[1] or 0):
        raise InputError(f"torch sees {_cuda_count()} CUDA devices here, so not '{name}'. Use --device cpu.")
    return name


def cpu_threads() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_installed(package: str) -> bool:
    """Whether a package can be imported, found out without importing it."""
    return importlib.util.find_spec(package) is not None


def _has_nvidia_driver() -> bool:
    return Path("/proc/driver/nvidia").exists() or shutil.which("nvidia-smi") is not None


def _cuda_count() -> int:
    count: int = importlib.import_module("torch").cuda.device_count()
    return count
