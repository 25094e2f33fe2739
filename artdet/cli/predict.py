"""``artdet predict``: from image files to a run folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from artdet.cli.run_options import run_options


@click.command(short_help="Find what pictures depict.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--ensemble", default="default", show_default=True, metavar="NAME|FILE", help="Detectors, fusion, rules.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Run folder.  [default: runs/predict/NAME]")
@click.option("--draw", is_flag=True, help="Also write pictures with the boxes drawn.")
@run_options
@click.option(
    "--min-score",
    type=click.FloatRange(0, 1),
    metavar="S",
    help="Drop boxes below S, in place of the ensemble's thresholds.",
)
@click.option("--tta", is_flag=True, help="Look at every image mirrored and at several sizes: better, and slower.")
@click.option(
    "--engine",
    type=click.Choice(["auto", "openvino", "onnx", "torch"]),
    default="auto",
    show_default=True,
    help="What runs YOLO models; auto is the quickest installed.",
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "float32"]),
    default="auto",
    show_default=True,
    help="auto is what is quickest: bfloat16 where OpenVINO and the CPU have it.",
)
@click.option("--keep-members", is_flag=True, help="Also keep each detector's own boxes before fusion.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a value of the ensemble: fusion.iou=0.5. Repeatable.",
)
@click.option(
    "--taxonomy",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Your own classes, in the form of annotations/taxonomy.yaml.",
)
@click.option("--trust-weights", is_flag=True, help="Load weights that are pickles, which can run code.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def command(*, resume: bool, draw: bool, as_json: bool, out: Path | None, **options: Any) -> None:
    """Find what pictures depict: one line of boxes per image, in a run folder.

    PATH is a folder, an image file or a quoted glob; several may be given. A run that was stopped in any way goes on
    when the same command is given again.
    """
    from artdet.cli.progress import progress_bar
    from artdet.cli.summary import summary_json, summary_text
    from artdet.predict.prediction import Request, plan

    prediction = plan(Request(out=out, overwrite=not resume, **options))
    with progress_bar("detecting", len(prediction.files)) as advance:
        tally = prediction.run(advance)
    pictures = _draw(prediction.folder, prediction.context.taxonomy, len(prediction.files)) if draw else None
    if as_json:
        click.echo(json.dumps(summary_json(prediction, tally, pictures), indent=2))
    else:
        click.echo(summary_text(prediction, tally, pictures))


def _draw(folder: Path, taxonomy: Any, total: int) -> Any:
    from artdet.cli.progress import progress_bar
    from artdet.exports.pictures import draw_run
    from artdet.runs import open_run

    with progress_bar("drawing", total) as advance:
        advance(0)
        return draw_run(open_run(folder), taxonomy=taxonomy, progress=advance)
