"""Every error that artdet raises on purpose.

    ArtdetError
    ├── InputError            a path, a folder or a file that the user named
    │   ├── ImageError        one image that cannot be read (a run notes it and goes on)
    │   └── MissingData       labelled images of a source that are not on this machine
    ├── ConfigError           a YAML file or a ``--set`` value
    ├── LabelError            a class name that the taxonomy or a label map does not know
    ├── ModelError            weights that are missing, damaged or do not fit
    │   └── MissingBackend    a library that is not installed
    └── RunError              a run folder that cannot be used

A message is one sentence of cause and one of remedy. The command line prints it without a traceback and exits 1.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ArtdetError(Exception):
    """Base of all errors that artdet raises on purpose."""


class InputError(ArtdetError):
    """A path that the user named cannot be used."""


class ImageError(InputError):
    """One image cannot be read.

    Args:
        cause: short category that summaries count by: ``"empty file"``, ``"not an image"``, ``"truncated"``, ...
        message: what is wrong with this very file.
    """

    def __init__(self, cause: str, message: str) -> None:
        super().__init__(message)
        self.cause = cause


class MissingData(InputError):
    """The data of a source are not on this machine.

    Args:
        message: for the one who named this source alone.
        source: its name.
        wanted: the path that its yaml names.
        origin: where the data come from, as its yaml says.
    """

    def __init__(self, message: str, *, source: str, wanted: str, origin: str) -> None:
        super().__init__(message)
        self.source, self.wanted, self.origin = source, wanted, origin


class ConfigError(ArtdetError):
    """A configuration is wrong; the message lists every problem, one a line."""


class LabelError(ArtdetError):
    """A class name is unknown."""


class ModelError(ArtdetError):
    """Weights are missing, damaged or do not fit their architecture."""


class MissingBackend(ModelError):
    """A library that a detector needs is not installed."""

    def __init__(self, library: str, purpose: str, remedy: str) -> None:
        super().__init__(f"{purpose} needs {library}, which is not installed. {remedy}")
        self.library = library


class RunError(ArtdetError):
    """A run folder cannot be read, written or continued."""


class TrainingError(ArtdetError):
    """Training cannot go on: memory ran out, or the weights are no numbers any more."""


class TrainingStopped(ArtdetError):
    """Training was asked to stop (Ctrl-C) and has saved where it is."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest known one, or all of them when few.

    Returns:
        ``" Did you mean 'horse'?"``, ``" Known: cat, dog."`` or an empty string.
    """
    choices = list(known)
    near = difflib.get_close_matches(name, choices, n=1)
    if near:
        return f" Did you mean '{near[0]}'?"
    return f" Known: {', '.join(choices)}." if 0 < len(choices) <= 40 else ""
