"""Which sets and classes a category needs, which images are taken, and which classes were looked for in them."""

from collections import Counter

import pytest

from artdet.data.category import load_category
from artdet.errors import InputError
from artdet.fetching import coco, open_images
from artdet.fetching.balance import balanced
from artdet.fetching.chosen import read_chosen, write_chosen
from artdet.fetching.plan import Request, plan


@pytest.mark.parametrize(
    ("category", "sets"),
    [
        ("persons", ["open_images", "coco2017", "iconart"]),
        ("animals", ["open_images", "coco2017"]),
        ("produce", ["open_images", "coco2017"]),
        ("structures", ["open_images", "coco2017", "iconart"]),
    ],
)
def test_sets_of_a_category(taxonomy, category, sets):
    requests = plan(load_category(category, taxonomy), max_images=7, seed=3, split="validation")
    assert [request.set for request in requests] == sets
    assert {(request.max_images, request.seed, request.split) for request in requests} == {(7, 3, "validation")}


def test_classes_come_from_the_label_map_reversed(animals, taxonomy):
    (request,) = plan(animals, max_images=1, sets=["coco2014"])
    others = dict.fromkeys(["bird", "sheep", "elephant", "bear", "zebra", "giraffe"], "animals")
    assert request.classes == {**others, **{name: name for name in ("cow", "cat", "dog", "horse")}}
    (request,) = plan(load_category("structures", taxonomy), max_images=1, sets=["iconart"])
    assert request.classes == {"ruins": "structures"}


@pytest.mark.parametrize(
    ("sets", "category", "says"),
    [
        (["coco"], "animals", r"There is no set 'coco' to fetch\. Did you mean 'coco201[47]'\?"),
        ([], "landforms", r"None of open_images, coco2017, iconart has boxes for a class of landforms \(landforms, "),
        (["iconart"], "animals", "None of iconart has boxes for a class of animals"),
    ],
)
def test_nothing_to_fetch(taxonomy, sets, category, says):
    with pytest.raises(InputError, match=says):
        plan(load_category(category, taxonomy), max_images=1, sets=sets)


def test_a_digest_for_each_request(animals):
    made = [
        request.digest
        for number in (1, 2)
        for seed in (0, 1)
        for request in plan(animals, max_images=number, seed=seed, sets=["coco2017", "open_images"])
    ]
    assert len(set(made)) == 8


IMAGES = {f"{number:03}": (1 if number % 10 else 3) if number < 95 else 4 for number in range(100)} | {"none": 0}


@pytest.mark.parametrize("count", [0, 1, 7, 30, 100, 500])
@pytest.mark.parametrize("seed", [0, 1])
def test_balance(count, seed):
    chosen = balanced(IMAGES, count, seed=seed)
    assert len(chosen) == len(set(chosen)) == min(count, 100)
    assert "none" not in chosen
    assert balanced(dict(reversed(IMAGES.items())), count, seed=seed) == chosen
    assert balanced(IMAGES, count + 5, seed=seed)[:count] == chosen
    counts = Counter(bit for image in chosen for bit in (1, 2, 4) if IMAGES[image] & bit)
    if count == 30:  # of the rare ones all
        assert (counts[4], counts[2]) == (5, 10)


def test_seeds_differ():
    assert balanced(IMAGES, 30, seed=0) != balanced(IMAGES, 30, seed=1)
    assert balanced({}, 5, seed=0) == []


def test_coco(sets, animals, tmp_path):
    (tmp_path / "t.json").write_bytes(sets.coco_table("http://x"))
    (request,) = plan(animals, max_images=9, sets=["coco2017"])
    chosen = {one.image.file: one for one in coco.choose(tmp_path / "t.json", request)}
    assert set(chosen) == sets.coco_wanted  # not the one with a crowd only
    one = chosen["000000000025.jpg"]
    assert (one.address, one.split, one.image.size) == ("http://x/c/000000000025.jpg", "train", (40, 60))
    assert [(box.name, box.box, box.crowd) for box in one.image.boxes] == [
        ("cat", (0, 0, 30, 20), False),
        ("dog", (30, 10, 50, 30), True),
    ]
    assert one.image.fields == {"split": "train", "licence": "Attribution-NonCommercial License"}
    (fewer,) = plan(animals, max_images=3, sets=["coco2017"])
    found = {one.image.file for one in coco.choose(tmp_path / "t.json", fewer)}
    assert {"000000000025.jpg", "000000000030.jpg"} < found  # cat and bird once, dog twice


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"images": []}', b'{"images": [{}], "annotations": [], "categories": []}']
)
def test_a_damaged_table_of_coco(animals, tmp_path, content):
    (tmp_path / "t.json").write_bytes(content)
    with pytest.raises(InputError, match=r"t\.json is not COCO's table of boxes .* Delete it and run"):
        coco.choose(tmp_path / "t.json", plan(animals, max_images=9, sets=["coco2017"])[0])


