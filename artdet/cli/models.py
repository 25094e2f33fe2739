"""``artdet models``: bundled and trained models, and the ensembles that use them."""

from __future__ import annotations

import json
from typing import Any

import click


@click.command(short_help="List bundled and trained models, and ensembles.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(as_json: bool) -> None:
    """List bundled and trained models, and the ensembles, with what each still lacks."""
    models, ensembles = _models(), _ensembles()
    if as_json:
        click.echo(json.dumps({"models": models, "ensembles": ensembles}, indent=2))
        return
    for model in models:
        size = f"{model['bytes'] / 1e6:.1f} MB"
        click.echo(f"{model['name']}  ({model['origin']}, {model['architecture']}, {size})")
        click.echo(f"  classes: {', '.join(model['classes'])}")
        if model["description"]:
            click.echo(f"  {model['description']}")
        for name, reason in model["left_out"].items():
            click.echo(f"  not told apart: {name}: {reason}")
    click.echo()
    for ensemble in ensembles:
        state = "ready" if not ensemble["lacks"] else f"lacks {len(ensemble['lacks'])}:"
        click.echo(f"ensemble {ensemble['name']}: {state}")
        for line in ensemble["lacks"]:
            click.echo(f"  {line}")


def _models() -> list[dict[str, Any]]:
    from artdet.modelfiles import list_models, read_card

    rows = []
    for name, origin, files in list_models():
        card = read_card(files)
        said = {"backend", "architecture", "classes", "description", "licence", "left_out"}
        facts = card.model_dump(mode="json", include=said)
        rows.append({"name": name, "origin": origin, "bytes": files.model.stat().st_size, **facts})
    return rows


def _ensembles() -> list[dict[str, Any]]:
    from artdet.detectors.base import LoadContext
    from artdet.ensemble.config import ensemble_names, load_ensemble
    from artdet.ensemble.ensemble import missing
    from artdet.taxonomy import Taxonomy

    context = LoadContext(Taxonomy.load(), device="cpu")
    return [{"name": name, "lacks": missing(load_ensemble(name), context)} for name in ensemble_names()]
