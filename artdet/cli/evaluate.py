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

OF_BOXES = ("level", "by", "min_score", "taxonomy", "label_map", "images", "form")
OF_LABELS = ("task", "split", "part")
"""Options that only runs of one kind have."""


@click.command(short_help="Measure runs against a truth.")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@click.option(
    "--truth", required=True, metavar="SOURCE", help="What is known: a folder, a file, a source's yaml or its name."
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
@click.option("--task", multiple=True, metavar="NAME", help="Of labels: only this task. Repeatable.")
@click.option(
    "--split",
    type=click.Path(path_type=Path, exists=True),
    metavar="FILE",
    help="Of labels: the split.csv (or folder) of a training, to measure one part of it.",
)
@click.option(
    "--part",
    type=click.Choice(["train", "validation", "test"]),
    default="test",
    show_default=True,
    help="Of labels, with --split: which part.",
)
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
    task: tuple[str, ...],
    split: Path | None,
    part: str,
    bootstrap: int,
    seed: int,
    **options: Any,
) -> None:
    """Measure the run folders RUN against a truth: tables here, metrics.json and report.html in a folder.

    Runs of `artdet predict` are measured against true boxes, those of `artdet classify` against known labels. Several
    runs are put side by side, each later one compared with the first on the same images. No model is run.
    """
    from artdet.cli.evaluate_labels import evaluate_labels, refuse_options

    line = shlex.join(["artdet", *sys.argv[1:]])
    if _of_labels(runs):
        from artdet.evaluate.classification.evaluation import Request as LabelRequest

        refuse_options(OF_BOXES, "runs of `artdet predict`")
        asked = LabelRequest(runs, truth, task, split, part, bootstrap, seed)
        evaluate_labels(asked, out=out, report=report, as_json=as_json, line=line)
        return
    refuse_options(OF_LABELS, "runs of `artdet classify`")
    from artdet.data.sources import load_dataset
    from artdet.evaluate.evaluation import Request, evaluate
    from artdet.evaluate.output import metrics_json, save
    from artdet.evaluate.tables import text
    from artdet.taxonomy import Taxonomy

    classes = Taxonomy.load(taxonomy)
    with _without_collector():
        dataset = load_dataset(truth, taxonomy=classes, label_map=label_map, images=images, format=form)
        say_findings(dataset.name, dataset.findings)
        evaluation = evaluate(Request(runs=runs, bootstrap=bootstrap, seed=seed, **options), dataset)
    for note in evaluation.notes:
        click.echo(note, err=True)
    click.echo(json.dumps(metrics_json(evaluation.report), indent=2) if as_json else text(evaluation.report))
    for path in save(evaluation, out, with_report=report, command=line):
        click.echo(path, err=as_json)


def _of_labels(runs: tuple[Path, ...]) -> bool:
    """Whether the runs are of `artdet classify`."""
    from artdet.errors import RunError
    from artdet.runs import open_run

    kinds = {open_run(run).info.get("kind") == "classify" for run in runs}
    if len(kinds) > 1:
        raise RunError("Some of these runs have boxes and some labels. Evaluate runs of one kind together.")
    return kinds == {True}


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
