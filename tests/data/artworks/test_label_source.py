"""Sources of labels: tables, folders, names, and what evaluation asks of them."""

import pytest

from artdet.data.artworks.answers import number_in
from artdet.data.artworks.label_source import load_artworks, load_table, shipped_label_sources
from artdet.errors import ConfigError, InputError
from artdet.tasks import Task

GENRE = Task(name="genre", kind="label", classes=("still life", "portrait"))
SHAPE = Task(name="shape", kind="label", classes=("Round (oval)", "square"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("soon", None), ("nan", None), ("1671", 1671), ("1671.0", 1671), ("c. 1671", 1671), ("-50", -50),
        ("1875-80", 1877.5), ("1690/95", 1692.5), ("1648 or 1650", 1649), ("1439\u20131503", 1471), ("1899-1", 1899),
        ("18th century", None), ("no. 16712", None), ("1590s", 1590),
    ],
)  # fmt: skip
def test_numbers(text, value):
    assert number_in(text) == value


def test_empty_folder(tmp_path):
    with pytest.raises(InputError, match="no images"):
        load_table(str(tmp_path))


@pytest.mark.parametrize(
    ("header", "rows", "encoding"),
    [
        ("file,genre", ["a.png,portrait", "b.png,Still_Life"], "utf-8"),
        ("Image Path;genre", ["a.png;portrait", "b.png;Still Life"], "utf-8-sig"),
        ("filename\tgenre", ["a.png\tportrait", "b.png\tstill life"], "utf-16"),
    ],
    ids=["comma", "semicolon", "tab"],
)  # fmt: skip
def test_tables_of_any_kind(museum, header, rows, encoding):
    root = museum(header, *[row.replace("\t", ",") for row in rows], encoding="utf-8")
    (root / "labels.csv").write_bytes("\n".join([header, *rows]).encode(encoding))
    found = load_artworks(str(root), [GENRE])
    assert found.names == ("museum/a.png", "museum/b.png")
    assert found.targets["genre"].tolist() == [1, 0]


def test_windows_letters_are_noted(museum):
    root = museum("file,genre", "a.png,portrait", encoding="cp1252")
    (root / "labels.csv").write_bytes("file,genre,title\na.png,portrait,Bäume\n".encode("cp1252"))
    assert "Windows-1252" in load_artworks(str(root), [GENRE]).notes[0]


def test_folders_of_classes(make_pictures):
    root = make_pictures("Round Oval/a.png", "square/b.png", "other/c.png", "d.png", folder="shapes")
    found = load_artworks(str(root), [SHAPE, GENRE])
    assert dict(zip(found.names, found.targets["shape"].tolist(), strict=True)) == {
        "shapes/Round Oval/a.png": 0, "shapes/d.png": -1, "shapes/other/c.png": -1, "shapes/square/b.png": 1,
    }  # fmt: skip
    assert any("1 of 4 images lie in no folder" in note for note in found.notes)
    assert any("('other')" in note for note in found.notes)
    assert not found.known("genre").any()


def test_nothing_to_evaluate(make_pictures):
    root = make_pictures("x/a.png", "y/b.png")
    with pytest.raises(InputError, match="no answer to genre that can be used"):
        load_artworks(str(root), [GENRE])


def test_values_that_are_no_classes_are_told_with_the_classes(museum):
    root = museum("file;genre", "a.png;Gotik", "b.png;")
    with pytest.raises(
        InputError, match=r"1 values of museum, column genre.*'Gotik'.*known: " + ", ".join(GENRE.classes)
    ):
        load_artworks(str(root), [GENRE])


def test_a_column_is_known_whatever_its_case(museum):
    assert load_artworks(str(museum("file;Genre", "a.png;portrait")), [GENRE]).known("genre").tolist() == [True]


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_an_empty_table(museum, text):
    root = museum("file,genre", "a.png,portrait")
    (root / "labels.csv").write_text(text)
    with pytest.raises(InputError, match=r"labels.csv is empty\. Write a header"):
        load_artworks(str(root), [GENRE])


def test_pattern_and_groups(make_pictures, tmp_path):
    root = make_pictures("Cubism/ann_view-1910-1.png", "Cubism/ann_view-1910-2.png", "Cubism/bob_x.png", "odd.png")
    yaml = tmp_path / "names.yaml"
    pattern = r"^(?P<style>[^/]+)/(?P<artist>[^_]+)_.*?(?P<year>\d{4})?(?:-\d)?\.png$"
    yaml.write_text(f"format: pattern\npath: {root}\npattern: {pattern}\ngroup: ^(.*?)(?:-\\d+)*\\.png$\n")
    table = load_table(str(yaml))
    assert table.columns == ("style", "artist", "year")
    assert table.values["Cubism/ann_view-1910-2.png"] == {"style": ("Cubism",), "artist": ("ann",), "year": ("1910",)}
    assert table.values["Cubism/bob_x.png"] == {"style": ("Cubism",), "artist": ("bob",)}
    assert table.groups["Cubism/ann_view-1910-1.png"] == table.groups["Cubism/ann_view-1910-2.png"] == "Cubism/ann_view"
    assert table.notes == ("names: 1 of 4 images do not fit the pattern and stay without labels (odd.png)",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("format: pattern\npath: x\n", "needs a pattern"),
        ("format: pattern\npath: x\npattern: '(a'\n", "no regular expression"),
        ("format: pattern\npath: x\npattern: a\n", "named group"),
        ("format: folders\npath: x\ntable: a.csv\n", "belong to format csv"),
        ("format: csv\npath: x\ngroup: abc\n", "one group in brackets"),
        ("format: voc\npath: x\n", "format"),
    ],
)
def test_wrong_yaml(tmp_path, text, said):
    path = tmp_path / "source.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_table(str(path))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("file: pictur\n", "Did you mean 'picture'"),
        ("columns: {genre: kindd}\n", "Did you mean 'kind'"),
        ("", "'file'"),
    ],
)
def test_columns_that_are_not_there(museum, tmp_path, more, said):
    root = museum("picture,kind", "a.png,b")
    path = tmp_path / "source.yaml"
    path.write_text(f"format: csv\npath: {root}\n{more}")
    with pytest.raises(InputError, match=said):
        load_table(str(path))


def test_shipped_sources_on_the_real_data(shared_data, monkeypatch):
    monkeypatch.setenv("ARTDET_DATA_DIR", str(shared_data))
    found = {name: load_table(name) for name in shipped_label_sources()}
    assert {name: len(table.values) for name, table in found.items()} == {
        "artic_cc0": 267, "people_art": 1868, "wikiart": 1766, "wikiart_type": 1639,
    }  # fmt: skip
    assert sum("year" in row for row in found["people_art"].values.values()) > 900
    assert "artist" not in found["people_art"].values["photo/004430.jpg"]
    period = Task(name="period", kind="label", classes=("eighteenth_century", "renaissance_baroque"))
    assert load_artworks("artic_cc0", [period]).known("period").sum() == 19 + 79
