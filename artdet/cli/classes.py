"""``artdet classes``: the tree of classes."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command(short_help="List the classes, as a tree of two levels.")
@click.option("--taxonomy", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Your own classes.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(taxonomy: Path | None, as_json: bool) -> None:
    """List the classes, as a tree of two levels, with their Iconclass notations."""
    from artdet.taxonomy import Taxonomy

    nodes = Taxonomy.load(taxonomy).nodes
    if as_json:
        rows = [{"name": node.name, "category": node.category, "iconclass": node.iconclass} for node in nodes]
        click.echo(json.dumps(rows, indent=2))
        return
    for node in nodes:
        click.echo(f"{'  ' if node.is_fine else ''}{node.name:<{18 - 2 * node.is_fine}}{node.iconclass or ''}".rstrip())
