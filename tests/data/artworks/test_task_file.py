"""Tasks: which images, which answers, and what is said of bad input."""

import numpy as np
import pytest

from artdet.data.artworks.collection import UNKNOWN
from artdet.data.artworks.task_file import load_tasks
from artdet.errors import ConfigError, InputError, MissingData

PLAIN = "sources: [museum]\n"
SIX = [
    f"{name}.png,{genre},{year}"
    for name, genre, year in zip("abcdef", ["x"] * 3 + ["y"] * 3, range(1600, 1606), strict=True)
]


def refused(*args, error=InputError, **more):
    with pytest.raises(error) as caught:
        load_tasks(*args, **more)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_no_task():
    assert "No task was named" in refused([], error=ConfigError)


def test_labels_with_masks(museum, task_file):
    museum("file,genre,year", *SIX, "g.png,unknown,1607", "h.png,,soon")
    found = load_tasks([task_file(PLAIN), task_file("kind: number\nsources: [museum]\n", "year")])
    assert found.names == tuple(f"museum/{name}.png" for name in "abcdefgh")
    assert found.task("genre").classes == ("x", "y")
    assert found.targets["genre"].tolist() == [0, 0, 0, 1, 1, 1, UNKNOWN, UNKNOWN]
    assert found.targets["year"].tolist()[:7] == [1600, 1601, 1602, 1603, 1604, 1605, 1607]
    assert found.known("year").tolist() == [True] * 7 + [False]
    assert [note for note in found.notes if "1 values" in note and "'soon'" in note]
    assert all(path.is_file() for path in found.paths)


def test_order_of_rows_does_not_matter(museum, task_file):
    museum("file,genre,year", *SIX)
    first = load_tasks([task_file(PLAIN)])
    museum("file,genre,year", *reversed(SIX))
    second = load_tasks([task_file(PLAIN)])
    assert first.names == second.names
    assert np.array_equal(first.targets["genre"], second.targets["genre"])


def test_materials_are_found_in_words(museum, task_file):
    media = ["Oil on canvas", "oil on boiled panel", "Tempera on panel", "Oil and tempera", "tempera, canvas", ""]
    museum("file;medium", *(f"{name}.png;{text}" for name, text in zip("abcdef", media, strict=True)))
    text = "column: medium\nkind: labels\nfind: {oil: '\\boils?\\b', tempera: tempera}\nsources: [museum]\n"
    found = load_tasks([task_file(text, "material")])
    assert found.task("material").classes == ("oil", "tempera")
    assert found.targets["material"][:5].tolist() == [[1, 0], [1, 0], [0, 1], [1, 1], [0, 1]]
    assert np.isnan(found.targets["material"][5]).all()


def test_union_of_sources_with_other_words(museum, task_file, tmp_path):
    root = museum("file,genre,kind", *(f"{row[:-5]},{kind}" for row, kind in zip(SIX, "ppsspp", strict=True)))
    text = (
        "classes: [x, y]\nsources:\n  - museum\n"
        "  - {source: kinds.yaml, column: kind, values: {p: x}, where: {genre: y}}\n"
    )
    (tmp_path / "kinds.yaml").write_text(f"format: csv\npath: {root}\n")
    found = load_tasks([task_file(text)])
    assert found.names[:3] == ("kinds/d.png", "kinds/e.png", "kinds/f.png")
    assert found.targets["genre"].tolist() == [UNKNOWN, 0, 0, 0, 0, 0, 1, 1, 1]
    assert "1 values of kinds, column kind that are none of its classes, taken as unknown ('s')" in found.notes[-1]


def test_contradicting_rows_are_unknown(museum, task_file):
    museum("file,genre,year", *SIX, "a.png,y,1600", "b.png,x,1601")
    with pytest.raises(InputError, match=r"'x' \(2\)"):
        load_tasks([task_file(PLAIN)])
    museum("file,genre,year", *SIX, "g.png,x,1", "a.png,y,1600", "b.png,x,1601")
    found = load_tasks([task_file(PLAIN)])
    assert found.targets["genre"].tolist() == [UNKNOWN, 0, 0, 1, 1, 1, 0]
    assert "genre: 1 images have labels that contradict each other, taken as unknown (museum/a.png)" in found.notes
    assert "museum: 2 images have more than one row, taken together (a.png, b.png)" in found.notes


