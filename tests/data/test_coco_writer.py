"""What is written as COCO is read back the same, and others can read it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO

from artdet.data.coco_writer import write_coco
from artdet.data.dataset import Dataset, Sample
from artdet.data.sources import load_dataset
from artdet.detections import Detections
from artdet.errors import RunError
from artdet.taxonomy import Taxonomy

SIZE = (30, 50)


def sample(
    file: str, boxes: list[tuple[float, ...]], labels: list[int], labelled: frozenset[int], **values: object
) -> Sample:
    count = len(boxes)
    given = {
        "crowd": np.zeros(count, dtype=bool), "difficult": np.zeros(count, dtype=bool), "annotated": True,
        "fields": {"folder": str(Path(file).parent)}, "group": file, **values,
    }  # fmt: skip
    return Sample(file=file, truth=Detections.of(boxes, 1.0, labels, SIZE), labelled=labelled, **given)  # type: ignore[arg-type]


@pytest.fixture
def dataset(make_set: Callable[..., Path], taxonomy: Taxonomy) -> Dataset:
    root = make_set(["a.png", "b/ü.png", "c.png", "d.png"])
    horse, mary, persons = (taxonomy.id_of(name) for name in ("horse", "mary", "persons"))
    all_three, two = frozenset({horse, mary, persons}), frozenset({horse, mary})
    samples = (
        sample(
            "a.png", [(0.1, 1 / 3, 20.7, 29.999), (0, 0, 50, 30), (3, 4, 5, 6)], [mary, horse, mary], all_three,
            crowd=np.array([False, True, False]), difficult=np.array([False, False, True]),
            fields={"folder": ".", "style": "baroque", "id": "x", "license": "y"}, group="series",
        ),
        sample("b/ü.png", [], [], all_three),
        sample("c.png", [], [], frozenset(), annotated=False),
        sample("d.png", [(1, 1, 9, 9), (2, 2, 9, 9)], [horse, persons], two),
    )  # fmt: skip
    return Dataset("made", root, samples, taxonomy, licence="CC BY 4.0")


def assert_same(one: Dataset, two: Dataset) -> None:
    assert (one.root, one.licence, len(one)) == (two.root, two.licence, len(two))
    for a, b in zip(one, two, strict=True):
        assert (a.file, a.annotated, a.labelled, a.fields, a.group) == (
            b.file,
            b.annotated,
            b.labelled,
            b.fields,
            b.group,
        )
        assert a.truth.image_size == b.truth.image_size
        np.testing.assert_allclose(a.truth.boxes, b.truth.boxes, atol=0.01)
        for column in ("crowd", "difficult"):
            np.testing.assert_array_equal(getattr(a, column), getattr(b, column))
        np.testing.assert_array_equal(a.truth.labels, b.truth.labels)


def test_empty(tmp_path: Path, taxonomy: Taxonomy) -> None:
    write_coco(Dataset("none", tmp_path, (), taxonomy), tmp_path / "x.json")
    content = json.loads((tmp_path / "x.json").read_text())
    assert (content["images"], content["annotations"], len(content["categories"])) == ([], [], len(taxonomy.names))
    assert len(load_dataset(tmp_path / "x.json", taxonomy=taxonomy)) == 0


@pytest.mark.parametrize("place", ["out.json", "set/out.json", "elsewhere/deep/out.json"])
def test_round_trip(dataset: Dataset, tmp_path: Path, place: str) -> None:
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    write_coco(dataset, path)
    back = load_dataset(path, taxonomy=dataset.taxonomy)
    assert_same(back, dataset)
    assert {f.kind: f.count for f in back.findings} == {"not_annotated": 1, "empty": 1, "not_exhaustive": 1}
    write_coco(back, path.with_name("again.json"))
    assert path.with_name("again.json").read_text() == path.read_text().replace('"made"', '"out"')


def test_round_trip_of_many_random_boxes(tmp_path: Path, taxonomy: Taxonomy) -> None:
    rng = np.random.default_rng(7)
    low, sides = rng.uniform(0, 3000, (2000, 2)), rng.uniform(0.01, 900, (2000, 2))
    boxes = np.hstack([low, low + sides])
    truth = Detections.of(boxes, 1.0, rng.integers(0, len(taxonomy.names), 2000), (4000, 3900))
    flags = rng.random((2, 2000)) < 0.2
    every = frozenset(range(len(taxonomy.names)))
    only = Sample("x.jpg", truth, flags[0], flags[1], True, every, {"folder": "."}, "x.jpg")
    made = Dataset("x", tmp_path, (only,), taxonomy)
    write_coco(made, tmp_path / "x.json")
    back = load_dataset(tmp_path / "x.json", taxonomy=taxonomy)
    assert_same(back, made)
    assert [finding.kind for finding in back.findings] == ["sizes_from_annotation"]


def test_pycocotools_reads_it(dataset: Dataset, tmp_path: Path) -> None:
    write_coco(dataset, tmp_path / "x.json")
    theirs = COCO(str(tmp_path / "x.json"))
    names = {key: value["name"] for key, value in theirs.cats.items()}
    assert list(names) == list(range(1, len(dataset.taxonomy.names) + 1))
    assert tuple(names.values()) == dataset.taxonomy.names
    assert theirs.cats[dataset.taxonomy.id_of("mary") + 1]["supercategory"] == "persons"
    first, second, third = theirs.loadAnns(theirs.getAnnIds(imgIds=[1]))
    assert first["bbox"] == pytest.approx([0.1, 1 / 3, 20.6, 29.6657], abs=1e-3)
    assert first["area"] == pytest.approx(20.6 * 29.6657, abs=0.01)
    assert [names[entry["category_id"]] for entry in (first, second, third)] == ["mary", "horse", "mary"]
    assert [(entry["iscrowd"], entry.get("ignore", 0)) for entry in (first, second, third)] == [(0, 0), (1, 0), (0, 1)]
    assert {key: (image["file_name"], image["height"], image["width"]) for key, image in theirs.imgs.items()} == {
        1: ("a.png", 30, 50), 2: ("b/ü.png", 30, 50), 3: ("c.png", 30, 50), 4: ("d.png", 30, 50)
    }  # fmt: skip


def test_a_failure_leaves_the_old_file(dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.json"
    path.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("artdet.data.coco_writer._boxes", full)
    with pytest.raises(RunError, match="the disk is full"):
        write_coco(dataset, path)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["x.json"]
