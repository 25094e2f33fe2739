"""COCO: a data set of the predictions with its images and classes, and the bare list that evaluations load.

``predictions_coco.json`` has ``images``, ``categories`` (ids from 1 in the order of the taxonomy, ``supercategory`` is
the category) and ``annotations`` with ``score``. ``predictions_coco_results.json`` is the results format of
pycocotools' ``loadRes``; its image and category ids are those of the first file.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO

from artdet.atomic import whole_file
from artdet.exports.base import Job, readable
from artdet.runs import Box, Record, json_text
from artdet.taxonomy import Taxonomy

NAMES = ("predictions_coco.json", "predictions_coco_results.json")


class _List:
    """A JSON list that is written entry by entry."""

    def __init__(self, stream: Any) -> None:
        self._stream, self._before = stream, b"\n"

    def add(self, entry: dict[str, Any]) -> None:
        self._stream.write(self._before + _json(entry))
        self._before = b",\n"


def write(job: Job, records: Iterable[Record]) -> Sequence[str]:
    """See :class:`artdet.exports.base.Exporter`."""
    dataset, results = (job.folder / name for name in NAMES)
    with whole_file(dataset) as whole, whole_file(results) as bare, tempfile.TemporaryFile(dir=job.folder) as aside:
        _write_head(whole, job.taxonomy)
        bare.write(b"[")
        # The annotations come after all images, but both are known image by image: they wait in a file of their own.
        _write_entries(job, records, _List(whole), _List(aside), _List(bare))
        bare.write(b"\n]\n")
        whole.write(b'\n],\n"annotations": [')
        aside.seek(0)
        shutil.copyfileobj(aside, whole)
        whole.write(b"\n]\n}\n")
    return ()


def _write_head(stream: BinaryIO, taxonomy: Taxonomy) -> None:
    categories = [
        {"id": index, "name": node.name, "supercategory": node.category}
        for index, node in enumerate(taxonomy.nodes, start=1)
    ]
    info = {"description": "Predictions of artdet"}
    stream.write(b'{\n"info": ' + _json(info) + b',\n"licenses": [],\n"categories": [')
    listed = _List(stream)
    for category in categories:
        listed.add(category)
    stream.write(b'\n],\n"images": [')


def _write_entries(job: Job, records: Iterable[Record], images: _List, annotations: _List, results: _List) -> None:
    number = 0
    for image_id, (record, (height, width)) in enumerate(readable(records), start=1):
        images.add({"id": image_id, "file_name": record.file, "height": height, "width": width})
        for box in record.detections:
            number += 1
            bbox = _xywh(box)
            result = {
                "image_id": image_id,
                "category_id": job.label_id(box, record) + 1,
                "bbox": bbox,
                "score": box.score,
            }
            results.add(result)
            area = round(bbox[2] * bbox[3], 4)
            annotations.add({"id": number, **result, "area": area, "segmentation": [], "iscrowd": 0})


def _xywh(box: Box) -> list[float]:
    """Left, top, width and height in pixels, to a ten-thousandth."""
    x1, y1, x2, y2 = box.box
    return [round(float(value), 4) for value in (x1, y1, x2 - x1, y2 - y1)]


def _json(entry: dict[str, Any]) -> bytes:
    return json_text(entry).encode("utf-8")
