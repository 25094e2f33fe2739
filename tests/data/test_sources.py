"""What a user may name as a source, and what is said where it cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from artdet.data import sources
from artdet.data.dataset import Dataset
from artdet.data.sources import data_folder, load_dataset, shipped_sources
from artdet.errors import ArtdetError, ConfigError, InputError, LabelError
from artdet.resources import shipped
from artdet.taxonomy import Taxonomy

MakeSet = Callable[..., Path]
PAINTINGS = shipped("examples", "paintings")


def coco(*names: str, category: str = "horse") -> dict[str, Any]:
    """COCO data with one box in each image."""
    return {
        "images": [{"id": n, "file_name": name, "width": 50, "height": 30} for n, name in enumerate(names)],
        "annotations": [{"id": n, "image_id": n, "category_id": 1, "bbox": [5, 6, 15, 19]} for n in range(len(names))],
        "categories": [{"id": 1, "name": category}],
    }


def yaml_of(**values: str) -> str:
    return "".join(f"{key}: {value}\n" for key, value in values.items())


@pytest.fixture
def load(taxonomy: Taxonomy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Dataset]:
    """Loads from inside an empty folder, with no folder of data named."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ARTDET_DATA_DIR", raising=False)
    return lambda source, **options: load_dataset(source, taxonomy=taxonomy, **options)


@pytest.fixture
def one(make_set: MakeSet) -> Path:
    """A folder with an image and its COCO file."""
    return make_set(["a.png"], {"x.json": coco("a.png")})


def test_empty_set(load: Callable[..., Dataset], make_set: MakeSet) -> None:
    made = load(make_set((), {"x.json": coco()}))
    assert (made.name, len(made), made.findings) == ("set", 0, ())


@pytest.mark.parametrize(("source", "name"), [("set", "set"), ("set/x.json", "x"), ("./set/../set/x.json", "x")])
@pytest.mark.parametrize("kind", [str, Path])
def test_the_data_themselves(
    load: Callable[..., Dataset], one: Path, source: str, name: str, kind: Callable[[str], Any]
) -> None:
    made = load(kind(source))
    assert (made.name, made.root, [sample.file for sample in made]) == (name, one, ["a.png"])


WHERE = {
    "beside the yaml": ("here/s.yaml", "here/stuff", None),
    "below data": ("here/s.yaml", "data/stuff", None),
    "below the folder named": ("here/s.yaml", "there/stuff", "there"),
    "beside the yaml before the folder named": ("here/s.yaml", "here/stuff", "there"),
}


@pytest.mark.parametrize(("yaml", "data", "variable"), WHERE.values(), ids=WHERE)
def test_where_a_yaml_finds_its_data(
    load: Callable[..., Dataset],
    make_set: MakeSet,
    monkeypatch: pytest.MonkeyPatch,
    yaml: str,
    data: str,
    variable: Any,
) -> None:
    root = make_set([f"{data}/a.png"], {f"{data}/x.json": coco("a.png"), yaml: yaml_of(format="coco", path="stuff")})
    # Never looked at: beside the yaml comes first, and data only where no other folder is named.
    decoys = ["data/stuff" if variable else "stuff"] + (["there/stuff"] if data == "here/stuff" else [])
    for decoy in decoys:
        make_set([f"{decoy}/b.png"], {f"{decoy}/x.json": coco("b.png")})
    monkeypatch.chdir(root)
    if variable:
        monkeypatch.setenv("ARTDET_DATA_DIR", str(root / variable))
    made = load(yaml)
    assert (made.name, made.root) == ("s", root / data)


