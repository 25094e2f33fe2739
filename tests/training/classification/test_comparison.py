"""Comparisons with a training that only computes figures from its recipe."""

from __future__ import annotations

import csv
import json
import statistics
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from artdet.data.artworks.collection import Artworks
from artdet.errors import ConfigError, ModelError, RunError, TrainingError, TrainingStopped
from artdet.metrics.classification import TaskFigures
from artdet.tasks import Task
from artdet.training.classification.comparison import grid, of_tasks, parse_axis, train_variants
from artdet.training.classification.comparison_check import check_requests
from artdet.training.classification.comparison_tables import csv_text, tables
from artdet.training.classification.recipe import BackboneSettings, Recipe

STYLE = Task(name="style", kind="label", classes=("baroque", "cubism", "fauvism"))
YEAR = Task(name="year", kind="number")
NAN = float("nan")


@dataclass(frozen=True)
class Split:
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


@dataclass(frozen=True, eq=False)
class Request:
    artworks: Artworks
    partition: Split
    recipe: Recipe
    folder: Path
    device: str = "cpu"
    trusted: bool = False
    origin: dict = field(default_factory=dict)


@pytest.fixture
def base(tmp_path: Path) -> Request:
    """Seven images of which two lack a style and two others a year."""
    names = tuple(f"made/{n}.png" for n in range(7))
    targets = {
        "style": np.array([0, 1, 2, 0, -1, 1, -1]),
        "year": np.float32([1600, NAN, 1900, 1620, 1700, NAN, 1800]),
    }
    artworks = Artworks((STYLE, YEAR), tuple(tmp_path / n for n in names), names, names, targets)
    split = Split(np.array([0, 2, 4, 1]), np.array([3, 6]), np.array([5]))
    return Request(artworks, split, Recipe(backbone=BackboneSettings(start="random")), tmp_path / "runs")


def accuracy(recipe: Recipe) -> float:
    """Something that every setting moves."""
    trained = {"all": 0.5, "only_last": 0.25}[recipe.backbone.trained]
    return trained + 0.1 * recipe.epochs / 100 + 0.01 * recipe.seed


@dataclass
class FakeTraining:
    """Notes what it trains; may stop, or fail, at one of them."""

    stop_at: int = -1
    error: BaseException = field(default_factory=lambda: TrainingStopped("Go on with: artdet train --resume X"))
    trained: list[str] = field(default_factory=list)

    def __call__(self, request):
        if len(self.trained) == self.stop_at:
            raise self.error
        self.trained.append(request.folder.name)
        right = accuracy(request.recipe)
        figures = []
        for task in request.artworks.tasks:
            own = {"mae": 100 * right, "within": right} if task.kind == "number" else {"accuracy": right, "loss": NAN}
            figures.append(TaskFigures(task.name, task.kind, 1, own))
        seconds = 10.0 * len(request.artworks.tasks) + 5
        return SimpleNamespace(
            folder=request.folder, best=2, validation=tuple(figures), test=tuple(figures), seconds=seconds
        )


def compared(base, texts, train, *, repeats=1, after=lambda entries: None):
    variants = grid(base.recipe, [parse_axis(text) for text in texts], [task.name for task in base.artworks.tasks])
    return train_variants(variants, base, repeats=repeats, train=train, after=after, say=lambda text: None)


GRID = ("backbone.trained=all,only_last", "epochs=10,20")


def test_no_axis_is_the_recipe_itself_with_each_seed(base):
    train = FakeTraining()
    (entry,) = compared(base, (), train, repeats=2)
    assert train.trained == ["recipe_seed0", "recipe_seed1"]
    assert entry.test("style", "accuracy") == pytest.approx([0.52, 0.53])
    assert tables([], base.artworks.tasks) == []
    assert "51.9 ± 0.7" not in tables([entry], base.artworks.tasks)[0].text()
    assert "52.5 ± 0.7" in tables([entry], base.artworks.tasks)[0].text()


