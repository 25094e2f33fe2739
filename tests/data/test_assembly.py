"""What a reader gave becomes a data set: every oddity mended or left out as promised, and counted."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from artdet.data.assembly import assemble, find_copies
from artdet.data.dataset import Dataset
from artdet.data.problems import KINDS, Problems
from artdet.data.raw import RawBox, RawImage, RawSet
from artdet.data.settings import SourceFile
from artdet.errors import ConfigError, InputError, LabelError
from artdet.taxonomy import Taxonomy

HEIGHT, WIDTH = 30, 50
BOX = (5.0, 6.0, 20.0, 25.0)
MakeSet = Callable[..., Path]


@pytest.fixture
def build(tmp_path: Path, taxonomy: Taxonomy) -> Callable[..., Dataset]:
    """A data set of raw images below ``root``."""

    def made(
        *images: RawImage, root: Path = tmp_path / "none", vocabulary: tuple[str, ...] | None = None, **settings: Any
    ) -> Dataset:
        source = SourceFile.model_validate({"format": "coco", "path": str(tmp_path), **settings})
        raw = RawSet(root, images, vocabulary)
        return assemble(raw, source, name="made", taxonomy=taxonomy, problems=Problems())

    return made


def image(*boxes: RawBox | tuple[float, ...], file: str = "a.png", **values: Any) -> RawImage:
    """An image of 30 x 50; a bare tuple is a horse."""
    listed = tuple(box if isinstance(box, RawBox) else RawBox("horse", box) for box in boxes)  # type: ignore[arg-type]
    return RawImage(file, listed, **{"size": (HEIGHT, WIDTH), **values})


def kinds(dataset: Dataset) -> dict[str, int]:
    """Counts by kind, but for the images that these tests do not write."""
    return {f.kind: f.count for f in dataset.findings if f.kind != "sizes_from_annotation"}


def test_no_images(build: Callable[..., Dataset]) -> None:
    made = build()
    assert (len(made), made.findings) == (0, ())


BOXES = {
    "as it is": (BOX, [BOX], {}),
    "whole image": ((0, 0, 50, 30), [(0, 0, 50, 30)], {}),
    "swapped in x": ((20, 6, 5, 25), [BOX], {"swapped": 1}),
    "swapped in both": ((20, 25, 5, 6), [BOX], {"swapped": 1}),
    "not a number": ((5, math.nan, 20, 25), [], {"damaged_box": 1}),
    "infinite": ((5, 6, math.inf, 25), [], {"damaged_box": 1}),
    "no width": ((5, 6, 5, 25), [], {"no_area": 1}),
    "no width outside": ((60, 6, 60, 25), [], {"no_area": 1}),
    "outside to the right": ((50, 6, 60, 25), [], {"outside": 1}),
    "outside above": ((5, -9, 20, 0), [], {"outside": 1}),
    "outside but swapped": ((60, 25, 55, 6), [], {"swapped": 1, "outside": 1}),
    "a pixel over": ((-1, -1, 51, 31), [(0, 0, 50, 30)], {}),
    "more than a pixel over": ((5, 6, 51.1, 25), [(5, 6, 50, 25)], {"cut": 1}),
    "over at the top": ((5, -2, 20, 25), [(5, 0, 20, 25)], {"cut": 1}),
}  # fmt: skip


@pytest.mark.parametrize(("box", "expected", "found"), BOXES.values(), ids=BOXES)
def test_corners(build: Callable[..., Dataset], box: Any, expected: Any, found: dict[str, int]) -> None:
    made = build(image(box))
    np.testing.assert_array_equal(made.samples[0].truth.boxes, np.reshape(expected, (-1, 4)))
    assert kinds(made) == found
    assert all(finding.loses == KINDS[finding.kind].loses for finding in made.findings)


RELATIVE = {
    "as it is": ((0.1, 0.2, 0.4, 0.8), [(5, 6, 20, 24)], {}),
    "rounded": ((-0.004, 0, 1.004, 1), [(0, 0, 50, 30)], {}),
    "over": ((0, 0, 1.006, 1), [(0, 0, 50, 30)], {"cut": 1}),
    "outside": ((1.0, 0, 1.2, 1), [], {"outside": 1}),
}


@pytest.mark.parametrize(("box", "expected", "found"), RELATIVE.values(), ids=RELATIVE)
def test_relative_corners(
    build: Callable[..., Dataset], make_set: MakeSet, box: Any, expected: Any, found: dict[str, int]
) -> None:
    made = build(image(box, size=None, relative=True), root=make_set(["a.png"]))
    np.testing.assert_allclose(made.samples[0].truth.boxes, np.reshape(expected, (-1, 4)), atol=1e-5)
    assert kinds(made) == found


def test_the_same_box_counts_once_and_columns_survive(build: Callable[..., Dataset]) -> None:
    made = build(
        image(
            RawBox("horse", (1, 1, 9, 9), crowd=True), RawBox("cow", (1, 1, 9, 9), difficult=True),
            RawBox("horse", (60, 1, 70, 9), difficult=True), RawBox("horse", (1, 1, 9, 9)),
            RawBox("horse", (1, 1, 9, 8)),
        ),
        image(RawBox("horse", (1, 1, 9, 9)), file="b.png"),
    )  # fmt: skip
    first, second = made
    assert [made.taxonomy.names[label] for label in first.truth.labels] == ["horse", "cow", "horse"]
    assert (first.crowd.tolist(), first.difficult.tolist()) == ([True, False, False], [False, True, False])
    assert first.truth.scores.tolist() == [1, 1, 1]
    assert len(second.truth) == 1
    assert kinds(made) == {"outside": 1, "duplicate_box": 1}


def test_finding_names_file_and_class(build: Callable[..., Dataset]) -> None:
    made = build(image((60, 1, 70, 9), file="deep/x.png"))
    assert "deep/x.png: horse" in str(made.findings[0])


SIZES = {
    "the same": ((30, 50), [(5, 6, 20, 25)], {}),
    "twice the size": ((15, 25), [(10, 12, 40, 50)], {"size_rescaled": 1, "cut": 1}),
    "nearly the shape": ((301, 498), [(0.502, 0.598, 2.008, 2.492)], {"size_rescaled": 1}),
    "another shape": ((30, 48), None, {"size_differs": 1}),
    "turned": ((50, 30), None, {"size_differs": 1}),
}


@pytest.mark.parametrize(("stated", "expected", "found"), SIZES.values(), ids=SIZES)
def test_stated_and_real_size(
    build: Callable[..., Dataset], make_set: MakeSet, stated: tuple[int, int], expected: Any, found: dict[str, int]
) -> None:
    made = build(image(BOX, size=stated), root=make_set(["a.png"]))
    assert kinds(made) == found
    assert len(made) == (expected is not None)
    for sample in made:
        assert sample.truth.image_size == (HEIGHT, WIDTH)
        np.testing.assert_allclose(sample.truth.boxes, np.clip(expected, 0, [WIDTH, HEIGHT] * 2), atol=1e-3)


def test_images_that_are_missing_or_damaged(build: Callable[..., Dataset], make_set: MakeSet) -> None:
    root = make_set(["a.png"], {"c.png": "no image"})
    others = [image(BOX, file=name) for name in ("b.png", "c.png", "x" * 300 + ".png")]
    made = build(image(BOX), *others, root=root)
    assert [sample.file for sample in made] == ["a.png"]
    assert kinds(made) == {"missing_image": 2, "unreadable_image": 1}


def test_no_image_at_hand_but_their_sizes(build: Callable[..., Dataset]) -> None:
    made = build(image(BOX), image(BOX, file="b.png", size=None))
    assert [(sample.file, sample.truth.image_size) for sample in made] == [("a.png", (HEIGHT, WIDTH))]
    assert {f.kind: f.count for f in made.findings} == {"sizes_from_annotation": 1, "missing_image": 1}


def test_neither_images_nor_sizes(build: Callable[..., Dataset]) -> None:
    with pytest.raises(InputError, match=r"none of the 1 images.*--images"):
        build(image(BOX, size=None, relative=True))


def test_same_file_twice_takes_the_first(build: Callable[..., Dataset]) -> None:
    made = build(image(BOX), image((1, 1, 9, 9)))
    assert made.samples[0].truth.boxes.tolist() == [list(BOX)]
    assert kinds(made) == {"duplicate_image": 1}


def test_empty_is_not_unannotated(build: Callable[..., Dataset]) -> None:
    made = build(image(file="b.png"), image(file="a.png", annotated=False), vocabulary=("horse",))
    assert [(sample.file, sample.annotated) for sample in made] == [("a.png", False), ("b.png", True)]
    assert [len(sample.labelled) for sample in made] == [0, 1]
    assert kinds(made) == {"not_annotated": 1, "empty": 1}


def label_map(tmp_path: Path) -> str:
    path = tmp_path / "ours.yaml"
    path.write_text("source: here\nlabels: {Pferd: horse, Kuh: cow, Haus: ignore}\n")
    return str(path)


LABELLED = {
    "names met": (None, None, None, ["horse"]),
    "vocabulary": (None, ("horse", "cat", "ignore"), None, ["cat", "horse"]),
    "exhaustive": (["angel", "horse"], ("horse", "cat"), None, ["angel", "horse"]),
    "nothing is exhaustive": ([], ("horse", "cat"), None, []),
    "the image says it": (None, ("horse", "cat"), ("mary",), ["mary"]),
    "settings before the image": (["cow"], ("horse", "cat"), ("mary",), ["cow"]),
}


@pytest.mark.parametrize(("exhaustive", "vocabulary", "own", "expected"), LABELLED.values(), ids=LABELLED)
def test_labelled(
    build: Callable[..., Dataset],
    names: Callable[..., list[str]],
    exhaustive: list[str] | None,
    vocabulary: tuple[str, ...] | None,
    own: tuple[str, ...] | None,
    expected: list[str],
) -> None:
    made = build(image(BOX, (1, 1, 9, 9), labelled=own), vocabulary=vocabulary, exhaustive=exhaustive)
    assert names(made.samples[0].labelled) == expected
    assert len(made.samples[0].truth) == 2
    assert kinds(made) == ({} if "horse" in expected else {"not_exhaustive": 2})


def test_label_map_and_ignored_names(
    build: Callable[..., Dataset], names: Callable[..., list[str]], tmp_path: Path
) -> None:
    raw = image(RawBox("Pferd", BOX), RawBox("Haus", (math.nan, 0, 1, 1)))
    made = build(raw, label_map=label_map(tmp_path))
    assert names(made.samples[0].truth.labels) == ["horse"]
    assert names(made.samples[0].labelled) == ["cow", "horse"]
    assert kinds(made) == {}
    declared = build(raw, label_map=label_map(tmp_path), vocabulary=("Pferd", "Haus"))
    assert names(declared.samples[0].labelled) == ["horse"]


def test_every_name_that_the_map_lacks_is_said(build: Callable[..., Dataset], tmp_path: Path) -> None:
    with pytest.raises(LabelError, match=r"'Esel'.*'Hund'"):
        build(image(RawBox("Hund", BOX)), label_map=label_map(tmp_path), vocabulary=("Pferd", "Esel"))


def test_names_that_are_not_ours(build: Callable[..., Dataset]) -> None:
    with pytest.raises(LabelError, match=r"'person', 'car' are no classes.*--label-map.*coco, .*iconart") as caught:
        build(image(RawBox("car", BOX)), vocabulary=("person",))
    assert "Did you mean" not in str(caught.value)
    with pytest.raises(LabelError, match=r"'hors' is no class of the taxonomy\. Did you mean 'horse'\?"):
        build(image(BOX), vocabulary=("hors",))


def test_exhaustive_names_are_ours(build: Callable[..., Dataset]) -> None:
    with pytest.raises(LabelError, match=r"exhaustive names 'angels', 'Pferd'.*'angel'\?"):
        build(image(BOX), exhaustive=["angels", "horse", "Pferd"])


def test_fields_and_group(build: Callable[..., Dataset], make_set: MakeSet, tmp_path: Path) -> None:
    make_set((), {"t.csv": "\ufefffile,artist,year\nbaroque/r_1.png,Rubens,\nx.png,Anon,1900\n"}, folder=".")
    made = build(
        image(file="baroque/r_1.png", fields={"artist": "?", "medium": "oil"}),
        image(file="gothic/x.png"), image(file="y.png", group="series"),
        table="t.csv", fields={"style": "^(.+)/", "year": r"_(\d+)"}, group=r"([a-z])_\d",
    )  # fmt: skip
    assert [dict(sample.fields) for sample in made] == [
        {"artist": "Rubens", "medium": "oil", "style": "baroque", "year": "1", "folder": "baroque"},
        {"artist": "Anon", "year": "1900", "style": "gothic", "folder": "gothic"},
        {"folder": "."},
    ]
    assert [sample.group for sample in made] == ["r", "gothic/x.png", "series"]


AMBIGUOUS = {
    "two images of that name": "file;artist\nx.png;Anon\ny.png;Rubens\n",
    "one of two images by its path": "file;artist\nx.png;Anon\nc/y.png;Rubens\n",
    "two rows of that name": "file;artist\ny.png;Anon\nz/y.png;Anon\nc/y.png;Rubens\n",
}


@pytest.mark.parametrize("table", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_a_bare_name_matches_where_it_is_unique(build: Callable[..., Dataset], make_set: MakeSet, table: str) -> None:
    make_set((), {"t.csv": table}, folder=".")
    made = build(*(image(file=file) for file in ("a/x.png", "b/x.png", "c/y.png")), table="t.csv")
    assert {s.file: s.fields["artist"] for s in made if "artist" in s.fields} == {"c/y.png": "Rubens"}


def test_every_wrong_expression_is_said(build: Callable[..., Dataset]) -> None:
    with pytest.raises(ConfigError) as caught:
        build(image(), fields={"style": "(", "year": "x", "folder": "(.)"}, group="(.)(.)")
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[1] for line in lines] == ["fields.style", "fields.year", "group", "fields.folder"]
    assert "has 0" in lines[1]
    assert "has 2" in lines[2]


TABLES = {
    "no file": (None, "cannot be read"),
    "no column": ("name,artist\na.png,x\n", "no rows with a column 'file'"),
    "no rows": ("file,artist\n", "no rows with"),
    "empty": ("", "no rows with"),
    "others": ("file,artist\nz.png,x\n", r"none of the images \(a.png"),
    "not utf-8": (b"file,artist\na.png,\xff\n", "not UTF-8"),
}


@pytest.mark.parametrize(("content", "words"), TABLES.values(), ids=TABLES)
def test_tables_that_cannot_be_used(
    build: Callable[..., Dataset], make_set: MakeSet, content: str | bytes | None, words: str
) -> None:
    make_set((), {} if content is None else {"t.csv": content}, folder=".")
    with pytest.raises(InputError, match=words):
        build(image(), table="t.csv")


def test_copies(build: Callable[..., Dataset], make_set: MakeSet) -> None:
    root = make_set(["a.png", "b.png", "c/a.png"])
    listed = [image(file=name) for name in ("a.png", "b.png", "c/a.png")]
    assert find_copies(build(*listed, root=root)) is None
    (root / "c/a.png").write_bytes((root / "a.png").read_bytes())
    found = find_copies(build(*listed, root=root))
    assert found is not None
    assert (found.kind, found.count, found.examples) == ("copy", 1, ("c/a.png = a.png",))


def test_copies_of_images_that_are_not_at_hand(build: Callable[..., Dataset]) -> None:
    assert find_copies(build(image(), image(file="b.png"))) is None
