"""Category files: what is right, and everything that is wrong at once."""

import pytest
import yaml

from artdet.data.category import category_names, load_category
from artdet.errors import ConfigError

GOOD = {"classes": ["animals", "dog"], "sources": [{"source": "examples", "art": True, "split": "validation"}]}


@pytest.fixture
def load(tmp_path, taxonomy):
    def loaded(*overrides, **changes):
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump({**GOOD, **changes}))
        return load_category(str(path), taxonomy, overrides)

    return loaded


def source(**changes):
    return {"source": "examples", "art": True, **changes}


CATEGORIES = {"animals", "landforms", "persons", "produce", "structures"}


def test_one_for_each_category_is_shipped_and_three_for_several():
    assert set(category_names()) == {*CATEGORIES, "all", "iconart", "objects"}


@pytest.mark.parametrize("name", category_names())
def test_shipped_categories_are_valid_and_validate_on_art(taxonomy, name):
    loaded = load_category(name, taxonomy)
    held = {taxonomy.nodes[taxonomy.id_of(c)].category for c in loaded.settings.classes}
    several = {"all": CATEGORIES, "objects": CATEGORIES - {"persons"}, "iconart": {"persons", "structures"}}
    assert held == several.get(name, {name})
    assert all(entry.art for entry in loaded.settings.sources if entry.part)
    assert any(entry.part for entry in loaded.settings.sources)


def test_defaults_and_set(load):
    settings = load("image_size=640", "sources.0.weight=0.5").settings
    assert (settings.repeat_threshold, settings.seed, settings.image_size) == (0.05, 0, 640)
    assert (settings.sources[0].weight, settings.sources[0].part) == (0.5, 1)


@pytest.mark.parametrize(
    ("split", "share"),
    [("train", 0), ("validation", 1), ({"validation": 0.2}, 0.2), ({"validation": "w.txt"}, "w.txt")],
)
def test_split(load, split, share):
    settings = load(sources=[source(split=split)]).settings
    assert settings.sources[0].part == share
    assert type(settings).model_validate(settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"classes": []}, ["classes: "]),
        ({"classes": ["dog", "dog"]}, ["classes: dog: appears more than once"]),
        ({"classes": ["dgo", "animal"]}, ["classes: the taxonomy has no class 'dgo'", "'animal'"]),
        ({"sources": [source(source="exampels")]}, ["sources.0.source: there is no source 'exampels'", "'examples'?"]),
        ({"sources": [source(split="test")]}, ["sources.0.split: must be train, validation, {validation: SHARE} with"]),
        ({"sources": [source(split={"validation": 1})]}, ["sources.0.split: must be train"]),
        ({"sources": [source(split={"validation": ""})]}, ["{validation: FILE} with a file that has a work a line"]),
        ({"sources": [source(split="validation", art=False)]}, ["sources.0.split: validation must be art"]),
        ({"sources": [source(files="(")]}, ["sources.0.files: is no regular expression"]),
        ({"sources": [{"source": "examples"}]}, ["sources.0.art: is missing"]),
        ({"sources": [source(exhaustive=["x"], ignore=["y"])]}, ["0.exhaustive: the tax", "0.ignore: the tax"]),
        ({"negatives": [{"source": "examples", "rate": 0.5}] * 2}, ["negatives: the rates must sum to less than 1"]),
        ({"image_size": 500, "seed": -1, "sead": 1}, ["image_size: ", "seed: ", "sead: unknown key. Did you mean"]),
    ],
    ids=lambda value: "" if isinstance(value, list) else "-".join(value),
)
def test_every_problem_is_said(load, changes, said):
    with pytest.raises(ConfigError) as caught:
        load(**changes)
    assert [text for text in said if text not in str(caught.value)] == []


def test_unknown_category(taxonomy):
    with pytest.raises(ConfigError, match=r"there is no category 'animal'\. Did you mean 'animals'\?"):
        load_category("animal", taxonomy)
