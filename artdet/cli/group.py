"""The command ``artdet`` and its commands."""

from __future__ import annotations

from importlib import import_module

import click

from artdet import __version__

COMMANDS = {
    "predict": "artdet.cli.predict",
    "export": "artdet.cli.export",
    "classes": "artdet.cli.classes",
    "models": "artdet.cli.models",
    "doctor": "artdet.cli.doctor",
}
"""Command -> the module that holds it, under the name ``command``. A new one is one file and one row."""


class _Commands(click.Group):
    """Lists the commands in the order of their use, and imports each only when it is wanted."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(COMMANDS[cmd_name]).command
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="artdet")
def cli() -> None:
    """Finds what artworks depict, in paintings, drawings, prints and photo-archive scans.

    \b
    artdet predict FOLDER --draw     boxes for every picture of a folder, and pictures of them
    artdet export RUN --format csv   the boxes as a table

    Set ARTDET_DEBUG=1 to see the traceback of an error.
    """  # noqa: D301 - click reads the backspace as "leave these lines as they are"