def test_shipped_source_by_name(
    load: Callable[..., Dataset], one: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "horses.yaml"
    path.write_text(yaml_of(format="coco", path=str(one), licence="CC0"))
    monkeypatch.setattr(sources, "shipped_sources", lambda: {"horses": path})
    made = load("horses")
    assert (made.name, made.licence, len(made)) == ("horses", "CC0", 1)
    with pytest.raises(InputError, match=r"There is no source 'horse': .* Did you mean 'horses'\?"):
        load("horse")


@pytest.mark.parametrize("name", sorted(shipped_sources()))
def test_every_shipped_source_is_valid(load: Callable[..., Dataset], name: str) -> None:
    try:
        load(name)
    except InputError as error:  # a newcomer has not the data
        assert "ARTDET_DATA_DIR" in str(error)  # noqa: PT017


def test_options_come_before_the_yaml(load: Callable[..., Dataset], make_set: MakeSet, tmp_path: Path) -> None:
    make_set(
        ["pictures/a.png"],
        {
            "s.yaml": yaml_of(format="voc", path="x.json", images="nowhere", label_map="coco"),
            "x.json": coco("a.png", category="Pferd"),
            "ours.yaml": "source: x\nlabels: {Pferd: horse}\n",
        },
    )
    made = load("set/s.yaml", format="coco", images="set/pictures", label_map="set/ours.yaml")
    assert (made.root, len(made.samples[0].truth)) == (tmp_path / "set/pictures", 1)


@pytest.mark.parametrize("place", ["data", "yaml"])
def test_label_map_of_the_source(load: Callable[..., Dataset], make_set: MakeSet, place: str) -> None:
    texts = {
        "yaml/s.yaml": yaml_of(format="coco", path="../data", label_map="ours.yaml"),
        "data/x.json": coco("a.png", category="Pferd"),
        f"{place}/ours.yaml": "source: x\nlabels: {Pferd: horse}\n",
    }
    root = make_set(["data/a.png"], texts)
    assert len(load(root / "yaml/s.yaml").samples[0].truth) == 1


def test_data_yaml_of_yolo_is_no_source(load: Callable[..., Dataset], make_set: MakeSet) -> None:
    root = make_set(
        ["images/a.png"], {"data.yaml": "train: images\nnames: [horse]\n", "labels/a.txt": "0 0.5 0.5 0.2 0.4\n"}
    )
    made = load(root / "data.yaml")
    assert made.samples[0].truth.boxes.tolist() == [pytest.approx([20, 9, 30, 21], abs=1e-4)]


WRONG: dict[str, tuple[str, dict[str, Any], type[ArtdetError], str]] = {
    "no such thing": ("nothing", {}, InputError, "There is no source 'nothing': no file or folder"),
    "name too long": ("x" * 300, {}, InputError, "There is no source 'xxx"),
    "no such yaml": ("none.yaml", {}, InputError, r"There is no source 'none\.yaml'"),
    "no such format": ("set", {"format": "coc"}, InputError, r"There is no format 'coc'\. Did you mean 'coco'\?"),
    "no such images": ("set", {"images": "none"}, InputError, "no folder of images .*none.*--images"),
    "no such label map": ("set", {"label_map": "coko"}, ConfigError, "no label map 'coko'.*'coco'"),
    "not recognised": ("set/notes.md", {}, InputError, "no format that artdet recognises.*--format coco, voc, yolo"),
    "folder of nothing": ("set/empty", {}, InputError, "no format that artdet recognises"),
    "json but not coco": ("set/list.json", {}, InputError, "is a results file"),
    "yaml without keys": ("set/bare.yaml", {}, ConfigError, "format: is missing(.|\n)*path: is missing"),
    "yaml with a slip": ("set/slip.yaml", {}, ConfigError, r"imags: unknown key\. Did you mean 'images'\?"),
    "yaml is a list": ("set/list.yaml", {}, ConfigError, "must hold keys and values"),
    "yaml is broken": ("set/broken.yaml", {}, ConfigError, "not valid YAML"),
    "yaml names no data": (
        "set/lost.yaml",
        {},
        InputError,
        r"looked for \S+/set/gone and \S+/data/gone\. Set ARTDET",
    ),
    "yaml names no label map": ("set/map.yaml", {}, ConfigError, "label_map: there is no file .*gone.yaml"),
    "foreign names": ("set/person.json", {}, LabelError, "'person' is no class of the taxonomy. Give a label map"),
}


@pytest.mark.parametrize(("source", "options", "error", "words"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_used(
    load: Callable[..., Dataset],
    make_set: MakeSet,
    source: str,
    options: dict[str, Any],
    error: type[ArtdetError],
    words: str,
) -> None:
    texts = {
        "x.json": coco("a.png"),
        "notes.md": "notes",
        "empty/notes.md": "notes",
        "list.json": [{"image_id": 1}],
        "bare.yaml": "{}",
        "slip.yaml": yaml_of(format="coco", path=".", imags="x"),
        "list.yaml": "- a",
        "broken.yaml": "a: [",
        "lost.yaml": yaml_of(format="coco", path="gone"),
        "map.yaml": yaml_of(format="coco", path="x.json", label_map="gone.yaml"),
        "person.json": coco("a.png", category="person"),
    }
    make_set(["a.png"], texts)
    if source == "set":
        for name in ("list.json", "person.json"):
            Path("set", name).unlink()
    with pytest.raises(error, match=words):
        load(source, **options)


def test_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ARTDET_DATA_DIR", raising=False)
    assert data_folder() == tmp_path / "data"
    monkeypatch.setenv("ARTDET_DATA_DIR", "a/../b")
    assert data_folder() == tmp_path / "b"


def test_example_boxes_on_the_example_paintings(load: Callable[..., Dataset]) -> None:
    made = load(shipped("annotations", "examples.json"), images=PAINTINGS)
    assert (len(made), sum(len(sample.truth) for sample in made)) == (22, 293)
    assert {finding.kind: finding.count for finding in made.findings} == {"empty": 1}
    alone = load(shipped("annotations", "examples.json"))
    assert [sample.truth.boxes.tolist() for sample in alone] == [sample.truth.boxes.tolist() for sample in made]
    assert {finding.kind: finding.count for finding in alone.findings} == {"empty": 1, "sizes_from_annotation": 22}


REAL = {
    # images and boxes as ../shared/data/README.md counts them
    "enluminures": (502, 1896),
    "byzart2k": (427, None),
    "people_art_train": (None, None),
    "people_art_val": (None, None),
    "iconart_redhen": (157, None),
    "art_unveiled": (70, None),
}


@pytest.mark.parametrize(("name", "counts"), REAL.items(), ids=REAL)
def test_shared_sets(
    load: Callable[..., Dataset],
    shared_data: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    counts: tuple[int | None, int | None],
) -> None:
    monkeypatch.setenv("ARTDET_DATA_DIR", str(shared_data))
    made = load(name)
    boxes = sum(len(sample.truth) for sample in made)
    assert made.samples
    assert boxes
    assert not [str(finding) for finding in made.findings if finding.loses]
    assert counts[0] in (None, len(made))
    assert counts[1] in (None, boxes)


def test_people_art_is_what_its_readme_counts(
    load: Callable[..., Dataset], shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTDET_DATA_DIR", str(shared_data))
    lists = [load("people_art_train"), load("people_art_val")]
    samples = [sample for each in lists for sample in each]
    assert len(samples) == 1868
    assert sum(len(sample.truth) > 0 for sample in samples) == 968
    assert sum(len(sample.truth) for sample in samples) == 2733
    assert len({sample.fields["style"] for sample in samples}) == 43
