"""Patterns such as ``scans/*.jpg`` and ``scans/**/front.*`` that the shell left to us.

Python's ``glob`` follows a loop of links 40 times round; this does not.
"""

from __future__ import annotations

import fnmatch
import os

from artdet.images.walk import Identity, identity, is_hidden

_MAGIC = frozenset("*?[")
_ANY_DEPTH = "**"


def is_pattern(name: str) -> bool:
    """Whether a name holds a wildcard.

    >>> is_pattern("scans/*.jpg"), is_pattern("scans/1.jpg")
    (True, False)
    """
    return not _MAGIC.isdisjoint(name)


def matches(pattern: str) -> list[str]:
    """Absolute paths that an absolute pattern matches, sorted, each once.

    ``*`` and ``?`` stop at ``/``, ``**`` as a whole part stands for any number of folders. Hidden names match only
    where the pattern's part begins with a dot. Folders that cannot be opened match nothing.
    """
    parts = pattern.split(os.sep)
    plain = next(index for index, part in enumerate(parts) if is_pattern(part))
    found: set[str] = set()
    _expand(os.sep.join(parts[:plain]) or os.sep, tuple(parts[plain:]), frozenset(), found)
    return sorted(found)


def _expand(place: str, parts: tuple[str, ...], above: frozenset[Identity], found: set[str]) -> None:
    """Adds to ``found`` what ``parts`` match below ``place``; ``above`` are folders a ``**`` passed through."""
    if not parts:
        found.add(place)
        return
    part, rest = parts[0], parts[1:]
    if not is_pattern(part):
        deeper = os.path.join(place, part)
        if os.path.exists(deeper):
            _expand(deeper, rest, frozenset(), found)
        return
    try:
        here = identity(place)
        if here in above:
            return
        names = os.listdir(place)
    except OSError:
        return
    if part == _ANY_DEPTH:
        _expand(place, rest, frozenset(), found)
    for name in names:
        deeper = os.path.join(place, name)
        if part == _ANY_DEPTH:
            if not is_hidden(name) and os.path.isdir(deeper):
                _expand(deeper, parts, above | {here}, found)
        elif fnmatch.fnmatchcase(name, part) and (part.startswith(".") or not is_hidden(name)):
            _expand(deeper, rest, frozenset(), found)
