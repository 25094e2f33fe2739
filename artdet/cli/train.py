"""``artdet train``: a detector for a category or a classifier for tasks, or what training it would come to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from artdet.data.merge import Merged
    from artdet.training.folder import TrainingFolder


_OF_CATEGORIES = ("backend", "architecture", "teacher", "skip_missing", "taxonomy")
_OF_TASKS = ("recipe", "split", "compare", "repeats", "search", "ranges")


@click.command(short_help="Train a detector or a classifier, or check and count what it would learn from.")
@click.option(
    "--category", metavar="NAME|FILE", help="A detector: classes and sources of configs/NAME.yaml, or a file."
)
@click.option(
    "--task",
    "tasks",
    multiple=True,
    metavar="NAME|FILE",
    help="A classifier: configs/tasks/NAME.yaml, or a file. Repeat it to learn several at once.",
)
@click.option("--recipe", metavar="NAME|FILE", help="Of a classifier: configs/recipes/NAME.yaml.  [default: default]")
@click.option("--dry-run", is_flag=True, help="Check and count everything, train nothing.")
@click.option(
    "--resume",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="RUN",
    help="Go on with a training that was stopped in any way.",
)
@click.option("--name", metavar="NAME", help="Of the run folder below runs/train.  [default: the category's or tasks']")
@click.option("--backend", type=click.Choice(["yolo", "torchvision", "detectron2"]), help="Library of a detector.")
@click.option(
    "--architecture", metavar="NAME", help="Of a detector: yolov5s.yaml, fasterrcnn_resnet50_fpn, R101-FPN ..."
)
@click.option("--start", metavar="NAME|FILE|random", help="Weights to start from; of a classifier, also: library.")
@click.option(
    "--teacher", metavar="NAME|FILE", help="Of a YOLO detector: a larger one, whose answers it learns beside the boxes."
)
@click.option("--epochs", type=click.IntRange(1), metavar="N", help="At most so many.")
@click.option("--batch", type=click.IntRange(1), metavar="N", help="Images of one step.")
@click.option("--image-size", type=click.IntRange(32), metavar="PX", help="Longer side of the images in training.")
@click.option("--seed", type=click.IntRange(0), metavar="N", help="Of the split and of all that is drawn.")
@click.option(
    "--split",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Parts of a classifier's images: the split.csv of an earlier run.",
)
@click.option("--skip-missing", is_flag=True, help="Leave out sources whose data are not on this machine.")
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:N, mps or auto.")
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a value: training.patience=5; of a recipe: optimizer.name=sgd; of a task: genre.min_images=50. "
    "Repeatable.",
)
@click.option(
    "--compare",
    multiple=True,
    metavar="KEY=V1,V2",
    help="Train a classifier with each of these values of the recipe, and print a table. Repeatable.",
)
@click.option("--repeats", type=click.IntRange(1), metavar="N", help="Trainings with other seeds: mean and deviation.")
@click.option("--search", type=click.IntRange(1), metavar="N", help="Random search: so many trainings within --range.")
@click.option(
    "--range", "ranges", multiple=True, metavar="KEY=LOW..HIGH", help="Values that --search draws from. Repeatable."
)
@click.option("--taxonomy", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Your own classes.")
@click.option(
    "--trust-weights",
    is_flag=True,
    help="Start from, or learn from, weights that are a pickle, which can run code.",
)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(
    *,
    category: str | None,
    tasks: tuple[str, ...],
    dry_run: bool,
    resume: Path | None,
    device: str,
    trust_weights: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Train the detector of a category, or a classifier of tasks, into runs/train/NAME.

    `artdet predict` and `artdet classify` find it there by its name. The data of the sources are looked for below
    ARTDET_DATA_DIR (by default the folder data). Ctrl-C saves and stops; --resume goes on, after kill -9 too.
    """
    if (category is not None) + bool(tasks) + (resume is not None) != 1:
        raise click.UsageError("name either --category, --task or --resume")
    if resume is not None:
        given = [name for name, value in options.items() if value] + (["dry_run"] if dry_run else [])
        if given:
            raise click.UsageError(f"--resume goes on with the settings of the run; leave out {_shown(given)}")
        _go_on(resume, device, trust_weights, as_json)
    elif tasks:
        _refuse(options, _OF_CATEGORIES, "--category trains a detector")
        from artdet.cli.train_task import Wanted, train_task

        train_task(Wanted(tasks, options, device, trust_weights, dry_run, as_json))
    else:
        _refuse(options, _OF_TASKS, "--task trains a classifier")
        if dry_run:
            _plan(str(category), options, as_json)
        else:
            _train(str(category), options, device, trust_weights, as_json)


def _refuse(options: dict[str, Any], names: Sequence[str], what: str) -> None:
    if given := [name for name in names if options[name]]:
        raise click.UsageError(f"{what}, and these options belong to it: {_shown(given)}")


def _shown(names: Sequence[str]) -> str:
    ours = {"overrides": "set", "ranges": "range"}
    return ", ".join("--" + ours.get(name, name).replace("_", "-") for name in names)


def _overrides(options: dict[str, Any]) -> list[str]:
    """The settings of a category that options stand for, with those of ``--set`` behind them."""
    keys = {
        "backend": "training.backend",
        "architecture": "training.architecture",
        "start": "training.start",
        "teacher": "training.teacher",
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
    from artdet.modelfiles import TRAINED
    from artdet.taxonomy import Taxonomy
    from artdet.training.companions import Companion
    from artdet.training.training import follow, new_folder, written_down

    loaded = load_category(category, Taxonomy.load(options["taxonomy"]), _overrides(options))
    if not Companion.of_environment().is_first:
        follow(TRAINED / (options["name"] or loaded.name), device=device, trusted=trusted)
        return
    folder = new_folder(options["name"] or loaded.name)
    data = merged(loaded, skip_missing=options["skip_missing"])
    _say_absent(data)
    written_down(folder, data, options["taxonomy"])
    _run(folder, data, device, trusted, as_json)


def _say_absent(data: Merged) -> None:
    if data.absent:
        click.echo(f"left out, as their data are not here: {', '.join(data.absent)}", err=True)


def _go_on(run: Path, device: str, trusted: bool, as_json: bool) -> None:
    from artdet.modelfiles import TRAINED
    from artdet.training.classification.folder import is_classifier_run
    from artdet.training.companions import Companion
    from artdet.training.training import follow, reopened

    place = run if run.is_dir() else TRAINED / run
    if is_classifier_run(place):
        from artdet.cli.train_task import go_on

        go_on(place, device, trusted, as_json)
        return
    if not Companion.of_environment().is_first:
        follow(place, device=device, trusted=trusted)
        return
    folder, data = reopened(run)
    _run(folder, data, device, trusted, as_json)


def _run(folder: TrainingFolder, data: Merged, device: str, trusted: bool, as_json: bool) -> None:
    """Trains, and says where the model is."""
    from artdet.cli.progress import progress_bar
    from artdet.cli.train_watch import train_watch
    from artdet.training.companions import Companion
    from artdet.training.training import run, task_of

    task = task_of(
        data, device=device, trusted=trusted, bar=lambda total: progress_bar("making photographs look like art", total)
    )
    Companion.of_environment().announce(folder)
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
