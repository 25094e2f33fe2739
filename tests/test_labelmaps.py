import importlib
import importlib.util
import re
from pathlib import Path

import pytest
import yaml

from artdet.errors import ConfigError, LabelError
from artdet.labelmaps import IGNORED_ID, LabelMap
from artdet.resources import shipped
from artdet.taxonomy import IGNORE, Taxonomy

TAXONOMY = Taxonomy.load()
SHIPPED = sorted(path.stem for path in shipped("annotations", "labelmaps").glob("*.yaml"))
ICONART = {"angel", "Child_Jesus", "crucifixion_of_Jesus", "Mary", "nudity", "ruins", "Saint_Sebastien"}


def labels(name):
    return dict(LabelMap.load(name).labels)


def ultralytics_names(file):
    pytest.importorskip("ultralytics", reason="its list of classes is compared")
    folder = Path(importlib.util.find_spec("ultralytics").submodule_search_locations[0])
    return list(yaml.safe_load((folder / "cfg" / "datasets" / file).read_text(encoding="utf-8"))["names"].values())


def torchvision_names(module, weights):
    models = pytest.importorskip(module, reason="its list of classes is compared")
    return list(getattr(models, weights).DEFAULT.meta["categories"])


def test_the_shipped_maps():
    models = {"coco", "iconart", "imagenet", "nudenet", "objects", "openimages"}
    sets = {"animals6", "art_unveiled", "byzart2k", "coco80", "enluminures", "flowers", "fruits25", "iconart_redhen"}
    assert set(SHIPPED) == models | sets | {"people_art", "ships", "tuxpaint", "weizmann_horses"}


@pytest.mark.parametrize("name", SHIPPED)
def test_every_target_of_a_shipped_map_is_a_class(name):
    mapping = labels(name)
    ids = LabelMap.load(name).ids(list(mapping), TAXONOMY)
    assert [TAXONOMY.names[i] if i != IGNORED_ID else IGNORE for i in ids] == list(mapping.values())
    assert (ids != IGNORED_ID).any()


@pytest.mark.parametrize("name", SHIPPED)
def test_no_name_stands_twice_in_a_shipped_map(name):
    text = shipped("annotations", "labelmaps", f"{name}.yaml").read_text(encoding="utf-8")
    assert len(re.findall(r"^  [^#\s].*: \w+$", text, flags=re.MULTILINE)) == len(labels(name))


@pytest.mark.parametrize(
    ("name", "count", "names"),
    [
        ("coco", 80, lambda: ultralytics_names("coco.yaml")),
        ("openimages", 601, lambda: ultralytics_names("open-images-v7.yaml")),
        ("nudenet", 18, lambda: getattr(pytest.importorskip("nudenet.nudenet"), "__labels")),
        ("imagenet", 1000, lambda: torchvision_names("torchvision.models", "ResNet50_Weights")),
        (
            "coco",
            80,
            lambda: [
                name
                for name in torchvision_names("torchvision.models.detection", "FasterRCNN_ResNet50_FPN_Weights")
                if name not in ("__background__", "N/A")
            ],
        ),
    ],
    ids=["coco of ultralytics", "openimages", "nudenet", "imagenet", "coco of torchvision"],
)
def test_a_shipped_map_holds_exactly_the_names_of_its_source(name, count, names):
    known = names()
    assert len(known) == count
    assert labels(name).keys() == set(known)


def test_iconart_holds_the_names_of_its_files_and_no_class_is_lost():
    mapping = labels("iconart")
    assert mapping.keys() >= ICONART
    assert len({mapping[name] for name in ICONART}) == 7
    assert {name for name, target in mapping.items() if target == IGNORE} == {"beard", "capital", "turban"}


