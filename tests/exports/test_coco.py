"""COCO files, read back with the json module and with pycocotools."""

import json

import pytest

from artdet.taxonomy import Taxonomy

TAXONOMY = Taxonomy.load()


def load(made, **options):
    dataset, results = (json.loads(path.read_bytes()) for path in made.export("coco", **options).paths)
    return dataset, results


def test_empty_run_is_valid(run_of):
    dataset, results = load(run_of())
    assert (dataset["images"], dataset["annotations"], results) == ([], [], [])
    assert len(dataset["categories"]) == 28


def test_categories_follow_the_taxonomy(made):
    dataset, _ = load(made)
    assert [c["id"] for c in dataset["categories"]] == list(range(1, 29))
    names = {c["name"]: c["supercategory"] for c in dataset["categories"]}
    assert list(names) == list(TAXONOMY.names)
    assert (names["mary"], names["persons"], names["duck"], names["faces"]) == (
        "persons",
        "persons",
        "animals",
        "faces",
    )


def test_round_trip(made, readable):
    dataset, _ = load(made)
    names = {c["id"]: c["name"] for c in dataset["categories"]}
    back = {image["id"]: (image["file_name"], (image["height"], image["width"]), []) for image in dataset["images"]}
    for a in dataset["annotations"]:
        x, y, w, h = a["bbox"]
        back[a["image_id"]][2].append((names[a["category_id"]], a["score"], (x, y, x + w, y + h)))
        assert a["area"] == pytest.approx(w * h, abs=0.01)
        assert (a["iscrowd"], a["segmentation"]) == (0, [])
    assert [(file, size) for file, size, _ in back.values()] == [(entry.file, entry.size) for entry in readable]
    for (_, _, boxes), entry in zip(back.values(), readable, strict=True):
        assert [(label, score) for label, score, _ in boxes] == [(box.label, box.score) for box in entry.detections]
        for (_, _, corners), box in zip(boxes, entry.detections, strict=True):
            assert corners == pytest.approx(box.box, abs=0.01)
    ids = [a["id"] for a in dataset["annotations"]]
    assert ids == list(range(1, len(ids) + 1))


def test_results_are_the_annotations(made):
    dataset, results = load(made)
    keys = ("image_id", "category_id", "bbox", "score")
    assert results == [{key: a[key] for key in keys} for a in dataset["annotations"]]


def test_files_are_utf8_with_readable_names(made):
    text = made.export("coco").paths[0].read_text(encoding="utf-8")
    assert "Рублёв 花" in text
    assert r"caf\udce9.jpg" in text


def test_pycocotools_loads_both(made, readable, capsys):
    coco = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    dataset, results = made.export("coco").paths
    truth = coco.COCO(str(dataset))
    found = truth.loadRes(str(results))
    assert len(found.getAnnIds()) == sum(len(entry.detections) for entry in readable)
    # Held against itself, every box must be found.
    scored = evaluation.COCOeval(truth, found, "bbox")
    scored.evaluate()
    scored.accumulate()
    scored.summarize()
    assert scored.stats[0] == pytest.approx(1.0)
