"""``artdet train``: a detector for a category, or what training it would come to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from artdet.data.merge import Merged
    from artdet.training.folder import TrainingFolder


@click.command(short_help="Train a category's detector, or check and count what it would learn from.")
@click.option("--category", metavar="NAME|FILE", help="Classes and sources: configs/NAME.yaml, or a file.")
@click.option("--dry-run", is_flag=True, help="Check and count everything, train nothing.")
@click.option(
    "--resume",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="RUN",
    help="Go on with a training that was stopped in any way.",
)
@click.option("--name", metavar="NAME", help="Of the run folder below runs/train.  [default: the category's]")
@click.option("--backend", type=click.Choice(["yolo", "torchvision", "detectron2"]), help="Library that trains.")
@click.option("--architecture", metavar="NAME", help="Network: yolov5s.yaml, fasterrcnn_resnet50_fpn, R101-FPN ...")
@click.option("--start", metavar="NAME|FILE|random", help="Weights to start from.")
@click.option("--epochs", type=click.IntRange(1), metavar="N", help="At most so many.")
@click.option("--batch", type=click.IntRange(1), metavar="N", help="Images of one step.")
@click.option("--image-size", type=click.IntRange(32), metavar="PX", help="Longer side of the images in training.")
@click.option("--seed", type=click.IntRange(0), metavar="N", help="Of the split and of all that is drawn.")
@click.option("--skip-missing", is_flag=True, help="Leave out sources whose data are not on this machine.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:N, mps or auto.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a value: training.patience=5. Repeatable."
)
@click.option("--taxonomy", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Your own classes.")
@click.option("--trust-weights", is_flag=True, help="Start from weights that are a pickle, which can run code.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(
    *,
    category: str | None,
    dry_run: bool,
    resume: Path | None,
    device: str,
    trust_weights: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Train the detector of a category into runs/train/NAME, where `artdet predict` finds it by its name.

    The data of the sources are looked for below ARTDET_DATA_DIR (by default the folder data). Ctrl-C saves and stops;
    --resume goes on, after kill -9 too.
    """
    if (category is None) == (resume is None):
        raise click.UsageError("name either --category or --resume")
    if resume is not None:
        given = [name for name, value in options.items() if value] + (["dry_run"] if dry_run else [])
        if given:
            lines = ", ".join("--" + {"overrides": "set"}.get(name, name).replace("_", "-") for name in given)
            raise click.UsageError(f"--resume goes on with the settings of the run; leave out {lines}")
        _go_on(resume, device, trust_weights, as_json)
    elif dry_run:
        _plan(str(category), options, as_json)
    else:
        _train(str(category), options, device, trust_weights, as_json)


def _overrides(options: dict[str, Any]) -> list[str]:
    """The settings of a category that options stand for, with those of ``--set`` behind them."""
    keys = {
        "backend": "training.backend",
        "architecture": "training.architecture",
        "start": "training.start",
        "epochs": "training.epochs",
        "batch": "training.batch",
        "image_size": "image_size",
        "seed": "seed",
    }
    given = [f"{key}={json.dumps(options[name])}" for name, key in keys.items() if options[name] is not None]
    return [*given, *options["overrides"]]


def _plan(category: str, options: dict[str, Any], as_json: bool) -> None:
    from artdet.cli.sources import say_findings
    from artdet.cli.train_text import plan_text
    from artdet.data.category import load_category
    from artdet.data.merge import merged
    from artdet.data.training_plan import training_plan
    from artdet.devices import cpu_threads
    from artdet.taxonomy import Taxonomy

    loaded = load_category(category, Taxonomy.load(options["taxonomy"]), _overrides(options))
    data = merged(loaded, skip_missing=options["skip_missing"])
    _say_absent(data)
    plan = training_plan(data, cores=cpu_threads())
    if as_json:
        extra = {"category": loaded.name, "settings": loaded.settings.model_dump(mode="json")}
        unused = {"held_back": list(data.held_back), "unused": dict(data.unused)}
        click.echo(json.dumps({**extra, **plan.as_json(), **unused}, indent=2))
    else:
        click.echo(plan_text(data, plan, cores=cpu_threads()))
    for name, findings in data.findings.items():
        say_findings(name, (finding for finding in findings if finding.loses))


def _train(category: str, options: dict[str, Any], device: str, trusted: bool, as_json: bool) -> None:
    from artdet.data.category import load_category
    from artdet.data.merge import merged
    from artdet.taxonomy import Taxonomy
    from artdet.training.training import new_folder, written_down

    loaded = load_category(category, Taxonomy.load(options["taxonomy"]), _overrides(options))
    folder = new_folder(options["name"] or loaded.name)
    data = merged(loaded, skip_missing=options["skip_missing"])
    _say_absent(data)
    written_down(folder, data, options["taxonomy"])
    _run(folder, data, device, trusted, as_json)


def _say_absent(data: Merged) -> None:
    if data.absent:
        click.echo(f"left out, as their data are not here: {', '.join(data.absent)}", err=True)


def _go_on(run: Path, device: str, trusted: bool, as_json: bool) -> None:
    from artdet.training.training import reopened

    folder, data = reopened(run)
    _run(folder, data, device, trusted, as_json)


def _run(folder: TrainingFolder, data: Merged, device: str, trusted: bool, as_json: bool) -> None:
    """Trains, and says where the model is."""
    from artdet.cli.progress import progress_bar
    from artdet.cli.train_watch import train_watch
    from artdet.training.training import run, task_of

    task = task_of(
        data, device=device, trusted=trusted, bar=lambda total: progress_bar("making photographs look like art", total)
    )
    with train_watch(batch=task.settings.batch) as watch:
        course = run(task, folder, watch)
    best = course.best
    if as_json:
        result = {"folder": str(folder.path), "epochs": len(course.epochs), "best": best and best.as_json()}
        click.echo(json.dumps(result, indent=2))
        return
    click.echo(f"model:   {folder.model}")
    if best and best.figures:
        click.echo(f"best:    epoch {best.number} of {len(course.epochs)}: {best.figures.text()}")
    click.echo(f"card:    {folder.path / 'README.md'}")
    click.echo(f"curves:  {folder.path / 'curves.png'}")
    click.echo(f"use it:  artdet predict FOLDER --ensemble {folder.path / 'ensemble.yaml'}")
