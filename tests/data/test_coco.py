"""Reading COCO json: what it holds, where its images are, and every way in which it is none."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from artdet.data import coco
from artdet.data.raw import RawBox
from artdet.errors import InputError

MakeSet = Callable[..., Path]
ReadRaw = Callable[..., Any]


def entry(number: int = 1, **values: Any) -> dict[str, Any]:
    return {"id": number, "file_name": f"{number}.png", "width": 50, "height": 30, **values}


def annotation(number: int = 1, **values: Any) -> dict[str, Any]:
    return {"id": number, "image_id": 1, "category_id": 7, "bbox": [5, 6, 15, 19], **values}


def data(images: list[Any] | None = None, annotations: list[Any] | None = None, **values: Any) -> dict[str, Any]:
    return {
        "images": [entry()] if images is None else images,
        "annotations": annotations or [],
        "categories": [{"id": 7, "name": "horse"}, {"id": 3, "name": "cow"}],
        **values,
    }


def test_empty(make_set: MakeSet, read_raw: ReadRaw) -> None:
    raw, found = read_raw("coco", make_set((), {"x.json": data([])}) / "x.json")
    assert (raw.images, raw.vocabulary, found) == ((), ("horse", "cow"), {})


def test_image_without_annotations_is_annotated(make_set: MakeSet, read_raw: ReadRaw) -> None:
    raw, _ = read_raw("coco", make_set((), {"x.json": data()}))
    assert [(image.file, image.size, image.annotated, image.boxes) for image in raw.images] == [
        ("1.png", (30, 50), True, ())
    ]


BOXES = {
    "plain": ({}, RawBox("horse", (5, 6, 20, 25))),
    "crowd": ({"iscrowd": 1}, RawBox("horse", (5, 6, 20, 25), crowd=True)),
    "difficult": ({"difficult": 1}, RawBox("horse", (5, 6, 20, 25), difficult=True)),
    "ignore": ({"ignore": 1, "category_id": 3}, RawBox("cow", (5, 6, 20, 25), difficult=True)),
    "negative width": ({"bbox": [5, 6, -3, 1]}, RawBox("horse", (5, 6, 2, 7))),
    "numbers as texts": ({"bbox": ["5", "6", "1", "2"]}, RawBox("horse", (5, 6, 6, 8))),
    "outline": (
        {"bbox": None, "segmentation": [[1, 2, 9, 4, 3, 8], [20, 1, 21, 2, 22, 3]]},
        RawBox("horse", (1, 1, 22, 8)),
    ),
    "box before outline": ({"segmentation": [[1, 2, 9, 4, 3, 8]]}, RawBox("horse", (5, 6, 20, 25))),
}


@pytest.mark.parametrize(("values", "expected"), BOXES.values(), ids=BOXES)
def test_boxes(make_set: MakeSet, read_raw: ReadRaw, values: dict[str, Any], expected: RawBox) -> None:
    raw, _ = read_raw("coco", make_set((), {"x.json": data(annotations=[annotation(**values)])}))
    assert raw.images[0].boxes == (expected,)


DAMAGED = {
    "too short": {"bbox": [1, 2, 3]},
    "no box": {"bbox": None},
    "text": {"bbox": ["a", 1, 2, 3]},
    "huge": {"bbox": [10**400, 1, 2, 3]},
    "run lengths": {"bbox": [], "segmentation": {"size": [30, 50], "counts": "abc"}},
    "two points": {"bbox": [], "segmentation": [[1, 2, 3, 4]]},
}


@pytest.mark.parametrize("values", DAMAGED.values(), ids=DAMAGED)
def test_boxes_that_cannot_be_read_are_no_numbers(make_set: MakeSet, read_raw: ReadRaw, values: dict[str, Any]) -> None:
    raw, _ = read_raw("coco", make_set((), {"x.json": data(annotations=[annotation(**values)])}))
    assert any(math.isnan(value) for value in raw.images[0].boxes[0].box)


SIZES = {
    "none": ({"width": None}, None),
    "zero": ({"height": 0}, None),
    "texts": ({"height": "30"}, (30, 50)),
    "not a number": ({"height": float("nan")}, None),
    "infinite": ({"height": float("inf")}, None),
}


@pytest.mark.parametrize(("values", "expected"), SIZES.values(), ids=SIZES)
def test_sizes(make_set: MakeSet, read_raw: ReadRaw, values: dict[str, Any], expected: tuple[int, int] | None) -> None:
    raw, _ = read_raw("coco", make_set((), {"x.json": data([entry(**values)])}))
    assert raw.images[0].size == expected


def test_what_else_an_image_says(make_set: MakeSet, read_raw: ReadRaw) -> None:
    images = [
        entry(style="baroque", year=1650, license=4, coco_url="u", flickr_url="f", date_captured="d", rights=[1]),
        entry(2, annotated=False, group="series", exhaustive=["cow"], fields={"artist": "Rubens"}),
        entry(3, exhaustive=[]),
    ]
    info = {"licence": "CC0", "artdet": {"exhaustive": ["horse"]}}
    raw, _ = read_raw("coco", make_set((), {"x.json": data(images, info=info)}))
    assert [dict(image.fields) for image in raw.images] == [
        {"style": "baroque", "year": "1650"},
        {"artist": "Rubens"},
        {},
    ]
    assert [image.annotated for image in raw.images] == [True, False, True]
    assert [image.group for image in raw.images] == [None, "series", None]
    assert [image.labelled for image in raw.images] == [("horse",), ("cow",), ()]
    assert raw.licence == "CC0"


@pytest.mark.parametrize("info", [None, "text", {"artdet": 3}, {"artdet": {"exhaustive": "horse", "images": 3}}])
def test_odd_info_does_no_harm(make_set: MakeSet, read_raw: ReadRaw, info: Any) -> None:
    raw, _ = read_raw("coco", make_set((), {"x.json": data(info=info)}))
    assert raw.images[0].labelled is None


NAMES = {
    "plain": ("deep/a.png", "deep/a.png"),
    "dot": ("./deep/a.png", "deep/a.png"),
    "windows": ("deep\\a.png", "deep/a.png"),
    "whole path": ("{root}/deep/a.png", "deep/a.png"),
    "whole path of another machine": ("/elsewhere/a.png", "a.png"),
}


@pytest.mark.parametrize(("name", "expected"), NAMES.values(), ids=NAMES)
def test_file_names(make_set: MakeSet, read_raw: ReadRaw, tmp_path: Path, name: str, expected: str) -> None:
    name = name.format(root=tmp_path / "set")
    raw, _ = read_raw("coco", make_set(["deep/a.png"], {"x.json": data([entry(file_name=name)])}))
    assert raw.images[0].file == expected


PLACES = {
    "beside": ("x.json", "1.png", "."),
    "in images": ("x.json", "images/1.png", "images"),
    "one level up": ("annotations/x.json", "val2017/1.png", "val2017"),
    "in images one level up": ("annotations/x.json", "images/1.png", "images"),
    "nowhere": ("annotations/x.json", "deep/down/1.png", "annotations"),
}


@pytest.mark.parametrize(("file", "image", "root"), PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("whole", [True, False], ids=["folder named", "file named"])
def test_where_the_images_are(
    make_set: MakeSet, read_raw: ReadRaw, file: str, image: str, root: str, whole: bool
) -> None:
    folder = make_set([image, "other/2.png"], {file: data()})
    raw, _ = read_raw("coco", folder if whole else folder / file)
    assert raw.root == (folder / root).absolute()


def test_named_folder_of_images_and_way_to_them(make_set: MakeSet, read_raw: ReadRaw) -> None:
    folder = make_set(
        ["deep/down/1.png"], {"x.json": data(info={"artdet": {"images": "deep/down"}}), "y/y.json": data()}
    )
    assert read_raw("coco", folder / "x.json")[0].root == folder / "deep/down"
    assert read_raw("coco", folder / "y/y.json", images="../pictures")[0].root == folder / "pictures"


WRONG = {
    "not json": ("{oops", r"is not JSON \(line 1"),
    "empty": ("", "is not JSON"),
    "not text": (b"\xff\xfe\xfa", "is not JSON"),
    "nested too deep": ("[" * 100_000, "is not JSON"),
    "results": ([{"image_id": 1}], "is a results file"),
    "a number": (3, "no list of images, annotations, categories"),
    "no categories": ({"images": [], "annotations": []}, "no list of categories"),
    "images without a name": (data([{"id": 1}]), "entry 0 of images has no file_name"),
    "annotations without ids": (data(annotations=[{"bbox": []}]), "no id and no image_id and no category_id"),
    "annotation is a list": (data(annotations=[[1]]), "entry 0 of annotations"),
    "id is a list": (data([entry(id=[1])]), "entry 0 of images has no id"),
    "two images of one id": (data([entry(), entry()]), r"id 1 of images stand"),
    "two categories of one id": (
        data(categories=[{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]), "id 1 of categories stand"
    ),
    "two annotations of one id": (data(annotations=[annotation(), annotation()]), "id 1 of annotations stand"),
    "unknown images": (
        data(annotations=[annotation(n, image_id=n) for n in range(1, 9)]),
        r"7 annotations have the image_id of images that .* \(ids 2, 3, 4, 5, 6, \.\.\.\)",
    ),
    "text for a number": (data(annotations=[annotation(image_id="1")]), r"1 annotations .* \(id '1'\)"),
    "unknown category": (data(annotations=[annotation(category_id=9)]), r"category_id of categories .* \(id 9\)"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "words"), WRONG.values(), ids=WRONG)
def test_what_is_not_coco(make_set: MakeSet, read_raw: ReadRaw, content: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_raw("coco", make_set((), {"x.json": content}) / "x.json")


def test_no_file_and_several(make_set: MakeSet, read_raw: ReadRaw) -> None:
    with pytest.raises(InputError, match="has no COCO file"):
        read_raw("coco", make_set((), {"notes.json": {}}, folder="none"))
    several = make_set((), {"x.json": data(), "annotations/y.json": data()})
    with pytest.raises(InputError, match=r"has 2 COCO files \(x\.json, annotations/y\.json\)"):
        read_raw("coco", several)
    assert read_raw("coco", several, annotations="annotations/y.json")[0].images
    with pytest.raises(InputError, match="cannot be read"):
        read_raw("coco", several / "missing.json")


RECOGNISED = {
    "file": ({"x.json": data()}, "x.json", True),
    "file with a mark": ({"x.json": b'\xef\xbb\xbf {"images": [], "annotations": []}'}, "x.json", True),
    "folder": ({"instances.json": data()}, ".", True),
    "roboflow": ({"_annotations.coco.json": data()}, ".", True),
    "annotations": ({"annotations/x.json": data(), "notes.json": {}}, ".", True),
    "two": ({"x.json": data(), "y.json": data()}, ".", False),
    "results": ({"x.json": [{"images": 1, "annotations": 2}]}, "x.json", False),
    "another json": ({"x.json": {"images": []}}, "x.json", False),
    "empty": ({"x.json": ""}, "x.json", False),
    "another ending": ({"x.txt": data()}, "x.txt", False),
    "missing": ({}, "x.json", False),
}


@pytest.mark.parametrize(("texts", "path", "expected"), RECOGNISED.values(), ids=RECOGNISED)
def test_recognises(make_set: MakeSet, texts: dict[str, Any], path: str, expected: bool) -> None:
    assert coco.recognises(make_set((), texts) / path) is expected


def test_list(make_set: MakeSet, read_raw: ReadRaw) -> None:
    folder = make_set((), {"x.json": data([entry(1), entry(2)]), "val.txt": "2.png\n"})
    raw, _ = read_raw("coco", folder, image_list="val.txt")
    assert [image.file for image in raw.images] == ["2.png"]
