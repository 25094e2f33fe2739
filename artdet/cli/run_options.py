"""Options that all commands have which go through images into a run folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

_OPTIONS = (
    click.option("--recursive", is_flag=True, help="Look into folders within folders."),
    click.option("--limit", type=click.IntRange(1), metavar="N", help="Only the first N images."),
    click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:N, mps or auto."),
    click.option(
        "--batch",
        type=click.IntRange(1),
        default=16,
        show_default=True,
        metavar="N",
        help="Images that go through together; changes no result.",
    ),
    click.option(
        "--resume/--overwrite", default=True, help="Go on in an existing run folder (the default), or start it anew."
    ),
    click.option("--retry-failed", is_flag=True, help="When going on, try images that could not be read again."),
    click.option(
        "--max-pixels",
        type=click.IntRange(1),
        default=1_000_000_000,
        show_default=True,
        metavar="N",
        help="Refuse larger pictures.",
    ),
)


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds them to a command, in their order."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
