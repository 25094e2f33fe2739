import numpy as np
import pytest

from artdet.errors import ConfigError, LabelError
from artdet.taxonomy import Taxonomy

FIXED = {
    "persons": {"angel", "child_jesus", "crucifixion", "mary", "nudity", "saint_sebastian"},
    "animals": {"cow", "cat", "cock", "dog", "horse", "duck"},
    "produce": {"flower", "fish", "meat", "fruit"},
    "structures": {"ruins", "ship", "building"},
    "landforms": {"water_body", "hill", "mountain"},
    "faces": set(),
}


@pytest.fixture(scope="module")
def taxonomy():
    return Taxonomy.load()


def test_the_shipped_names_are_the_fixed_ones(taxonomy):
    tree = {category: set() for category in taxonomy.categories}
    for node in taxonomy.nodes:
        if node.is_fine:
            tree[node.category].add(node.name)
    assert tree == FIXED
    assert all(node.iconclass for node in taxonomy.nodes if node.is_fine)


def test_coarse_of_is_idempotent_and_levels_agree(taxonomy):
    ids = np.arange(len(taxonomy.nodes))
    coarse = taxonomy.coarse_of(ids)
    assert (taxonomy.coarse_of(coarse) == coarse).all()
    assert not taxonomy.is_fine(coarse).any()
    assert taxonomy.is_fine(ids).sum() == 22


def test_expanded_takes_a_category_with_its_classes(taxonomy):
    names = {taxonomy.names[i] for i in taxonomy.expanded(["landforms", "faces", "ship"])}
    assert names == {"landforms", "water_body", "hill", "mountain", "faces", "ship"}


def test_an_unknown_name_is_met_with_the_nearest(taxonomy):
    with pytest.raises(LabelError, match="no class 'hors'. Did you mean 'horse'"):
        taxonomy.id_of("hors")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "must hold categories", id="empty"),
        pytest.param("- a\n- b", "must hold categories", id="list"),
        pytest.param("a: {clases: {b: }}", "unknown key. Did you mean 'classes'", id="misspelt key"),
        pytest.param("a: {classes: {b: }}\nc: {classes: {b: }}", "b: appears more than once", id="twice"),
        pytest.param("ignore: ", "word of label maps", id="reserved"),
        pytest.param("a: [b]", "must be empty or hold", id="list below"),
        pytest.param("a: {classes: [b, c]}", "each with a colon", id="classes as a list"),
    ],
)
def test_a_wrong_file_is_told_with_its_place(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message) as caught:
        Taxonomy.load(path)
    assert "mine.yaml" in str(caught.value)


def test_a_users_own_taxonomy_works(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("instruments:\n  classes:\n    lute: {iconclass: 48C7321}\n    fidel:\n", encoding="utf-8")
    mine = Taxonomy.load(path)
    assert mine.names == ("instruments", "lute", "fidel")
    assert mine.nodes[1].iconclass == "48C7321"
    assert mine.sha256 != Taxonomy.load().sha256
