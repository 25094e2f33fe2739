"""``artdet data compose``: a folder that is a source, goes on after a stop, and refuses what is not its own."""

import json

import numpy as np
import pytest
from PIL import Image

from artdet.data import compose_files
from artdet.data.sources import load_dataset


@pytest.fixture
def places(tmp_path, make_pictures):
    """Folders of cut-outs and backgrounds, and where results go."""
    for number, name in enumerate(("duck/a.png", "cock/b.png")):
        pixels = np.zeros((30, 44, 4), np.uint8)
        pixels[4:26, 4:40] = (220 - 90 * number, 40, 30, 255)
        path = tmp_path / "cuts" / name
        path.parent.mkdir(parents=True)
        Image.fromarray(pixels).save(path)
    make_pictures("a.jpg", "b.jpg", "deep/c.jpg", folder="art")
    return tmp_path


def compose(artdet, places, *more, out="out", images=5):
    base = ("data", "compose", places / "cuts", "--backgrounds", places / "art", "--out", places / out)
    return artdet(*base, "--images", images, "--size", 96, "--scale", 0.2, 0.4, *more)


def free(*more):
    return ("--classes", "duck,cock", "--assume-absent", "--artify", "0", *more)


def tree(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_result_is_a_source(artdet, places, taxonomy):
    ran = compose(artdet, places, *free("--licence", "CC0"))
    assert (ran.status, ran.out.splitlines()[0]) == (0, "5 scenes made of 2 cut-outs on 3 images")
    assert list(tree(places / "out")) == ["compose.json", *(f"images/00000{n}.jpg" for n in range(5)), "instances.json"]
    dataset = load_dataset(places / "out", taxonomy=taxonomy)
    assert (len(dataset), dataset.findings, dataset.licence) == (5, (), "CC0")
    assert {s.labelled for s in dataset} == {taxonomy.ids_of(["duck", "cock"])}
    assert {s.group for s in dataset} == {"art/a.jpg", "art/b.jpg", "art/deep/c.jpg"}
    for sample in dataset:
        with Image.open(dataset.root / sample.file) as picture:
            assert picture.size == sample.truth.image_size[::-1]
    note = json.loads((places / "out" / "compose.json").read_text())
    assert [(c["file"], c["class"], c["from_licence"]) for c in note["cutouts"]] == [
        ("cuts/cock/b.png", "cock", "CC0"), ("cuts/duck/a.png", "duck", "CC0")]  # fmt: skip
    stats = artdet("data", "stats", places / "out")
    assert stats.status == 0
    assert "duck" in stats.out


def test_a_stop_is_gone_on_from(artdet, places, monkeypatch):
    compose(artdet, places, *free(), out="whole")
    write, written = compose_files.write_picture, []

    def stops(path, image, *, quality):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(path)
        write(path, image, quality=quality)

    monkeypatch.setattr(compose_files, "write_picture", stops)
    assert compose(artdet, places, *free()).status == 130
    monkeypatch.undo()
    assert not (places / "out" / "instances.json").exists()
    (places / "out" / "images" / ".0123456789abcdef.part").write_bytes(b"left by kill -9")
    ran = compose(artdet, places, *free())
    assert ran.out.splitlines()[1] == "2 were there already"
    (places / "out" / "images" / ".0123456789abcdef.part").unlink()
    whole = tree(places / "whole")
    assert {n: d for n, d in tree(places / "out").items() if "instances" not in n} == {
        n: d for n, d in whole.items() if "instances" not in n
    }
    boxes = [json.loads((places / name / "instances.json").read_text())["annotations"] for name in ("out", "whole")]
    assert boxes[0] == boxes[1]


def test_more_images_keep_those_that_are_there(artdet, places):
    compose(artdet, places, *free(), images=2)
    before = tree(places / "out")
    assert compose(artdet, places, *free(), images=6).out.startswith("4 scenes made")
    after = tree(places / "out")
    assert {n: after[n] for n in before if n.endswith(".jpg")} == {n: before[n] for n in before if n.endswith(".jpg")}


def test_company_is_a_setting_of_its_own_and_folders_without_it_go_on(artdet, places):
    assert compose(artdet, places, *free()).status == 0
    assert "together" not in json.loads((places / "out" / "compose.json").read_text())["settings"]
    assert compose(artdet, places, *free("--together", 0)).status == 0
    refused = compose(artdet, places, *free("--together", 0.5))
    assert (refused.status, "made in another way (other settings)" in refused.err) == (1, True)
    assert compose(artdet, places, *free("--together", 0.5), out="pairs").status == 0
    note = json.loads((places / "pairs" / "compose.json").read_text())
    assert note["settings"]["together"] == 0.5


def test_backgrounds_of_a_source_must_have_been_looked_at(artdet, places):
    images = [{"id": n, "file_name": f, "height": 30, "width": 50} for n, f in enumerate(("a.jpg", "b.jpg"))]
    boxes = [{"id": 1, "image_id": 0, "category_id": 1, "bbox": [1, 1, 9, 9]}]
    names = [{"id": n, "name": name} for n, name in enumerate(("animals", "duck", "cock"))]
    (places / "art" / "i.json").write_text(json.dumps({"images": images, "annotations": boxes, "categories": names}))
    ran = compose(artdet, places, "--category", "animals", "--artify", 0)
    assert (ran.status, ran.out.splitlines()[0]) == (0, "5 scenes made of 2 cut-outs on 1 images")
    names[1]["name"], names[2]["name"] = "ship", "building"
    names[0]["name"] = "structures"
    (places / "art" / "i.json").write_text(json.dumps({"images": images, "annotations": boxes, "categories": names}))
    ran = compose(artdet, places, "--category", "animals", "--artify", 0, out="other")
    assert ran.status == 1
    assert "--assume-absent" in ran.err
    assert compose(artdet, places, "--category", "animals", "--artify", 0, "--assume-absent", out="other").status == 0


def test_broken_backgrounds_are_said(artdet, places):
    (places / "art" / "b.jpg").write_bytes(b"")
    ran = compose(artdet, places, *free(), images=3)
    assert ran.out.startswith("2 scenes made")
    assert "1 backgrounds could not be read, such as art/b.jpg" in ran.out


@pytest.mark.parametrize(
    ("more", "status", "said"),
    [
        (("--classes", "duck"), 1, "of no format that artdet recognises"),
        ((), 2, "either --category NAME or --classes"),
        (("--classes", "dick"), 1, "Did you mean 'duck'"),
        (free("--weight", "duck=x"), 2, "write a class and a number"),
        (free("--scale", 0.4, 0.2), 1, "scale"),
        (("--classes", "ship", "--assume-absent"), 1, "There is no cut-out of these classes"),
        (free("--files", "^z"), 1, "has no image in which the classes"),
        (free("--seed", 5), 1, "made in another way (other seed)"),
        (free("--rotation", 5), 1, "made in another way (other settings)"),
        (free("--images", 0), 2, "--images 0 only cuts out"),
    ],
    ids=["not vouched", "no class", "typing", "weight", "scale", "no cut-out", "no ground", "seed", "set", "nothing"],
)
def test_errors(artdet, places, more, status, said):
    compose(artdet, places, *free(), images=1)
    before = tree(places)
    ran = compose(artdet, places, *more)
    assert (ran.status, ran.out) == (status, "")
    assert said in ran.err
    assert "Traceback" not in ran.err
    assert tree(places) == before


def test_a_folder_of_others_is_left_alone(artdet, places):
    (places / "out" / "images").mkdir(parents=True)
    ran = compose(artdet, places, *free())
    assert ran.status == 1
    assert "holds other images" in ran.err
    (places / "broken").mkdir()
    (places / "broken" / "compose.json").write_text("{")
    assert "compose.json cannot be read" in compose(artdet, places, *free(), out="broken").err
