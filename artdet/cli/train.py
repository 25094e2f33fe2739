"""``artdet train``: so far, what training on a category would come to."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command(short_help="Check and count what a category's detector would learn from.")
@click.option(
    "--category", required=True, metavar="NAME|FILE", help="Classes and sources: configs/NAME.yaml, or a file."
)
@click.option("--dry-run", is_flag=True, help="Check and count everything, train nothing.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a value: image_size=640. Repeatable."
)
@click.option("--taxonomy", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Your own classes.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(category: str, dry_run: bool, overrides: tuple[str, ...], taxonomy: Path | None, as_json: bool) -> None:
    """Check and count what the detector of a category would learn from.

    Training itself is not part of this version yet: only --dry-run works. The data of the sources are looked for below
    ARTDET_DATA_DIR (by default the folder data).
    """
    from artdet.cli.sources import say_findings
    from artdet.cli.train_text import plan_text
    from artdet.data.category import load_category
    from artdet.data.merge import merged
    from artdet.data.training_plan import training_plan
    from artdet.devices import cpu_threads
    from artdet.errors import ArtdetError
    from artdet.taxonomy import Taxonomy

    if not dry_run:
        raise ArtdetError("training itself is not part of this version yet. Use --dry-run to check and count the data.")
    loaded = load_category(category, Taxonomy.load(taxonomy), overrides)
    data = merged(loaded)
    plan = training_plan(data, cores=cpu_threads())
    if as_json:
        extra = {"category": loaded.name, "settings": loaded.settings.model_dump(mode="json")}
        unused = {"held_back": list(data.held_back), "unused": dict(data.unused)}
        click.echo(json.dumps({**extra, **plan.as_json(), **unused}, indent=2))
    else:
        click.echo(plan_text(data, plan, cores=cpu_threads()))
    for name, findings in data.findings.items():
        say_findings(name, (finding for finding in findings if finding.loses))
