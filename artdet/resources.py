"""Where the files that ship with artdet lie: beside the package in a checkout, inside it in an installed wheel."""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_SHIPPED = _PACKAGE / "_shipped"


def shipped(*parts: str) -> Path:
    """Path of a shipped file or folder, such as ``shipped("configs", "ensembles")``."""
    root = _SHIPPED if _SHIPPED.is_dir() else _PACKAGE.parent
    return root.joinpath(*parts)


def bundled_weights() -> Path:
    """The folder of the bundled models: one folder each, with ``model.safetensors`` and ``model.yaml``."""
    return _PACKAGE / "weights"


def cache_folder() -> Path:
    """Where exported models go: ``ARTDET_CACHE_DIR``, else the user's cache folder. Deleting it loses only time."""
    named = os.environ.get("ARTDET_CACHE_DIR")
    if named:
        return Path(named).expanduser().absolute()
    from platformdirs import user_cache_path

    return user_cache_path("artdet", appauthor=False)
