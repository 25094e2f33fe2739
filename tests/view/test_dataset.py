"""A run becomes a dataset once; later starts bring it up to date and touch nothing that people did."""

from __future__ import annotations

from pathlib import Path

import pytest

from artdet.errors import InputError, LabelError
from artdet.view import dataset as module
from artdet.view import writer
from artdet.view.dataset import find, update

from .conftest import box, record

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def load(taxonomy):
    def loaded(run, truth=None, **options):
        done = update(run, truth, taxonomy=taxonomy, **options)
        return done, find(done.name)

    return loaded


def labels(dataset, field="predictions"):
    return {Path(sample.filepath).name: [box.label for box in sample[field].detections] for sample in dataset}


def tag(dataset, name, *tags):
    sample = dataset.match({"filepath": {"$regex": name}}).first()
    sample.tags += list(tags)
    sample.save()


def edit_truth(dataset, name):
    sample = dataset.match({"filepath": {"$regex": name}}).first()
    sample.truth.detections[0].label = "mary"
    sample.save()


def test_a_run_without_images_is_refused(make_run, load):
    with pytest.raises(InputError, match="has no image yet"):
        load(make_run([]))


def test_everything_of_a_run_and_its_truth_is_there(make_run, make_truth, load, tmp_path):
    members = {"a": (box("persons"), box("cat", 1, 2, 3, 4)), "b-2": ()}
    run = make_run(
        [
            record("a.jpg", box("angel", 10, 20, 60, 120, score=0.75, source="a+b-2"), members=members),
            record("b.jpg", members={"a": (), "b-2": ()}, warnings=("cut short",)),
        ]
    )
    facts = {"a.jpg": {"style": "Baroque", "year": "1650"}, "b.jpg": {"year": "1660"}}
    truth = make_truth({"a.jpg": [("persons", 5, 10, 50, 100, "crowd")], "b.jpg": None}, fields=facts)
    done, dataset = load(run, truth)
    assert (done.images, done.added, done.with_truth) == (2, 2, 1)
    assert (dataset.persistent, dataset.name) == (True, f"artdet-{run.folder.name}")
    first, second = dataset
    assert (first.filepath, first.sha256) == (str(tmp_path / "images" / "a.jpg"), "ab" * 32)
    assert (first.metadata.width, first.metadata.height) == (100, 200)
    found = first.predictions.detections[0]
    assert (found.label, found.confidence, found.category, found.source) == ("angel", 0.75, "persons", "a+b-2")
    assert found.bounding_box == pytest.approx([0.1, 0.1, 0.5, 0.5])
    assert [len(first[name].detections) for name in ("member_a", "member_b_2")] == [2, 0]
    true = first.truth.detections[0]
    assert (true.label, true.iscrowd, true.difficult) == ("persons", True, False)
    assert (first.style, first.year, second.style, second.year) == ("Baroque", 1650, None, 1660)
    assert second.truth is None
    assert (first.tags, second.tags) == ([], ["no boxes", "partly read"])


def test_a_second_start_changes_nothing(make_run, make_truth, load):
    run, truth = (
        make_run([record("a.jpg", box("cat")), record("b.jpg")]),
        make_truth({"a.jpg": [("cat", 1, 2, 30, 40)]}),
    )
    _, dataset = load(run, truth)
    before = list(dataset._sample_collection.find())
    done, dataset = load(run, truth)
    assert (done.images, done.added, done.changed, done.truth_changed) == (2, 0, 0, 0)
    assert list(dataset._sample_collection.find()) == before


def test_a_run_that_grew_and_changed(make_run, load):
    load(make_run([record("a.jpg", box("cat")), record("b.jpg", box("dog"))]))
    done, dataset = load(make_run([record("a.jpg"), record("b.jpg", box("dog")), record("c.jpg", box("cow"))]))
    assert (done.images, done.added, done.changed, done.replaced) == (3, 1, 1, 0)
    assert labels(dataset) == {"a.jpg": [], "b.jpg": ["dog"], "c.jpg": ["cow"]}
    assert dataset.match_tags("no boxes").count() == 1


def test_what_people_tagged_stays_also_on_boxes_that_did_not_change(make_run, load):
    _, dataset = load(make_run([record("a.jpg", box("cat"), box("dog", 1, 1, 9, 9))]))
    tag(dataset, "a.jpg", "mine")
    sample = dataset.first()
    sample.predictions.detections[0].tags = ["correct"]
    sample.save()
    _, dataset = load(make_run([record("a.jpg", box("cat"), box("cow", 1, 1, 9, 9))]))
    sample = dataset.first()
    assert sample.tags == ["mine"]
    assert [(each.label, each.tags) for each in sample.predictions.detections] == [("cat", ["correct"]), ("cow", [])]


