"""``artdet models``: bundled and trained models, and the ensembles that use them."""

from __future__ import annotations

import json
from typing import Any

import click


@click.command(short_help="List bundled and trained models, and ensembles.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(as_json: bool) -> None:
    """List bundled and trained models, classifiers, and the ensembles with what each still lacks."""
    models, classifiers, ensembles = _models(), _classifiers(), _ensembles()
    if as_json:
        click.echo(json.dumps({"models": models, "classifiers": classifiers, "ensembles": ensembles}, indent=2))
        return
    for model in models:
        size = f"{model['bytes'] / 1e6:.1f} MB"
        click.echo(f"{model['name']}  ({model['origin']}, {model['architecture']}, {size})")
        click.echo(f"  classes: {', '.join(model['classes'])}")
        if model["description"]:
            click.echo(f"  {model['description']}")
        for name, reason in model["left_out"].items():
            click.echo(f"  not told apart: {name}: {reason}")
    if classifiers:
        click.echo()
    for classifier in classifiers:
        _say_classifier(classifier)
    click.echo()
    for ensemble in ensembles:
        state = "ready" if not ensemble["lacks"] else f"lacks {len(ensemble['lacks'])}:"
        click.echo(f"ensemble {ensemble['name']}: {state}")
        for line in ensemble["lacks"]:
            click.echo(f"  {line}")


def _models() -> list[dict[str, Any]]:
    from artdet.modelfiles import is_classifier, list_models, read_card

    rows = []
    for name, origin, files in list_models():
        if is_classifier(files):
            continue
        card = read_card(files)
        said = {"backend", "architecture", "classes", "description", "licence", "left_out"}
        facts = card.model_dump(mode="json", include=said)
        rows.append({"name": name, "origin": origin, "bytes": files.model.stat().st_size, **facts})
    return rows


def _say_classifier(classifier: dict[str, Any]) -> None:
    size = f"{classifier['bytes'] / 1e6:.1f} MB"
    made_of = " + ".join(classifier["backbones"])
    click.echo(f"{classifier['name']}  ({classifier['origin']} classifier, {made_of}, {size})")
    for task in classifier["tasks"]:
        what = ", ".join(task["classes"]) or f"a number, right within {task['tolerance']:g}"
        click.echo(f"  {task['name']}: {what}{' (any number of them)' if task['kind'] == 'labels' else ''}")
    if classifier["description"]:
        click.echo(f"  {classifier['description']}")
    for name, reason in classifier["left_out"].items():
        click.echo(f"  not told: {name}: {reason}")


def _classifiers() -> list[dict[str, Any]]:
    from artdet.classifiers.committee import read_committee
    from artdet.classifiers.named import classifier_named, list_committees
    from artdet.modelfiles import is_classifier, list_models

    single = [(name, origin, files.model) for name, origin, files in list_models() if is_classifier(files)]
    rows = []
    for name, origin, path in [*single, *list_committees()]:
        found = classifier_named(str(path))
        cards = [card for _, card in found.models]
        whole = found.committee and read_committee(found.committee)
        rows.append(
            {
                "name": name,
                "origin": origin,
                "bytes": sum(files.model.stat().st_size for files, _ in found.models),
                "backbones": list(dict.fromkeys(card.backbone for card in cards)),
                "tasks": [task.model_dump(mode="json") for task in found.tasks],
                "description": whole.description if whole else cards[0].description,
                "licence": "; ".join(dict.fromkeys(card.licence for card in cards if card.licence)),
                "left_out": {} if whole else cards[0].left_out,
            }
        )
    return rows


def _ensembles() -> list[dict[str, Any]]:
    from artdet.detectors.base import LoadContext
    from artdet.ensemble.config import ensemble_names, load_ensemble
    from artdet.ensemble.ensemble import missing
    from artdet.taxonomy import Taxonomy

    context = LoadContext(Taxonomy.load(), device="cpu")
    return [{"name": name, "lacks": missing(load_ensemble(name), context)} for name in ensemble_names()]
