"""What ``data.json`` says, and that a training goes on with the same data only."""

import json

import pytest

from artdet.data.category import load_category
from artdet.data.merge import merged
from artdet.errors import RunError
from artdet.training.statistics import refuse_other_data, source_facts, write_statistics


def test_before_anything_is_written_nothing_is_refused(folder, data):
    refuse_other_data(data, folder)


def test_facts(data):
    snaps, prints = source_facts(data)
    assert (snaps.name, snaps.licence, snaps.origin) == ("snaps", "CC0", "a walk | in the park")
    assert (snaps.train_images, snaps.art_images, snaps.negatives, snaps.train_boxes) == (3, 0, 1, 3)
    assert (snaps.validation_images, snaps.validation_boxes) == (0, 0)
    assert (prints.train_images, prints.validation_images, prints.validation_boxes) == (0, 2, 2)
    assert snaps.sha256 != prints.sha256


def test_origin_of_a_shipped_source(category_file, taxonomy):
    category_file.write_text(category_file.read_text().replace("prints.yaml", "examples"))
    facts = {one.name: one for one in source_facts(merged(load_category(str(category_file), taxonomy)))}
    assert "WebMuseum" in facts["examples"].origin


def test_file(folder, data, tmp_path):
    write_statistics(data, folder, cores=2)
    text = folder.statistics.read_text()
    found = json.loads(text)
    assert str(tmp_path) not in text
    assert [(row["name"], row["boxes"], row["validation_boxes"]) for row in found["classes"]] == [
        ("animals", 0, 0),
        ("dog", 2, 1),
        ("cat", 1, 1),
    ]
    assert [one["name"] for one in found["sources"]] == ["snaps", "prints"]
    assert found["negatives"] == 1
    refuse_other_data(data, folder)


def test_the_same_data_elsewhere_are_the_same(folder, data, category_file, taxonomy, tmp_path):
    write_statistics(data, folder, cores=2)
    category_file.parent.rename(tmp_path / "moved")
    refuse_other_data(merged(load_category(str(tmp_path / "moved" / "pets.yaml"), taxonomy)), folder)


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("snaps/labels/1.txt", "1 0.5 0.5 0.2 0.41\n", "snaps has changed"),
        ("snaps/labels/1.txt", "0 0.5 0.5 0.2 0.4\n", "snaps has changed"),
        ("prints/labels/1.txt", "0 0.5 0.5 0.2 0.4\n", "prints has changed"),
        ("snaps/classes.txt", "cat\ndog\n", "snaps has changed"),
    ],
    ids=["a box", "a label", "a box to validate on", "the classes"],
)
def test_other_data_are_refused(folder, data, category_file, taxonomy, file, text, said):
    write_statistics(data, folder, cores=2)
    (category_file.parent / file).write_text(text)
    changed = merged(load_category(str(category_file), taxonomy))
    with pytest.raises(RunError, match=said) as caught:
        refuse_other_data(changed, folder)
    assert "\n" not in str(caught.value)
    assert str(caught.value).count("has changed") == 1


def test_sources_that_came_and_went(folder, data, category_file, taxonomy):
    write_statistics(data, folder, cores=2)
    category_file.write_text(category_file.read_text().replace("prints.yaml", "examples"))
    other = merged(load_category(str(category_file), taxonomy))
    with pytest.raises(RunError, match="examples is new, prints is missing"):
        refuse_other_data(other, folder)


def test_a_damaged_file_is_told(folder, data):
    folder.statistics.write_text("{")
    with pytest.raises(RunError, match=r"data\.json cannot be read"):
        refuse_other_data(data, folder)