def test_few_images_are_unknown_with_min_images(museum, task_file):
    museum("file,genre,year", *SIX, "g.png,z,1")
    found = load_tasks([task_file(PLAIN)], overrides=["min_images=3"])
    assert found.task("genre").classes == ("x", "y")
    assert found.targets["genre"][-1] == UNKNOWN
    assert found.notes == ("genre: 1 classes with fewer than 3 images are unknown (1 images); 2 stay",)


def test_override_of_one_task(museum, task_file):
    museum("file,genre,year", *SIX)
    names = [task_file(PLAIN), task_file("kind: number\nsources: [museum]\n", "year")]
    found = load_tasks(names, overrides=["year.tolerance=5", "genre.min_images=3"])
    assert found.task("year").tolerance == 5


@pytest.mark.parametrize(
    ("rows", "absent", "text", "said"),
    [
        ([*SIX, "g.png,z,1"], "", PLAIN, ["'z' (1)", "at least 3 images", "min_images: 3"]),
        (["a.png,,1", "b.png,unknown,2"], "", PLAIN, ["none of its images has a label", "Check 'column'"]),
        (SIX, "abcdef", PLAIN, ["None of the 6 images", "(a.png, b.png, c.png, ...)", "'images'"]),
        (SIX, "", "column: gnre\nsources: [museum]\n", ["no column 'gnre'", "Did you mean 'genre'?"]),
        (SIX, "", "min_images: 9\nsources: [museum]\n", ["leaves 0 of 2 classes", "Set a lower min_images"]),
        (SIX[:3], "", PLAIN, ["only the class 'x'"]),
        (["a.png,x,soon", "b.png,y,"], "", "column: year\nkind: number\nsources: [museum]\n", ["none of its images"]),
        (SIX, "", "sources: [muse]\n", ["no source of labels 'muse'"]),
        ([], "", PLAIN, ["has no rows with an image"]),
    ],
    ids=["one image", "no labels", "all absent", "column", "min_images", "one class", "years", "source", "empty"],
)  # fmt: skip
def test_bad_input_is_one_sentence_of_cause_and_one_of_remedy(museum, task_file, rows, absent, text, said):
    museum("file,genre,year", *rows, absent=[f"{name}.png" for name in absent])
    message = refused([task_file(text)])
    assert all(part in message for part in said), message


def test_absent_images_are_said_with_counts(museum, task_file):
    museum("file,genre,year", *SIX, "g.png,x,1", "h.png,x,1", absent=["g.png", "h.png"])
    found = load_tasks([task_file(PLAIN)])
    assert len(found) == 6
    assert found.notes == ("museum: 2 of 8 rows name images that are not there, left out (g.png, h.png)",)


def test_a_source_that_is_not_here_is_noted_and_alone_an_error(museum, task_file, tmp_path):
    museum("file,genre,year", *SIX)
    (tmp_path / "far.yaml").write_text("format: csv\npath: nowhere_at_all\n")
    found = load_tasks([task_file("sources: [museum, far.yaml]\n")])
    assert found.notes == ("genre: left out the source far, whose data are not on this machine",)
    assert "nowhere_at_all" in refused([task_file("sources: [far.yaml]\n")], error=MissingData)


def test_other_sources_instead(museum, task_file):
    root = museum("file,genre,year", *SIX)
    found = load_tasks([task_file("sources: [nothing_of_the_kind]\n")], sources=[str(root / "labels.csv")])
    assert found.names[0] == "labels/a.png"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sources: []\n", "sources"),
        ("kind: number\nclasses: [a, b]\nsources: [m]\n", "a number has no classes"),
        ("classes: [a, b]\nmin_images: 5\nsources: [m]\n", "exclude each other"),
        ("find: {a: '('}\nsources: [m]\n", "'(' is no regular expression"),
        ("min_images: 2\nsources: [m]\n", "min_images"),
        ("colum: x\nsources: [m]\n", "Did you mean 'column'?"),
    ],
)
def test_wrong_yaml(task_file, text, said):
    assert said in refused([task_file(text)], error=ConfigError)


def test_shipped_tasks_on_the_real_data(shared_data, monkeypatch):
    monkeypatch.setenv("ARTDET_DATA_DIR", str(shared_data))
    found = load_tasks(["style", "genre", "artist", "year", "period", "nationality", "material", "people_art_style"])
    known = {task.name: (len(task.classes), int(found.known(task.name).sum())) for task in found.tasks}
    assert known == {
        "style": (8, 1766), "genre": (10, 1766), "artist": (28, 1125), "year": (0, 2024), "period": (8, 267),
        "nationality": (7, 218), "material": (8, 267), "people_art_style": (43, 1868),
    }  # fmt: skip
    assert len(found) == 1766 + 267 + 1868
