"""Sources brought together: labels, sides, negatives, and what is kept apart."""

import hashlib
import json
import shutil

import numpy as np
import pytest
import yaml

from artdet.data.category import category_names, load_category
from artdet.data.merge import merged
from artdet.data.training_plan import training_plan
from artdet.errors import InputError


@pytest.fixture
def data(make_set, tmp_path, taxonomy):
    """YOLO sets below one folder, each with its yaml; ``merge`` reads a category of them."""

    def add(name, labels, names="dog\ncow\nduck\nship\nanimals\n", **settings):
        texts = {
            f"labels/{file}.txt": "".join(f"{n} 0.5 0.5 0.{n + 2} 0.3\n" for n in boxes)
            for file, boxes in labels.items()
        }
        make_set([f"images/{file}.png" for file in labels], {**texts, "classes.txt": names}, folder=name)
        # No two sets have the same bytes.
        for index, path in enumerate(sorted((tmp_path / name / "images").iterdir())):
            path.write_bytes(path.read_bytes() + f"{name}{index}".encode())
        source = {"format": "yolo", "path": name, "licence": f"that of {name}", **settings}
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(source))

    def merge(sources, classes=("animals", "dog"), **settings):
        path = tmp_path / "mine.yaml"
        entries = [{"art": True, **entry, "source": f"{entry['source']}.yaml"} for entry in sources]
        negatives = [{**entry, "source": f"{entry['source']}.yaml"} for entry in settings.pop("negatives", [])]
        content = {"classes": list(classes), "sources": entries, "negatives": negatives, **settings}
        path.write_text(yaml.safe_dump(content))
        return merged(load_category(str(path), taxonomy))

    return type("Data", (), {"add": staticmethod(add), "merge": staticmethod(merge), "root": tmp_path})


TRAIN, VALIDATION = {"source": "photos", "art": False}, {"source": "art", "split": "validation"}


@pytest.fixture
def two(data):
    data.add("photos", {"a": [0, 1], "b": [2, 3], "c": [3], "d": []})
    data.add("art", {"x": [0], "y": []})
    return data


def held(entry, taxonomy):
    return entry.sample.file, [taxonomy.names[label] for label in entry.sample.truth.labels]


def test_labels_fall_to_their_category_or_are_dropped(two, taxonomy):
    made = two.merge([TRAIN, VALIDATION])
    assert [held(entry, taxonomy) for entry in made.train] == [("a.png", ["dog", "animals"]), ("b.png", ["animals"])]
    assert [held(entry, taxonomy) for entry in made.validation] == [("x.png", ["dog"]), ("y.png", [])]
    first = made.train[0]
    assert (first.source, first.licence, first.art, first.root) == (
        "photos",
        "that of photos",
        False,
        two.root / "photos/images",
    )
    assert dict(made.unused) == {"photos.yaml": 2, "art.yaml": 0}
    only_dogs = two.merge([TRAIN, VALIDATION], classes=["dog"])
    assert [held(entry, taxonomy) for entry in only_dogs.train] == [("a.png", ["dog"])]
    assert len(only_dogs.train[0].sample.crowd) == 1


def test_ignored_classes(two, taxonomy):
    made = two.merge([{**TRAIN, "ignore": ["cow"]}, VALIDATION])
    assert [held(entry, taxonomy)[1] for entry in made.train] == [["dog"], ["animals"]]


@pytest.mark.parametrize(
    ("stated", "instead", "labelled", "counting"),
    [
        (["dog", "cow"], None, ["dog"], {"animals": 0, "dog": 1}),
        (["animals"], None, ["animals"], {"animals": 1, "dog": 1}),
        ([], ["animals", "dog"], ["animals", "dog"], {"animals": 1, "dog": 1}),
    ],
    ids=["another class says nothing of the category", "category", "override"],
)
def test_what_was_looked_for_is_kept(data, taxonomy, stated, instead, labelled, counting):
    data.add("photos", {"a": [0, 1]})
    data.add("art", {"x": [0, 1]}, exhaustive=stated)
    made = data.merge([TRAIN, {**VALIDATION, "exhaustive": instead}])
    assert sorted(taxonomy.names[i] for i in made.validation[0].sample.labelled) == labelled
    assert {row.name: row.validation_boxes for row in training_plan(made, cores=2).classes} == counting


