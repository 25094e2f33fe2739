"""Keeps Pillow silent while artdet reads, for the reading thread only."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

_state = threading.local()


def _reading() -> bool:
    return getattr(_state, "depth", 0) > 0


class _PillowWhileReading:
    """Stands where a warnings filter has its module pattern: matches Pillow's modules, in a reading thread only."""

    def match(self, module: str) -> bool:
        return _reading() and module.startswith("PIL.")


class _NoRecordsWhileReading(logging.Filter):
    """Drops log records of a reading thread."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not _reading()


_WARNINGS_FILTER: Any = ("ignore", None, Warning, _PillowWhileReading(), 0)
_LOG_FILTER = _NoRecordsWhileReading()
_TALKATIVE_LOGGERS = ("PIL.TiffImagePlugin", "PIL.PngImagePlugin", "PIL.Image")


@contextmanager
def quiet() -> Iterator[None]:
    """Inside, what Pillow warns about in this thread goes nowhere; other threads and other libraries are not touched.

    ``warnings.catch_warnings`` would not do: it swaps the filters of the whole process, so that two threads that
    leave it in the wrong order lose them.
    """
    filters = cast("list[Any]", warnings.filters)
    # Looked up each time, because ``catch_warnings`` elsewhere (pytest's, for one) takes filters away again.
    if _WARNINGS_FILTER not in filters:
        filters.insert(0, _WARNINGS_FILTER)
        for name in _TALKATIVE_LOGGERS:
            logging.getLogger(name).addFilter(_LOG_FILTER)  # adding it twice changes nothing
    _state.depth = getattr(_state, "depth", 0) + 1
    try:
        yield
    finally:
        _state.depth -= 1
