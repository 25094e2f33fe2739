"""The sources and label maps that come with artdet, against the real sets, read here a second time by other means."""

import csv
import json
import re
from collections import Counter
from functools import cache

import numpy as np
import pytest
import yaml

from artdet.data.sources import load_dataset, shipped_sources
from artdet.labelmaps import LabelMap
from artdet.resources import shipped
from artdet.taxonomy import IGNORE, Taxonomy

TAXONOMY = Taxonomy.load()
YOLO = {
    "animals6": "photos/animals6",
    "art_unveiled": "art_unveiled",
    "coco256": "photos/coco256",
    "flowers": "photos/flowers",
    "fruits25": "photos/fruits25",
    "iconart_redhen": "iconart_redhen",
    "ships": "photos/ships",
    "weizmann_horses": "photos/weizmann_horses",
}
MAPS = {"coco256": "coco80", "people_art_train": "people_art", "people_art_val": "people_art",
        "coco2014": "coco", "coco2017": "coco", "open_images": "openimages"}  # fmt: skip
FETCHED = {"coco2014", "coco2017", "iconart", "open_images"}
COMPOSED = {"composed_animals", "composed_persons", "composed_produce", "composed_structures"}
OWN = {
    "examples",
    "artic_cc0",
    "people_art_objects",
    "people_art_animals",
    "enluminures_animals",
}  # boxes of ours, with our names
AGAIN = {"enluminures": "enluminures", "people_art_train": "people_art", "people_art_val": "people_art"}
ALL = [*YOLO, "byzart2k", "enluminures", "people_art_train", "people_art_val"]


def voc_names(files):
    texts = [file.read_text(encoding="utf-8") for file in files]
    return Counter(name for text in texts for name in re.findall(r"<object>.*?<name>(.*?)</name>", text, re.DOTALL))


def yolo_names(folder):
    lines = [line.split()[0] for file in (folder / "labels").rglob("*.txt") for line in file.open() if line.strip()]
    if (folder / "data.yaml").exists():
        names = yaml.safe_load((folder / "data.yaml").read_text(encoding="utf-8"))["names"]
    elif folder.name in ("flowers", "coco256"):  # have numbers only
        names = [str(number) for number in range(80)]
    else:
        names = (folder / "classes.txt").read_text(encoding="utf-8").split("\n")
    return Counter(names[int(number)] for number in lines)


@cache
def boxes_by_name(data, source):
    """The source's own names in its boxes, with how often each stands there."""
    if source in YOLO:
        return yolo_names(data / YOLO[source])
    if source == "enluminures":
        content = json.loads((data / "enluminures" / "instances.json").read_text(encoding="utf-8"))
        names = {category["id"]: category["name"] for category in content["categories"]}
        return Counter(names[annotation["category_id"]] for annotation in content["annotations"])
    if source == "byzart2k":
        return voc_names((data / "byzart2k").rglob("*.xml"))
    folder = data / "people_art" / "Annotations"
    lines = (folder / f"{source.replace('people_art', 'person')}.txt").read_text(encoding="utf-8").splitlines()
    return voc_names(folder / f"{line.split()[0]}.xml" for line in lines if line.endswith(" 1"))


def label_map(source):
    return dict(LabelMap.load(MAPS.get(source, source)).labels)


def test_the_shipped_sources():
    assert set(shipped_sources()) == {*ALL, *FETCHED, *COMPOSED, *OWN}


@pytest.mark.parametrize("source", ALL)
def test_the_map_knows_every_name_of_the_set(shared_data, source):
    assert set(boxes_by_name(shared_data, source)) - set(label_map(source)) == set()


@pytest.mark.parametrize("source", ["byzart2k", "enluminures", "people_art_train", "flowers", "weizmann_horses"])
def test_the_map_has_no_other_names(shared_data, source):
    assert set(label_map(source)) == set(boxes_by_name(shared_data, source))


@pytest.mark.parametrize("source", ["animals6", "fruits25", "iconart_redhen", "ships"])
def test_the_map_has_the_names_of_data_yaml_and_no_others(shared_data, source):
    text = (shared_data / YOLO[source] / "data.yaml").read_text(encoding="utf-8")
    names = yaml.safe_load(text)["names"]
    assert set(label_map(source)) == set(names.values() if isinstance(names, dict) else names)


def test_the_map_of_art_unveiled_has_its_names_and_no_others(shared_data):
    assert set(label_map("art_unveiled")) == set((shared_data / "art_unveiled" / "classes.txt").read_text().split())


def test_numbers_of_coco_mean_what_its_names_mean():
    ours = yaml.safe_load(shipped("annotations", "labelmaps", "coco80.yaml").read_text())["labels"]
    by_name = label_map("coco")
    known = {0: "person", 8: "boat", 14: "bird", 15: "cat", 16: "dog", 17: "horse", 18: "sheep", 19: "cow",
             20: "elephant", 46: "banana", 47: "apple", 49: "orange", 50: "broccoli", 51: "carrot", 58: "potted plant",
             79: "toothbrush"}  # fmt: skip
    assert {number: ours[str(number)] for number in known} == {n: by_name[name] for n, name in known.items()}
    assert Counter(ours.values()) == Counter(by_name.values())
    assert set(ours) == {str(number) for number in range(80)}


