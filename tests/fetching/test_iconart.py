"""IconArt from its archive: what is taken out of it, and what is not."""

import hashlib
import json
import socket

import numpy as np
import pytest

from artdet.data.category import load_category
from artdet.data.sources import load_dataset
from artdet.errors import InputError
from artdet.fetching import iconart
from artdet.fetching.fetch import fetch
from artdet.fetching.plan import plan

BOXES = {
    "Q1": [("Mary", 11, 6, 30, 35), ("Child_Jesus", 20, 10, 25, 20)],
    "Q2": [("ruins", 1, 1, 60, 40)],
    "Q3": [("angel", 5, 5, 10, 10)],
    "Q4": [],
}


def xml(stem, boxes):
    objects = "".join(
        f"<object><name>{name}</name><difficult>0</difficult><bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin>"
        f"<xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>"
        for name, x1, y1, x2, y2 in boxes
    )
    size = "<size><width>60</width><height>40</height><depth>3</depth></size>"
    return f"<annotation><filename>{stem}.jpg</filename>{size}{objects}</annotation>".encode()


@pytest.fixture
def archive(site, sets, monkeypatch):
    """The layout of the published archive; Q5 has labels of the whole image only, Q6 an annotation and no image."""
    files = {"IconArt_v1/ImageSets/Main/test.txt": b"Q1\n", "IconArt_v1/JPEGImages/Q5.jpg": sets.jpeg(5)}
    for number, (stem, boxes) in enumerate(BOXES.items()):
        files[f"IconArt_v1/Annotations/{stem}.xml"] = xml(stem, boxes)
        files[f"IconArt_v1/JPEGImages/{stem}.jpg"] = sets.jpeg(number)
    files["IconArt_v1/Annotations/Q6.xml"] = xml("Q6", [("Mary", 1, 1, 9, 9)])
    files["IconArt_v1/JPEGImages/../../../evil.jpg"] = sets.jpeg(7)
    files["/Annotations/..\\evil.xml"] = xml("evil", [("Mary", 1, 1, 9, 9)])
    content = sets.zipped(files)
    site.files["/z/IconArt_v1.zip/content"] = content
    entry = {"key": "IconArt_v1.zip", "size": len(content), "checksum": f"md5:{hashlib.md5(content).hexdigest()}",
             "links": {"self": f"{site.url}/z/IconArt_v1.zip/content"}}  # fmt: skip
    site.files["/record"] = json.dumps({"files": [entry]}).encode()
    monkeypatch.setattr(iconart, "RECORD", f"{site.url}/record")
    return site


@pytest.fixture
def get(data_dir, taxonomy):
    def got(category="persons", images=9):
        (request,) = plan(load_category(category, taxonomy), max_images=images, sets=["iconart"])
        return fetch(request, taxonomy=taxonomy)

    return got


def names(folder):
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and path.name[0] != "."
    )


def test_annotated_images_of_the_category(archive, get, taxonomy, tmp_path):
    made = get()
    assert (made.images, made.new, made.refused) == (2, 2, ())
    assert names(made.folder) == [
        ".tables/IconArt_v1.zip",
        *(f"Annotations/{stem}.xml" for stem in ("Q1", "Q3")),
        *(f"JPEGImages/{stem}.jpg" for stem in ("Q1", "Q3")),
        "manifest.json",
    ]
    assert not list(tmp_path.rglob("*evil*"))
    dataset = load_dataset("iconart", taxonomy=taxonomy)
    first = dataset.samples[0]
    assert (first.file, [taxonomy.names[label] for label in first.truth.labels]) == ("Q1.jpg", ["mary", "child_jesus"])
    np.testing.assert_array_equal(first.truth.boxes, [[10, 5, 30, 35], [19, 9, 25, 20]])
    assert [finding for finding in dataset.findings if finding.loses] == []


def test_nothing_outside_the_two_folders_is_known(sets, tmp_path):
    good = ["IconArt_v1/Annotations/Q1.xml", "JPEGImages/Q1.jpg"]
    evil = ["x/JPEGImages/../../e.jpg", "x/Annotations/..\\e.xml", "/JPEGImages/e.jpg", "JPEGImages/e.exe", "Q2.jpg"]
    (tmp_path / "a.zip").write_bytes(sets.zipped(dict.fromkeys([*good, *evil], b"")))
    assert iconart._members(tmp_path / "a.zip") == {"Annotations/Q1.xml": good[0], "JPEGImages/Q1.jpg": good[1]}


def test_again_and_another_category(archive, get):
    get()
    archive.log.clear()
    assert get().new == 0
    made = get("structures")
    assert (made.images, made.new) == (3, 1)
    assert archive.log == []


def test_at_most(archive, get):
    assert get(images=1).images == 1


def test_a_damaged_image_is_taken_out_again(archive, get):
    made = get()
    image = made.folder / "JPEGImages" / "Q1.jpg"
    content = image.read_bytes()
    image.write_bytes(content[:-9])
    assert get().mended == 1
    assert image.read_bytes() == content


def test_a_cut_archive_is_gone_on_from(archive, get):
    archive.cut["/z/IconArt_v1.zip/content"] = [1000]
    assert get().images == 2
    assert archive.asked("content") == [None, "bytes=1000-"]


def test_without_internet(get, monkeypatch, data_dir):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        monkeypatch.setattr(iconart, "RECORD", f"http://127.0.0.1:{held.getsockname()[1]}/record")
        with pytest.raises(InputError, match=r"cannot be reached .* Connect to the internet and run the same command"):
            get()
    assert not (data_dir / "iconart" / "manifest.json").exists()
