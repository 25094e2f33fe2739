"""``artdet train --task`` as a user calls it: the dry run, a small training, stopping and going on, what is refused."""

import contextlib
import io
import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import yaml
from PIL import Image

from artdet.__main__ import run
from artdet.training.classification.folder import ClassifierFolder

COLOURS = {"red": (200, 40, 40), "green": (40, 190, 60), "blue": (50, 60, 200)}
QUICK = (
    "--set", "backbone.name=hybrid", "--start", "random", "--image-size", "32", "--batch", "8", "--epochs", "2",
    "--set", "precision=float32", "--device", "cpu",
)  # fmt: skip


def write_works(folder, count=30):
    """Works of three colours with a table, and the task of telling them; two works are the same file."""
    rng = np.random.default_rng(2)
    rows = ["file,colour"]
    for index in range(count):
        name, colour = list(COLOURS.items())[index % 3]
        pixels = (rng.integers(-40, 40, (40, 56, 3)) + np.array(colour)).clip(0, 255).astype(np.uint8)
        (folder / "works").mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"works/{index}.png")
        rows.append(f"{index}.png,{name if index else 'unknown'}")
    (folder / "works/3.png").write_bytes((folder / "works/6.png").read_bytes())
    (folder / "works/labels.csv").write_text("\n".join(rows) + "\n")
    (folder / "made.yaml").write_text(yaml.safe_dump({"format": "csv", "path": "works", "licence": "free"}))
    (folder / "colour.yaml").write_text(yaml.safe_dump({"kind": "label", "sources": ["made.yaml"]}))


