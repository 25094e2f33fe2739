"""Downloads that are cut, changed, refused or damaged, and zips."""

import hashlib
import json
import socket

import pytest

from artdet.errors import InputError
from artdet.fetching import archive
from artdet.fetching.archive import Remote, download, record_file, unpack

CONTENT = bytes(range(256)) * 20_001


def md5(content):
    return hashlib.md5(content).hexdigest()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def remote(site):
    site.files["/a.zip"] = CONTENT
    return Remote(f"{site.url}/a.zip", md5(CONTENT))


@pytest.mark.parametrize("content", [b"", b"x", CONTENT], ids=["empty", "one byte", "several chunks"])
@pytest.mark.parametrize("checked", [True, False])
def test_a_whole_file(site, tmp_path, content, checked):
    site.files["/a"] = content
    download(Remote(f"{site.url}/a", md5(content) if checked else ""), tmp_path / "deep" / "a")
    assert (tmp_path / "deep" / "a").read_bytes() == content
    assert names(tmp_path / "deep") == ["a"]


def test_a_cut_connection_is_gone_on_from(site, remote, tmp_path):
    site.cut["/a.zip"] = [1_000_000, 7]
    download(remote, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert site.asked("a.zip") == [None, "bytes=1000000-", "bytes=1000007-"]


def test_the_next_call_goes_on(site, remote, tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "_TRIES", 1)
    site.cut["/a.zip"] = [2_000_000]
    with pytest.raises(InputError, match=r"^127\.0\.0\.1:\d+ cannot be reached .* Connect to the internet"):
        download(remote, tmp_path / "a.zip")
    assert names(tmp_path) == ["a.zip.part", "a.zip.part.json"]
    done = []

    class Watched:
        def __enter__(self):
            return done.append

        def __exit__(self, *_):
            pass

    download(remote, tmp_path / "a.zip", watch=lambda verb, total, unit: Watched())
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert site.asked("a.zip")[-1] == "bytes=2000000-"
    assert (done[0], sum(done)) == (2_000_000 >> 20, len(CONTENT) >> 20)


def part_of(tmp_path, remote, content, version):
    (tmp_path / "a.zip.part").write_bytes(content)
    (tmp_path / "a.zip.part.json").write_text(json.dumps({"url": remote.url, "version": version}))


@pytest.mark.parametrize(
    ("content", "version", "ranges", "asked"),
    [
        (b"of an older version", '"older"', True, ["bytes=19-"]),
        (CONTENT[:9], None, False, ["bytes=9-"]),
        (CONTENT, None, True, [f"bytes={len(CONTENT)}-"]),
        (CONTENT + b"!", None, True, [f"bytes={len(CONTENT) + 1}-", None]),
        (b"unknown", "", True, [None]),
        (CONTENT[:9] + b"wrong", None, True, ["bytes=14-", None]),
    ],
    ids=["older version", "no ranges", "whole", "too long", "no version known", "damaged"],
)
def test_parts_of_all_kinds(site, remote, tmp_path, content, version, ranges, asked):
    site.ranges = ranges
    part_of(tmp_path, remote, content, f'"{md5(CONTENT)}"' if version is None else version)
    download(remote, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert site.asked("a.zip") == asked
    assert names(tmp_path) == ["a.zip"]


def test_a_wrong_checksum(site, tmp_path):
    site.files["/a.zip"] = CONTENT
    with pytest.raises(InputError, match="came with a wrong checksum, twice"):
        download(Remote(f"{site.url}/a.zip", md5(b"other")), tmp_path / "a.zip")
    assert len(site.asked("a.zip")) == 2
    assert "a.zip" not in names(tmp_path)


def test_a_file_that_is_gone(site, tmp_path):
    with pytest.raises(InputError, match=r"/none answers 404 Not Found\. "):
        download(Remote(f"{site.url}/none"), tmp_path / "a")
    assert len(site.log) == 1


def test_no_internet(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "_WAIT", 0.0)
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/a"
        with pytest.raises(InputError, match=r"cannot be reached \(.*refused.*\)\. Connect to the internet and run"):
            download(Remote(url), tmp_path / "a")


def record(site, *files):
    entries = [
        {"key": name, "size": len(content), "checksum": f"md5:{md5(content)}", "links": {"self": f"{site.url}/{name}"}}
        for name, content in files
    ]
    site.files["/record"] = json.dumps({"id": 1, "files": entries}).encode()
    return f"{site.url}/record"


def test_a_record_of_zenodo(site):
    address = record(site, ("a.zip", b"abc"), ("b.zip", b"abcd"))
    assert record_file(address, "b.zip") == Remote(f"{site.url}/b.zip", md5(b"abcd"), 4)
    with pytest.raises(InputError, match=r"has no file c\.zip any more, only a\.zip, b\.zip\."):
        record_file(address, "c.zip")


@pytest.mark.parametrize("content", [b"", b"<html>", b"{}", b'{"files": [1]}', b"[]"])
def test_a_record_of_another_form(site, content):
    site.files["/record"] = content
    with pytest.raises(InputError, match="does not list files as Zenodo does"):
        record_file(f"{site.url}/record", "a.zip")


def test_only_what_is_named_is_unpacked(sets, tmp_path):
    (tmp_path / "a.zip").write_bytes(sets.zipped({"x/a.jpg": b"a", "../evil": b"b", "x/c.jpg": b"c"}))
    unpack(tmp_path / "a.zip", {"x/a.jpg": tmp_path / "out" / "a.jpg", "../evil": tmp_path / "out" / "b"})
    assert names(tmp_path) == ["a.zip", "out"]
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == {"a.jpg": b"a", "b": b"b"}


@pytest.mark.parametrize("damage", ["bytes", "length", "no zip", "lacks it"])
def test_a_damaged_zip_leaves_nothing(sets, tmp_path, damage):
    content = bytearray(sets.zipped({"a": bytes(range(256)) * 9}))
    if damage == "bytes":
        content[60] ^= 0xFF
    made = {"bytes": bytes(content), "length": bytes(content[:99]), "no zip": b"?", "lacks it": sets.zipped({"b": b""})}
    (tmp_path / "a.zip").write_bytes(made[damage])
    with pytest.raises(InputError, match=r"a\.zip is damaged .* Delete it and run the same command again\."):
        unpack(tmp_path / "a.zip", {"a": tmp_path / "out" / "a"})
    assert not list((tmp_path / "out").glob("*") if (tmp_path / "out").exists() else [])
