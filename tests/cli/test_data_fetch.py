"""``artdet data fetch``: what it says before, without what it needs, and after."""

import json

import pytest

from artdet.fetching import fetch as fetching
from artdet.fetching import zoo


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    monkeypatch.setenv("ARTDET_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def test_what_it_will_get(artdet, data_dir):
    ran = artdet(
        "data", "fetch", "--category", "structures", "--max-images", 12, "--dry-run", "--sets", "coco2017,iconart"
    )
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "coco2017: COCO 2017, at most 12 images of train",
        "  classes: ship (there 1: boat)",
        "  before the first image: about 240 MB",
        "  licence: annotations CC BY 4.0; photographs of Flickr under licences of their own",
        f"  into {data_dir / 'photos' / 'coco2017'}",
        "iconart: IconArt v1 (paintings), at most 12 images",
        "  classes: structures (there 1: ruins)",
        "  before the first image: one archive with all images",
        "  licence: see its page on Zenodo; paintings from Wikimedia Commons",
        f"  into {data_dir / 'iconart'}",
    ]
    assert not data_dir.exists()


def test_without_fiftyone(artdet, data_dir, monkeypatch):
    monkeypatch.setattr(zoo, "find_spec", lambda name: None)
    ran = artdet("data", "fetch", "--category", "animals")
    assert ran.status == 1
    assert ran.err.splitlines()[-1] == (
        "artdet: Fetching COCO and Open Images needs fiftyone, which is not installed. "
        "Install it with: pip install 'artdet[app]'"
    )
    assert not data_dir.exists()


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["--category", "landforms"], 1, "has boxes for a class of landforms"),
        (["--category", "animal"], 1, "animals"),
        (["--category", "animals", "--sets", "coco217"], 1, "Did you mean 'coco2017'?"),
        (["--category", "animals", "--max-images", "0"], 2, "--max-images"),
        ([], 2, "--category"),
    ],
)
def test_refusals(artdet, data_dir, arguments, status, says):
    ran = artdet("data", "fetch", *arguments)
    assert ran.status == status
    assert says in ran.err
    assert not data_dir.exists()


@pytest.mark.parametrize("as_json", [False, True])
def test_what_it_got(artdet, data_dir, monkeypatch, as_json):
    def made(request, *, taxonomy, watch):
        refused = tuple(f"{number}.jpg" for number in range(5)) if request.set == "coco2017" else ()
        return fetching.Fetched(request.set, fetching.folder_of(request), 9, 0 if refused else 4, len(refused), refused)

    monkeypatch.setattr(fetching, "fetch", made)
    monkeypatch.setattr(fetching, "check_installed", lambda requests: None)
    ran = artdet("data", "fetch", "--category", "animals", *(["--json"] if as_json else []))
    assert ran.status == 0
    assert ran.err.startswith("open_images: Open Images V7, at most 2000 images of train\n")
    folders = [data_dir / "photos" / name for name in ("open_images", "coco2017")]
    if as_json:
        assert [(one["set"], one["folder"], one["new"], len(one["refused"])) for one in json.loads(ran.out)] == [
            ("open_images", str(folders[0]), 4, 0),
            ("coco2017", str(folders[1]), 0, 5),
        ]
    else:
        assert ran.out.splitlines() == [
            f"open_images: 9 images in {folders[0]}, 4 new",
            f"coco2017: 9 images in {folders[1]}, none new",
            "  files that were damaged or gone, fetched again: 5",
            "  images that their server does not give: 0.jpg, 1.jpg, 2.jpg and 2 more",
        ]
