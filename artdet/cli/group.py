"""The command ``artdet`` and its commands."""

from __future__ import annotations

import click

from artdet import __version__
from artdet.cli.lazy import LazyGroup

COMMANDS = {
    "predict": "artdet.cli.predict",
    "classify": "artdet.cli.classify",
    "export": "artdet.cli.export",
    "train": "artdet.cli.train",
    "evaluate": "artdet.cli.evaluate",
    "app": "artdet.cli.app",
    "data": "artdet.cli.data",
    "classes": "artdet.cli.classes",
    "models": "artdet.cli.models",
    "doctor": "artdet.cli.doctor",
}
"""Command -> the module that holds it, under the name ``command``. A new one is one file and one row."""


@click.group(
    cls=LazyGroup, modules=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(__version__, prog_name="artdet")
def cli() -> None:
    """Finds what artworks depict, in paintings, drawings, prints and photo-archive scans.

    \b
    artdet predict FOLDER --draw          boxes for every picture of a folder, and pictures of them
    artdet classify FOLDER                genre, style and period of every picture
    artdet export RUN --format csv        the boxes or labels as a table
    artdet evaluate RUN --truth SOURCE    how good they are
    artdet app RUN --truth SOURCE         look at them in the browser

    Set ARTDET_DEBUG=1 to see the traceback of an error.
    """  # noqa: D301 - click reads the backspace as "leave these lines as they are"
