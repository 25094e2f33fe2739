"""``artdet data compose``: scenes of cut-outs on art."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from artdet.data.compose_files import Composed
    from artdet.data.cutouts import Cutout
    from artdet.taxonomy import Taxonomy

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command(short_help="Compose scenes of cut-out objects on art.")
@click.argument("cutouts", nargs=-1, type=_FOLDER, metavar="CUTOUTS...")
@click.option("--out", required=True, type=_FOLDER, metavar="FOLDER", help="Results.")
@click.option("--category", metavar="NAME", help="All classes of a category of the taxonomy.")
@click.option("--classes", metavar="A,B", help="Only these classes.")
@click.option("--label-map", metavar="MAP", help="Classes of the cut-outs' paths: a shipped map or a file.")
@click.option("--cut-from", multiple=True, metavar="SOURCE", help="Cut objects out of its boxes first. Repeatable.")
@click.option(
    "--backgrounds", multiple=True, metavar="SOURCE|FOLDER", help="Images that hold none of the classes. Repeatable."
)
@click.option("--assume-absent", is_flag=True, help="You know that backgrounds without boxes of them hold none.")
@click.option("--files", metavar="REGEX", help="Only backgrounds in whose path it is found.")
@click.option("--images", type=click.IntRange(0), default=200, show_default=True, metavar="N", help="Pictures.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, metavar="N", help="Another choice.")
@click.option("--size", type=int, metavar="PX", help="Longer side of a picture.  [default: 512]")
@click.option("--objects", nargs=2, type=int, metavar="N N", help="Fewest and most of a picture.  [default: 1 4]")
@click.option(
    "--scale", nargs=2, type=float, metavar="S S", help="Longer sides as shares of the picture's.  [default: 0.15 0.5]"
)
@click.option("--rotation", type=float, metavar="DEGREES", help="At most.  [default: 15]")
@click.option("--feet", type=float, metavar="S", help="Lower edges at least so far down.  [default: 0.4]")
@click.option("--together", type=float, metavar="P", help="Share of objects in front of another.  [default: 0]")
@click.option("--artify", type=float, metavar="P", help="Share of objects with a painted look.  [default: 0.5]")
@click.option("--weight", multiple=True, metavar="CLASS=W", help="How often a class is drawn, others 1. Repeatable.")
@click.option("--licence", default="", metavar="TEXT", help="Of the CUTOUTS, to be noted with them.")
@click.option("--taxonomy", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Your own classes.")
def command(
    cutouts: tuple[Path, ...],
    out: Path,
    category: str | None,
    classes: str | None,
    label_map: str | None,
    cut_from: tuple[str, ...],
    backgrounds: tuple[str, ...],
    assume_absent: bool,
    files: str | None,
    images: int,
    seed: int,
    licence: str,
    taxonomy: Path | None,
    **drawn: Any,
) -> None:
    """Lay cut-out objects on paintings, to train detectors for classes of which there are too few boxes.

    CUTOUTS are folders of PNG files with a transparent ground; the nearest folder with the name of a class says what
    they show, or --label-map does. The results (images, boxes, what they are made of) are a source like any other. A
    call that was stopped goes on when the same command is given again.
    """
    from artdet.cli.progress import progress_bar
    from artdet.data.compose_files import Order, backgrounds_of, compose
    from artdet.data.grabcut import FOLDER
    from artdet.errors import InputError
    from artdet.taxonomy import Taxonomy

    names = Taxonomy.load(taxonomy)
    wanted = _wanted(names, category, classes)
    settings = _settings(drawn, names)
    _check(cutouts, cut_from, backgrounds, images)
    for source in cut_from:
        _cut(source, wanted, out / FOLDER, names)
    if not images:
        return
    places = [(folder, label_map) for folder in cutouts] + [(out / FOLDER, None)] * bool(cut_from)
    pieces = _loaded(places, wanted, names, licence)
    if not pieces:
        raise InputError("There is no cut-out of these classes. Check --classes and the folders' names.")
    grounds = [
        ground
        for place in backgrounds
        for ground in backgrounds_of(place, wanted, taxonomy=names, assume_absent=assume_absent, files=files)
    ]
    order = Order(pieces, grounds, wanted, settings, seed)
    with progress_bar("composing", images) as advance:
        result = compose(order, out, count=images, taxonomy=names, progress=advance)
    click.echo(_text(result, len(grounds), len(pieces)))


def _check(cutouts: tuple[Path, ...], cut_from: tuple[str, ...], backgrounds: tuple[str, ...], images: int) -> None:
    if not cutouts and not cut_from:
        raise click.UsageError("There is nothing to compose of. Name a folder of CUTOUTS, or a source with --cut-from.")
    if images and not backgrounds:
        raise click.UsageError("Missing option '--backgrounds'. Name images that hold none of the classes.")
    if not images and not cut_from:
        raise click.UsageError("--images 0 only cuts out, so it needs --cut-from SOURCE.")


def _wanted(taxonomy: Taxonomy, category: str | None, classes: str | None) -> frozenset[int]:
    """Ids of the classes that are asked for."""
    if (category is None) == (classes is None):
        raise click.UsageError("Name the classes with either --category NAME or --classes A,B.")
    if category is not None:
        return taxonomy.expanded([category])
    return taxonomy.ids_of(name.strip() for name in (classes or "").split(",") if name.strip())


def _settings(drawn: dict[str, Any], taxonomy: Taxonomy) -> Any:
    from artdet.config import validated
    from artdet.data.scenes import SceneSettings

    weights: dict[str, float] = {}
    for text in drawn.pop("weight"):
        name, _, number = text.partition("=")
        taxonomy.id_of(name)
        try:
            weights[name] = float(number)
        except ValueError:
            raise click.UsageError(f"--weight {text}: write a class and a number, such as duck=2.") from None
    given = {name: value for name, value in drawn.items() if value is not None}
    return validated(SceneSettings, {**given, "weights": weights}, where="options")


def _cut(source: str, wanted: frozenset[int], folder: Path, taxonomy: Taxonomy) -> None:
    """Cuts objects out of a source and says what came of it."""
    from artdet.cli.progress import progress_bar
    from artdet.data.grabcut import cut_out, samples_with
    from artdet.data.sources import load_dataset

    dataset = load_dataset(source, taxonomy=taxonomy)
    with progress_bar(f"cutting {dataset.name}", len(samples_with(dataset, wanted))) as advance:
        result = cut_out(dataset, wanted, folder, progress=advance)
    click.echo(f"{dataset.name}: {_counts(result.made) or 'no'} cut-outs in {folder}")
    if result.refused:
        click.echo(f"  boxes without one: {_counts(result.refused)}")


def _loaded(
    places: list[tuple[Path, str | None]], wanted: frozenset[int], taxonomy: Taxonomy, licence: str
) -> list[Cutout]:
    from artdet.data.cutouts import load_cutouts
    from artdet.labelmaps import LabelMap

    result: list[Cutout] = []
    for folder, name in places:
        pieces, failures = load_cutouts(
            folder, wanted, label_map=LabelMap.load(name), taxonomy=taxonomy, licence=licence
        )
        result += pieces
        for file, reason in failures.items():
            click.secho(f"{file}: {reason}; left out", err=True, fg="red")
    return result


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common())


def _text(result: Composed, backgrounds: int, cutouts: int) -> str:
    """What was made, for people."""
    dataset = result.dataset
    boxes = Counter(dataset.taxonomy.names[label] for sample in dataset for label in sample.truth.labels.tolist())
    lines = [f"{result.made} scene{'' if result.made == 1 else 's'} made of {cutouts} cut-outs on {backgrounds} images"]
    if result.before:
        lines.append(f"{result.before} were there already")
    lines.append(f"boxes: {_counts(boxes)}")
    if result.failures:
        name, error = min(result.failures.items())
        lines.append(f"{len(result.failures)} backgrounds could not be read, such as {name}: {error}")
    return "\n".join([*lines, f"scenes: {dataset.root}"])
