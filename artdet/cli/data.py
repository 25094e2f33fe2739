"""``artdet data``: labelled images, what they hold and their way to other formats."""

from __future__ import annotations

import click

from artdet.cli.lazy import LazyGroup

COMMANDS = {
    "stats": "artdet.cli.data_stats",
    "convert": "artdet.cli.data_convert",
    "from-fiftyone": "artdet.cli.from_fiftyone",
    "artify": "artdet.cli.data_artify",
    "fetch": "artdet.cli.data_fetch",
    "compose": "artdet.cli.data_compose",
    "profile": "artdet.cli.data_profile",
    "duplicates": "artdet.cli.data_duplicates",
}
"""Command -> the module that holds it, under the name ``command``. A new one is one file and one row."""


@click.group(cls=LazyGroup, modules=COMMANDS, short_help="Count, check and convert labelled images.")
def command() -> None:
    """Count, check and convert labelled images.

    A SOURCE is a folder or file in COCO, Pascal VOC, YOLO, Open Images or CSV form, the yaml of a source, or the name
    of one in configs/sources, whose data are looked for below ARTDET_DATA_DIR (by default the folder data).
    """