def test_every_box_that_was_looked_at_again_is_there(shared_data, monkeypatch):
    monkeypatch.setenv("ARTDET_DATA_DIR", str(shared_data))
    images = {table: {} for table in AGAIN.values()}  # some works of People-Art are in both lists
    for source, table in AGAIN.items():
        dataset = load_dataset(source, taxonomy=TAXONOMY)
        assert [finding for finding in dataset.findings if finding.kind == "no_such_object"] == []
        images[table].update({sample.file: sample for sample in dataset})
    for table, samples in images.items():
        with shipped("annotations", f"{table}_persons.csv").open(encoding="utf-8", newline="") as stream:
            expected = Counter((row["file"], row["label"]) for row in csv.DictReader(stream))
        found = Counter((file, TAXONOMY.names[n]) for file, one in samples.items() for n in one.truth.labels.tolist())
        assert expected
        assert {key: count for key, count in found.items() if key[1] != "persons"} == expected


@pytest.mark.parametrize(
    ("source", "images", "empty"),
    [
        ("animals6", 136, 2),
        ("art_unveiled", 70, 0),
        ("byzart2k", 427, 0),
        ("coco256", 254, 0),
        ("enluminures", 502, 0),
        ("flowers", 190, 0),
        ("fruits25", 152, 0),
        ("iconart_redhen", 157, 0),
        ("people_art_train", 975, 450),
        ("people_art_val", 893, 450),
        ("ships", 150, 2),
        ("weizmann_horses", 328, 0),
    ],
)
def test_a_source_gives_all_its_boxes(shared_data, monkeypatch, source, images, empty):
    monkeypatch.setenv("ARTDET_DATA_DIR", str(shared_data))
    dataset = load_dataset(source, taxonomy=TAXONOMY)
    expected, mapping = Counter(), label_map(source)
    for name, count in boxes_by_name(shared_data, source).items():
        expected[mapping[name]] += count
    del expected[IGNORE]
    labels = np.concatenate([sample.truth.labels for sample in dataset])
    if source in AGAIN:
        labels = TAXONOMY.coarse_of(labels)
    found = Counter(TAXONOMY.names[label] for label in labels.tolist())
    if source == "art_unveiled":
        found["fruit"] += 1  # one box of it stands twice
    assert found == expected
    assert len(dataset) == images
    assert all(sample.annotated for sample in dataset)
    assert sum(finding.count for finding in dataset.findings if finding.kind == "empty") == empty
    assert [finding for finding in dataset.findings if finding.loses] == []
    assert dataset.licence


def test_every_source_says_where_its_data_come_from():
    said = {
        name: yaml.safe_load(path.read_text(encoding="utf-8"))["origin"] for name, path in shipped_sources().items()
    }
    assert all(said.values())
    assert "Westlake" in said["people_art_val"]
    assert said["byzart2k"] == "ByzArt2K"


def test_exhaustive_classes_of_a_source_are_classes_that_it_has():
    for name, path in shipped_sources().items():
        exhaustive = yaml.safe_load(path.read_text(encoding="utf-8")).get("exhaustive")
        if exhaustive:
            assert set(exhaustive) <= set(label_map(name).values()) | looked_at_again(name), name


def looked_at_again(source):
    """Classes that a second look told apart in a source."""
    if source not in AGAIN:
        return set()
    with shipped("annotations", f"{AGAIN[source]}_persons.csv").open(encoding="utf-8", newline="") as stream:
        return {row["label"] for row in csv.DictReader(stream)}


@pytest.mark.parametrize(
    ("file", "fields", "group"),
    [
        (
            "ArtDeco/john-vassos_illustration-for-oscar-wilde-s-salome-1927-3.jpg",
            {"style": "ArtDeco", "artist": "john-vassos", "year": "1927"},
            "john-vassos_illustration-for-oscar-wilde-s-salome",
        ),
        (
            "ArtNouveau(Modern)/nicholas-roerich_smolensk-the-porch-of-the-convent-1903-1.jpg",
            {"style": "ArtNouveau(Modern)", "artist": "nicholas-roerich", "year": "1903"},
            "nicholas-roerich_smolensk-the-porch-of-the-convent",
        ),
        ("photo/000102.jpg", {"style": "photo"}, "000102"),
        ("PopArt/hiro-yamagata_not-detected-272418.jpg", {"style": "PopArt", "artist": "hiro-yamagata"}, None),
    ],
    ids=["number behind the year", "brackets in the style", "no artist", "no year"],
)
def test_fields_of_people_art(shared_data, monkeypatch, file, fields, group):
    monkeypatch.setenv("ARTDET_DATA_DIR", str(shared_data))
    samples = {
        sample.file: sample
        for source in ("people_art_train", "people_art_val")
        for sample in load_dataset(source, taxonomy=TAXONOMY)
    }
    assert dict(samples[file].fields) == {**fields, "folder": file.split("/")[0]}
    assert samples[file].group == (group or file.split("/")[1].removesuffix(".jpg"))


def test_people_art_has_43_styles_and_years_in_part(shared_data, monkeypatch):
    monkeypatch.setenv("ARTDET_DATA_DIR", str(shared_data))
    samples = [
        sample for name in ("people_art_train", "people_art_val") for sample in load_dataset(name, taxonomy=TAXONOMY)
    ]
    assert len({sample.fields["style"] for sample in samples}) == 43
    assert sum("year" in sample.fields for sample in samples) == 1042
    assert sum(int(sample.difficult.sum()) for sample in samples) == 323


def test_examples():
    dataset = load_dataset("examples", taxonomy=TAXONOMY)
    assert (len(dataset), sum(len(sample.truth) for sample in dataset)) == (22, 293)
    assert sum(int(sample.crowd.sum()) for sample in dataset) == 9
    assert {sample.fields["artist"] for sample in dataset} >= {"Giuseppe Arcimboldo", "Katsushika Hokusai"}
    assert {finding.kind for finding in dataset.findings} == {"empty"}
