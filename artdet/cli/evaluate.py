"""``artdet evaluate``: how good runs are, and which is better."""

from __future__ import annotations

import gc
import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from artdet.cli.sources import say_findings, source_options


@click.command(short_help="Measure runs against true boxes.")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@click.option(
    "--truth", required=True, metavar="SOURCE", help="True boxes: a folder, a file, a source's yaml or its name."
)
@click.option(
    "--level",
    type=click.Choice(["fine", "coarse", "both"]),
    default="both",
    show_default=True,
    help="Classes, categories, or both.",
)
@click.option("--by", multiple=True, metavar="FIELD", help="Also for each value of a field of the truth. Repeatable.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Where to.  [default: runs/evaluate/NAME]")
@click.option("--report/--no-report", default=True, show_default=True, help="Write report.html, with pictures.")
@click.option(
    "--bootstrap",
    type=click.IntRange(0),
    default=1000,
    show_default=True,
    metavar="N",
    help="Resamples of the images for the 95 % intervals; 0 for none.",
)
@click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="Of the resamples.")
@click.option("--min-score", type=click.FloatRange(0, 1), default=0.0, show_default=True, help="Leave lower boxes out.")
@source_options
@click.option("--json", "as_json", is_flag=True, help="Print metrics.json instead of tables.")
def command(
    *,
    runs: tuple[Path, ...],
    truth: str,
    out: Path | None,
    report: bool,
    as_json: bool,
    taxonomy: Path | None,
    label_map: str | None,
    images: Path | None,
    form: str | None,
    **options: Any,
) -> None:
    """Measure the run folders RUN against true boxes: a table here, metrics.json and report.html in a folder.

    Several runs are put side by side, each later one compared with the first on the same images. No model is run.
    """
    from artdet.data.sources import load_dataset
    from artdet.evaluate.evaluation import Request, evaluate
    from artdet.evaluate.output import metrics_json, save
    from artdet.evaluate.tables import text
    from artdet.taxonomy import Taxonomy

    classes = Taxonomy.load(taxonomy)
    with _without_collector():
        dataset = load_dataset(truth, taxonomy=classes, label_map=label_map, images=images, format=form)
        say_findings(dataset.name, dataset.findings)
        evaluation = evaluate(Request(runs=runs, **options), dataset)
    for note in evaluation.notes:
        click.echo(note, err=True)
    click.echo(json.dumps(metrics_json(evaluation.report), indent=2) if as_json else text(evaluation.report))
    for path in save(evaluation, out, with_report=report, command=shlex.join(["artdet", *sys.argv[1:]])):
        click.echo(path, err=as_json)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Python's collector of cycles would look through all boxes again and again, an eighth of the time, for nothing."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
