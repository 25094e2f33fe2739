"""Whole fetches: FiftyOne's own functions against a local server, or against its zoo's layout without one."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from artdet.data.sources import load_dataset
from artdet.errors import InputError
from artdet.fetching import photographs, zoo
from artdet.fetching.fetch import fetch
from artdet.fetching.plan import plan

SETS = ["coco2017", "open_images"]


@pytest.fixture
def get(taxonomy, animals, data_dir):
    """Fetches one set, and gives what came of it."""

    def got(name, *, images=9, category=animals):
        (request,) = plan(category, max_images=images, sets=[name])
        return fetch(request, taxonomy=taxonomy)

    return got


def tree(folder):
    """Files that are no part of the work: name -> content."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in files
        if not path.relative_to(folder).parts[0].startswith(".")
    }


def truth(name, taxonomy):
    """Image -> its boxes as (class, corners, crowd, difficult), through our readers."""
    return {
        sample.file: [
            (taxonomy.names[label], tuple(np.round(box, 3).tolist()), crowd, difficult)
            for label, box, crowd, difficult in zip(
                sample.truth.labels.tolist(), sample.truth.boxes, sample.crowd.tolist(), sample.difficult.tolist(),
                strict=True,
            )
        ]
        for sample in load_dataset(name, taxonomy=taxonomy)
    }  # fmt: skip


def test_coco(published, get, sets, taxonomy):
    made = get("coco2017")
    assert (made.images, made.new, made.mended, made.refused) == (4, 4, 0, ())
    names = [f"images/{file}" for file in sorted(sets.coco_wanted)]
    assert sorted(tree(made.folder)) == [*names, "labels.json", "manifest.json"]
    assert not (made.folder / ".incoming").exists()
    found = truth("coco2017", taxonomy)
    assert found["000000000009.jpg"] == [("dog", (10, 5, 30, 35), False, False)]
    assert found["000000000025.jpg"] == [("cat", (0, 0, 30, 20), False, False), ("dog", (30, 10, 50, 30), True, False)]
    assert found["000000000036.jpg"][1] == ("persons", (8, 8, 18, 28), False, False)
    dataset = load_dataset("coco2017", taxonomy=taxonomy)
    assert dataset.licence.startswith("annotations CC BY 4.0")
    assert dataset.samples[0].fields["licence"] == "Attribution-NonCommercial License"
    assert [finding for finding in dataset.findings if finding.loses] == []


def test_open_images(published, get, taxonomy):
    made = get("open_images")
    assert (made.images, made.new, made.refused) == (3, 3, ())
    found = truth("open_images", taxonomy)
    # The pictures are 80 x 50 pixels.
    assert found == {
        "00aa.jpg": [("dog", (20, 5, 60, 30), False, False)],
        "00bb.jpg": [("cow", (0, 25, 40, 50), False, False), ("dog", (8, 5, 16, 10), True, False)],
        "00cc.jpg": [("animals", (8, 10, 24, 20), False, False), ("building", (0, 0, 80, 50), False, True)],
    }
    labelled = {sample.file: sample.labelled for sample in load_dataset("open_images", taxonomy=taxonomy)}
    assert labelled["00aa.jpg"] == taxonomy.ids_of(["cat", "dog"])
    assert labelled["00cc.jpg"] == taxonomy.ids_of(["animals", "structures", "building"])


@pytest.mark.parametrize("name", SETS)
def test_again_asks_no_server(published, get, name):
    first = get(name)
    before = tree(first.folder)
    published.log.clear()
    again = get(name)
    assert (again.new, again.mended, published.log) == (0, 0, [])
    assert tree(first.folder) == before


@pytest.mark.parametrize("damage", ["changed", "gone", "labels", "manifest"])
def test_what_is_damaged_is_fetched_again(published, get, sets, damage):
    folder = get("coco2017").folder
    before = tree(folder)
    victim = folder / "images" / min(sets.coco_wanted)
    if damage == "changed":
        victim.write_bytes(sets.jpeg(99))  # whole, but another picture
    elif damage == "gone":
        victim.unlink()
    else:
        (folder / f"{damage}.json").write_text("{}")
    published.log.clear()
    made = get("coco2017")
    assert tree(folder) == before
    assert made.mended == (damage != "manifest")
    assert len(published.asked(".jpg")) == (damage in ("changed", "gone"))
    assert published.asked("annotations.zip") == []


