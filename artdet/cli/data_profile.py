"""``artdet data profile``: sizes, shapes and classes of artworks, as plots and text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from artdet.data.artworks.profile import Profile, TaskProfile

_SHOWN = 12


@click.command(short_help="Plot sizes, aspect ratios and classes of artworks.")
@click.argument("names", nargs=-1, required=True, metavar="TASK|SOURCE|FOLDER...")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Where the plots go.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(names: tuple[str, ...], out: Path | None, as_json: bool) -> None:
    """Count and plot what artworks are like: sizes, aspect ratios and the classes of a task.

    Each argument is a task (genre, or a yaml with sources), a source of labels (wikiart, a yaml or a CSV file) or a
    folder of images. With several, each has a folder in DIR.
    """
    from artdet.data.artworks.named import named
    from artdet.data.artworks.profile import profile
    from artdet.data.artworks.profile_plots import write_plots

    profiles = {}
    for name in names:
        found = named(name)
        profiles[name] = profile(found.paths, found.artworks)
        for note in found.notes:
            click.echo(note, err=True)
    if as_json:
        click.echo(json.dumps({name: made.as_json() for name, made in profiles.items()}, indent=2, ensure_ascii=False))
    else:
        click.echo("\n\n".join(_text(name, made) for name, made in profiles.items()))
    if out is not None:
        for name, made in profiles.items():
            folder = out if len(profiles) == 1 else out / Path(name).stem
            files = write_plots(made, folder)
            click.echo(f"plots: {folder} ({', '.join(file.name for file in files)})", err=True)


def _text(name: str, made: Profile) -> str:
    spread = made.as_json()
    lines = [f"{name}: {made.images:,} images"]
    if made.failures:
        path, error = next(iter(made.failures.items()))
        lines.append(f"  {len(made.failures)} cannot be read ({path.name}: {error})")
    for title, key in (("width", "width"), ("height", "height"), ("width / height", "aspect_ratio")):
        if found := spread[key]:
            lines.append(f"  {title}: {found['least']:g} to {found['most']:g}, half below {found['median']:g}")
    for task in made.tasks:
        lines += _task_text(task, spread["tasks"][task.task.name].get("values", {}))
    return "\n".join(lines)


def _task_text(found: TaskProfile, values: dict[str, float]) -> list[str]:
    head = f"  {found.task.name}: {found.known:,} images with an answer, {found.unknown:,} without"
    if found.task.kind == "number":
        return [f"{head}; {values['least']:g} to {values['most']:g}, half below {values['median']:g}"]
    width = max(len(name) for name in found.counts)
    lines = [f"    {name:<{width}}  {count:>6,}" for name, count in list(found.counts.items())[:_SHOWN]]
    rest = list(found.counts.values())[_SHOWN:]
    return [
        f"{head}; {len(found.counts)} classes",
        *lines,
        *([f"    and {len(rest)} more classes with {min(rest):,} to {max(rest):,} images"] if rest else []),
    ]