def test_all_combinations_once_before_any_twice(base):
    train = FakeTraining()
    entries = compared(base, GRID, train, repeats=2)
    first = [f"trained-{t}_epochs-{e}_seed0" for t in ("all", "only_last") for e in (10, 20)]
    assert train.trained == first + [name.replace("seed0", "seed1") for name in first]
    assert [dict(entry.variant.labels) for entry in entries][1] == {"backbone.trained": "all", "epochs": "20"}
    assert all(len(entry.results) == 2 for entry in entries)


def test_table_has_means_deviations_and_margins(base):
    entries = compared(base, GRID, FakeTraining(), repeats=3)
    style, mae, within = tables(entries, base.artworks.tasks)
    # By hand: three seeds are 0.01 apart; all: 51, 52 + 1; only_last 25 less.
    assert style.title == "style: accuracy in percent on the test images, mean ± standard deviation of 3 seeds"
    assert style.header == ("backbone.trained \\ epochs", "10", "20", "mean", "variance")
    assert style.rows == (
        ("all", "52.0 ± 1.0", "53.0 ± 1.0", "52.5", "0.50"),
        ("only_last", "27.0 ± 1.0", "28.0 ± 1.0", "27.5", "0.50"),
        ("mean", "39.5", "40.5", "-", "-"),
        ("variance", f"{statistics.variance([52, 27]):.2f}", f"{statistics.variance([53, 28]):.2f}", "-", "-"),
    )
    assert mae.title.startswith("year: mae on")
    assert mae.rows[0][1] == "52.0 ± 1.0"
    assert within.title.startswith("year: within in percent")
    rows = list(csv.DictReader(csv_text(entries).splitlines()))
    assert len(rows) == 12
    assert {row["seed"] for row in rows} == {"0", "1", "2"}
    assert float(rows[0]["test.style.accuracy"]) == pytest.approx(0.51)
    assert rows[0]["test.style.loss"] == ""


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(TrainingStopped("Stopped, and saved."), id="ctrl-c"),
        pytest.param(KeyboardInterrupt(), id="ctrl-c-twice"),
        pytest.param(SystemExit(137), id="killed"),
    ],
)
def test_a_stopped_comparison_goes_on(base, error):
    first, seen = FakeTraining(stop_at=2, error=error), []
    with pytest.raises(type(error)):
        compared(base, GRID, first, after=seen.append)
    assert [len(entry.results) for entry in seen[-1]] == [1, 1, 0, 0]
    assert tables(seen[-1], base.artworks.tasks)[0].rows[1] == ("only_last", "-", "-", "-", "-")
    again = FakeTraining()
    entries = compared(base, GRID, again)
    assert again.trained == ["trained-only_last_epochs-10_seed0", "trained-only_last_epochs-20_seed0"]
    assert [round(entry.test("style", "accuracy")[0], 3) for entry in entries] == [0.51, 0.52, 0.26, 0.27]
    # The order of the options, more values and more repeats leave what is trained as it is.
    third = FakeTraining()
    compared(base, ("epochs=20,10", "backbone.trained=all,only_last"), third)
    assert third.trained == []


def test_what_is_said_after_ctrl_c(base):
    with pytest.raises(TrainingStopped, match=r"1 of 4 trainings are done\. Go on with the same command"):
        compared(base, GRID, FakeTraining(stop_at=1))


def changed_data(request):
    targets = {**request.artworks.targets, "style": np.array([1, 1, 2, 0, -1, 1, -1])}
    return replace(request, artworks=replace(request.artworks, targets=targets))


