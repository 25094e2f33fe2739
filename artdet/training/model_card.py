"""The model card of a training, ``README.md`` in its folder: what the model finds, learnt from, and cannot do.

After Mitchell et al. 2019, Model Cards for Model Reporting.
"""

from __future__ import annotations

import platform
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from artdet import __version__
from artdet.data.merge import Entry
from artdet.data.training_plan import TrainingPlan, training_plan
from artdet.modelfiles import ModelCard, ModelFiles, file_sha256, read_card
from artdet.training.course import Task
from artdet.training.curves import CURVES
from artdet.training.folder import Epoch, TrainingFolder
from artdet.training.markdown import duration, number, table
from artdet.training.repetition import write_repetition
from artdet.training.statistics import SourceFacts, source_facts

CARD = "README.md"
LICENCE = "AGPL-3.0-or-later"
"""Of the weights: that of artdet, and of the networks of ultralytics."""

_STYLES = 10  # named one by one


def write_card(task: Task, folder: TrainingFolder, epochs: Sequence[Epoch]) -> Path | None:
    """Writes the card, and what the commands in it need; see :mod:`artdet.training.repetition`.

    Args:
        task: that was trained.
        folder: with the best weights and their card.
        epochs: all that are done.

    Returns:
        The card; ``None`` where no weights are there yet.

    Raises:
        RunError: if a file cannot be written.
    """
    best = next((epoch for epoch in reversed(epochs) if epoch.best), None)
    if best is None or not folder.model.exists():
        return None
    text = card_text(task, folder, epochs, write_repetition(task, folder))
    folder.write(folder.path / CARD, text)
    return folder.path / CARD


