"""What ``artdet predict`` says at its end: counted from the run folder, so that a resumed run is told whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from artdet.exports.pictures import Drawn
from artdet.images.finder import Found
from artdet.predict.prediction import Prediction
from artdet.predict.runner import Tally
from artdet.runs import PREDICTIONS_FILE, open_run
from artdet.taxonomy import Taxonomy


def summary_json(prediction: Prediction, tally: Tally, pictures: Drawn | None) -> dict[str, Any]:
    """The summary of a run for scripts: counts over the whole run folder, times of this call."""
    whole = whole_run(prediction.folder)
    return {
        "run": str(prediction.folder),
        "predictions": str(prediction.folder / PREDICTIONS_FILE),
        "pictures": str(pictures.folder) if pictures else None,
        "boxes": dict(whole.boxes),
        **common_json(whole, tally, prediction.found),
    }


def summary_text(prediction: Prediction, tally: Tally, pictures: Drawn | None) -> str:
    """The summary of a run for people."""
    whole = whole_run(prediction.folder)
    now = tally.images + sum(tally.failures.values())
    lines = [f"{count_text(whole.images, 'image')}, {count_text(sum(whole.boxes.values()), 'box', 'boxes')}"]
    if now < whole.images + sum(whole.failures.values()):
        lines[0] += f" ({now} images now, the others before)"
    lines += _by_category(whole.boxes, prediction.context.taxonomy)
    lines += common_text(whole, tally, prediction.found)
    lines.append(f"boxes:    {prediction.folder / PREDICTIONS_FILE}")
    if pictures:
        lines.append(f"pictures: {pictures.folder}")
        if pictures.missing:
            lines.append(f"{count_text(pictures.missing.total(), 'image')} could not be read again for drawing")
    return "\n".join(lines)


def common_json(whole: Tally, tally: Tally, found: Found) -> dict[str, Any]:
    """What the summary of any run on images has.

    Args:
        whole: all that is in the run folder.
        tally: what this call did.
        found: the images.
    """
    return {
        "images": whole.images,
        "partly_read": whole.partly_read,
        "failures": dict(whole.failures),
        "computed_now": tally.images,
        "copies_now": tally.copies,
        "failed_now": sum(tally.failures.values()),
        "seconds_per_image": round(_pace(tally), 5) if _pace(tally) else None,
        "skipped_files": dict(found.skipped),
        "unreadable_folders": list(found.unreadable),
    }


def common_text(whole: Tally, tally: Tally, found: Found) -> list[str]:
    """The same for people, without the number of images: what was odd about files, and the pace."""
    lines = []
    if whole.partly_read:
        lines.append(f'{count_text(whole.partly_read, "image")} only read in part; see "warnings" in their lines')
    if whole.failures:
        causes = ", ".join(f"{count} {cause}" for cause, count in whole.failures.most_common())
        lines.append(f"{count_text(sum(whole.failures.values()), 'file')} could not be read: {causes}")
        lines.append('  each has a line with its "error" in the run')
    if found.skipped:
        kinds = ", ".join(f"{count} {kind or 'without extension'}" for kind, count in found.skipped.items())
        lines.append(f"passed over, not images: {kinds}")
    if folders := found.unreadable:
        lines.append(f"{count_text(len(folders), 'folder')} could not be opened: {', '.join(folders[:3])}")
    if tally.copies:
        lines.append(f"{count_text(tally.copies, 'copy', 'copies')} of other images were not computed again")
    if pace := _pace(tally):
        lines.append(f"{pace * 1000:.0f} ms an image, {1 / pace:.1f} images/s")
    return lines


def whole_run(folder: Path) -> Tally:
    """All that is in a run folder, whenever it came there."""
    total = Tally()
    for record in open_run(folder).records():
        total.add(record)
    return total


def _pace(tally: Tally) -> float:
    return tally.seconds / tally.images if tally.images else 0.0


def _by_category(boxes: Mapping[str, int], taxonomy: Taxonomy) -> list[str]:
    rows: dict[str, list[str]] = {}
    for node in taxonomy.nodes:
        if boxes.get(node.name):
            rows.setdefault(node.category, []).append(f"{node.name} {boxes[node.name]}")
    return [f"  {category + ':':<12} {', '.join(counts)}" for category, counts in rows.items()]


def count_text(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun: ``1 image``, ``2 images``."""
    return f"{number} {one if number == 1 else many or one + 's'}"
