"""The text of ``artdet train --dry-run``."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace

from artdet.cli.statistics_text import statistics_text
from artdet.data.merge import Merged
from artdet.data.statistics import Statistics, combined
from artdet.data.training_plan import ClassPlan, TrainingPlan
from artdet.data.training_settings import TrainingSettings
from artdet.taxonomy import Taxonomy

_HEAD = ("", "boxes", "images", "not looked for", "repeat", "of epoch", "validation boxes", "images")


def plan_text(merged: Merged, plan: TrainingPlan, *, cores: int) -> str:
    """Tables of both sides and of the classes, and what follows from them.

    Args:
        merged: what the plan is about.
        plan: made from it.
        cores: that the estimate of time is for.
    """
    taxonomy = merged.category.taxonomy
    blocks = [
        f"TO LEARN FROM\n{_table(plan.train, taxonomy)}",
        f"TO VALIDATE ON\n{_table(plan.validation, taxonomy)}",
        f"CLASSES\n{_classes(plan.classes)}\n"
        "not looked for: training images that may hold the class without a box; "
        "repeat: its repeat factor; of epoch: images that hold it",
        "\n".join(_summary(merged, plan, cores)),
    ]
    return "\n\n".join(blocks)


def _table(parts: Sequence[Statistics], taxonomy: Taxonomy) -> str:
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    shown = [replace(part, licence="") for part in parts]
    return statistics_text([*shown, combined(parts, taxonomy)] if len(parts) > 1 else shown, taxonomy, width=width)


def _classes(classes: Sequence[ClassPlan]) -> str:
    rows = [_HEAD] + [
        (
            row.name,
            str(row.boxes),
            str(row.images),
            str(row.not_looked_for),
            f"{row.repeat_factor:.2f}",
            f"{row.epoch_share:.0%}",
            str(row.validation_boxes),
            str(row.validation_images),
        )
        for row in classes
    ]
    widths = [max(len(row[at]) for row in rows) for at in range(len(_HEAD))]
    lines = [[row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))] for row in rows]
    return "\n".join("  ".join(line) for line in lines)


def _summary(merged: Merged, plan: TrainingPlan, cores: int) -> list[str]:
    size = merged.category.settings.image_size
    licences = {part.name: part.licence or "none stated" for part in (*plan.train, *plan.validation)}
    unused = {name: count for name, count in merged.unused.items() if count}
    lines = [
        f"epoch: {plan.images_per_epoch:.0f} of {len(merged.train)} images on average, "
        f"{plan.negative_share:.0%} of them negatives (of {plan.negatives})",
        f"time: about {_duration(plan.seconds_per_epoch)} an epoch at {size} px on {cores} cores: an estimate, "
        f"scaled from YOLOv5n at 512 px on 2 other cores{_slower(merged.category.settings.training)}",
        f"works on both sides: {plan.works_on_both_sides}"
        + (
            f" ({len(merged.held_back)} images of works in validation left out of training)" if merged.held_back else ""
        ),
    ]
    lines += [f"not used: {', '.join(f'{count} of {name}' for name, count in unused.items())}"] if unused else []
    lines += [f"licence of {name}: {licence}" for name, licence in licences.items()]
    return lines + [f"weak: {sentence}" for sentence in plan.weak]


def _slower(settings: TrainingSettings) -> str:
    """What the estimate of time does not know of."""
    parts = [] if settings.trains_yolov5n else [settings.architecture or f"the network of {settings.backend}"]
    parts += [f"the teacher {settings.teacher}"] if settings.teacher else []
    return f"; {' and '.join(parts)} will take longer" if parts else ""


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
