"""Tables, numbers and durations of model cards."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table in Markdown; bars within cells are escaped."""
    right = ["---:" if index and _is_number(cells) else "---" for index, cells in enumerate(zip(*rows, strict=True))]
    lines = [head, right or ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return [f"| {' | '.join(line)} |" for line in lines]


def _is_number(cells: Iterable[str]) -> bool:
    return all(not cell or cell == "-" or cell.replace(",", "").replace(".", "").isdigit() for cell in cells)


def number(value: float | None) -> str:
    """With three digits; a dash for what was not measured."""
    return "-" if value is None or math.isnan(value) else f"{value:.3f}"


def duration(seconds: float) -> str:
    """In words.

    >>> [duration(seconds) for seconds in (3.3, 200, 5000)]
    ['3 s', '3 min', '1 h 23 min']
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"
