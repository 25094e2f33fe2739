"""``artdet evaluate`` of runs of ``artdet classify``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from artdet.evaluate.classification.evaluation import Request


def evaluate_labels(request: Request, *, out: Path | None, report: bool, as_json: bool, line: str) -> None:
    """Measures runs against known labels, prints tables or JSON, and writes the files.

    Args:
        request: what is asked for.
        out: where to; by the names of runs and truth by default.
        report: whether to write report.html.
        as_json: print metrics.json instead of tables.
        line: the command line, for the report.
    """
    from artdet.data.artworks.label_source import load_artworks
    from artdet.evaluate.classification.evaluation import evaluate
    from artdet.evaluate.classification.output import metrics_json, save
    from artdet.evaluate.classification.tables import text

    made = evaluate(request, lambda tasks: load_artworks(request.truth, tasks))
    for note in made.notes:
        click.echo(note, err=True)
    click.echo(json.dumps(metrics_json(made), indent=2) if as_json else text(made))
    for path in save(made, out, with_report=report, command=line):
        click.echo(path, err=as_json)


def refuse_options(names: Sequence[str], owner: str) -> None:
    """Makes sure that none of these options was given on the command line.

    Args:
        names: of the parameters of the current command.
        owner: what they are for.

    Raises:
        click.UsageError: if one was.
    """
    context = click.get_current_context()
    for parameter in context.command.params:
        given = context.get_parameter_source(parameter.name or "") == click.core.ParameterSource.COMMANDLINE
        if given and parameter.name in names:
            raise click.UsageError(f"{parameter.opts[0]} is for {owner} only. Leave it out.")