@pytest.mark.parametrize(
    ("metric", "score"), [("accuracy", 0.5), ("loss", -(0.75 + 30 / statistics.pstdev([1600, 1900, 1700])))]
)
def test_losses_of_numbers_weigh_in_deviations(base, metric, score):
    """Not in years, beside which those of labels would not count."""
    base = replace(base, recipe=base.recipe.model_copy(update={"metric": metric}))

    def train(request):
        own = {"style": {"accuracy": 0.4, "loss": 0.75}, "year": {"within": 0.6, "mae": 30.0, "loss": 30.0}}
        kinds = {task.name: task.kind for task in request.artworks.tasks}
        figures = tuple(TaskFigures(name, kinds[name], 1, own[name]) for name in kinds)
        return SimpleNamespace(folder=request.folder, best=2, validation=figures, test=figures, seconds=1.0)

    (entry,) = compared(base, ("epochs=10",), train)
    assert entry.results[0].score == pytest.approx(score)


def changed_split(request):
    return replace(request, partition=replace(request.partition, test=np.array([3])))


def changed_recipe(request):
    return replace(request, recipe=request.recipe.model_copy(update={"batch": 7}))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(changed_data, "other images, answers or split", id="answers"),
        pytest.param(changed_split, "other images, answers or split", id="split"),
        pytest.param(changed_recipe, "another recipe: batch 32 instead of 7", id="recipe"),
        pytest.param(lambda request: of_tasks(request, ["style"]), "other tasks", id="tasks"),
    ],
)
def test_a_folder_with_another_training_is_refused_before_any_is_begun(base, change, said):
    compared(base, ("epochs=20",), FakeTraining())
    train = FakeTraining()
    with pytest.raises(RunError, match=f"epochs-20_seed0 was trained with {said}.*another --name"):
        compared(change(base), ("epochs=10,20",), train)
    assert train.trained == []


