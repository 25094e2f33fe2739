"""``artdet data stats``: classes x sources."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from artdet.cli.sources import say_findings, source_options

if TYPE_CHECKING:
    from artdet.data.problems import Finding


@click.command(short_help="Count boxes, images and sizes of every class.")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@source_options
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(
    sources: tuple[str, ...],
    label_map: str | None,
    images: Path | None,
    form: str | None,
    taxonomy: Path | None,
    as_json: bool,
) -> None:
    """Count the boxes, images and sizes of every class of each SOURCE, and say what is odd about it.

    Small boxes have an area below 32 x 32 pixels, medium ones below 96 x 96 (COCO). The line of a category is the sum
    of those below it; "other" are its boxes that fit none of its classes.
    """
    from artdet.cli.statistics_text import statistics_text
    from artdet.data.assembly import find_copies
    from artdet.data.sources import load_dataset
    from artdet.data.statistics import combined, statistics
    from artdet.taxonomy import Taxonomy

    if images is not None and len(sources) > 1:
        raise click.UsageError("--images is about one source, but there are several. Name one.")
    classes = Taxonomy.load(taxonomy)
    parts, findings = [], []
    for source in sources:
        dataset = load_dataset(source, taxonomy=classes, label_map=label_map, images=images, format=form)
        copies = find_copies(dataset)
        parts.append(statistics(dataset))
        findings.append((*dataset.findings, *((copies,) if copies else ())))
    whole = combined(parts, classes) if len(parts) > 1 else None
    if as_json:
        rows = [{**part.as_json(), "findings": _json(found)} for part, found in zip(parts, findings, strict=True)]
        click.echo(json.dumps({"sources": rows, **({"all": whole.as_json()} if whole else {})}, indent=2))
    else:
        shown = [*parts, whole] if whole else parts
        click.echo(statistics_text(shown, classes, width=_width()))
    for part, found in zip(parts, findings, strict=True):
        say_findings(part.name, found)


def _width() -> int | None:
    """Columns of the terminal; ``None`` where a file or a program reads the table."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _json(findings: tuple[Finding, ...]) -> list[dict[str, Any]]:
    return [
        {"kind": f.kind, "count": f.count, "examples": list(f.examples), "loses": f.loses, "text": str(f)}
        for f in findings
    ]
