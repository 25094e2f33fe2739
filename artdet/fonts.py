"""A font that has the letters of a label: the bundled one for English names, others for Bäume, λίμνη or 人物."""

from __future__ import annotations

import string
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_PLAIN = frozenset(string.printable)
_OTHERS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "arial.ttf",
    "Arial Unicode.ttf",
    "NotoSansCJK-Regular.ttc",
    "msyh.ttc",
    "Hiragino Sans GB.ttc",
)
"""Fonts that Linux, Windows and macOS usually have, tried in this order."""


@lru_cache(maxsize=256)
def font_for(text: str, size: int) -> Font:
    """The first font at ``size`` pixels that has every letter of ``text``; the bundled one if none has."""
    plain = _bundled(size)
    if _PLAIN.issuperset(text):
        return plain
    for name in (*_in_matplotlib(), *_OTHERS):
        font = _opened(name, size)
        if font is not None and _has(font, text):
            return font
    return plain


@lru_cache(maxsize=32)
def _bundled(size: int) -> Font:
    """Pillow's own font, which has the letters of English only."""
    return ImageFont.load_default(size)


@lru_cache(maxsize=1)
def _in_matplotlib() -> tuple[str, ...]:
    """DejaVu Sans where matplotlib lies, which ultralytics brings; found without importing it."""
    spec = find_spec("matplotlib")
    folders = (spec.submodule_search_locations or []) if spec else []
    return tuple(str(Path(folder, "mpl-data", "fonts", "ttf", "DejaVuSans.ttf")) for folder in folders)


@lru_cache(maxsize=64)
def _opened(name: str, size: int) -> ImageFont.FreeTypeFont | None:
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return None


def _has(font: ImageFont.FreeTypeFont, text: str) -> bool:
    """Whether no letter comes out as the sign for a missing one, which every font draws for a non-character."""
    missing = bytes(font.getmask("\U0010fffe"))
    return all(bytes(font.getmask(letter)) != missing for letter in set(text) if not letter.isspace())
