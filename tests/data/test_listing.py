"""Image files by other people's names for them, and image lists."""

import os

import pytest

from artdet.data.listing import ImageFiles, image_list, only_listed
from artdet.data.problems import Problems
from artdet.data.raw import RawImage
from artdet.data.settings import SourceFile
from artdet.errors import InputError

FILES = (
    "a/one.jpg",
    "b/one.jpg",
    "b/two.JPG",
    "three (1).png",
    "caf\udce9.jpg",
    "St. John.jpg",
    "four.jpg",
    "four.png",
    "e.jpg",
    "z/e.jpg",
)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("", None),
        ("a/one.jpg", "a/one.jpg"),
        ("./a/one.jpg", "a/one.jpg"),
        ("a/one", "a/one.jpg"),
        ("one.jpg", None),
        ("c/one.jpg", None),
        ("two.jpg", "b/two.JPG"),
        ("c/two.jpg", None),
        ("three (1)", "three (1).png"),
        ("/elsewhere/set/b/one.jpg", "b/one.jpg"),
        ("D:\\set\\a\\one.jpg", "a/one.jpg"),
        ("caf\udce9", "caf\udce9.jpg"),
        ("St. John", "St. John.jpg"),
        ("St. John.png", None),
        ("four.png", "four.png"),
        ("/r/z/e.jpg", "z/e.jpg"),
        ("/r/y/e.jpg", "e.jpg"),
        ("ne.jpg", None),
    ],
)
def test_find(name, file):
    assert ImageFiles(FILES).find(name) == file


def test_no_folder_has_no_images(tmp_path):
    assert ImageFiles.below(tmp_path / "none").files == ()


def test_folders_hidden_files_and_bytes(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("sub/a.JPG", ".hidden.jpg", "notes.txt", "caf\udce9.png"):
        (tmp_path / name).write_bytes(b"")
    assert ImageFiles.below(tmp_path).files == ("caf\udce9.png", "sub/a.JPG")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may open every folder")
def test_closed_folder_is_an_error(tmp_path):
    (tmp_path / "sub").mkdir(mode=0)
    with pytest.raises(InputError, match=r"sub cannot be opened.*chmod"):
        ImageFiles.below(tmp_path)


def listed(tmp_path, text, files=("a.jpg", "photo 1.jpg", "photo.jpg", "b (x).jpg")):
    (tmp_path / "list.txt").write_text(text, encoding="utf-8")
    problems = Problems()
    source = SourceFile(format="yolo", path=str(tmp_path), image_list="list.txt")
    found = image_list(source, ImageFiles(files), problems)
    return [(entry.file, entry.mark) for entry in found], {f.kind: f.count for f in problems.findings()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\n", [("a.jpg", None)]),
        ("\n./images/a.jpg  \n\n", [("a.jpg", None)]),
        ("a.jpg  1\nb (x) -1\nphoto 0\n", [("a.jpg", 1), ("b (x).jpg", -1), ("photo.jpg", 0)]),
        ("a\nphoto 1\n", [("a.jpg", None), ("photo 1.jpg", None)]),
        ("photo 1\n", [("photo.jpg", 1)]),
        ("photo 1 1\n", [("photo 1.jpg", 1)]),
    ],
    ids=["name", "blank lines", "marks", "number in a name", "mark on every line", "number and mark"],
)
def test_list(tmp_path, text, expected):
    assert listed(tmp_path, text) == (expected, {})


def test_list_with_unknown_and_repeated_images(tmp_path):
    assert listed(tmp_path, "a\nz\na.jpg\n") == ([("a.jpg", None)], {"missing_image": 1, "duplicate_image": 1})


@pytest.mark.parametrize(
    ("text", "said"), [("", "is empty"), ("x\ny\n", r"names none of the 4 images .*'x'")], ids=["empty", "no image"]
)
def test_useless_list(tmp_path, text, said):
    with pytest.raises(InputError, match=said):
        listed(tmp_path, text)


def test_missing_list(tmp_path):
    source = SourceFile(format="yolo", path=str(tmp_path), image_list="none.txt")
    with pytest.raises(InputError, match=r"none\.txt cannot be read"):
        image_list(source, ImageFiles(FILES), Problems())


def test_only_listed(tmp_path):
    images = [RawImage("a.jpg"), RawImage("b.jpg")]
    assert only_listed(SourceFile(format="yolo", path=str(tmp_path)), images, Problems()) == tuple(images)
    (tmp_path / "list.txt").write_text("b\n")
    source = SourceFile(format="yolo", path=str(tmp_path), image_list="list.txt")
    assert only_listed(source, images, Problems()) == (images[1],)
