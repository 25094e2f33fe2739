import csv
import json
import random
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image

from artdet.tasks import Task

GENRE = Task(name="genre", kind="label", classes=("portrait", "landscape", "still life"))
YEAR = Task(name="year", kind="number", mean=1800, deviation=60)


@pytest.fixture
def model(make_classifier):
    return make_classifier(GENRE, YEAR, folder="runs/train/mine")


def test_a_folder_is_classified_exported_and_listed(artdet, model, make_pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = make_pictures("a.png", "b.png", "c.png")
    (root / "d.jpg").write_bytes(b"")
    ran = artdet("classify", root, "--model", "mine", "--engine", "torch", "--device", "cpu")
    assert ran.status == 0, ran.err
    assert ran.out.startswith("3 images\n  genre: ")
    assert "1 file could not be read: 1 empty file" in ran.out
    run = tmp_path / "runs" / "classify" / "pictures-mine"
    assert f"labels: {run.relative_to(tmp_path)}" in ran.out
    again = artdet("classify", root, "--model", "mine", "--engine", "torch", "--device", "cpu", "--json")
    told = json.loads(again.out)
    assert (told["images"], told["computed_now"], sum(told["tasks"]["genre"].values())) == (3, 0, 3)
    assert artdet("export", run, "--format", "csv").status == 0
    with (run / "exports" / "csv" / "labels.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["file"], row["task"], row["rank"]) for row in rows[:4]] == [
        ("a.png", "genre", "1"),
        ("a.png", "genre", "2"),
        ("a.png", "genre", "3"),
        ("a.png", "year", "1"),
    ]
    assert float(rows[0]["score"]) >= float(rows[1]["score"])
    assert rows[3]["value"]
    assert len(rows) == 12
    assert "3 images, 6 labels" in artdet("export", run, "--format", "csv", "--top-k", "1").err
    refused = artdet("export", run, "--format", "csv", "--taxonomy", "x.yaml")
    assert "--taxonomy is for runs of `artdet predict` only" in refused.err
    refused = artdet("export", run, "--format", "yolo")
    assert (refused.status, "holds boxes" in refused.err) == (1, True)
    listed = json.loads(artdet("models", "--json").out)
    (own,) = [row for row in listed["classifiers"] if row["name"] == "mine"]
    assert [task["name"] for task in own["tasks"]] == ["genre", "year"]
    assert "mine  (trained classifier, hybrid" in artdet("models").out


def test_explanations_are_drawn_once(artdet, make_classifier, make_pictures, tmp_path):
    pytest.importorskip("captum")
    model = make_classifier(GENRE, YEAR)
    root, run = make_pictures("a.png", "deep/b.png"), tmp_path / "run"
    command = ["classify", root, "--recursive", "--model", model, "--engine", "torch", "--device", "cpu"]
    command += ["--out", run, "--explain"]
    assert artdet(*command).status == 0
    drawn = sorted((run / "explanations").rglob("*.png"))
    assert [path.relative_to(run / "explanations").as_posix() for path in drawn] == [
        "genre/a.png.png",
        "genre/deep/b.png.png",
        "year/a.png.png",
        "year/deep/b.png.png",
    ]
    assert Image.open(drawn[0]).size == (128, 64 + 22)
    before = drawn[0].stat().st_mtime_ns
    assert artdet(*command).status == 0
    assert drawn[0].stat().st_mtime_ns == before


def test_without_captum_explanations_are_refused_before_the_run(artdet, model, make_pictures, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "captum", None)
    ran = artdet("classify", make_pictures("a.png"), "--model", model, "--out", tmp_path / "run", "--explain")
    assert ran.status == 1
    assert "--explain needs captum, which is not installed" in ran.err
    assert 'pip install "artdet[explain]"' in ran.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(["--task", "genr"], "no chosen model answers 'genr'. Did you mean 'genre'", id="task"),
        pytest.param(["--device", "tpu"], "there is no device 'tpu'", id="device"),
    ],
)
def test_wrong_options_are_a_sentence(artdet, model, make_pictures, options, message):
    ran = artdet("classify", make_pictures("a.png"), "--model", model, *options)
    assert (ran.status, message in ran.err) == (1, True)


@pytest.mark.slow
def test_killed_at_any_moment_a_run_goes_on(model, make_pictures, tmp_path):
    names = [f"{index:03}.png" for index in range(60)]
    root, run = make_pictures(*names), tmp_path / "killed"
    command = [
        sys.executable, "-m", "artdet", "classify", str(root), "--model", str(model), "--out", str(run), "--batch", "2",
        "--engine", "torch", "--device", "cpu",
    ]  # fmt: skip
    path, rng = run / "predictions.jsonl", random.Random(0)
    for _ in range(2):
        before = path.read_bytes().count(b"\n") if path.exists() else 0
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and (not path.exists() or path.read_bytes().count(b"\n") < before + 5):
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.02))
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert 0 < path.read_bytes().count(b"\n") < 60
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    assert [json.loads(line)["file"] for line in path.read_bytes().splitlines()] == names
