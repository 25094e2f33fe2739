"""What matplotlib is told before it draws, wherever that is; it is imported where it is used."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from artdet.resources import cache_folder


@contextmanager
def silent_matplotlib() -> Iterator[None]:
    """Inside, matplotlib says nothing of fonts and caches."""
    logger = logging.getLogger("matplotlib")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


@contextmanager
def own_matplotlib_cache() -> Iterator[None]:
    """Inside, matplotlib, when it is imported for the first time, keeps its list of fonts in artdet's cache."""
    if "MPLCONFIGDIR" in os.environ:
        yield
        return
    os.environ["MPLCONFIGDIR"] = str(cache_folder() / "matplotlib")
    try:
        yield
    finally:
        del os.environ["MPLCONFIGDIR"]
