"""Cut-outs: which class a path has, and what is cut to."""

import json

import numpy as np
import pytest
from PIL import Image

from artdet.data.cutouts import load_cutouts, trimmed
from artdet.errors import InputError, LabelError
from artdet.labelmaps import LabelMap

OWN = LabelMap.identity()


def cutout(*, solid=(slice(5, 35), slice(10, 50)), size=(40, 60)):
    pixels = np.zeros((*size, 4), np.uint8)
    pixels[..., 0] = 200
    pixels[(*solid, 3)] = 255
    return pixels


@pytest.fixture
def folder(tmp_path):
    def write(*files, pixels=None):
        for number, file in enumerate(files):
            path = tmp_path / "cuts" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            picture = cutout() if pixels is None else pixels
            picture[0, 0, 1] = number
            Image.fromarray(picture).save(path)
        return tmp_path / "cuts"

    return write


def test_no_folder_and_no_file(tmp_path, taxonomy):
    for place, said in ((tmp_path / "none", "There is no folder"), (tmp_path, "has no PNG file")):
        with pytest.raises(InputError, match=said):
            load_cutouts(place, taxonomy.expanded(["animals"]), label_map=OWN, taxonomy=taxonomy)


def test_classes_by_the_nearest_folder(folder, taxonomy):
    place = folder("animals/duck/a.png", "animals/b.png", "cat/old/c.PNG", "ship/d.png")
    found, failures = load_cutouts(place, taxonomy.expanded(["animals"]), label_map=OWN, taxonomy=taxonomy)
    assert {c.file: taxonomy.names[c.label] for c in found} == {
        "cuts/animals/b.png": "animals",
        "cuts/animals/duck/a.png": "duck",
        "cuts/cat/old/c.PNG": "cat",
    }
    assert failures == {}
    assert len({c.sha256 for c in found}) == 3


def test_a_label_map_comes_first_and_files_before_folders(folder, taxonomy):
    label_map = LabelMap("m", {"cat": "dog", "cat/x.png": "horse", "cat/toys": "ignore", "cat/toys/deep": "cow"})
    place = folder("cat/x.png", "cat/y.png", "cat/toys/z.png", "cat/toys/deep/w.png", "duck/v.png")
    found, _ = load_cutouts(place, taxonomy.expanded(["animals"]), label_map=label_map, taxonomy=taxonomy)
    assert {c.file.removeprefix("cuts/"): taxonomy.names[c.label] for c in found} == {
        "cat/toys/deep/w.png": "cow",
        "cat/x.png": "horse",
        "cat/y.png": "dog",
        "duck/v.png": "duck",
    }


def test_files_without_a_class_are_named(folder, taxonomy):
    place = folder("birds/a.png", "cat/b.png")
    with pytest.raises(LabelError, match=r"1 cut-outs of .* have no class \(birds/a.png\)"):
        load_cutouts(place, taxonomy.expanded(["animals"]), label_map=OWN, taxonomy=taxonomy)


def test_only_wanted_classes_and_what_cannot_be_used(folder, taxonomy):
    place = folder("cat/a.png", "dog/b.png")
    (place / "cat" / "broken.png").write_bytes(b"no picture")
    Image.new("RGB", (50, 40)).save(place / "cat" / "opaque.png")
    found, failures = load_cutouts(place, taxonomy.ids_of(["cat"]), label_map=OWN, taxonomy=taxonomy)
    assert [c.file for c in found] == ["cuts/cat/a.png"]
    assert sorted(failures) == ["cuts/cat/broken.png", "cuts/cat/opaque.png"]
    assert failures["cuts/cat/opaque.png"] == "has no transparent ground"


def test_origins(folder, taxonomy):
    place = folder("cat/a.png", "cat/b.png")
    (place / "cutouts.json").write_text(json.dumps({"cat/a.png": {"source": "coco", "licence": "CC0"}}))
    found, _ = load_cutouts(place, taxonomy.ids_of(["cat"]), label_map=OWN, taxonomy=taxonomy, licence="GPL")
    assert [dict(c.origin) for c in found] == [{"licence": "CC0", "source": "coco"}, {"licence": "GPL"}]
    (place / "cutouts.json").write_text("[")
    with pytest.raises(InputError, match="cutouts.json cannot be read"):
        load_cutouts(place, taxonomy.ids_of(["cat"]), label_map=OWN, taxonomy=taxonomy)


def test_trimmed_to_what_is_opaque():
    pixels = cutout(solid=(slice(5, 35), slice(10, 50)))
    pixels[0, 0, 3] = 90
    assert trimmed(pixels).shape == (32, 42, 4)
    assert (trimmed(pixels)[1:-1, 1:-1, 3] == 255).all()


@pytest.mark.parametrize(
    ("solid", "said"),
    [((slice(0), slice(0)), "smaller than"), ((slice(3, 9), slice(3, 9)), "smaller than"),
     ((slice(None), slice(None)), "no transparent")],
    ids=["empty", "speck", "opaque"],
)  # fmt: skip
def test_what_is_no_cutout(solid, said):
    with pytest.raises(ValueError, match=said):
        trimmed(cutout(solid=solid))


def test_the_shipped_map_of_tux_paint(taxonomy):
    label_map = LabelMap.load("tuxpaint")
    assert label_map.labels is not None
    label_map.ids(list(label_map.labels), taxonomy)
    assert label_map.labels["animals/birds/duck.png"] == "duck"