def test_images_that_nobody_looked_at_do_not_validate(data):
    data.add("photos", {"a": [0]})
    data.add("art", {"x": [0]}, exhaustive=["ship"])
    with pytest.raises(InputError, match="leave no box to validate on"):
        data.merge([TRAIN, VALIDATION])


def test_a_work_of_validation_is_not_trained_on(data):
    data.add("art", {"one-1": [0], "one-2": [0], "two-1": [0]}, group="([a-z]+)-")
    made = data.merge([{"source": "art", "files": "-1"}, {**VALIDATION, "files": "one-2"}])
    assert [entry.sample.file for entry in made.train] == ["two-1.png"]
    assert [path.rpartition("/")[2] for path in made.held_back] == ["one-1.png"]
    assert made.shared_works == frozenset()


def test_a_copy_of_validation_is_not_trained_on(two):
    shutil.copy(two.root / "art/images/x.png", two.root / "photos/images/a.png")
    made = two.merge([TRAIN, VALIDATION])
    assert [entry.sample.file for entry in made.train] == ["b.png"]
    assert len(made.held_back) == 1


def test_what_was_pasted_onto_validation_is_not_trained_on(two, make_set):
    behind = hashlib.sha256((two.root / "art/images/x.png").read_bytes()).hexdigest()
    scenes = [("on-x.png", behind), ("on-another.png", "0" * 64)]
    images = [
        {"id": n, "file_name": f"images/{file}", "height": 30, "width": 50, "fields": {"background_sha256": sha}}
        for n, (file, sha) in enumerate(scenes)
    ]
    boxes = [{"id": n, "image_id": n, "category_id": 1, "bbox": [2, 3, 10, 12]} for n in range(2)]
    coco = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "dog"}]}
    make_set([f"images/{file}" for file, _ in scenes], {"instances.json": json.dumps(coco)}, folder="composed")
    source = {"format": "coco", "path": "composed"}
    (two.root / "composed.yaml").write_text(yaml.safe_dump(source))
    made = two.merge([TRAIN, {"source": "composed"}, VALIDATION])
    assert [path.rpartition("/")[2] for path in made.held_back] == ["on-x.png"]


def test_a_share_goes_to_validation_by_works(data):
    data.add("art", {f"w{n}-{m}": [0] for n in range(10) for m in "ab"}, group="(w[0-9])-")
    made = data.merge([{"source": "art", "split": {"validation": 0.3}}])
    assert (len(made.train), len(made.validation), made.held_back) == (14, 6, ())


def test_listed_works_go_to_validation_whatever_is_boxed_on_them(data):
    data.add("art", {f"w{n}-{m}": [0] if m == "a" else [] for n in range(4) for m in "ab"}, group="(w[0-9])-")
    (data.root / "held").mkdir()
    (data.root / "held" / "art.txt").write_text("# two works\nw1\n\n w3 \nw9\n")
    made = data.merge([{"source": "art", "split": {"validation": "held/art.txt"}}])
    assert sorted(entry.sample.file for entry in made.train) == ["w0-a.png", "w2-a.png"]
    assert sorted(entry.sample.file for entry in made.validation) == ["w1-a.png", "w1-b.png", "w3-a.png", "w3-b.png"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read"),
        (b"\xff\n", "is not UTF-8"),
        (b"# none\nw7\n", "names no work of its source.*'x.png'"),
    ],
)
def test_lists_that_say_nothing_are_refused(two, content, said):
    if content is not None:
        (two.root / "held.txt").write_bytes(content)
    with pytest.raises(InputError, match=said):
        two.merge([TRAIN, {"source": "art", "split": {"validation": "held.txt"}}])


