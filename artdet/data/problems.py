"""What is odd about a source: collected while it is read, and said with counts and the first names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_SHOWN = 3


@dataclass(frozen=True)
class Finding:
    """One kind of oddity in a source.

    Attributes:
        kind: a key of ``KINDS``.
        count: how often it was met.
        examples: the first names.
        loses: whether something was left out because of it (else it was mended, or is only worth knowing).
    """

    kind: str
    count: int
    examples: tuple[str, ...]
    loses: bool

    def __str__(self) -> str:
        names = ", ".join(self.examples)
        more = ", ..." if self.count > len(self.examples) else ""
        return f"{KINDS[self.kind].text}: {self.count:,} ({names}{more})"


@dataclass(frozen=True)
class Kind:
    """What is said about a kind of oddity, and whether it loses something."""

    text: str
    loses: bool = False


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "missing_image": Kind("annotated images that are not there, left out", loses=True),
        "unreadable_image": Kind("images that cannot be read, left out", loses=True),
        "unreadable_annotation": Kind("annotation files that cannot be read, left out with their images", loses=True),
        "size_differs": Kind("images of another shape than their annotation says, left out", loses=True),
        "size_rescaled": Kind("images of another size than their annotation says, boxes rescaled"),
        "outside": Kind("boxes wholly outside their image, left out", loses=True),
        "cut": Kind("boxes that reach outside their image, cut at its border"),
        "swapped": Kind("boxes with swapped corners, put right"),
        "no_area": Kind("boxes without area, left out", loses=True),
        "damaged_box": Kind("boxes that cannot be read, left out", loses=True),
        "duplicate_box": Kind("boxes that stand twice in the same image, taken once"),
        "duplicate_image": Kind("images listed more than once, taken once"),
        "not_annotated": Kind("images without annotation (not the same as annotated as empty), which do not count"),
        "empty": Kind("images annotated as having no boxes"),
        "not_exhaustive": Kind("boxes of classes that the source does not label exhaustively, which do not count"),
        "sizes_from_annotation": Kind("images that are not at hand, sizes taken from the annotation"),
        "first_pixel": Kind("boxes that start at pixel 0, so the source counts from 0 and not from 1 as VOC does"),
        "list_contradicts": Kind("images that contradict the list (listed as empty but with boxes, or the reverse)"),
        "no_such_object": Kind("boxes that were to be called otherwise and are not there"),
        "encoding": Kind("files are not UTF-8 text and were read as Windows-1252; check their accents"),
        "copy": Kind("images that are byte for byte copies of others"),
    }
)
"""Every kind of oddity; the order is that of weight."""


@dataclass
class Problems:
    """Collects oddities while a source is read."""

    _counts: dict[str, int] = field(default_factory=dict)
    _examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, name: str, count: int = 1) -> None:
        """Notes ``count`` more of a kind in ``KINDS``; ``name`` (a file, or file and class) serves as example."""
        if kind not in KINDS:
            raise ValueError(f"unknown kind of problem '{kind}'")
        self._counts[kind] = self._counts.get(kind, 0) + count
        examples = self._examples.setdefault(kind, [])
        if len(examples) < _SHOWN and name not in examples:
            examples.append(name)

    def findings(self) -> tuple[Finding, ...]:
        """Everything met so far, in the order of ``KINDS``."""
        return tuple(
            Finding(kind, self._counts[kind], tuple(self._examples[kind]), KINDS[kind].loses)
            for kind in KINDS
            if kind in self._counts
        )
