"""``artdet train`` as a user calls it: the dry run, a small training and its run folder, and what is refused."""

import contextlib
import io
import json
import shutil

import numpy as np
import pytest
import yaml
from PIL import Image

from artdet.__main__ import run
from artdet.resources import shipped
from artdet.training.folder import TrainingFolder

QUICK = (
    "--start", "random", "--image-size", "64", "--batch", "2", "--epochs", "2",
    "--set", "training.precision=float32", "--set", "training.artify.variants=1",
)  # fmt: skip


@pytest.fixture
def category(tmp_path):
    """Two photographs with dogs, one without; the example paintings validate."""
    for index, text in enumerate(["0 0.5 0.5 0.2 0.4\n0 0.2 0.5 0.2 0.4\n", "0 0.5 0.5 0.2 0.4\n", ""]):
        for folder in ("images", "labels"):
            (tmp_path / "set" / folder).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (50, 30), (index * 80, 2, 3)).save(tmp_path / f"set/images/{index}.jpg")
        (tmp_path / f"set/labels/{index}.txt").write_text(text)
    (tmp_path / "set/classes.txt").write_text("dog\n")
    (tmp_path / "dogs.yaml").write_text("{format: yolo, path: set, licence: free}")
    sources = [
        {"source": "dogs.yaml", "art": False},
        {"source": "examples", "art": True, "split": "validation"},
    ]
    negatives = [{"source": "dogs.yaml", "art": False, "rate": 0.25, "assume_absent": True}]
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({"classes": ["animals", "dog"], "sources": sources, "negatives": negatives}))
    return path


def with_missing_source(category, **options):
    """The category with one more source whose data are nowhere."""
    (category.parent / "gone.yaml").write_text("{format: yolo, path: nowhere, origin: the moon}")
    content = yaml.safe_load(category.read_text())
    content["sources"].insert(0, {"source": "gone.yaml", "art": False, **options})
    category.write_text(yaml.safe_dump(content))


def test_dry_run(artdet, category):
    ran = artdet("train", "--category", category, "--dry-run")
    assert ran.status == 0, ran.err
    lines = [line.split() for line in ran.out.splitlines()]
    assert ["dog", "3", "2", "0", "1.00", "75%", "0", "0"] in lines
    for text in (
        "epoch: 3 of 3 images on average, 25% of them negatives (of 1)",
        "works on both sides: 0",
        "an estimate",
        "licence of dogs: free",
        "weak: no box to validate on: dog",
        "weak: fewer than 50 boxes to learn from: animals (0), dog (3)",
        "weak: fewer than 50 boxes to validate on: animals (14)",
    ):
        assert text in ran.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--architecture", "yolov5n.yaml"), "other cores\n"),
        (("--architecture", "yolov5s.yaml"), "other cores; yolov5s.yaml will take longer\n"),
        (("--backend", "torchvision"), "other cores; the network of torchvision will take longer\n"),
        (
            ("--architecture", "yolov5s.yaml", "--teacher", "large"),
            "other cores; yolov5s.yaml and the teacher large will take longer\n",
        ),
    ],
    ids=["the measured one", "a larger network", "another backend", "a teacher"],
)
def test_a_dry_run_says_what_its_estimate_does_not_know(artdet, category, arguments, said):
    ran = artdet("train", "--category", category, "--dry-run", *arguments)
    assert said in ran.out


def test_json_and_set(artdet, category, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = artdet(
        "train", "--category", category, "--dry-run", "--json", "--set", "image_size=1024",
        "--epochs", "7", "--backend", "torchvision", "--seed", "3", "--start", "random", "--architecture", "x",
        "--teacher", "y",
    )  # fmt: skip
    found = json.loads(ran.out)
    settings = found["settings"]
    assert (settings["image_size"], settings["seed"]) == (1024, 3)
    chosen = {name: settings["training"][name] for name in ("epochs", "backend", "start", "architecture", "teacher")}
    assert chosen == {
        "epochs": 7, "backend": "torchvision", "start": "random", "architecture": "x", "teacher": "y"
    }  # fmt: skip
    assert found["classes"][1]["boxes"] == 3
    assert [part["name"] for part in found["validation"]] == ["examples"]
    assert found["works_on_both_sides"] == 0
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("options", "arguments"), [({"optional": True}, ()), ({}, ("--skip-missing",))], ids=["optional", "all skipped"]
)
def test_sources_may_be_missing(artdet, category, options, arguments):
    with_missing_source(category, **options)
    ran = artdet("train", "--category", category, "--dry-run", *arguments)
    assert ran.status == 0, ran.err
    assert "left out, as their data are not here: gone" in ran.err