@pytest.fixture
def works(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_works(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A small training: where, what it printed and what it said."""
    root = tmp_path_factory.mktemp("trained")
    write_works(root)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(root), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        assert run(["train", "--task", "colour.yaml", *QUICK]) == 0, err.getvalue()
    return root, out.getvalue(), err.getvalue()


def test_a_training_says_how_good_it_is_and_where_it_lies(trained):
    root, out, err = trained
    folder = ClassifierFolder(root / "runs/train/colour")
    (_, test, _) = folder.results()
    assert "model:   runs/train/colour\n" in out
    assert f"test:    colour: accuracy {test[0].figures['accuracy']:.3f}, top3 1.000" in out
    assert "epoch 2/2  loss " in err
    assert "  colour accuracy " in err


def test_it_is_not_trained_over_and_a_finished_one_says_so(trained, artdet, monkeypatch):
    monkeypatch.chdir(trained[0])
    ran = artdet("train", "--task", "colour.yaml", *QUICK)
    assert ran.status == 1
    assert "Go on with it: artdet train --resume runs/train/colour; or train into another folder" in ran.err
    ran = artdet("train", "--resume", "colour", "--json")
    assert ran.status == 0, ran.err
    told = json.loads(ran.out)
    assert (told["epochs"], list(told["test"])) == (2, ["colour"])


def test_its_split_serves_another_training(trained, artdet, monkeypatch):
    monkeypatch.chdir(trained[0])
    split = "runs/train/colour/split.csv"
    ran = artdet("train", "--task", "colour.yaml", *QUICK, "--split", split, "--name", "second", "--seed", "5")
    assert ran.status == 0, ran.err
    assert (trained[0] / "runs/train/second/split.csv").read_text() == (trained[0] / split).read_text()


def test_other_data_are_not_gone_on_with(works, artdet):
    assert artdet("train", "--task", "colour.yaml", *QUICK).status == 0
    table = works / "works/labels.csv"
    table.write_text(table.read_text().replace("4.png,green", "4.png,blue"))
    (works / "runs/train/colour/test.json").unlink()
    ran = artdet("train", "--resume", "runs/train/colour")
    assert ran.status == 1
    assert "images, labels or the split have changed since it began" in ran.err


def test_dry_run_counts_and_trains_nothing(works, artdet):
    ran = artdet("train", "--task", "colour.yaml", *QUICK, "--dry-run")
    assert ran.status == 0, ran.err
    lines = [line.split() for line in ran.out.splitlines()]
    assert lines[1] == ["train", "validation", "test"]
    counts = {line[0]: [int(cell) for cell in line[1:]] for line in lines[2:5]}
    assert {name: sum(values) for name, values in counts.items()} == {"blue": 10, "green": 10, "red": 9}
    assert "no answer" in ran.out
    assert "duplicates: 1 groups of 2 images, each in one part\n  made/3.png = made/6.png" in ran.out
    assert "2 epochs at most about " in ran.out
    assert not (works / "runs").exists()
    told = json.loads(artdet("train", "--task", "colour.yaml", *QUICK, "--dry-run", "--json").out)
    assert {name: row["train"] for name, row in told["tasks"]["colour"].items() if name in counts} == {
        name: values[0] for name, values in counts.items()
    }
    assert told["duplicates"] == [["made/3.png", "made/6.png"]]
    assert told["recipe"]["backbone"]["image_size"] == 32


def test_settings_of_tasks_are_told_from_those_of_the_recipe(works, artdet):
    ran = artdet(
        "train", "--task", "colour.yaml", *QUICK, "--dry-run", "--json",
        "--set", "colour.classes=[red, blue]", "--set", "optimizer.name=sgd",
    )  # fmt: skip
    told = json.loads(ran.out)
    assert set(told["tasks"]["colour"]) == {"red", "blue", "no answer"}
    assert told["recipe"]["optimizer"]["name"] == "sgd"


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (("--category", "animals", "--task", "style"), 2, "name either --category, --task or --resume"),
        ((), 2, "name either --category, --task or --resume"),
        (("--category", "animals", "--recipe", "probe"), 2, "--task trains a classifier, and these options belong to"),
        (("--task", "colour.yaml", "--backend", "yolo"), 2, "--category trains a detector, and these options belong"),
        (("--task", "colour.yaml", "--range", "batch=2..9"), 2, "--range says what --search draws from"),
        (("--resume", "colour", "--recipe", "probe"), 2, "leave out --recipe"),
        (("--task", "colour.yaml", "--recipe", "prob"), 1, "there is no recipe 'prob'. Did you mean 'probe'?"),
        (("--task", "colour.yaml", "--set", "epoch=3"), 1, "epoch: unknown key. Did you mean 'epochs'?"),
        (("--task", "colour.yaml", "--set", "augmentations=[{name: flop}]"), 1, "Did you mean 'flip'?"),
        (("--task", "colour.yaml", "--device", "cuda"), 1, "CUDA devices here, so not 'cuda'"),
        (("--task", "styl"), 1, "there is no task 'styl'. Did you mean 'style'?"),
        (("--task", "colour.yaml", "--split", "none.csv"), 1, "The split none.csv cannot be read"),
    ],
    ids=[
        "category and task", "nothing", "recipe of a category", "backend of a task", "range alone", "resume and recipe",
        "recipe", "key", "augmentation", "no GPU", "task", "split",
    ],
)  # fmt: skip
def test_what_is_refused(works, artdet, arguments, status, told):
    ran = artdet("train", *arguments)
    assert ran.status == status
    assert told in ran.err
    assert not (works / "runs").exists()


def test_too_few_images(tmp_path, artdet, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_works(tmp_path, 9)
    ran = artdet("train", "--task", "colour.yaml", *QUICK)
    assert ran.status == 1
    assert ran.err.count("artdet: ") == 1
    assert not (tmp_path / "runs").exists()


def test_weights_that_nobody_offers(works, artdet):
    ran = artdet("train", "--task", "colour.yaml", "--recipe", "probe", "--start", "library")
    assert ran.status == 1
    assert "no library offers weights for mobilenet_v2_tf. Name a weights file or an earlier run" in ran.err
    # What never began stands in nobody's way.
    assert artdet("train", "--task", "colour.yaml", *QUICK, "--name", "colour_probe").status == 0


@pytest.mark.slow
def test_ctrl_c_saves_and_resume_goes_on(works, artdet):
    long = ("--epochs", "40", "--set", "patience=0")
    command = [sys.executable, "-m", "artdet", "train", "--task", "colour.yaml", *QUICK, *long]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    folder = ClassifierFolder(works / "runs/train/colour")
    while process.poll() is None and not list(folder.history()):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    assert "Stopped, and saved. Go on with: artdet train --resume runs/train/colour" in said
    done = len(list(folder.history()))
    assert 1 <= done < 40
    assert artdet("train", "--resume", "colour").status == 0
    assert [epoch.number for epoch in folder.history()] == [*range(1, 41)]


@pytest.mark.parametrize(
    "recipe", ["default", "probe", "cetinic", "omniart", "hpi", "stanford", "stanford_transfer", "deepart"]
)
def test_shipped_recipes_are_right(recipe):
    from artdet.cli.train_task import recipe_of

    found = recipe_of(recipe, ())
    assert found.description
    assert bool(found.published) == (recipe not in ("default", "probe"))
