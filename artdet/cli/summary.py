"""What ``artdet predict`` says at its end: counted from the run folder, so that a resumed run is told whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from artdet.exports.pictures import Drawn
from artdet.predict.prediction import Prediction
from artdet.predict.runner import Tally
from artdet.runs import PREDICTIONS_FILE, open_run
from artdet.taxonomy import Taxonomy


def summary_json(prediction: Prediction, tally: Tally, pictures: Drawn | None) -> dict[str, Any]:
    """The summary of a run for scripts: counts over the whole run folder, times of this call."""
    whole = _whole(prediction)
    return {
        "run": str(prediction.folder),
        "predictions": str(prediction.folder / PREDICTIONS_FILE),
        "pictures": str(pictures.folder) if pictures else None,
        "images": whole.images,
        "partly_read": whole.partly_read,
        "failures": dict(whole.failures),
        "boxes": dict(whole.boxes),
        "computed_now": tally.images,
        "copies_now": tally.copies,
        "failed_now": sum(tally.failures.values()),
        "seconds_per_image": round(_pace(tally), 5) if _pace(tally) else None,
        "skipped_files": dict(prediction.found.skipped),
        "unreadable_folders": list(prediction.found.unreadable),
    }


def summary_text(prediction: Prediction, tally: Tally, pictures: Drawn | None) -> str:
    """The summary of a run for people."""
    whole = _whole(prediction)
    now = tally.images + sum(tally.failures.values())
    lines = [f"{_count(whole.images, 'image')}, {_count(sum(whole.boxes.values()), 'box', 'boxes')}"]
    if now < whole.images + sum(whole.failures.values()):
        lines[0] += f" ({now} images now, the others before)"
    lines += _by_category(whole.boxes, prediction.context.taxonomy)
    if whole.partly_read:
        lines.append(f'{_count(whole.partly_read, "image")} only read in part; see "warnings" in their lines')
    if whole.failures:
        causes = ", ".join(f"{count} {cause}" for cause, count in whole.failures.most_common())
        lines.append(f"{_count(sum(whole.failures.values()), 'file')} could not be read: {causes}")
        lines.append('  each has a line with its "error" in the run')
    if prediction.found.skipped:
        kinds = ", ".join(f"{count} {kind or 'without extension'}" for kind, count in prediction.found.skipped.items())
        lines.append(f"passed over, not images: {kinds}")
    if folders := prediction.found.unreadable:
        lines.append(f"{_count(len(folders), 'folder')} could not be opened: {', '.join(folders[:3])}")
    if tally.copies:
        lines.append(f"{_count(tally.copies, 'copy', 'copies')} of other images were not computed again")
    if pace := _pace(tally):
        lines.append(f"{pace * 1000:.0f} ms an image, {1 / pace:.1f} images/s")
    lines.append(f"boxes:    {prediction.folder / PREDICTIONS_FILE}")
    if pictures:
        lines.append(f"pictures: {pictures.folder}")
        if pictures.missing:
            lines.append(f"{_count(pictures.missing.total(), 'image')} could not be read again for drawing")
    return "\n".join(lines)


def _whole(prediction: Prediction) -> Tally:
    total = Tally()
    for record in open_run(prediction.folder).records():
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


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