@pytest.mark.parametrize("arguments", [(), ("--dry-run",)], ids=["training", "a dry run"])
def test_needed_sources_that_are_missing_end_it_in_a_sentence(artdet, category, tmp_path, monkeypatch, arguments):
    monkeypatch.chdir(tmp_path)
    with_missing_source(category)
    ran = artdet("train", "--category", category, *arguments)
    assert (ran.status, ran.out) == (1, "")
    assert "The data of 1 of the 3 sources of mine are not on this machine: gone (nowhere; the moon)" in ran.err
    assert "--skip-missing" in ran.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ((), 2, "name either --category, --task or --resume"),
        (("--category", "animals", "--resume", "runs/train/animals"), 2, "name either --category, --task or --resume"),
        (("--resume", "x", "--epochs", "3", "--set", "a=1"), 2, "settings of the run; leave out --epochs, --set"),
        (("--resume", "x", "--dry-run"), 2, "leave out --dry-run"),
        (("--resume", "nowhere"), 1, "runs/train/nowhere is no training run: training.json cannot be read. Name a"),
        (("--category", "animals", "--epochs", "0"), 2, "--epochs"),
        (("--category", "animal", "--dry-run"), 1, "there is no category 'animal'. Did you mean 'animals'?"),
        (("--category", "animals", "--dry-run", "--set", "seeds=1"), 1, "seeds: unknown key. Did you mean 'seed'?"),
        (("--category", "animals", "--dry-run"), 1, "sources of animals are not on this machine: animals6"),
        (("--category", "animals"), 1, "artdet data fetch --category animals"),
    ],
)
def test_errors(artdet, tmp_path, monkeypatch, arguments, status, said):
    monkeypatch.setenv("ARTDET_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    ran = artdet("train", *arguments)
    assert (ran.status, ran.out) == (status, "")
    assert said in ran.err
    assert "Traceback" not in ran.err
    assert shipped("configs", "animals.yaml").is_file()
    assert not (tmp_path / "runs").exists()


def test_a_source_on_both_sides_leaves_nothing_to_learn_from(artdet, tmp_path):
    sources = [{"source": "examples", "art": True, "split": side} for side in ("train", "validation")]
    path = tmp_path / "both.yaml"
    path.write_text(yaml.safe_dump({"classes": ["persons"], "sources": sources}))
    ran = artdet("train", "--category", path)
    assert ran.status == 1
    assert "The sources of both leave no box to train on. Check 'sources' and 'split'." in ran.err


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A small training of dogs, photographs and prints: its folder, what it printed and what it said."""
    root = tmp_path_factory.mktemp("trained")
    rng = np.random.default_rng(0)
    for name, count in (("snaps", 3), ("prints", 2)):
        for index in range(count):
            for folder in ("images", "labels"):
                (root / name / folder).mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 255, (30, 50, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"images/{index}.png")
            (root / name / f"labels/{index}.txt").write_text("0 0.5 0.5 0.4 0.6\n")
        (root / name / "classes.txt").write_text("dog\n")
        (root / f"{name}.yaml").write_text(f"{{format: yolo, path: {name}, licence: free}}")
    sources = [{"source": "snaps.yaml", "art": False}, {"source": "prints.yaml", "art": True, "split": "validation"}]
    (root / "dogs.yaml").write_text(yaml.safe_dump({"classes": ["animals", "dog"], "sources": sources}))
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.chdir(root)
        assert run(["train", "--category", "dogs.yaml", *QUICK]) == 0, err.getvalue()
    return root, out.getvalue(), err.getvalue()


@pytest.fixture
def again(trained, tmp_path, monkeypatch):
    """A copy of that training and its data, to go on with or to spoil; its run folder."""
    shutil.copytree(trained[0], tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    folder = tmp_path / "copy" / "runs" / "train" / "dogs"
    file = folder / "category.yaml"
    file.write_text(file.read_text().replace(str(trained[0]), str(tmp_path / "copy")))
    return folder


def test_a_training_says_where_everything_is(trained):
    root, out, _ = trained
    assert "model:   runs/train/dogs/model.safetensors\n" in out
    assert "use it:  artdet predict FOLDER --ensemble runs/train/dogs/ensemble.yaml\n" in out
    best = TrainingFolder(root / "runs/train/dogs")
    (line,) = (line for line in out.splitlines() if line.startswith("best:"))
    assert " of 2: fine AP50 " in line
    assert [epoch.number for epoch in best.epochs()] == [1, 2]


def test_the_run_folder_is_whole_and_nothing_else_is_left(trained):
    root, *_ = trained
    folder = root / "runs" / "train" / "dogs"
    assert {path.name for path in folder.iterdir()} - {"tensorboard"} == {
        "training.json", "category.yaml", "data.json", "metrics.jsonl", "model.safetensors", "model.yaml", "last.pt",
        "README.md", "curves.png", "ensemble.yaml", "validation.json",
    }  # fmt: skip
    assert {path.name for path in root.iterdir()} == {
        "snaps", "prints", "snaps.yaml", "prints.yaml", "dogs.yaml", "runs"
    }  # fmt: skip
    for name in ("snaps", "prints"):
        assert {path.name for path in (root / name).iterdir()} == {"images", "labels", "classes.txt"}
    assert list((root / "runs").iterdir()) == [root / "runs" / "train"]
    settings = yaml.safe_load((folder / "category.yaml").read_text())
    assert (settings["image_size"], settings["training"]["batch"], settings["training"]["start"]) == (64, 2, "random")


def test_its_model_predicts(trained, artdet, tmp_path):
    root, *_ = trained
    out = tmp_path / "out"
    ran = artdet(
        "predict", root / "prints/images", "--ensemble", root / "runs/train/dogs/ensemble.yaml", "--out", out,
        "--min-score", "0", "--engine", "torch", "--device", "cpu",
    )  # fmt: skip
    assert ran.status == 0, ran.err
    records = [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]
    assert sorted(record["file"] for record in records) == ["0.png", "1.png"]
    assert {box["label"] for record in records for box in record["detections"]} <= {"dog", "animals"}


def test_a_finished_training_says_so(again, artdet):
    before = (again / "metrics.jsonl").read_bytes()
    for named in ("dogs", again):
        ran = artdet("train", "--resume", named)
        assert ran.status == 0, ran.err
        assert "All of its 2 epochs are done." in ran.err
        assert "model.safetensors" in ran.out
    assert (again / "metrics.jsonl").read_bytes() == before


def test_its_result_as_json(again, artdet):
    ran = artdet("train", "--resume", again, "--json")
    found = json.loads(ran.out)
    assert (found["folder"], found["epochs"]) == (str(again), 2)
    assert found["best"]["number"] in (1, 2)
    assert found["best"]["figures"]["images"] == 2


def test_a_run_folder_is_not_trained_into_twice(again, artdet):
    ran = artdet("train", "--category", "dogs.yaml", *QUICK)
    assert (ran.status, ran.out) == (1, "")
    assert "runs/train/dogs holds a training with 2 finished epochs" in ran.err
    assert "artdet train --resume runs/train/dogs; or train into another folder: --name NAME." in ran.err


@pytest.mark.parametrize("change", ["a box", "an image more", "a source less"])
def test_other_data_are_refused(again, artdet, change):
    data = again.parents[2]
    if change == "a box":
        (data / "snaps/labels/1.txt").write_text("0 0.5 0.5 0.4 0.5\n")
    elif change == "an image more":
        Image.new("RGB", (50, 30)).save(data / "prints/images/9.png")
        (data / "prints/labels/9.txt").write_text("0 0.5 0.5 0.4 0.6\n")
    else:
        shutil.rmtree(data / "snaps")
    ran = artdet("train", "--resume", "dogs")
    assert (ran.status, ran.out) == (1, "")
    said = {"a box": "(snaps has changed)", "an image more": "(prints has changed)", "a source less": "snaps"}[change]
    assert said in ran.err
