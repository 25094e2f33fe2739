"""What is listed, what is passed over, and what is said when nothing is there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from artdet.errors import InputError
from artdet.images.finder import find_images


def make(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return root


def message(*paths: str | Path, recursive: bool = False) -> str:
    with pytest.raises(InputError) as caught:
        find_images(paths, recursive=recursive)
    text = str(caught.value)
    assert "\n" not in text
    assert text.endswith((".", "?"))
    return text


def test_nothing_named() -> None:
    assert "No image was named" in message()
    assert "empty name" in message("")


def test_a_folder(tmp_path: Path) -> None:
    make(tmp_path, "b.JPG", "a.png", "c.tiff", "d.jp2", "notes.txt", "more.TXT", "data.csv", "deep/e.jpg")
    found = find_images([tmp_path])
    assert found.root == tmp_path
    assert found.files == ("a.png", "b.JPG", "c.tiff", "d.jp2")
    assert found.skipped == {".txt": 2, ".csv": 1}
    assert found.unreadable == ()


def test_recursive(tmp_path: Path) -> None:
    make(tmp_path, "b.jpg", "a/2.jpg", "a/x/1.webp", "a/readme.md", "c/.hidden/3.jpg", "c/@eaDir/4.jpg")
    found = find_images([tmp_path], recursive=True)
    assert found.files == ("a/2.jpg", "a/x/1.webp", "b.jpg")
    assert found.skipped == {".md": 1}


def test_hidden_and_litter(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", "._a.jpg", ".b.png", "Thumbs.db", "__MACOSX/a.jpg", ".thumbnails/a.jpg")
    found = find_images([tmp_path], recursive=True)
    assert found.files == ("a.jpg",)
    assert found.skipped == {}
    assert find_images([tmp_path / "._a.jpg"]).files == ("._a.jpg",)  # named by the user
    assert find_images([tmp_path / ".thumbnails"]).files == ("a.jpg",)


def test_without_extension_the_first_bytes_decide(tmp_path: Path) -> None:
    (tmp_path / "IMG_1").write_bytes(b"\xff\xd8\xff\xe0" + bytes(20))
    (tmp_path / "README").write_bytes(b"read me")
    (tmp_path / "scan.xyz").write_bytes(b"\xff\xd8\xff\xe0" + bytes(20))
    found = find_images([tmp_path])
    assert found.files == ("IMG_1",)
    assert found.skipped == {"": 1, ".xyz": 1}


NAMES = [
    "a b.jpg",
    'it\'s "it".jpg',
    "Köln, Öl.jpg",
    "雪.png",
    "two\nlines.jpg",
    "[x].jpg",
    "what*?.jpg",
    "-x.jpg",
    "~.gif",
]


@pytest.mark.parametrize("name", NAMES)
def test_names(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, name, "x.jpg")
    assert name in find_images([tmp_path]).files
    assert find_images([tmp_path / name]).files == (name,)
    monkeypatch.chdir(tmp_path)
    assert find_images([name]).files == (name,)


def test_undecodable_name(tmp_path: Path) -> None:
    raw = b"caf\xe9.jpg"
    with open(os.path.join(os.fsencode(tmp_path), raw), "wb"):
        pass
    found = find_images([tmp_path])
    assert os.fsencode(found.files[0]) == raw
    assert (found.root / found.files[0]).is_file()
    assert find_images([os.path.join(str(tmp_path), "caf*.jpg")]).files == found.files


def test_a_file_is_taken_whatever_its_extension(tmp_path: Path) -> None:
    make(tmp_path, "deep/picture.dat")
    found = find_images([tmp_path / "deep" / "picture.dat"])
    assert (found.root, found.files) == (tmp_path / "deep", ("picture.dat",))


def test_several_arguments_have_a_common_root(tmp_path: Path) -> None:
    make(tmp_path, "a/1.jpg", "a/2.jpg", "b/c/3.jpg", "b/4.txt")
    found = find_images([tmp_path / "b" / "c", tmp_path / "a", tmp_path / "a" / "1.jpg", tmp_path / "b" / "4.txt"])
    assert found.root == tmp_path
    assert found.files == ("a/1.jpg", "a/2.jpg", "b/4.txt", "b/c/3.jpg")
    nested = find_images([tmp_path / "a" / "2.jpg", tmp_path / "a"])
    assert (nested.root, nested.files) == (tmp_path / "a", ("1.jpg", "2.jpg"))


def test_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a/1.jpg", "b/2.jpg")
    monkeypatch.chdir(tmp_path / "b")
    for name in (".", "../b", "./", "../b/../b/."):
        assert find_images([name]).root == tmp_path / "b"
    found = find_images(["../a", "2.jpg"])
    assert (found.root, found.files) == (tmp_path, ("a/1.jpg", "b/2.jpg"))


def test_parent_of_a_link_is_that_of_its_target(tmp_path: Path) -> None:
    make(tmp_path, "real/place/1.jpg", "real/2.jpg", "else/3.jpg")
    (tmp_path / "else" / "link").symlink_to(tmp_path / "real" / "place")
    assert find_images([f"{tmp_path}/else/link/.."]).files == ("2.jpg",)
    assert find_images([tmp_path / "else" / "link"]).root == tmp_path / "else" / "link"


GLOBS: dict[str, tuple[str, tuple[str, ...]]] = {
    "star": ("*.jpg", ("1.jpg", "2.jpg")),
    "question mark": ("?.png", ("3.png",)),
    "set": ("[12].jpg", ("1.jpg", "2.jpg")),
    "folder part": ("*/front.jpg", ("a/front.jpg", "b/front.jpg")),
    "depth": ("**/*.jpg", ("1.jpg", "2.jpg", "a/c/front.jpg", "a/front.jpg", "b/front.jpg")),
    "depth in the middle": ("a/**/front.jpg", ("front.jpg", "c/front.jpg")),
    "no text files": ("*", ("1.jpg", "2.jpg", "3.png", "a/front.jpg", "b/front.jpg")),
    "folders": ("[ab]", ("a/front.jpg", "b/front.jpg")),
    "one folder": ("a*", ("front.jpg",)),
    "hidden": (".*.jpg", (".h.jpg",)),
}


@pytest.mark.parametrize(("pattern", "expected"), GLOBS.values(), ids=GLOBS)
def test_patterns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, expected: tuple[str, ...]) -> None:
    make(tmp_path, "1.jpg", "2.jpg", "3.png", "4.txt", ".h.jpg", "a/front.jpg", "a/c/front.jpg", "b/front.jpg")
    monkeypatch.chdir(tmp_path)
    assert set(find_images([pattern]).files) == set(expected)
    assert set(find_images([tmp_path / pattern]).files) == set(expected)


def test_an_existing_name_is_taken_literally_first(tmp_path: Path) -> None:
    make(tmp_path, "a[1].jpg", "a1.jpg")
    assert find_images([tmp_path / "a[1].jpg"]).files == ("a[1].jpg",)
    assert find_images([tmp_path / "a[!x].jpg"]).files == ("a1.jpg",)


def test_linked_files_are_files_of_their_own(tmp_path: Path) -> None:
    make(tmp_path, "1.jpg")
    (tmp_path / "2.jpg").symlink_to("1.jpg")
    (tmp_path / "3.jpg").symlink_to("gone.jpg")  # reading it tells
    (tmp_path / "4.jpg").symlink_to("4.jpg")
    assert find_images([tmp_path]).files == ("1.jpg", "2.jpg", "3.jpg", "4.jpg")


def test_loops_end_and_no_folder_comes_twice_along_them(tmp_path: Path) -> None:
    make(tmp_path, "top/1.jpg", "top/a/2.jpg", "top/a/b/3.jpg", "other/4.jpg")
    (tmp_path / "top" / "a" / "b" / "up").symlink_to(tmp_path / "top")
    (tmp_path / "top" / "a" / "self").symlink_to(".")
    (tmp_path / "top" / "out").symlink_to(tmp_path)
    expected = ("1.jpg", "a/2.jpg", "a/b/3.jpg", "out/other/4.jpg")
    assert find_images([tmp_path / "top"], recursive=True).files == expected
    assert find_images([tmp_path / "top" / "**" / "*.jpg"]).files == expected


def test_linked_folders_with_other_names_are_all_listed(tmp_path: Path) -> None:
    make(tmp_path, "real/1.jpg", "set/x.txt")
    for index in range(3):
        (tmp_path / "set" / f"copy{index}").symlink_to(tmp_path / "real")
    found = find_images([tmp_path / "set"], recursive=True)
    assert found.files == ("copy0/1.jpg", "copy1/1.jpg", "copy2/1.jpg")


def test_folders_that_lead_to_each_other(tmp_path: Path) -> None:
    make(tmp_path, "a/1.jpg", "b/2.jpg")
    (tmp_path / "a" / "to_b").symlink_to(tmp_path / "b")
    (tmp_path / "b" / "to_a").symlink_to(tmp_path / "a")
    found = find_images([tmp_path], recursive=True)
    assert found.files == ("a/1.jpg", "a/to_b/2.jpg", "b/2.jpg", "b/to_a/1.jpg")


def test_folder_with_an_images_name(tmp_path: Path) -> None:
    make(tmp_path, "set.jpg/1.jpg", "2.jpg")
    assert find_images([tmp_path]).files == ("2.jpg",)
    assert find_images([tmp_path], recursive=True).files == ("2.jpg", "set.jpg/1.jpg")


@pytest.fixture
def forbidden(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Makes a folder unreadable; by hand, because root may read everything."""
    scandir = os.scandir

    def forbid(folder: Path) -> None:
        def guarded(path: str) -> object:
            if Path(path) == folder:
                raise PermissionError(13, "Permission denied", path)
            return scandir(path)

        monkeypatch.setattr("artdet.images.walk.os.scandir", guarded)

    return forbid


