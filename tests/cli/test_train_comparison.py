"""Tables of many trainings, from the command line's side, with a training that only computes figures."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import click
import numpy as np
import pytest
import yaml

from artdet.cli import train_comparison
from artdet.data.artworks.collection import Artworks
from artdet.data.artworks.partition import Partition
from artdet.errors import RunError
from artdet.metrics.classification import TaskFigures
from artdet.tasks import Task
from artdet.training.classification.recipe import BackboneSettings, Recipe
from artdet.training.classification.run import TrainingRequest

STYLE = Task(name="style", kind="label", classes=("baroque", "cubism"))
RECIPE = Recipe(backbone=BackboneSettings(name="hybrid", start="random", image_size=64))


def fake_train(request):
    recipe = request.recipe
    right = 0.5 + recipe.epochs / 100 + recipe.seed / 100
    figures = (TaskFigures("style", "label", 2, {"accuracy": right}),)
    (request.folder / "trained").touch(exist_ok=False)
    return SimpleNamespace(folder=request.folder, best=1, validation=figures, test=figures, seconds=3.0)


@pytest.fixture
def compare(tmp_path: Path, monkeypatch, capsys):
    """Calls ``compare`` in an empty folder; gives what it prints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(train_comparison, "_train", fake_train)
    names = tuple(f"{n}.png" for n in range(4))
    artworks = Artworks((STYLE,), tuple(map(Path, names)), names, names, {"style": np.array([0, 1, 0, 1])})
    split = Partition(np.array([0, 1]), np.array([2]), np.array([3]))

    def call(*compare: str, repeats=1, search=None, ranges=(), as_json=False, recipe=RECIPE):
        def request_of(own, folder):
            return TrainingRequest(artworks, split, own, folder, "cpu")

        train_comparison.compare(request_of, recipe, "mine", compare, repeats, search, ranges, as_json)
        return capsys.readouterr()

    return call


def test_a_comparison_prints_and_writes_its_table(compare):
    said = compare("epochs=10,20", repeats=2)
    assert "60.5 ± 0.7" in said.out
    assert "training 4 of 4: epochs-20_seed1" in said.err
    folder = Path("runs/train/mine")
    assert (folder / "comparison.md").read_text().strip() in said.out
    assert len((folder / "comparison.csv").read_text().splitlines()) == 5
    content = json.loads((folder / "comparison.json").read_text())
    assert [entry["values"] for entry in content["entries"]] == [{"epochs": "10"}, {"epochs": "20"}]
    again = compare("epochs=10,20", repeats=2)
    assert again.out == said.out
    assert "4 of 4 trainings are finished already" in again.err


def test_json_is_all_that_is_printed(compare):
    content = json.loads(compare("epochs=10,20", as_json=True).out)
    assert content["format"] == "artdet comparison 1"
    assert content["tables"][0]["rows"][1] == {"epochs": "20", "accuracy in percent": "70.0"}
    assert content["entries"][0]["results"][0]["test"]["style"]["accuracy"] == pytest.approx(0.6)


def test_a_search_writes_the_best_recipe(compare):
    said = compare(search=3, ranges=("epochs=1..30",))
    best = Recipe.model_validate(yaml.safe_load(Path("runs/train/mine/best.yaml").read_text()))
    content = json.loads(Path("runs/train/mine/search.json").read_text())
    assert best.epochs == max(int(entry["values"]["epochs"]) for entry in content["entries"])
    assert said.out.splitlines()[4].split("|")[2].strip() == str(best.epochs)
    assert "best.yaml" in said.out
    more = compare(search=4, ranges=("epochs=1..30",))
    assert "3 of 4 trainings are finished already" in more.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param({"compare": ("epochs=1,2",), "search": 2, "ranges": ("batch=1..4",)}, "either", id="both"),
        pytest.param({"search": 2}, "go together", id="no-range"),
        pytest.param({"ranges": ("batch=1..4",)}, "go together", id="no-search"),
    ],
)
def test_options_that_do_not_go_together(compare, options, said):
    with pytest.raises(click.UsageError, match=said):
        compare(*options.pop("compare", ()), **options)


def test_a_folder_with_a_single_training_is_left_alone(compare):
    Path("runs/train/mine").mkdir(parents=True)
    Path("runs/train/mine/training.json").write_text("{}")
    with pytest.raises(RunError, match="holds a single training"):
        compare("epochs=1,2")
    assert [path.name for path in Path("runs/train/mine").iterdir()] == ["training.json"]
