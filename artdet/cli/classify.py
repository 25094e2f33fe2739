"""``artdet classify``: from image files to a run folder with labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from artdet.cli.run_options import run_options


@click.command(short_help="Tell genre, style, period and the like of pictures.")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--task", "tasks", multiple=True, metavar="NAME", help="What to tell; all by default. Repeatable.")
@click.option(
    "--model", "models", multiple=True, metavar="NAME|DIR", help="Who tells; the bundled ones by default. Repeatable."
)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR", help="Run folder.  [default: runs/classify/NAME]"
)
@click.option(
    "--top-k",
    type=click.IntRange(1),
    metavar="K",
    help="Keep only the K likeliest classes.  [default: all of up to 30, else 3]",
)
@click.option(
    "--crops",
    type=click.Choice(["1", "5", "10"]),
    default="1",
    show_default=True,
    help="Views of every picture, whose answers are averaged: better, and slower.",
)
@click.option("--explain", is_flag=True, help="Also write pictures of where the answers come from (Grad-CAM).")
@run_options
@click.option(
    "--engine",
    type=click.Choice(["auto", "openvino", "onnx", "torch"]),
    default="auto",
    show_default=True,
    help="What runs the networks; auto is the quickest installed.",
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "bfloat16"]),
    default="auto",
    show_default=True,
    help="auto is float32; bfloat16 is quicker where the machine has it, and moves probabilities by a few hundredths.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def command(*, resume: bool, explain: bool, as_json: bool, crops: str, **options: Any) -> None:
    """Tell genre, style, period and the like of pictures: a line of labels per image, in a run folder.

    PATH is a folder, an image file or a quoted glob; several may be given. A run that was stopped in any way goes on
    when the same command is given again.
    """
    from artdet.cli.classify_summary import summary_json, summary_text
    from artdet.cli.progress import progress_bar
    from artdet.predict.classification import Request, plan

    classification = plan(Request(overwrite=not resume, crops=int(crops), **options))
    for note in classification.choice.notes:
        click.echo(note, err=True)
    if explain:
        from artdet.predict.explaining import check

        check(classification)
    with progress_bar("classifying", len(classification.files)) as advance:
        tally = classification.run(advance)
    pictures = _explain(classification) if explain else None
    if as_json:
        click.echo(json.dumps(summary_json(classification, tally, pictures), indent=2))
    else:
        click.echo(summary_text(classification, tally, pictures))


def _explain(classification: Any) -> Path:
    from artdet.cli.progress import progress_bar
    from artdet.predict.explaining import explain

    with progress_bar("explaining", len(classification.files)) as advance:
        advance(0)
        return explain(classification, advance)
