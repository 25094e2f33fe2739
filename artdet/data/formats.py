"""Which module reads which format. A new one is one file and one row."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import cast

from artdet.data.raw import Reader

FORMATS: Mapping[str, str] = MappingProxyType(
    {
        "coco": "artdet.data.coco",
        "voc": "artdet.data.voc",
        "yolo": "artdet.data.yolo",
        "openimages": "artdet.data.openimages",
        "csv": "artdet.data.csv_table",
    }
)
"""Format -> its module; where several recognise a path, the earlier reads it."""


def reader(name: str) -> Reader:
    """The module of a format in ``FORMATS``."""
    return cast(Reader, import_module(FORMATS[name]))
