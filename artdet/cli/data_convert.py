"""``artdet data convert``: true boxes in another format, with our class names."""

from __future__ import annotations

from pathlib import Path

import click

from artdet.cli.sources import say_findings, source_options


@click.command(short_help="Write a source in another format, with our class names.")
@click.argument("source")
@click.option("--to", "target", default="coco", show_default=True, metavar="FORMAT", help="coco, yolo, voc or csv.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="[default: converted/NAME/FORMAT]")
@source_options
def command(
    source: str,
    target: str,
    out: Path | None,
    label_map: str | None,
    images: Path | None,
    form: str | None,
    taxonomy: Path | None,
) -> None:
    """Write the boxes of SOURCE in another format, with the names of our classes.

    The images stay where they are. COCO keeps everything that is known about them; what the other formats cannot hold
    is said.
    """
    from artdet.data.sources import load_dataset
    from artdet.exports import export_truth, exporter
    from artdet.taxonomy import Taxonomy

    exporter(target)
    dataset = load_dataset(source, taxonomy=Taxonomy.load(taxonomy), label_map=label_map, images=images, format=form)
    say_findings(dataset.name, dataset.findings)
    written = export_truth(dataset, target, out or Path("converted", dataset.name, target))
    for note in written.notes:
        click.echo(note, err=True)
    click.echo(f"{written.images} images, {written.boxes} boxes", err=True)
    for path in written:
        click.echo(path)