def card_text(task: Task, folder: TrainingFolder, epochs: Sequence[Epoch], commands: Sequence[str]) -> str:
    """The card in Markdown.

    Args:
        task: see :func:`write_card`.
        folder: likewise.
        epochs: likewise.
        commands: that measure the model again.
    """
    plan = training_plan(task.data, cores=task.threads)
    facts = source_facts(task.data)
    card = read_card(ModelFiles(folder.model, folder.card))
    drawn = (folder.path / CURVES).exists()
    parts = [
        _head(task, folder, card),
        _finds(plan),
        _learnt(task, plan, facts),
        _how(task, epochs),
        _figures(epochs, commands, drawn=drawn),
        _limits(task, plan),
        _licences(card, facts),
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def left_out(task: Task) -> dict[str, list[str]]:
    """Category -> those of its classes that the detector does not tell apart."""
    taxonomy, classes = task.category.taxonomy, task.classes
    own = {taxonomy.nodes[taxonomy.id_of(name)].category for name in classes}
    found: dict[str, list[str]] = defaultdict(list)
    for node in taxonomy.nodes:
        if node.category in own and node.is_fine and node.name not in classes:
            found[node.category].append(node.name)
    return dict(found)


def leading_comment(file: Path) -> str:
    """What the comment at the head of a yaml says, in one line; empty where there is none."""
    lines = []
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else ():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# ").strip())
    return " ".join(filter(None, lines))


def _head(task: Task, folder: TrainingFolder, card: ModelCard) -> list[str]:
    size = folder.model.stat().st_size / 1e6
    what = task.category.settings.description or "A detector for artworks."
    return [
        f"# {folder.path.name}",
        "",
        what,
        "",
        f"- **Network**: `{card.architecture}` of the backend {card.backend}, "
        f"at {task.category.settings.image_size} px.",
        f"- **Weights**: `{folder.model.name}`, {size:.1f} MB, SHA-256 `{file_sha256(folder.model)}`.",
        f"- **Licence**: {card.licence or LICENCE}; see the end for that of the data.",
        f"- **Made by**: `artdet train`, version {__version__}.",
    ]


def _finds(plan: TrainingPlan) -> list[str]:
    rows = [
        (row.name, f"{row.boxes:,}", f"{row.images:,}", f"{row.validation_boxes:,}", f"{row.validation_images:,}")
        for row in plan.classes
    ]
    head = ("class", "training boxes", "images", "validation boxes", "images")
    return ["## What it finds", "", *table(head, rows)]


def _learnt(task: Task, plan: TrainingPlan, facts: Sequence[SourceFacts]) -> list[str]:
    rows = [
        (
            one.name,
            _kind(one),
            f"{one.train_images:,}",
            f"{one.train_boxes:,}",
            f"{one.validation_images:,}",
            f"{one.validation_boxes:,}",
            one.licence or "none stated",
            one.origin or "not stated",
        )
        for one in facts
    ]
    head = ("source", "kind", "training images", "boxes", "validation images", "boxes", "licence", "origin")
    said = leading_comment(task.category.path)
    return [
        "## What it learnt from",
        "",
        *table(head, rows),
        "",
        f"An epoch has {plan.images_per_epoch:,.0f} images, {plan.negative_share:.0%} of them without any of the "
        f"classes. No artwork stands on both sides; {len(task.data.held_back):,} images were left out of training for "
        "showing a work of validation. The hash of all boxes is in `data.json`, every setting in `category.yaml`.",
        *(["", f"Its author says: {said}"] if said else []),
    ]


def _kind(one: SourceFacts) -> str:
    photographs = one.train_images - one.art_images
    sides = [("art", one.art_images or (not one.train_images)), ("photographs", photographs)]
    kind = ", ".join(name for name, count in sides if count)
    return kind + (f"; {one.negatives:,} without boxes" if one.negatives else "")


def _how(task: Task, epochs: Sequence[Epoch]) -> list[str]:
    own, best = task.settings, _best(epochs)
    artify, photographs = own.artify, sum(not entry.art for entry in task.data.train)
    seconds = sum(epoch.seconds for epoch in epochs)
    threads = f", {task.threads} threads" if task.device == "cpu" else ""
    rate = own.learning_rate or max(epoch.learning_rate for epoch in epochs)
    lines = [
        f"- **Start**: {_start(task)}",
        *([f"- **Teacher**: {_named(task.settings.teacher, task.teacher)}"] if task.teacher else []),
        f"- **Epochs**: {len(epochs)} of at most {own.epochs}; the weights are those after epoch {best.number}"
        + (f"; training ends after {own.patience} epochs without a better one." if own.patience else "."),
        f"- **Time**: {duration(seconds)} of training, validation not counted, on {task.device}"
        f"{threads} ({platform.machine()}).",
        f"- **Steps**: batches of {own.batch} at {task.category.settings.image_size} px; learning rate at most "
        f"{rate:.4g}, half a cosine down to {own.final_share:g} of it; weight decay {own.weight_decay:g}; "
        f"{'mean weights (EMA)' if own.ema else 'no mean of weights'}; seed {task.seed}.",
        f"- **Augmentation**: mirrored, scaled by up to {own.scale:.0%}"
        + (f", mosaics of four with probability {own.mosaic:g}" if own.backend == "yolo" and own.mosaic else "")
        + ".",
        f"- **Rare classes**: repeat-factor sampling, threshold {task.category.settings.repeat_threshold:g}.",
    ]
    if photographs:
        made = f"{artify.variants} variants that look like art" if artify.variants else "as they are"
        lines.append(f"- **Photographs**: {photographs:,}, {made}.")
    return ["## How", "", *lines]


def _start(task: Task) -> str:
    return _named(task.settings.start, task.start) if task.start else "random weights."


def _named(said: str | None, files: ModelFiles) -> str:
    """Weights by the name that the user gave them, without the folders of this machine."""
    named = Path(said or files.model.name)
    name = files.model.name if named.is_absolute() else named.as_posix()
    return f"`{name}`, SHA-256 `{file_sha256(files.model)}`."


def _figures(epochs: Sequence[Epoch], commands: Sequence[str], *, drawn: bool) -> list[str]:
    best = _best(epochs)
    assert best.figures, "the best epoch was validated"
    figures = best.figures
    rows = [
        (row.name, row.level, f"{row.boxes:,}", *map(number, (row.ap50, row.ap75, row.ap))) for row in figures.classes
    ]
    for level, prefix in (("fine", ""), ("coarse", "coarse_")):
        means = [number(getattr(figures, f"{prefix}{name}")) for name in ("ap50", "ap75", "ap")]
        rows.append((f"**mean, {level}**", level, "", *means))
    head = ("class", "level", "true boxes", "AP50", "AP75", "AP")
    return [
        "## Figures on validation",
        "",
        f"COCO's average precision on the {figures.images:,} validation images. Training has not seen them, but its "
        "best epoch was chosen by them: figures on works of another kind will be lower.",
        "",
        *table(head, rows),
        "",
        "These commands measure the weights again, up to rounding (the file holds them in half precision), with "
        "intervals and for each source; the first also reads pictures of these folders that do not count:",
        "",
        *(f"    {command}" for command in commands),
        *(["", f"![Losses, learning rate and figures over the epochs]({CURVES})"] if drawn else []),
    ]


def _limits(task: Task, plan: TrainingPlan) -> list[str]:
    lines = [f"- Weak: {sentence}." for sentence in plan.weak]
    for category, names in left_out(task).items():
        fate = f"their boxes count as {category}" if category in task.classes else "it does not find them"
        lines.append(f"- Not told apart, of {category}: {', '.join(names)}; {fate}.")
    unlooked = [row for row in plan.classes if row.not_looked_for]
    if unlooked:
        shown = ", ".join(f"{row.name} ({row.not_looked_for:,})" for row in unlooked)
        lines.append(f"- Training images in which nobody looked for a class, so that it may be there unboxed: {shown}.")
    art = sum(entry.art for entry in task.data.train)
    whole = len(task.data.train)
    lines.append(f"- It has learnt from {art:,} artworks and {whole - art:,} photographs.{_styles(task.data.train)}")
    checked = Counter(entry.source for entry in task.validation)
    shown = ", ".join(f"{name} ({count:,})" for name, count in checked.most_common())
    lines.append(f"- It was validated on {shown}; of other kinds of art nothing is known.{_styles(task.validation)}")
    return ["## Limits", "", *lines]


def _styles(entries: Iterable[Entry]) -> str:
    counts = Counter(entry.sample.fields["style"] for entry in entries if entry.art and "style" in entry.sample.fields)
    if not counts:
        return ""
    shown = ", ".join(f"{style} ({count:,})" for style, count in counts.most_common(_STYLES))
    more = f" and {len(counts) - _STYLES} more" if len(counts) > _STYLES else ""
    return f" Styles, where the source names them: {shown}{more}."


def _licences(card: ModelCard, facts: Sequence[SourceFacts]) -> list[str]:
    of_data: dict[str, list[str]] = defaultdict(list)
    for one in facts:
        if one.train_images:
            of_data[one.licence or "none stated"].append(one.name)
    return [
        "## Licences",
        "",
        f"- Weights: {card.licence or LICENCE}.",
        *(f"- Data, {licence}: {', '.join(names)}." for licence, names in of_data.items()),
        "",
        "The weights hold no image of the data; whether their licences reach the weights is not settled everywhere.",
    ]


def _best(epochs: Sequence[Epoch]) -> Epoch:
    return next(epoch for epoch in reversed(epochs) if epoch.best)
