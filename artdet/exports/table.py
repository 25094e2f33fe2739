"""Which module writes which format. A new one is one file and one row."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import cast

from artdet.errors import ConfigError, did_you_mean
from artdet.exports.base import Exported, Exporter, Job, Tally, claim
from artdet.runs import Run
from artdet.taxonomy import Taxonomy

EXPORTS = {
    "coco": "artdet.exports.coco",
    "csv": "artdet.exports.csv_table",
    "yolo": "artdet.exports.yolo",
    "voc": "artdet.exports.voc",
}


def exporter(name: str) -> Exporter:
    """The module of a format.

    Raises:
        ConfigError: if there is no format of that name.
    """
    if name not in EXPORTS:
        raise ConfigError(f"there is no export format '{name}'.{did_you_mean(name, EXPORTS)}")
    return cast(Exporter, import_module(EXPORTS[name]))


LABEL_EXPORTS = {"csv": "artdet.exports.csv_labels"}
"""The same for runs of ``artdet classify``, which have labels of whole images and no boxes."""


def export(run: Run, format: str, out: Path | None, *, taxonomy: Taxonomy, min_score: float = 0.0) -> Exported:
    """Writes a run in another format; the run may be of any length, as its lines are read one by one.

    An earlier export of the same format in the same folder is replaced; nothing else ever is.

    Args:
        run: the run folder, which may be unfinished.
        format: a name in ``EXPORTS``.
        out: the folder to write to; ``None`` is ``exports/<format>`` in the run folder.
        taxonomy: that of the run.
        min_score: boxes, or labels, below it are left out; their images stay.

    Raises:
        ConfigError: if there is no such format.
        LabelError: if the taxonomy does not know a label of the run.
        RunError: if the target cannot be written or holds files that no export made.
    """
    module = _exporter_of_labels(format) if run.info.get("kind") == "classify" else exporter(format)
    folder = run.folder / "exports" / format if out is None else out
    claim(folder, format, module.NAMES, run.folder)
    tally = Tally(run, min_score)
    notes = module.write(Job(folder, taxonomy), tally)
    paths = tuple(folder / name for name in module.NAMES)
    return Exported(folder, paths, tally.images, tally.boxes, tally.failures, tuple(notes), tally.labels)


def _exporter_of_labels(name: str) -> Exporter:
    exporter(name)
    if name not in LABEL_EXPORTS:
        raise ConfigError(
            f"{name} holds boxes, and a run of `artdet classify` has none. Use {', '.join(LABEL_EXPORTS)}."
        )
    return cast(Exporter, import_module(LABEL_EXPORTS[name]))
