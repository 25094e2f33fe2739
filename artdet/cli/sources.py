"""What the commands that read labelled images have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from artdet.data.problems import Finding

Command = TypeVar("Command", bound=Callable[..., object])

_OPTIONS = (
    click.option("--label-map", metavar="MAP", help="What the source's class names mean: a shipped map or a file."),
    click.option(
        "--images",
        type=click.Path(path_type=Path, file_okay=False),
        metavar="DIR",
        help="Folder of the source's images.",
    ),
    click.option("--format", "form", metavar="FORMAT", help="coco, voc, yolo, openimages or csv, if not found out."),
    click.option(
        "--taxonomy", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Your own classes."
    ),
)


def source_options(command: Command) -> Command:
    """Adds the options that say how a source is read."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def say_findings(name: str, findings: Iterable[Finding]) -> None:
    """Says on stderr what was odd about a source, what was lost first."""
    for finding in sorted(findings, key=lambda finding: not finding.loses):
        click.secho(f"{name}: {finding}", err=True, fg="red" if finding.loses else None)