def test_unreadable_folders(tmp_path: Path, forbidden: Callable[[Path], None]) -> None:
    make(tmp_path, "1.jpg", "a/locked/2.jpg", "a/3.jpg")
    forbidden(tmp_path / "a" / "locked")
    found = find_images([tmp_path], recursive=True)
    assert found.files == ("1.jpg", "a/3.jpg")
    assert found.unreadable == ("a/locked",)
    text = message(tmp_path / "a" / "locked")
    assert "Permission denied" in text
    assert "chmod" in text


SAID: dict[str, tuple[tuple[str, ...], str, bool, list[str]]] = {
    "empty folder": ((), "", False, ["it is empty"]),
    "other files": (("1.txt", "2.txt", "c.csv"), "", False, ["2 .txt files and 1 .csv file", "Name a folder"]),
    "folders": (
        ("1.txt", "2.txt", "3.txt", "a/x.jpg", "b/y.jpg"),
        "",
        False,
        ["it holds 3 .txt files and 2 folders", "--recursive"],
    ),
    "folders, recursive": (("a/x.txt",), "", True, ["1 .txt file and 1 folder", "Name a folder"]),
    "hidden": ((".a.jpg", ".b.jpg"), "", False, ["2 hidden entries"]),
    "many kinds": (tuple(f"1.x{n}" for n in range(8)), "", False, ["3 other files"]),
    "without extension": (("README", "LICENSE"), "", False, ["2 files without extension"]),
    "missing, near": (("hokusai.jpg",), "hokusia.jpg", False, ["There is no", "Did you mean 'hokusai.jpg'?"]),
    "missing, far": (("1.jpg", "a/2.jpg"), "zebra", False, ["There is no", "holds 1 image and 1 folder"]),
    "missing folder": (("scans/1.jpg",), "scan/1.jpg", False, ["There is no", "Did you mean 'scans'?"]),
    "pattern": (("1.jpg",), "*.jpeg", False, ["Nothing matches", "holds 1 image and 0 folders"]),
    "pattern below a missing folder": (("1.jpg",), "gone/*.jpg", False, ["Nothing matches"]),
    "pattern without images": (("1.txt",), "*.txt", False, ["No images match"]),
}


@pytest.mark.parametrize(("names", "path", "recursive", "words"), SAID.values(), ids=SAID)
def test_what_is_said(tmp_path: Path, names: tuple[str, ...], path: str, recursive: bool, words: list[str]) -> None:
    make(tmp_path, *names)
    text = message(tmp_path / path, recursive=recursive)
    for part in words:
        assert part in text, text


def test_broken_link_named(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").symlink_to("gone.jpg")
    assert "is a link to 'gone.jpg'" in message(tmp_path / "a.jpg")


def test_one_empty_folder_among_others_is_said(tmp_path: Path) -> None:
    make(tmp_path, "a/1.jpg", "b/2.txt")
    assert "1 .txt file" in message(tmp_path / "a", tmp_path / "b")


def test_null_byte(tmp_path: Path) -> None:
    assert "There is no" in message(f"{tmp_path}/a\0b")
