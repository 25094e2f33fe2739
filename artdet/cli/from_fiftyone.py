"""``artdet data from-fiftyone``: boxes corrected in the App, as a truth in COCO form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from artdet.view.corrections import Corrected


@click.command(short_help="Take boxes corrected in FiftyOne's App back as a truth.")
@click.argument("name")
@click.option("--field", metavar="FIELD", help="Of the boxes.  [default: truth; without one, predictions]")
@click.option("--tagged", metavar="TAG", help="Only images with this tag, and elsewhere only boxes with it.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="[default: NAME-corrected.json]")
@click.option("--database", metavar="DIR|URI", help="As in `artdet app`; its App may be open.")
@click.option("--taxonomy", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Your own classes.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def command(
    name: str,
    field: str | None,
    tagged: str | None,
    out: Path | None,
    database: str | None,
    taxonomy: Path | None,
    as_json: bool,
) -> None:
    """Write the boxes of the FiftyOne dataset NAME (or of the run folder NAME) as a truth in COCO form.

    Without a truth in the dataset its predictions become one: those tagged "correct", or all with --field predictions.
    """
    from artdet.data.coco_writer import write_coco
    from artdet.taxonomy import Taxonomy
    from artdet.view.corrections import corrected
    from artdet.view.database import open_database
    from artdet.view.dataset import find

    with open_database(database, join=True):
        dataset = find(name)
        made = corrected(dataset, field=field, tagged=tagged, taxonomy=Taxonomy.load(taxonomy))
        path = out or Path(f"{dataset.name.removeprefix('artdet-')}-corrected.json")
        write_coco(made.truth, path)
    boxes = sum(len(sample.truth) for sample in made.truth)
    if as_json:
        counts = {"images": len(made.truth), "boxes": boxes, "edited": made.edited, "left_out": made.without}
        click.echo(json.dumps({"file": str(path), "field": made.field, "tagged": made.tagged, **counts}))
        return
    for line in _told(made, boxes):
        click.echo(line, err=True)
    click.echo(path)


def _told(made: Corrected, boxes: int) -> list[str]:
    chosen = f", those tagged '{made.tagged}'" if made.tagged else ""
    lines = [f"{len(made.truth)} images, {boxes} boxes of '{made.field}'{chosen}"]
    told = {
        "images were edited since they were loaded": made.edited,
        "images are left out: nobody said anything about them there": made.without,
        "boxes reached outside their image and were cut at its border": made.cut,
        "boxes had no area and are left out": made.empty,
    }
    return lines + [f"{count} {text}" for text, count in told.items() if count]
