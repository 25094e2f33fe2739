"""``artdet app``: a run in FiftyOne's App, with its truth, its hits and its misses."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from artdet.cli.sources import say_findings, source_options

if TYPE_CHECKING:
    from artdet.data.dataset import Dataset
    from artdet.runs import Run
    from artdet.taxonomy import Taxonomy
    from artdet.view.database import Database
    from artdet.view.evaluation import Evaluated
    from artdet.view.writer import Loaded


@click.command(short_help="Look at a run in FiftyOne's App, in the browser.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--truth", metavar="SOURCE", help="Labelled images: a source's yaml, the name of one, or the data.")
@click.option("--port", type=click.IntRange(1, 65535), default=5151, show_default=True, help="Of the App.")
@click.option("--browser/--no-browser", default=True, help="Open a browser, where there is a desktop (the default).")
@click.option(
    "--level",
    type=click.Choice(["fine", "coarse"]),
    default="fine",
    show_default=True,
    help="Compare classes, or only categories.",
)
@click.option("--reset", is_flag=True, help="Start anew: forget tags and corrections made in the App.")
@click.option(
    "--export",
    "export_to",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write a FiftyOne dataset for someone else, and open no App.",
)
@click.option(
    "--copy-images/--no-copy-images", default=True, help="With --export: put the images into it (the default)."
)
@click.option(
    "--database",
    metavar="DIR|URI",
    help="Folder of the database, or mongodb://...  [default: FIFTYONE_DATABASE_URI or _DIR, else runs/.fiftyone]",
)
@source_options
def command(
    *, run: Path, port: int, browser: bool, database: str | None, export_to: Path | None, copy_images: bool, **load: Any
) -> int:
    """Look at the run folder RUN in FiftyOne's App: predictions, each member's own boxes, and the truth.

    Of a run of `artdet classify`: the answer to each task, the known answer, and whether they agree.

    The App answers on this machine only, until Ctrl-C. The same command shows the same dataset again, brought up to
    date: tags and corrections made in the App stay. `artdet data from-fiftyone RUN` gives them back as a truth.
    """
    from artdet.runs import open_run
    from artdet.taxonomy import Taxonomy
    from artdet.view.app import check_port
    from artdet.view.database import open_database
    from artdet.view.export import check_new

    if export_to is None:
        check_port(port)
    else:
        check_new(export_to)
    read = open_run(run)
    if read.info.get("kind") == "classify":
        loading = _labels(read, load)
    else:
        taxonomy = Taxonomy.load(load["taxonomy"])
        loading = partial(_load, read, _truth(taxonomy, load), taxonomy, load)
    with _stoppable(), open_database(database) as opened:
        name = loading()
        if export_to is not None:
            _export(name, export_to, copy_images)
        else:
            _serve(name, port, opened, browser)
    return 0


def _truth(taxonomy: Taxonomy, options: dict[str, Any]) -> Dataset | None:
    if options["truth"] is None:
        return None
    from artdet.data.sources import load_dataset

    named = {"images": options["images"], "label_map": options["label_map"], "format": options["form"]}
    truth = load_dataset(options["truth"], taxonomy=taxonomy, **named)
    say_findings(truth.name, truth.findings)
    return truth


def _labels(run: Run, options: dict[str, Any]) -> Callable[[], str]:
    """Reads the truth of a run of labels; gives what brings its dataset up to date, says so, and gives its name."""
    from artdet.cli.evaluate_labels import refuse_options
    from artdet.cli.progress import progress_bar
    from artdet.data.artworks.label_source import load_artworks
    from artdet.view.classifications import tasks_of, update

    refuse_options(("level", "taxonomy", "label_map", "images", "form"), "runs of `artdet predict`")
    tasks = tasks_of(run)
    truth = load_artworks(options["truth"], tasks) if options["truth"] else None

    def load() -> str:
        with progress_bar("loading", sum(1 for _ in run.records())) as advance:
            advance(0)
            loaded = update(run, truth, reset=options["reset"], progress=advance)
        for line in [*(truth.notes if truth else ()), *_told(loaded)]:
            click.echo(line, err=True)
        return loaded.name

    return load


def _load(run: Run, truth: Dataset | None, taxonomy: Taxonomy, options: dict[str, Any]) -> str:
    """Brings the dataset up to date and says what happened; gives its name."""
    from artdet.cli.progress import progress_bar
    from artdet.view.appearance import save_views, set_appearance
    from artdet.view.dataset import find, update
    from artdet.view.evaluation import evaluate

    with progress_bar("loading", sum(1 for _ in run.records())) as advance:
        advance(0)
        loaded = update(run, truth, taxonomy=taxonomy, reset=options["reset"], progress=advance)
    dataset = find(loaded.name)
    evaluated = evaluate(dataset, taxonomy=taxonomy, level=options["level"])
    views = save_views(dataset, evaluated)
    set_appearance(dataset, taxonomy)
    for line in [*_told(loaded), *_measured(evaluated), f"{len(views)} saved views: {', '.join(views)}"]:
        click.echo(line, err=True)
    return loaded.name


def _serve(name: str, port: int, database: Database, browser: bool) -> None:
    from artdet.view.app import open_browser, served, wait

    with served(name, port, database) as (server, address):
        click.echo(address)
        click.echo("The App is open at this address until you press Ctrl-C here.", err=True)
        if browser:
            open_browser(address)
        try:
            wait(server)
        except KeyboardInterrupt:
            click.echo("closed; tags and corrections are kept", err=True)
            return
        raise click.ClickException(f"the App ended by itself. The reason stands in {database.folder / 'app.log'}.")


def _export(name: str, folder: Path, copy_images: bool) -> None:
    from artdet.view.dataset import find
    from artdet.view.export import export, how_to_load

    export(find(name), folder, copy_images=copy_images)
    click.echo(folder)
    click.echo(f"Whoever gets it opens it with Python: {how_to_load(folder)}", err=True)
    if not copy_images:
        click.echo("The images are not in it: it works where they lie at the same paths.", err=True)


def _told(loaded: Loaded) -> list[str]:
    """What an update did, in sentences; nothing about what did not happen."""
    lines = [f"dataset {loaded.name}: {loaded.images} images, {loaded.added} new, {loaded.changed} changed"]
    if loaded.failed:
        causes = ", ".join(f"{count} {cause}" for cause, count in loaded.failed.most_common())
        lines.append(f"{loaded.failed.total()} files that the run could not read are left out: {causes}")
    if loaded.with_truth:
        lines.append(f"truth: {loaded.with_truth} images, {loaded.truth_changed} of them new or changed")
    told = {
        "images keep the truth as it was edited in the App, though its source changed (--reset takes the source's)": (
            loaded.kept
        ),
        "images lost edits of their predictions in the App, because the run changed": loaded.replaced,
        "images are no longer in the run; they stay without predictions, tagged 'no longer in the run'": loaded.gone,
    }
    return lines + [f"{count} {text}" for text, count in told.items() if count]


def _measured(evaluated: Evaluated | None) -> list[str]:
    if evaluated is None:
        return []
    counts = evaluated.hits.total(), evaluated.false.total(), evaluated.missed.total()
    return ["at IoU 0.5: {} hits, {} false alarms, {} misses (at whatever score the run kept)".format(*counts)]


@contextmanager
def _stoppable() -> Iterator[None]:
    """SIGTERM ends the App as Ctrl-C does, so that its servers end in order."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
