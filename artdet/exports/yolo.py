"""YOLO: ``labels/<path of the image>.txt`` with a line ``class cx cy width height score`` per box.

Centre and size are shares of the image's width and height. The score stands last, where ultralytics puts it with
``save_conf=True`` and FiftyOne reads it; ultralytics' training takes the first five columns only and refuses files
with six. So a truth has five columns, and as the format has no word for crowds and difficult boxes, it leaves those
out, as ultralytics' own converters do. An image without boxes has an empty file, an image that could not be read or was
not annotated has none. Classes are numbered from 0 in the order of the taxonomy: ``classes.txt`` has one name a line,
``data.yaml`` the same for ultralytics, which expects the images in ``images/`` beside ``labels/``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import yaml

from artdet.atomic import whole_file
from artdet.exports.base import Job, TruthBox, readable
from artdet.exports.trees import fresh_tree
from artdet.runs import Box, Record

NAMES = ("labels", "classes.txt", "data.yaml")

_HEAD = "# Put (or link) the images into images/, in the same subfolders as labels/.\n"


def write(job: Job, records: Iterable[Record]) -> Sequence[str]:
    """See :class:`artdet.exports.base.Exporter`."""
    labels, classes, data = (job.folder / name for name in NAMES)
    with fresh_tree(labels, ".txt") as tree:
        for record, size in readable(records):
            lines = [_line(box, size, job.label_id(box, record)) for box in record.detections if _storable(box)]
            tree.add(record, "".join(lines).encode("ascii"))
    names = job.taxonomy.names
    with whole_file(classes) as stream:
        stream.write("".join(f"{name}\n" for name in names).encode("utf-8"))
    # Without "path", ultralytics starts from the folder of this file.
    settings = {"train": "images", "val": "images", "names": dict(enumerate(names))}
    with whole_file(data) as stream:
        stream.write((_HEAD + yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)).encode("utf-8"))
    return tree.notes("label files")


def _storable(box: Box) -> bool:
    return not (isinstance(box, TruthBox) and (box.crowd or box.difficult))


def _line(box: Box, size: tuple[int, int], label: int) -> str:
    height, width = size
    x1, y1, x2, y2 = box.box
    shares = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height)
    # Eight places: below 0.01 px up to sides of a million pixels.
    columns = [str(label), *(f"{share:.8f}" for share in shares)]
    return " ".join(columns if isinstance(box, TruthBox) else [*columns, f"{box.score:.6g}"]) + "\n"