def test_other_weights_of_the_same_name_are_refused(base, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("start.safetensors").write_bytes(b"some")
    compared(base, ("backbone.start=start.safetensors",), FakeTraining())
    Path("start.safetensors").write_bytes(b"other weights")
    with pytest.raises(RunError, match="other weights to start from"):
        compared(base, ("backbone.start=start.safetensors",), FakeTraining())


def test_what_is_wrong_is_told_before_any_training(base):
    train = FakeTraining()
    compared(base, ("epochs=20",), train)
    variants = grid(base.recipe, [parse_axis("epochs=10,20,30")], ["style", "year"])

    def check(requests):
        assert [request.recipe.epochs for request in requests] == [10, 30]
        raise ModelError("no such weights")

    with pytest.raises(ModelError):
        train_variants(variants, base, repeats=1, train=train, check=check, say=print)
    assert len(train.trained) == 1


def test_the_check_builds_what_would_be_trained(base, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small = base.recipe.model_copy(update={"backbone": BackboneSettings(name="hybrid", start="random", image_size=64)})
    good = replace(base, recipe=small)
    check_requests([])
    check_requests([good])
    lost = small.model_copy(update={"backbone": small.backbone.model_copy(update={"start": "nowhere"})})
    with pytest.raises(ModelError, match="'nowhere'"):
        check_requests([good, replace(base, recipe=lost)])
    with pytest.raises(ConfigError, match="one task of one label, but is given style"):
        check_requests([replace(good, recipe=small.model_copy(update={"estimator": "one_versus_rest"}))])


def test_a_training_that_fails_is_told_and_tried_again(base):
    class Diverges(FakeTraining):
        def __call__(self, request):
            if request.recipe.epochs == 20:
                raise TrainingError("the loss is not a number any more.")
            return super().__call__(request)

    entries = compared(base, GRID, Diverges())
    assert [bool(entry.good) for entry in entries] == [True, False, True, False]
    assert [row[2] for row in tables(entries, base.artworks.tasks)[0].rows] == ["failed", "failed", "-", "-"]
    again = FakeTraining()
    compared(base, GRID, again)
    assert len(again.trained) == 2


def test_two_processes_do_not_train_the_same_comparison(base):
    code = "import sys; from pathlib import Path; from artdet.training.lock import locked\n"
    code += "with locked(Path(sys.argv[1])): print('in', flush=True); sys.stdin.read()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code, str(base.folder)], **pipes) as other:
        assert other.stdout.readline() == b"in\n"
        with pytest.raises(RunError, match="another artdet is training in"):
            compared(base, ("epochs=20",), FakeTraining())
        other.kill()
    train = FakeTraining()
    compared(base, ("epochs=20",), train)
    assert len(train.trained) == 1


def test_a_damaged_note_is_told(base):
    compared(base, ("epochs=20",), FakeTraining())
    (base.folder / "epochs-20_seed0" / "cell.json").write_text('{"identity": ')
    with pytest.raises(RunError, match="Delete its folder"):
        compared(base, ("epochs=20",), FakeTraining())


def test_sets_of_tasks_share_the_split(base):
    alone = of_tasks(base, ["style"])
    assert alone.artworks.tasks == (STYLE,)
    assert list(alone.artworks.targets) == ["style"]
    assert len(alone.artworks) == 7
    # Image 4 and 6 have no style; the others stay where they are.
    assert [p.tolist() for p in (alone.partition.train, alone.partition.validation, alone.partition.test)] == [
        [0, 2, 1],
        [3],
        [5],
    ]
    both = of_tasks(base, ["year", "style"])
    assert both.partition.train.tolist() == [0, 2, 4, 1]
    assert [task.name for task in both.artworks.tasks] == ["year", "style"]


def test_multi_task_stands_beside_single_tasks(base):
    entries = compared(base, ("task=style+year,style,year",), FakeTraining(), repeats=2)
    (table,) = tables(entries, base.artworks.tasks)
    figures = ("52.5 ± 0.7", "52.5 ± 0.7", "52.5 ± 0.7")
    header = ("task", "style accuracy in percent", "year mae", "year within in percent", "seconds of training")
    assert table.header == header
    assert table.rows == (
        ("style+year", *figures, "25"),
        ("  each by itself", *figures, "30"),
        ("style", "52.5 ± 0.7", "", "", "15"),
        ("year", "", *figures[1:], "15"),
    )


def test_the_tables_are_markdown(base):
    text = tables(compared(base, GRID, FakeTraining()), base.artworks.tasks)[0].text()
    lines = text.splitlines()[2:]
    assert len({len(line) for line in lines}) == 1
    assert set(lines[1]) == {"|", "-"}


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        pytest.param(("epochs",), "not of the form", id="no-values"),
        pytest.param(("epochs=",), "not of the form", id="empty"),
        pytest.param(("seed=1,2",), "--repeats N varies the seed", id="seed"),
        pytest.param(("epochs=1,1",), "a value twice", id="twice"),
        pytest.param(("epochs=1,2", "epochs=3"), "a key twice", id="key-twice"),
        pytest.param(("epoch=1,2",), "Did you mean 'epochs'", id="unknown-key"),
        pytest.param(("backbone.trained=all,none",), "--compare backbone.trained=none", id="value"),
        pytest.param(("task=style+yeer",), "no task 'yeer'.*Did you mean 'year'", id="task"),
    ],
)
def test_what_cannot_be_compared_is_told(base, texts, said):
    with pytest.raises(ConfigError, match=said):
        compared(base, texts, FakeTraining())


def test_runs_of_the_same_name_in_other_folders_stay_apart(base, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("a", "b"):
        Path(folder, "styles").mkdir(parents=True)
        Path(folder, "styles", "model.safetensors").write_bytes(folder.encode())
    train = FakeTraining()
    compared(base, ("backbone.start=a/styles,b/styles",), train)
    assert len(set(train.trained)) == 2
    assert all(name.startswith("start-styles-") for name in train.trained)


def test_the_note_of_a_cell_says_its_values(base):
    compared(base, ("head.hidden=[],[64, 32]",), FakeTraining())
    notes = [json.loads(file.read_text()) for file in sorted(base.folder.glob("*/cell.json"))]
    assert sorted(note["labels"]["head.hidden"] for note in notes) == ["[64, 32]", "[]"]
