from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from artdet.data.dataset import Dataset, Sample
from artdet.detections import Detections
from artdet.errors import MissingBackend
from artdet.runs import PREDICTIONS_FILE, Box, Record, Run, open_run, write_info
from artdet.taxonomy import Taxonomy
from artdet.view.database import Database, find_mongod, open_database

SIZE = (200, 100)  # (height, width)


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database of this test process alone."""
    pytest.importorskip("fiftyone", reason="needs FiftyOne")
    try:
        find_mongod()
    except MissingBackend as error:
        pytest.skip(str(error))
    with open_database(str(tmp_path_factory.mktemp("database"))) as opened:
        yield opened


def box(label: str, *corners: float, score: float = 0.9, source: str = "a") -> Box:
    x1, y1, x2, y2 = corners or (10, 20, 60, 120)
    return Box(label, score, (x1, y1, x2, y2), source)


def record(file: str, *boxes: Box, **more) -> Record:
    return Record(file, "ab" * 32, SIZE, boxes, **more)


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Run]:
    """Writes a run folder from records; a second call of the same name writes it anew."""

    def make(records: Sequence[Record], name: str | None = None, root: Path | None = None) -> Run:
        # Named after the test's own folder: all tests share one database.
        folder = tmp_path / (name or f"run-{tmp_path.name}")
        folder.mkdir(parents=True, exist_ok=True)
        write_info(folder, {"root": str(root or tmp_path / "images")})
        (folder / PREDICTIONS_FILE).write_text("".join(each.as_line() + "\n" for each in records))
        return open_run(folder)

    return make


@pytest.fixture
def make_truth(tmp_path: Path, taxonomy: Taxonomy) -> Callable[..., Dataset]:
    """A truth from file -> boxes as (label, x1, y1, x2, y2[, "crowd" | "difficult"]); ``None`` is not annotated."""

    def make(files, *, labelled: Sequence[str] | None = None, root: Path | None = None, fields=None) -> Dataset:
        samples = []
        for file, rows in files.items():
            boxes = [row[1:5] for row in rows or ()]
            samples.append(
                Sample(
                    file=file,
                    truth=Detections.of(boxes, 1, [taxonomy.id_of(row[0]) for row in rows or ()], SIZE),
                    crowd=np.array(["crowd" in row for row in rows or ()], dtype=bool),
                    difficult=np.array(["difficult" in row for row in rows or ()], dtype=bool),
                    annotated=rows is not None,
                    labelled=taxonomy.ids_of(labelled if labelled is not None else taxonomy.names),
                    fields={"folder": ".", **(fields or {}).get(file, {})},
                    group=file,
                )
            )
        return Dataset("made", root or tmp_path / "images", tuple(samples), taxonomy)

    return make
