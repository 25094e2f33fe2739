from pathlib import Path

import numpy as np
import pytest

from artdet.data.dataset import Dataset, Sample
from artdet.detections import Detections
from artdet.errors import InputError
from artdet.evaluate.alignment import align, boxes_on
from artdet.runs import PREDICTIONS_FILE, Box, Record, open_run, write_info

SIZE = (60, 90)
NONE = np.zeros(0, dtype=bool)


def make_run(folder: Path, root: str, *records: Record):
    folder.mkdir(parents=True)
    write_info(folder, {"root": root})
    (folder / PREDICTIONS_FILE).write_text("".join(f"{record.as_line()}\n" for record in records), encoding="utf-8")
    return open_run(folder)


def read(*files, size=SIZE):
    return [Record(file, "ab", size, (Box("cat", 0.5, (1.0, 2.0, 30.0, 40.0), "x"),)) for file in files]


def truth(taxonomy, *files, root="/pictures", annotated=True):
    samples = tuple(
        Sample(file, Detections.empty(SIZE), NONE, NONE, annotated, frozenset({1}), {}, file) for file in files
    )
    return Dataset("truth", Path(root), samples, taxonomy)


def files_of(aligned):
    return [[record.file for record in records] for records in aligned.records]


def test_the_same_place_is_the_same_image(tmp_path, taxonomy):
    run = make_run(tmp_path / "run", "/pictures/b", *read("two.jpg", "one.jpg"))
    aligned = align([run], ["run"], truth(taxonomy, "b/one.jpg", "b/two.jpg"))
    assert [sample.file for sample in aligned.samples] == ["b/one.jpg", "b/two.jpg"]
    assert files_of(aligned) == [["one.jpg", "two.jpg"]]
    assert aligned.notes == ()


def test_elsewhere_names_decide_where_they_are_clear(tmp_path, taxonomy):
    run = make_run(
        tmp_path / "run", "/copy", *read("a/same.jpg", "b/same.jpg", "x/only.jpg", "c/twice.jpg", "d/twice.jpg")
    )
    aligned = align([run], ["run"], truth(taxonomy, "b/same.jpg", "y/only.jpg", "e/twice.jpg"))
    assert files_of(aligned) == [["b/same.jpg", "x/only.jpg"]]
    assert "images of run that lie elsewhere than the truth's, matched by name: 2" in aligned.notes
    assert "images of the truth that are not in run, left out: 1 of 3 (e/twice.jpg)" in aligned.notes
    assert "images of run that are not in the truth, not counted: 3" in aligned.notes


def test_several_runs_are_compared_on_their_common_images(tmp_path, taxonomy):
    first = make_run(tmp_path / "first", "/pictures", *read("a.jpg", "b.jpg", "c.jpg"))
    second = make_run(tmp_path / "second", "/pictures", *read("c.jpg", "b.jpg"))
    aligned = align([first, second], ["first", "second"], truth(taxonomy, "a.jpg", "b.jpg", "c.jpg"))
    assert files_of(aligned) == [["b.jpg", "c.jpg"], ["b.jpg", "c.jpg"]]
    assert any("not in second" in note and "a.jpg" in note for note in aligned.notes)


def test_an_unreadable_image_counts_without_boxes(tmp_path, taxonomy):
    failed = Record("b.jpg", None, None, error=("truncated", "ends early"))
    run = make_run(tmp_path / "run", "/pictures", *read("a.jpg"), failed)
    data = truth(taxonomy, "a.jpg", "b.jpg")
    aligned = align([run], ["run"], data)
    assert files_of(aligned) == [["a.jpg", "b.jpg"]]
    assert "images that run could not read, counted without boxes: 1 (b.jpg)" in aligned.notes
    assert [len(boxes_on(r, s, taxonomy)) for r, s in zip(aligned.records[0], aligned.samples, strict=True)] == [1, 0]


def test_boxes_come_in_pixels_of_the_truth(tmp_path, taxonomy):
    run = make_run(tmp_path / "run", "/pictures", *read("a.jpg", size=(120, 180)))
    aligned = align([run], ["run"], truth(taxonomy, "a.jpg"))
    found = boxes_on(aligned.records[0][0], aligned.samples[0], taxonomy)
    assert found.image_size == SIZE
    assert found.boxes.tolist() == [[0.5, 1.0, 15.0, 20.0]]


def test_another_shape_is_another_picture(tmp_path, taxonomy):
    run = make_run(tmp_path / "run", "/pictures", *read("a.jpg"), *read("turned.jpg", size=SIZE[::-1]))
    aligned = align([run], ["run"], truth(taxonomy, "a.jpg", "turned.jpg"))
    assert files_of(aligned) == [["a.jpg"]]
    assert any("another shape" in note and "turned.jpg" in note for note in aligned.notes)


def test_images_without_annotation_are_no_truth(tmp_path, taxonomy):
    run = make_run(tmp_path / "run", "/pictures", *read("a.jpg"))
    with pytest.raises(InputError, match="no annotated image"):
        align([run], ["run"], truth(taxonomy, "a.jpg", annotated=False))


def test_nothing_in_common_is_an_error_with_both_folders(tmp_path, taxonomy):
    run = make_run(tmp_path / "run", "/elsewhere", *read("z.jpg"))
    with pytest.raises(InputError, match=r"/pictures.*/elsewhere.*--images"):
        align([run], ["run"], truth(taxonomy, "a.jpg"))


def test_the_run_that_has_nothing_in_common_is_named(tmp_path, taxonomy):
    fitting = make_run(tmp_path / "fitting", "/pictures", *read("a.jpg"))
    stranger = make_run(tmp_path / "stranger", "/elsewhere", *read("z.jpg"))
    with pytest.raises(InputError, match=r"in the run \S+/stranger \(of /elsewhere\)"):
        align([fitting, stranger], ["fitting", "stranger"], truth(taxonomy, "a.jpg"))


def test_runs_of_different_images_have_nothing_to_compare(tmp_path, taxonomy):
    runs = [make_run(tmp_path / name, "/pictures", *read(f"{name}.jpg")) for name in "ab"]
    with pytest.raises(InputError, match="no image of truth in common"):
        align(runs, ["a", "b"], truth(taxonomy, "a.jpg", "b.jpg"))
