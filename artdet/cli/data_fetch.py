"""``artdet data fetch``: photographs of others for a category, for those who have internet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from artdet.fetching.fetch import Fetched
    from artdet.fetching.plan import Request, Split

_SHOWN = 3


@click.command(short_help="Get photographs and boxes of Open Images, COCO and IconArt.")
@click.option("--category", required=True, metavar="NAME|FILE", help="A category, or the yaml of one.")
@click.option(
    "--max-images", type=click.IntRange(1), default=2000, show_default=True, metavar="N", help="At most, of each set."
)
@click.option(
    "--sets", metavar="NAME,...", help="Of open_images, coco2017, coco2014, iconart.  [default: not coco2014]"
)
@click.option("--split", type=click.Choice(("train", "validation")), default="train", show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, metavar="N", help="Another choice.")
@click.option("--taxonomy", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Your own classes.")
@click.option("--dry-run", is_flag=True, help="Only say what would be got.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    category: str,
    max_images: int,
    sets: str | None,
    split: Split,
    seed: int,
    taxonomy: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Get images with boxes of a category's classes, below ARTDET_DATA_DIR (by default the folder data).

    The sets are then sources of their names: artdet data stats coco2017. Stopped or cut, the same command goes on;
    given again, it checks every file, and fetches what is damaged.
    """
    from artdet.cli.progress import progress_bar
    from artdet.data.category import load_category
    from artdet.fetching.fetch import check_installed, fetch
    from artdet.fetching.plan import plan
    from artdet.taxonomy import Taxonomy

    ours = Taxonomy.load(taxonomy)
    names = [name.strip() for name in sets.split(",") if name.strip()] if sets else []
    requests = plan(load_category(category, ours), max_images=max_images, sets=names, split=split, seed=seed)
    for line in _intentions(requests):
        click.echo(line, err=not dry_run)
    if dry_run:
        return
    check_installed(requests)
    made = [fetch(request, taxonomy=ours, watch=progress_bar) for request in requests]
    if as_json:
        click.echo(json.dumps([_as_json(one) for one in made]))
        return
    for one in made:
        click.echo("\n".join(_result(one)))


def _intentions(requests: tuple[Request, ...]) -> list[str]:
    """What will be got, for people."""
    from artdet.fetching.fetch import folder_of
    from artdet.fetching.plan import SETS

    lines = []
    for request in requests:
        one = SETS[request.set]
        theirs = list(request.classes)
        shown = theirs if len(theirs) <= _SHOWN else [*theirs[:_SHOWN], "..."]
        ours = dict.fromkeys(request.classes.values())
        what = f"at most {request.max_images} images" + (f" of {request.split}" if one.kind != "archive" else "")
        lines += [
            f"{one.name}: {one.title}, {what}",
            f"  classes: {', '.join(ours)} (there {len(theirs)}: {', '.join(shown)})",
            f"  before the first image: {one.tables[request.split]}",
            f"  licence: {one.licence}",
            f"  into {folder_of(request)}",
        ]
    return lines


def _result(made: Fetched) -> list[str]:
    lines = [f"{made.set}: {made.images} images in {made.folder}, {made.new or 'none'} new"]
    if made.mended:
        lines.append(f"  files that were damaged or gone, fetched again: {made.mended}")
    if made.refused:
        more = f" and {len(made.refused) - _SHOWN} more" if len(made.refused) > _SHOWN else ""
        lines.append(f"  images that their server does not give: {', '.join(made.refused[:_SHOWN])}{more}")
    return lines


def _as_json(made: Fetched) -> dict[str, object]:
    refused = list(made.refused)
    return {"set": made.set, "folder": str(made.folder), "images": made.images, "new": made.new,
            "mended": made.mended, "refused": refused}  # fmt: skip