@pytest.fixture
def tables(sets, tmp_path):
    for name, content in sets.open_tables().items():
        (tmp_path / name).write_bytes(content)
    names = ("detections.csv", "classifications.csv", "classes.csv", "hierarchy.json")
    return open_images.Tables(*(tmp_path / name for name in names))


def test_open_images(tables, animals, taxonomy):
    (request,) = plan(animals, max_images=9, sets=["open_images"])
    chosen = {one.image.file: one.image for one in open_images.choose(tables, request, taxonomy)}
    assert {name: image.labelled for name, image in chosen.items()} == {
        "00aa.jpg": ("cat", "dog"),  # dogs are boxed, cats are absent
        "00bb.jpg": ("dog",),  # nobody looked for bulls, so not all cows may be boxed
        "00cc.jpg": ("animals", "structures", "building"),  # boxed as animals, whatever they are
    }
    first, second = chosen["00bb.jpg"].boxes
    assert (first.name, first.box, first.crowd, first.difficult) == ("Cattle", (0, 0.5, 0.5, 1), False, False)
    assert (second.name, second.crowd) == ("Dog", True)
    assert [box.difficult for box in chosen["00cc.jpg"].boxes] == [False, True]  # a house from inside
    assert all(image.relative for image in chosen.values())


@pytest.mark.parametrize(
    ("boxed", "absent", "found"),
    [
        ([], [], ()),
        ([], ["Animal"], ("animals", "cow", "cat", "dog")),
        ([], ["Mammal"], ("cow", "cat", "dog")),
        ([], ["Bull"], ()),
        (["Cattle"], ["Bull"], ("cow",)),
        (["Mammal"], [], ()),
        (["Animal"], ["Dog"], ("animals", "dog")),
        (["House"], [], ("structures", "building")),
    ],
)
def test_classes_that_were_looked_for(tables, taxonomy, boxed, absent, found):
    words = open_images.vocabulary(tables, taxonomy)
    assert words.looked_for(frozenset(boxed), frozenset(absent)) == found


def test_hierarchy_as_fiftyone_writes_it(tables, taxonomy):
    text = tables.hierarchy.read_text()
    before = open_images.vocabulary(tables, taxonomy)
    for name, number in [*((name, number) for number, name in before.names.items()), ("Entity", "/m/0bl9f")]:
        text = text.replace(f'"{number}"', f'"{name}"')
    tables.hierarchy.write_text(text)
    after = open_images.vocabulary(tables, taxonomy).above
    assert {name: after[name] - {"Entity"} for name in before.names.values()} == {
        name: before.above[name] - {"/m/0bl9f"} for name in before.names.values()
    }


@pytest.mark.parametrize("name", ["boxes", "labels", "hierarchy"])
@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "ImageID,LabelName\nx\n"])
def test_a_damaged_table_of_open_images(tables, animals, taxonomy, name, content):
    path = getattr(tables, name)
    path.write_text(content)
    with pytest.raises(InputError, match=f"{path.name} is not a table of Open Images"):
        open_images.choose(tables, plan(animals, max_images=9, sets=["open_images"])[0], taxonomy)


def test_what_was_chosen_comes_back(tables, animals, taxonomy, sets, tmp_path):
    (tmp_path / "t.json").write_bytes(sets.coco_table("http://x"))
    first, second = plan(animals, max_images=9, sets=["open_images", "coco2017"])
    chosen = [*open_images.choose(tables, first, taxonomy), *coco.choose(tmp_path / "t.json", second)]
    write_chosen(chosen, tmp_path / "deep" / "c.jsonl")
    assert read_chosen(tmp_path / "deep" / "c.jsonl") == chosen
    assert read_chosen(tmp_path / "none") == []
    assert Request(**vars(first)).digest == first.digest