@pytest.mark.parametrize(
    ("name", "foreign", "ours"),
    [
        ("coco", "person", "persons"),
        ("coco", "sheep", "animals"),
        ("coco", "boat", "ship"),
        ("coco", "orange", "fruit"),
        ("coco", "carrot", "produce"),
        ("coco", "potted plant", IGNORE),
        ("coco", "teddy bear", IGNORE),
        ("openimages", "Human face", "faces"),
        ("openimages", "Girl", "persons"),
        ("openimages", "Chicken", "cock"),
        ("openimages", "Bull", "cow"),
        ("openimages", "Shark", "fish"),
        ("openimages", "Rose", "flower"),
        ("openimages", "Castle", "building"),
        ("openimages", "Sculpture", IGNORE),
        ("iconart", "Saint_Sebastien", "saint_sebastian"),
        ("nudenet", "FEMALE_BREAST_EXPOSED", "nudity"),
        ("nudenet", "FEMALE_BREAST_COVERED", IGNORE),
        ("nudenet", "FEET_EXPOSED", IGNORE),
        ("nudenet", "FACE_MALE", "faces"),
        ("imagenet", "crane bird", "animals"),
        ("imagenet", "crane", IGNORE),
        ("imagenet", "timber wolf", "animals"),
        ("imagenet", "Mexican hairless", "dog"),
        ("imagenet", "Egyptian cat", "cat"),
        ("imagenet", "drake", "duck"),
        ("imagenet", "puffer", "fish"),
        ("imagenet", "abacus", IGNORE),
        ("imagenet", "alp", "mountain"),
        ("imagenet", "schooner", "ship"),
    ],
)
def test_choices(name, foreign, ours):
    assert labels(name)[foreign] == ours


def test_no_names_have_no_ids():
    assert LabelMap.load("coco").ids([], TAXONOMY).shape == (0,)


def test_without_a_map_names_are_the_taxonomys():
    names = ["horse", "faces", "persons"]
    assert LabelMap.load(None).ids(names, TAXONOMY).tolist() == [TAXONOMY.id_of(name) for name in names]


def test_without_a_map_a_foreign_name_is_refused_by_name():
    with pytest.raises(LabelError, match=r"no label map: 'hrose' is no class .* Did you mean 'horse'\?"):
        LabelMap.identity().ids(["horse", "hrose"], TAXONOMY)


def test_every_unknown_name_is_told_once_and_many_are_counted():
    with pytest.raises(LabelError, match=r"coco does not know 'unicorn', 'dragon'\. .*'ignore'"):
        LabelMap.load("coco").ids(["person", "unicorn", "dragon"], TAXONOMY)
    with pytest.raises(LabelError, match="'x19' and 5 more"):
        LabelMap.load("coco").ids([f"x{i}" for i in range(25)], TAXONOMY)


def test_a_map_of_the_users_own(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("source: my own\nlabels: {Pferd: horse, Zaun: ignore}\n", encoding="utf-8")
    assert LabelMap.load(str(path)).ids(["Zaun", "Pferd"], TAXONOMY).tolist() == [IGNORED_ID, TAXONOMY.id_of("horse")]


def test_a_target_outside_the_taxonomy_is_refused_by_name():
    with pytest.raises(LabelError, match=r"mine: 'hors' is no class .* Did you mean 'horse'\?"):
        LabelMap("mine", {"Pferd": "hors", "Hund": "dog"}).ids(["Pferd", "Hund"], TAXONOMY)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no label map"),
        ("", "holds nothing"),
        ("labels: {a: cat}", "source: is missing"),
        ("source: x\nlabels: [cat]", "labels: "),
        ("source: x\nlabels: {a: cat}\nlabel: {}", "label: unknown key. Did you mean 'labels'"),
    ],
    ids=["no file", "empty", "no source", "a list", "unknown key"],
)
def test_wrong_files_are_refused(content, message, tmp_path):
    path = tmp_path / "mine.yaml"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        LabelMap.load(str(path))


def test_a_mistyped_map_is_suggested():
    with pytest.raises(ConfigError, match=r"there is no label map 'openimage'\. Did you mean 'openimages'\?"):
        LabelMap.load("openimage")
