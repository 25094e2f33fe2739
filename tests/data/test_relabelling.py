"""A second look at boxes: labels of a table count for the boxes that it names, and for no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from artdet.data.problems import Problems
from artdet.data.raw import RawBox, RawImage
from artdet.data.relabelling import relabelled
from artdet.data.sources import load_dataset
from artdet.errors import ArtdetError, ConfigError
from artdet.taxonomy import Taxonomy

BOX = (5.0, 6.0, 20.0, 25.0)
IMAGES = [
    RawImage("a/one.png", (RawBox("person", BOX), RawBox("person", (1, 2, 3, 4)))),
    RawImage("two.png", (RawBox("person", BOX),)),
]


def table(folder: Path, *rows: str, head: str = "file,object,label") -> Path:
    path = folder / "again.csv"
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


def test_only_named_boxes_are_called_otherwise(tmp_path: Path, taxonomy: Taxonomy) -> None:
    one, two = relabelled(IMAGES, table(tmp_path, "a/one.png,2,angel"), taxonomy, Problems())
    assert [(box.name, box.label) for box in one.boxes] == [("person", None), ("person", "angel")]
    assert two == IMAGES[1]


def test_boxes_that_are_not_there_are_said(tmp_path: Path, taxonomy: Taxonomy) -> None:
    problems = Problems()
    relabelled(IMAGES, table(tmp_path, "two.png,2,angel", "two.png,0,mary"), taxonomy, problems)
    assert [(found.kind, found.count, found.loses) for found in problems.findings()] == [("no_such_object", 2, False)]


def test_images_may_be_of_another_part_of_the_set_but_not_all(tmp_path: Path, taxonomy: Taxonomy) -> None:
    problems = Problems()
    relabelled(IMAGES, table(tmp_path, "two.png,1,angel", "three.png,9,angel"), taxonomy, problems)
    assert problems.findings() == ()
    relabelled(IMAGES, table(tmp_path, "three.png,9,angel"), taxonomy, problems)
    assert [(found.kind, found.count) for found in problems.findings()] == [("no_such_object", 1)]


@pytest.mark.parametrize(
    ("rows", "head", "words"),
    [
        (["two.png,1,angle"], "file,object,label", "line 2: there is no class 'angle'. Did you mean 'angel'?"),
        (["two.png,first,angel"], "file,object,label", "line 2: 'first' is no number of an object"),
        (["two.png,angel"], "file,label", "lacks one of the columns file, object, label"),
    ],
)
def test_bad_tables(tmp_path: Path, taxonomy: Taxonomy, rows: list[str], head: str, words: str) -> None:
    with pytest.raises(ArtdetError, match=words.replace("?", r"\?")):
        relabelled(IMAGES, table(tmp_path, *rows, head=head), taxonomy, Problems())


def test_of_a_source(make_set: object, tmp_path: Path, taxonomy: Taxonomy) -> None:
    """The table lies beside the yaml; names that the label map leaves out can be called back."""
    xml = "<annotation><object><name>{}</name><bndbox>{}</bndbox></object></annotation>"
    edges = "<xmin>6</xmin><ymin>7</ymin><xmax>20</xmax><ymax>25</ymax>"
    root = make_set(
        ["one.png", "two.png"], {"one.xml": xml.format("person", edges), "two.xml": xml.format("thing", edges)}
    )  # type: ignore[operator]
    table(tmp_path, "one.png,1,mary", "two.png,1,angel")
    (tmp_path / "map.yaml").write_text("source: test\nlabels: {person: persons, thing: ignore}\n")
    yaml = tmp_path / "source.yaml"
    text = (
        f"format: voc\npath: {root}\nlabel_map: map.yaml\nrelabelled: again.csv\nexhaustive: [persons, mary, angel]\n"
    )
    yaml.write_text(text)
    made = load_dataset(yaml, taxonomy=taxonomy)
    assert [taxonomy.names[label] for sample in made for label in sample.truth.labels] == ["mary", "angel"]
    assert {taxonomy.names[label] for label in next(iter(made)).labelled} == {"persons", "mary", "angel"}
    yaml.write_text(text.replace("again", "other"))
    with pytest.raises(ConfigError, match="relabelled: there is no file"):
        load_dataset(yaml, taxonomy=taxonomy)
