"""The table of ``artdet data stats``: classes down, sources across."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from artdet.data.statistics import Counts, Statistics
from artdet.taxonomy import Taxonomy

_GAP = "   "
_COLUMNS: tuple[tuple[str, Callable[[Counts], str]], ...] = (
    ("boxes", lambda counts: f"{counts.boxes}{'*' if counts.not_exhaustive else ' '}"),
    ("images", lambda counts: str(counts.images)),
    ("per image", lambda counts: f"{counts.boxes_per_image:.1f}"),
    ("small", lambda counts: f"{counts.shares[0]:.0%}"),
    ("medium", lambda counts: f"{counts.shares[1]:.0%}"),
    ("large", lambda counts: f"{counts.shares[2]:.0%}"),
    ("crowd", lambda counts: str(counts.crowd)),
    ("difficult", lambda counts: str(counts.difficult)),
)
_RARE = {"crowd", "difficult"}


@dataclass(frozen=True)
class _Row:
    """A line of the table: how it is called, and where its counts stand."""

    title: str
    counts: Callable[[Statistics], Counts | None]


def statistics_text(parts: Sequence[Statistics], taxonomy: Taxonomy, *, width: int | None) -> str:
    """Table and summary of sets of one taxonomy.

    Args:
        parts: a block of columns each.
        taxonomy: of their labels.
        width: of the terminal in characters: blocks that do not fit beside the others come below; ``None``: no limit.
    """
    rows = _rows(parts, taxonomy)
    blocks = [_block(part, rows) for part in parts]
    titles = _left(["", "", *(row.title for row in rows)])
    tables = []
    while blocks:
        taken, used = 1, len(titles[0]) + len(_GAP) + len(blocks[0][0])
        while taken < len(blocks) and (width is None or used + len(_GAP) + len(blocks[taken][0]) <= width):
            used += len(_GAP) + len(blocks[taken][0])
            taken += 1
        lines = zip(titles, *blocks[:taken], strict=True)
        tables.append("\n".join(_GAP.join(line).rstrip() for line in lines))
        blocks = blocks[taken:]
    return "\n\n".join([*tables, _notes(parts)])


def _rows(parts: Sequence[Statistics], taxonomy: Taxonomy) -> list[_Row]:
    """A line for every category and class that some part has, and one for all."""
    rows = []
    for category in taxonomy.categories:
        if not any(category in part.categories for part in parts):
            continue
        rows.append(_Row(category, lambda part, name=category: part.categories.get(name)))  # type: ignore[misc]
        below = [node.name for node in taxonomy.nodes if node.category == category and node.is_fine]
        fine = [name for name in below if any(name in part.classes for part in parts)]
        rows += [_Row(f"  {name}", lambda part, name=name: part.classes.get(name)) for name in fine]  # type: ignore[misc]
        if fine and any(category in part.classes for part in parts):
            rows.append(_Row("  other", lambda part, name=category: part.classes.get(name)))  # type: ignore[misc]
    return [*rows, _Row("total", lambda part: part.total)]


def _block(part: Statistics, rows: Sequence[_Row]) -> list[str]:
    """The lines of one set, all of one length: name, head of the columns, a line for each row."""
    shown = [(name, cell) for name, cell in _COLUMNS if name not in _RARE or getattr(part.total, name)]
    counts = [row.counts(part) for row in rows]
    columns = [_right([name, *("" if c is None else cell(c) for c in counts)]) for name, cell in shown]
    lines = ["  ".join(cells) for cells in zip(*columns, strict=True)]
    return _left([part.name, *lines])


def _notes(parts: Sequence[Statistics]) -> str:
    lines = []
    for part in parts:
        filled = part.annotated - part.empty
        said = [f"{part.images} images: {filled} with boxes, {part.empty} annotated without"]
        said[0] += f", {part.not_annotated} not annotated" if part.not_annotated else ""
        said += [f"{part.groups} works or series"] if part.groups != part.images else []
        said += [f"licence: {part.licence}"] if part.licence else []
        lines.append(f"{part.name}: {'; '.join(said)}")
    if any(part.total.not_exhaustive for part in parts):
        lines.append("* some or all of classes not boxed everywhere, so neither hit nor miss")
    return "\n".join(lines)


def _left(cells: Sequence[str]) -> list[str]:
    width = max(map(len, cells))
    return [cell.ljust(width) for cell in cells]


def _right(cells: Sequence[str]) -> list[str]:
    width = max(map(len, cells))
    return [cell.rjust(width) for cell in cells]