def test_edited_truth_is_never_lost_and_the_rest_follows_its_source(make_run, make_truth, load):
    run = make_run([record(name) for name in ("a.jpg", "b.jpg", "c.jpg")])
    files = {name: [("cat", 1, 2, 30, 40)] for name in ("a.jpg", "b.jpg", "c.jpg")}
    _, dataset = load(run, make_truth(files))
    edit_truth(dataset, "a.jpg")
    edit_truth(dataset, "b.jpg")
    done, dataset = load(run, make_truth({**files, "b.jpg": [("dog", 1, 2, 30, 40)], "c.jpg": []}))
    assert (done.kept, done.truth_changed) == (1, 1)
    assert labels(dataset, "truth") == {"a.jpg": ["mary"], "b.jpg": ["mary"], "c.jpg": []}
    _, dataset = load(run)
    assert labels(dataset, "truth") == {"a.jpg": ["mary"], "b.jpg": ["mary"], "c.jpg": []}
    _, dataset = load(run, make_truth(files), reset=True)
    assert labels(dataset, "truth") == {"a.jpg": ["cat"], "b.jpg": ["cat"], "c.jpg": ["cat"]}


def test_edited_predictions_stay_until_the_run_itself_changes(make_run, load):
    def edited():
        sample = dataset.first()
        sample.predictions.detections[0].label = "mary"
        sample.save()

    _, dataset = load(make_run([record("a.jpg", box("cat"))]))
    edited()
    done, dataset = load(make_run([record("a.jpg", box("cat"))]))
    assert (labels(dataset), done.replaced) == ({"a.jpg": ["mary"]}, 0)
    done, dataset = load(make_run([record("a.jpg", box("dog"))]))
    assert (labels(dataset), done.replaced) == ({"a.jpg": ["dog"]}, 1)


def test_images_that_could_not_be_read_are_left_out_and_counted(make_run, load):
    broken = record("x.jpg").__class__("x.jpg", None, None, error=("truncated", "It ends early."))
    done, dataset = load(make_run([record("a.jpg"), broken]))
    assert (len(dataset), dict(done.failed)) == (1, {"truncated": 1})


def test_an_image_that_left_the_run_stays_without_predictions(make_run, make_truth, load):
    both = [record("a.jpg", box("cat")), record("b.jpg", box("cat"), members={"a": (box("cat"),)})]
    load(make_run(both), make_truth({"b.jpg": [("cat", 1, 2, 30, 40)]}))
    done, dataset = load(make_run([record("a.jpg", box("cat"))]))
    gone = dataset.match_tags("no longer in the run").first()
    assert (done.gone, gone.predictions, gone.member_a, len(gone.truth.detections)) == (1, None, None, 1)
    _, dataset = load(make_run(both))
    assert labels(dataset) == {"a.jpg": ["cat"], "b.jpg": ["cat"]}
    assert dataset.match_tags("no longer in the run").count() == 0


@pytest.mark.parametrize("where", ["between batches", "between adding and writing"])
def test_killed_on_the_way_the_next_start_completes(make_run, load, monkeypatch, where):
    class Killed(BaseException):
        pass

    def killed(*_):
        raise Killed

    run = make_run([record(f"{number}.jpg", box("cat")) for number in range(5)])
    monkeypatch.setattr(module, "_BATCH", 2)
    with monkeypatch.context() as patch:
        if where == "between adding and writing":
            patch.setattr(writer, "set_values", killed)
        with pytest.raises(Killed):
            load(run, progress=killed)
    _, dataset = load(run)
    assert labels(dataset) == {f"{number}.jpg": ["cat"] for number in range(5)}


def test_another_run_of_the_same_name_has_its_own_dataset(make_run, load, tmp_path):
    name = f"same-{tmp_path.name}"
    runs = [make_run([record(f"{folder}.jpg")], name=f"{folder}/{name}") for folder in "ab"]
    names = [load(run)[0].name for run in (*runs, *runs)]
    assert names == [f"artdet-{name}", f"artdet-{name}-2"] * 2
    assert [find(str(run.folder)).name for run in runs] == names[:2]
    assert find(name).name == names[0]


def test_a_dataset_that_is_not_there(make_run, load):
    done, _ = load(make_run([record("a.jpg")]))
    with pytest.raises(InputError, match=f"Did you mean '{done.name}'"):
        find(done.name[:-1] + "x")


def test_a_truth_of_other_images_is_refused_before_anything_is_made(make_run, make_truth, load):
    import fiftyone

    run = make_run([record("a.jpg")])
    with pytest.raises(InputError, match="no image of made"):
        load(run, make_truth({"other.jpg": []}))
    assert not fiftyone.dataset_exists(f"artdet-{run.folder.name}")


def test_a_label_of_another_taxonomy(make_run, load):
    with pytest.raises(LabelError, match="no class 'unicorn'.*--taxonomy"):
        load(make_run([record("a.jpg", box("unicorn"))]))


def test_a_field_that_changes_its_kind_or_has_a_name_of_ours(make_run, make_truth, load):
    run = make_run([record("a.jpg")])
    for value, kept in (("1650", 1650), ("c. 1650", "c. 1650")):
        truth = make_truth({"a.jpg": []}, fields={"a.jpg": {"year": value, "tags": "x", "1st name": "y"}})
        _, dataset = load(run, truth)
        sample = dataset.first()
        assert (sample.year, sample.source_tags, sample.source_1st_name) == (kept, "x", "y")
