"""``artdet export``: the boxes of a run in the formats of others."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Write the boxes or labels of a run as COCO, CSV, YOLO or VOC files.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--format", "form", required=True, metavar="FORMAT", help="coco, csv, yolo or voc.")
@click.option("--out", type=click.Path(path_type=Path), metavar="PATH", help="Where to.  [default: RUN/exports/FORMAT]")
@click.option("--min-score", type=click.FloatRange(0, 1), default=0.0, show_default=True, help="Leave lower ones out.")
@click.option(
    "--top-k",
    type=click.IntRange(1),
    metavar="K",
    help="Of labels: the K likeliest of each image.  [default: as classify was asked, else 3]",
)
@click.option(
    "--taxonomy",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The classes of the run, if not artdet's own.",
)
def command(run: Path, form: str, out: Path | None, min_score: float, top_k: int | None, taxonomy: Path | None) -> None:
    """Write the boxes of the run folder RUN as COCO, CSV, YOLO or Pascal VOC files, or its labels as CSV."""
    from artdet.cli.evaluate_labels import refuse_options
    from artdet.exports import export
    from artdet.runs import open_run
    from artdet.taxonomy import Taxonomy

    opened = open_run(run)
    if opened.info.get("kind") == "classify":
        from artdet.exports.csv_labels import shown

        refuse_options(("taxonomy",), "runs of `artdet predict`")
        opened = shown(opened, top_k)
    else:
        refuse_options(("top_k",), "runs of `artdet classify`")
    exported = export(opened, form, out, min_score=min_score, taxonomy=Taxonomy.load(taxonomy))
    for note in exported.notes:
        click.echo(note, err=True)
    failed = f"; {exported.failures} could not be read" if exported.failures else ""
    held = f"{exported.labels} labels" if exported.labels else f"{exported.boxes} boxes"
    click.echo(f"{exported.images} images, {held}{failed}", err=True)
    for path in exported:
        click.echo(path)