def test_weights_and_repeat_factors_multiply(data):
    data.add("photos", {"a": [0], "b": [1], "c": [1], "d": [1]})
    data.add("art", {"x": [0]})
    made = data.merge([{**TRAIN, "weight": 0.5}, VALIDATION], repeat_threshold=1.0)
    np.testing.assert_allclose(made.factors, [1.0, *[0.5 * np.sqrt(4 / 3)] * 3])


def test_a_negative_says_nothing_of_what_nobody_looked_for(two, taxonomy):
    two.add("seen", {"e": []}, exhaustive=["dog"])
    made = two.merge([TRAIN, VALIDATION], classes=("dog", "cow"), negatives=[{"source": "seen", "rate": 0.3}])
    negative = next(entry for entry in made.train if entry.negative)
    assert [taxonomy.names[label] for label in negative.sample.labelled] == ["dog"]


def test_negatives_take_their_rate(two):
    two.add("empty", {f"e{n}": [] for n in range(4)})
    made = two.merge([TRAIN, VALIDATION], negatives=[{"source": "empty", "rate": 0.2}], repeat_threshold=0)
    assert [entry.negative for entry in made.train] == [False] * 2 + [True] * 4
    np.testing.assert_allclose(made.factors, [1, 1, *[0.125] * 4])
    few = two.merge(
        [TRAIN, VALIDATION], negatives=[{"source": "empty", "rate": 0.8, "files": "e0"}], repeat_threshold=0
    )
    np.testing.assert_allclose(few.factors, [1, 1, 1])  # at most once an epoch
    assert "too few negatives for their rate: 33% of an epoch instead of 80%" in training_plan(few, cores=2).weak


@pytest.mark.parametrize(("assume", "count"), [(False, 0), (True, 2)])
def test_negatives_where_nobody_looked(two, assume, count):
    two.add("empty", {"e": [], "f": [3], "g": [0]}, exhaustive=["ship"])
    negatives = [{"source": "empty", "rate": 0.2, "assume_absent": assume}]
    made = two.merge([TRAIN, VALIDATION], negatives=negatives)
    assert sum(entry.negative for entry in made.train) == count


def test_all_missing_data_are_said_in_one_sentence(two, monkeypatch):
    shutil.rmtree(two.root / "photos")
    shutil.rmtree(two.root / "art")
    monkeypatch.setenv("ARTDET_DATA_DIR", str(two.root / "nowhere"))
    with pytest.raises(InputError) as caught:
        two.merge([TRAIN, VALIDATION])
    assert "2 of the 2 sources of mine are not on this machine: photos (photos), art (art);" in str(caught.value)
    assert str(two.root / "nowhere") in str(caught.value)


def test_of_boxes_that_come_with_artdet_the_pictures_are_what_is_missing(tmp_path, monkeypatch, taxonomy):
    monkeypatch.setenv("ARTDET_DATA_DIR", str(tmp_path))
    with pytest.raises(InputError) as caught:
        merged(load_category("animals", taxonomy))
    assert "artic_cc0 (artic_cc0/images; boxes drawn by eye for artdet; pictures of" in str(caught.value)


@pytest.mark.parametrize("name", sorted({*category_names()} - {"iconart"}))  # whose data are fetched
def test_shipped_categories_on_real_data(shared_data, monkeypatch, taxonomy, name):
    monkeypatch.setenv("ARTDET_DATA_DIR", str(shared_data))
    made = merged(load_category(name, taxonomy))
    plan = training_plan(made, cores=2)
    assert [row.name for row in plan.classes] == list(made.category.settings.classes)
    assert all(row.boxes for row in plan.classes)
    assert made.shared_works == frozenset()
    assert {e.path for e in made.train} & {e.path for e in made.validation} == set()
    assert all(entry.art and "/photo/" not in str(entry.path) for entry in made.validation)
    # Files that the yaml names one by one are there.
    named = [s for s in made.category.settings.sources if s.part and s.files and not s.files.startswith("^(?!")]
    for source in named:
        wanted = len(source.files.split("|"))
        assert sum(entry.source == source.source for entry in made.validation) == wanted
    assert plan.images_per_epoch == pytest.approx(made.factors.sum())