def test_more_images_and_other_categories_are_added(published, get, taxonomy):
    from artdet.data.category import load_category

    assert get("coco2017", images=1).images == 1
    published.log.clear()
    made = get("coco2017")
    assert (made.images, made.new, len(published.asked(".jpg"))) == (4, 3, 3)
    made = get("coco2017", category=load_category("persons", taxonomy))
    assert (made.images, made.new) == (4, 0)  # the one with a person was there
    assert len(json.loads((made.folder / "manifest.json").read_text())["requests"]) == 3


def test_a_stop_is_gone_on_from(published, get, monkeypatch):
    monkeypatch.setattr(photographs, "_BATCH", 1)
    bring, calls = zoo.get_images, []

    def stops(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return bring(*arguments)

    monkeypatch.setattr(zoo, "get_images", stops)
    with pytest.raises(KeyboardInterrupt):
        get("coco2017")
    published.log.clear()
    made = get("coco2017")
    assert (made.images, len(published.asked(".jpg"))) == (4, 2)
    assert published.asked("annotations.zip") == []


@pytest.mark.parametrize("name", SETS)
def test_half_images_never_count(published, get, sets, name):
    """A kill leaves half a file behind under its final name, where FiftyOne works and where we do."""
    folder = get(name).folder
    whole = tree(folder)
    (folder / "manifest.json").unlink()
    file = next(path for path in (folder / "images").iterdir())
    half = file.read_bytes()[:-200]
    file.write_bytes(half)
    (folder / ".incoming" / "0" / "data").mkdir(parents=True)
    (folder / ".incoming" / "0" / "data" / file.name).write_bytes(half)
    published.log.clear()
    get(name)
    assert tree(folder) == whole
    assert len(published.asked(".jpg")) == 1


def test_a_cut_image_is_asked_for_again(published, get):
    published.cut["/c/000000000030.jpg"] = [50, 70]
    assert get("coco2017").images == 4


def test_an_image_that_is_no_image(published, get):
    published.files["/c/000000000030.jpg"] = b"<html>sorry</html>"
    made = get("coco2017")
    assert (made.images, made.refused) == (3, ("000000000030.jpg",))


@pytest.mark.parametrize(
    ("name", "path", "file"),
    [
        ("coco2017", "/c/000000000030.jpg", "000000000030.jpg"),
        ("open_images", "/open-images-dataset/train/00cc.jpg", "00cc.jpg"),
    ],
)
def test_an_image_that_is_gone_is_said_and_the_rest_comes(published, get, taxonomy, name, path, file):
    del published.files[path]
    made = get(name)
    assert made.refused == (file,)
    assert file not in truth(name, taxonomy)
    assert made.images == made.new > 0
    published.log.clear()
    assert get(name).refused == (file,)
    assert published.log == []


@pytest.mark.parametrize("name", SETS)
def test_without_internet_nothing_is_lost(published, get, monkeypatch, name):
    made = get(name, images=2)
    before = tree(made.folder)
    # The tables are there, the images are not to be had.
    monkeypatch.setattr(photographs, "_TRIES", 1)
    published.status |= {path: 503 for path in published.files if path.startswith("/open-images-dataset")}
    unreachable = "http://127.0.0.1:9"
    for chosen in (made.folder / ".tables").rglob("*.json"):
        chosen.write_text(chosen.read_text().replace(published.url, unreachable))
    with pytest.raises(InputError, match=r"cannot be reached \(\w+\)\. Connect to the internet and run the same"):
        get(name)
    assert tree(made.folder) == before
    assert get(name, images=2).images == 2


def lay_out_zoo(zoo_dir, sets):
    """Exactly what FiftyOne's zoo leaves on disk."""
    coco = zoo_dir / "coco-2017"
    oi = zoo_dir / "open-images-v7" / "train"
    for folder in (coco / "raw", coco / "train" / "data", oi / "data", oi / "labels", oi / "metadata"):
        folder.mkdir(parents=True)
    (coco / "raw" / "instances_train2017.json").write_bytes(sets.coco_table("http://127.0.0.1:9"))
    for number, file in enumerate(sets.coco_boxes):
        (coco / "train" / "data" / file).write_bytes(sets.jpeg(number))
    tables = sets.open_tables()
    for name in ("detections.csv", "classifications.csv"):
        (oi / "labels" / name).write_bytes(tables[name])
    for name in ("classes.csv", "hierarchy.json"):
        (oi / "metadata" / name).write_bytes(tables[name])
    for number, image in enumerate(sets.open_boxes):
        (oi / "data" / f"{image}.jpg").write_bytes(sets.jpeg(100 + number, (80, 50)))
    return coco, oi


@pytest.mark.parametrize("name", SETS)
def test_fiftyones_zoo_on_this_machine_is_used(zoo_dir, sets, get, taxonomy, name):
    lay_out_zoo(zoo_dir, sets)
    before = tree(zoo_dir)
    made = get(name)
    assert made.images == made.new == {"coco2017": 4, "open_images": 3}[name]
    assert truth(name, taxonomy)
    assert tree(zoo_dir) == before


def test_half_files_of_the_zoo_are_not_used(published, zoo_dir, sets, get):
    coco, _ = lay_out_zoo(zoo_dir, sets)
    table = coco / "raw" / "instances_train2017.json"
    table.write_bytes(table.read_bytes()[:-30])
    file = coco / "train" / "data" / "000000000030.jpg"
    file.write_bytes(file.read_bytes()[:-200])
    assert get("coco2017").images == 4
    assert published.asked("annotations.zip") == [None]
    assert published.asked(".jpg") == [None]


def test_two_at_a_time_are_refused(published, get, data_dir):
    import fcntl

    (data_dir / "photos" / "coco2017").mkdir(parents=True)
    with (data_dir / "photos" / "coco2017" / ".lock").open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(InputError, match=r"Another artdet is fetching into .*coco2017\. Wait for it to end\."):
            get("coco2017")


@pytest.mark.slow
def test_killed_at_any_moment(zoo_dir, sets, data_dir):
    lay_out_zoo(zoo_dir, sets)
    names = [f"{number:012}.jpg" for number in range(1000, 1300)]
    content = json.loads((zoo_dir / "coco-2017" / "raw" / "instances_train2017.json").read_text())
    for number, name in enumerate(names, start=1000):
        content["images"].append({"id": number, "file_name": name, "width": 60, "height": 40, "coco_url": "x"})
        content["annotations"].append({"id": number, "image_id": number, "category_id": 18, "bbox": [1, 2, 30, 20]})
        (zoo_dir / "coco-2017" / "train" / "data" / name).write_bytes(sets.jpeg(number))
    (zoo_dir / "coco-2017" / "raw" / "instances_train2017.json").write_text(json.dumps(content))
    command = [sys.executable, "-m", "artdet", "data", "fetch", "--category", "animals", "--sets", "coco2017"]
    environment = {**os.environ, "FIFTYONE_DATASET_ZOO_DIR": str(zoo_dir)}
    folder, rng = data_dir / "photos" / "coco2017", random.Random(0)
    for _ in range(3):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        before = len(list((folder / "images").glob("*"))) if folder.exists() else 0
        target = min(before + rng.randint(10, 90), 290)
        while process.poll() is None and len(list((folder / "images").glob("*"))) < target:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not (folder / "manifest.json").exists()
    done = subprocess.run([*command, "--json"], env=environment, check=True, capture_output=True, text=True)
    assert json.loads(done.stdout)[0]["images"] == 304
    for name in names:
        assert (folder / "images" / name).read_bytes() == (zoo_dir / "coco-2017/train/data" / name).read_bytes()
