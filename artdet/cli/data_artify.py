"""``artdet data artify``: photographs that look like art."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from artdet.data.artify import Artify
    from artdet.data.artify_files import Artified
    from artdet.data.neural_artify import Stylist

EFFECTS = ("edge-preserving", "pencil-sketch", "stylization", "oil-painting", "neural")


@click.command(short_help="Make photographs look like paintings and drawings.")
@click.argument("paths", nargs=-1, required=True, metavar="FOLDER...")
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Results.")
@click.option(
    "--variants", type=click.IntRange(1), default=1, show_default=True, metavar="N", help="Pictures per photograph."
)
@click.option(
    "--probability",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    metavar="P",
    help="That a picture gets an effect.",
)
@click.option(
    "--grey",
    type=click.FloatRange(0, 1),
    default=0.3,
    show_default=True,
    metavar="P",
    help="Probability that it loses its colours.",
)
@click.option("--effect", type=click.Choice(EFFECTS), help="Only this one.  [default: any, mostly oil-painting]")
@click.option(
    "--styles",
    type=click.Path(path_type=Path, exists=True),
    metavar="FOLDER",
    help="Paintings that --effect neural takes its styles from.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, metavar="N", help="Another choice.")
@click.option("--max-side", type=click.IntRange(1), metavar="PX", help="Reduce larger photographs.")
@click.option("--recursive", is_flag=True, help="Look into folders within folders.")
def command(
    paths: tuple[str, ...],
    out: Path,
    variants: int,
    probability: float,
    grey: float,
    effect: str | None,
    styles: Path | None,
    seed: int,
    max_side: int | None,
    recursive: bool,
) -> None:
    """Make pictures that look like paintings and drawings from photographs, to train detectors for art with.

    Nothing moves in the pictures, so boxes stay valid, and DIR is laid out as FOLDER is. Files that are there are never
    written again; a call that was stopped goes on when the same command is given again.
    """
    from artdet.cli.progress import progress_bar
    from artdet.data.artify import painted
    from artdet.data.artify_cache import VariantSettings
    from artdet.data.artify_files import artify_files, outside
    from artdet.images.finder import find_images

    if (styles is not None) != (effect == "neural"):
        raise click.UsageError("--effect neural and --styles FOLDER belong together. Give both or neither.")
    found = find_images(paths, recursive=recursive)
    files = outside(found, out)
    stylist = _stylist(styles) if styles else None
    settings = VariantSettings(
        artify=_artify(probability, grey, effect),
        seed=seed,
        max_side=max_side,
        styles=stylist.digest if stylist else "",
    )
    paint = stylist.painted if stylist else painted
    with progress_bar("painting", len(files)) as advance:
        result = artify_files(found.root, files, out, settings, count=variants, progress=advance, paint=paint)
    click.echo(_text(result))
    if passed := len(found.files) - len(files):
        click.echo(f"passed over, because they lie in {out}: {passed}", err=True)
    if found.unreadable:
        click.echo(f"folders that could not be opened: {', '.join(found.unreadable[:3])}", err=True)


def _stylist(folder: Path) -> Stylist:
    from artdet.data.neural_artify import load_stylist
    from artdet.images.finder import find_images

    found = find_images([folder], recursive=True)
    return load_stylist([found.root / name for name in found.files])


def _artify(probability: float, grey: float, effect: str | None) -> Artify:
    from artdet.data.artify import Artify, Weights

    wanted = effect.replace("-", "_") if effect else None
    weights = Weights(**{name: float(name == wanted) for name in Weights.model_fields}) if wanted else Weights()
    return Artify(probability=probability, grey=grey, weights=weights)


def _text(result: Artified) -> str:
    """What was done, for people."""
    made = result.made.total()
    kinds = [f"{count} {name.replace('_', ' ')}" for name, count in result.made.most_common()]
    kinds += [f"{result.grey} of all in grey"] if result.grey else []
    lines = [f"{made} picture{'' if made == 1 else 's'} made{': ' if kinds else ''}{', '.join(kinds)}"]
    if result.before:
        lines.append(f"{result.before} were there already")
    if result.failures:
        causes = Counter(error.cause for error in result.failures.values())
        said = ", ".join(f"{count} {cause}" for cause, count in causes.most_common())
        name, error = min(result.failures.items())
        lines.append(f"{len(result.failures)} could not be read: {said}")
        lines.append(f"  {name}: {error}")
    return "\n".join([*lines, f"pictures: {result.folder}"])
