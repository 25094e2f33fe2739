"""``artdet data duplicates``: files that show the same."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from artdet.data.artworks.duplicates import Duplicates


@click.command(short_help="List images that show the same, byte for byte or by their look.")
@click.argument("names", nargs=-1, required=True, metavar="FOLDER|TASK|SOURCE...")
@click.option(
    "--near",
    type=click.IntRange(0, 32),
    metavar="N",
    help="Bits of 64 in which perceptual hashes of near duplicates may differ.  [default: 10]",
)
@click.option("--exact", is_flag=True, help="List only files with the same bytes.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.option(
    "--csv", "table", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write a row an image."
)
def command(names: tuple[str, ...], near: int | None, exact: bool, as_json: bool, table: Path | None) -> None:
    """List images that show the same: copies of a file, and other scans, sizes or prints of a work.

    Each argument is a folder of images (and the folders inside), a task such as genre, or a source of labels. All are
    compared with each other. Splits of `artdet train --task` never separate what is listed here.
    """
    from artdet.cli.progress import progress_bar
    from artdet.data.artworks.duplicates import NEAR, duplicates
    from artdet.data.artworks.named import named

    if exact and near is not None:
        raise click.UsageError("--exact and --near exclude each other. Leave one out.")
    found = [named(name) for name in names]
    for part in found:
        for note in part.notes:
            click.echo(note, err=True)
    files = {path: name for part in found for path, name in zip(part.paths, part.names, strict=True)}
    with progress_bar("reading", len(files)) as advance:
        result = duplicates(list(files), near=None if exact else NEAR if near is None else near, progress=advance)
    if table is not None:
        _write(table, list(files), list(files.values()), result)
    rows = list(files.values())
    if as_json:
        click.echo(json.dumps(_json(rows, result), indent=2, ensure_ascii=False))
    else:
        click.echo(_text(rows, result))


def _text(names: list[str], result: Duplicates) -> str:
    from artdet.cli.summary import count_text

    lines = []
    for group in result.groups:
        kind = "same bytes" if group.exact else f"same look, {group.distance} bits differ"
        copies = () if group.exact else group.copies
        marks = [" (a copy, byte for byte)" if place in copies else "" for place in group.places]
        lines += [f"{kind}:", *(f"  {names[place]}{mark}" for place, mark in zip(group.places, marks, strict=True))]
    images = sum(len(group.places) for group in result.groups)
    copied = sum(len(group.copies) for group in result.groups)
    lines.append(
        f"{count_text(len(names), 'image')}: {count_text(len(result.groups), 'group')} of duplicates with "
        f"{count_text(images, 'image')}, {copied:,} of them copies byte for byte of another"
    )
    if result.unreadable:
        place, error = next(iter(result.unreadable.items()))
        number = count_text(len(result.unreadable), "image")
        lines.append(f"{number} cannot be read, so not compared ({names[place]}: {error})")
    return "\n".join(lines)


def _json(names: list[str], result: Duplicates) -> dict[str, object]:
    groups = [
        {
            "files": [names[place] for place in group.places],
            "copies": [names[place] for place in group.copies],
            "exact": group.exact,
            "distance": group.distance,
        }
        for group in result.groups
    ]
    unreadable = {names[place]: str(error) for place, error in result.unreadable.items()}
    return {"images": len(names), "groups": groups, "unreadable": unreadable}


def _write(path: Path, paths: list[Path], names: list[str], result: Duplicates) -> None:
    from artdet.atomic import make_folder, whole_file

    stream = io.StringIO(newline="")
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow(("group", "name", "exact", "distance", "path", "copy"))
    for number, group in enumerate(result.groups, start=1):
        for place in group.places:
            rows.writerow(
                (number, names[place], int(group.exact), group.distance, paths[place], int(place in group.copies))
            )
    make_folder(path.parent)
    with whole_file(path) as file:
        file.write(stream.getvalue().encode("utf-8", "surrogateescape"))
