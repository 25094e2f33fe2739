"""Files appear whole or not at all, and each failure to write is one sentence."""

import errno
import os

import pytest

from artdet.atomic import cannot_write, make_folder, whole_file
from artdet.errors import RunError


def test_file_appears_only_at_the_end(tmp_path):
    path = tmp_path / "a.txt"
    with whole_file(path) as stream:
        stream.write(b"whole")
        stream.flush()
        assert not path.exists()
    assert path.read_bytes() == b"whole"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError, RunError])
def test_earlier_file_stays_when_writing_is_broken_off(tmp_path, failure):
    path = tmp_path / "a.txt"
    path.write_bytes(b"earlier")

    def broken_off():
        with whole_file(path) as stream:
            stream.write(b"half")
            raise failure

    with pytest.raises(failure):
        broken_off()
    assert path.read_bytes() == b"earlier"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_longest_name_that_a_disk_takes(tmp_path):
    path = tmp_path / ("x" * 251 + ".jpg")
    with whole_file(path) as stream:
        stream.write(b"1")
    assert path.read_bytes() == b"1"


@pytest.mark.parametrize(
    ("name", "says"),
    [("missing/a.txt", "no such file"), ("folder", "there is a folder of that name"), ("x" * 300, "too long")],
)
def test_failures_name_the_target(tmp_path, name, says):
    (tmp_path / "folder").mkdir()
    with pytest.raises(RunError, match=says) as caught, whole_file(tmp_path / name) as stream:
        stream.write(b"1")
    assert str(tmp_path / name) in str(caught.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a disk that is always full")
def test_full_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("pathlib.Path.with_name", lambda self, name: type(self)("/dev/full"))
    monkeypatch.setattr("pathlib.Path.unlink", lambda self, missing_ok: None)
    with pytest.raises(RunError, match=r"the disk is full\. Free some space"), whole_file(tmp_path / "a") as stream:
        stream.write(b"1" * 100_000)


def test_folder_over_a_file(tmp_path):
    (tmp_path / "a").write_bytes(b"")
    make_folder(tmp_path / "b" / "c")
    make_folder(tmp_path / "b" / "c")
    for path in (tmp_path / "a", tmp_path / "a" / "b"):
        with pytest.raises(RunError, match="is a file and not a folder"):
            make_folder(path)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.ENOSPC, "No space"), "the disk is full. Free some space"),
        (OSError(errno.EDQUOT, "Quota"), "quota"),
        (OSError(errno.EROFS, "x"), "read-only. Name another folder."),
        (PermissionError(errno.EACCES, "x"), "you may not write there. Name another folder."),
        (OSError(errno.EIO, "Input/output error"), "input/output error"),
        (OSError("without a number"), "without a number"),
    ],
)
def test_sentences(tmp_path, error, says):
    assert says in str(cannot_write(tmp_path, error))
