"""From runs and a table of labels to figures, tables, metrics.json and the report."""

from __future__ import annotations

import hashlib
import json
import re
from functools import partial

import numpy as np
import pytest
from click.testing import CliRunner

from artdet.cli.evaluate import command
from artdet.data.artworks.label_source import load_artworks
from artdet.data.artworks.partition import Partition, write_partition
from artdet.errors import InputError, RunError
from artdet.evaluate.classification.evaluation import Request, evaluate
from artdet.evaluate.classification.output import metrics_json, save
from artdet.evaluate.classification.tables import text
from artdet.runs import Label, Record
from artdet.tasks import Task

from .conftest import ANSWERS, SIZE, TASKS

BETTER = {**ANSWERS, "b.png": ("portrait", 0.9, 1700)}


@pytest.fixture
def measured(truth):
    def made(*runs, **options):
        return evaluate(Request(runs, str(truth), **options), partial(load_artworks, str(truth)))

    return made


def test_a_run_of_no_images_is_refused(make, measured):
    with pytest.raises(InputError, match="No image of"):
        measured(make(answers={}))


def test_figures_are_of_the_images_with_an_answer(make, measured):
    report = measured(make(), bootstrap=50)
    genre, year = report.runs[0].tasks
    assert (report.images, genre.images, genre.unknown, year.images) == (5, 4, 1, 4)
    assert genre.figures["accuracy"].value == 0.75
    assert genre.figures["accuracy"].low <= 0.75 <= genre.figures["accuracy"].high
    assert genre.confusion == ((1, 1, 0), (0, 2, 0), (0, 0, 0))
    assert {name: each.value for name, each in year.figures.items()} == {"within": 0.75, "mae": 16.25, "loss": 16.25}
    mixup = genre.mixups[0]
    assert (mixup.title, mixup.count, mixup.share) == ("portrait taken for landscape", 1, 0.5)
    assert [each.path.rpartition("/")[2] for each in (*mixup.examples, *mixup.right)] == ["b.png", "a.png", "c.png"]
    assert [each.title for each in year.mixups] == ["more than 10 too high"]


def test_two_runs_are_compared_on_the_same_images(make, measured):
    absent = {name: answer for name, answer in BETTER.items() if name != "a.png"}
    report = measured(make(), make("later", absent), bootstrap=20)
    assert report.images == 4
    accuracy = next(d for d in report.differences if (d.task, d.group, d.metric) == ("genre", "all", "accuracy"))
    assert accuracy.estimate.value == pytest.approx(1 - 2 / 3)
    assert any("not in later, left out: 1 of 5 (a.png)" in note for note in report.notes)


def test_without_bootstrap_there_are_no_intervals(make, measured):
    report = measured(make(), make("later", BETTER), bootstrap=0)
    assert all(each.estimate.low is None for each in report.differences)
    assert report.runs[0].tasks[0].figures["accuracy"].low is None


def test_runs_with_other_classes_are_measured_but_not_compared(make, measured):
    other = (Task(name="genre", kind="label", classes=("portrait", "landscape")), TASKS[1])
    report = measured(make(), make("later", tasks=other), bootstrap=5)
    assert {each.task for each in report.differences} == {"year"}
    assert any("answer genre with different classes" in note for note in report.notes)


def test_the_rest_of_cut_answers_is_shared(make, measured):
    report = measured(make(kept=1), bootstrap=0)
    whole = measured(make("whole"), bootstrap=0)
    assert report.runs[0].tasks[0].figures["loss"].value == pytest.approx(whole.runs[0].tasks[0].figures["loss"].value)
    assert any("kept only the likeliest classes of genre" in note for note in report.notes)
    assert not any("kept only" in note for note in whole.notes)
    told = {each.name: each.tasks[0].figures["top3"].value for each in (*report.runs, *whole.runs)}
    assert told == {"run": None, "whole": 1.0}  # the order of what was not kept is unknown


def test_what_could_not_be_read_is_left_out(make, measured):
    broken = Record("d.png", None, None, error=("truncated", "ends early"))
    answers = {name: answer for name, answer in ANSWERS.items() if name != "d.png"}
    report = measured(make(answers=answers, extra=[broken]), bootstrap=0)
    assert report.images == 4
    assert any("could not read, left out: 1 (d.png)" in note for note in report.notes)


def test_one_part_of_a_split_is_measured(make, measured, truth, tmp_path):
    artworks = load_artworks(str(truth), TASKS)
    write_partition(tmp_path / "split.csv", artworks, Partition(np.arange(2), np.arange(2, 3), np.arange(3, 5)))
    report = measured(make(), split=tmp_path, bootstrap=0)
    assert (report.images, report.part, report.runs[0].tasks[0].images) == (2, "test", 1)


@pytest.mark.parametrize(
    ("info", "options", "error", "words"),
    [
        ({"about": [{"name": "genre"}]}, {}, RunError, "which tasks it answers"),
        ({}, {"tasks": ["gener"]}, InputError, "no task 'gener', but genre, year. Did you mean 'genre'"),
    ],
    ids=["no tasks", "unknown task"],
)
def test_bad_input_is_named(make, measured, info, options, error, words):
    with pytest.raises(error, match=words):
        measured(make(**info), **options)


@pytest.mark.parametrize(
    ("answers", "words"),
    [({}, "has no answer to genre"), ({"genre": (Label("abstract", 1.0),)}, "has no class 'abstract'")],
    ids=["no answer", "strange class"],
)
def test_records_that_do_not_fit_are_named(make, measured, answers, words):
    made = make(answers={}, extra=[Record("a.png", "ab", SIZE, classifications=answers)])
    with pytest.raises(RunError, match=words):
        measured(made)


@pytest.mark.parametrize("place", ["runs/train/mine", "elsewhere/mine"])
def test_learning_curves_come_from_the_folder_of_the_model(make, measured, tmp_path, monkeypatch, place):
    figures = [{"task": "genre", "kind": "label", "figures": {"accuracy": 0.5}}]
    lines = [
        {"number": n, "losses": {"loss": 2 / n}, "validation": {"loss": 3 / n}, "figures": figures} for n in (1, 2)
    ]
    folder = tmp_path / place
    folder.mkdir(parents=True)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"num')
    (folder / "model.safetensors").write_bytes(b"weights")
    monkeypatch.chdir(tmp_path)
    marks = {"weights_sha256": hashlib.sha256(b"weights").hexdigest()}
    said = {"model_folders": {"mine": str(folder)}} if place.startswith("elsewhere") else {}
    same, other = make(models={"mine": marks}, **said), make("other", models={"mine": {"weights_sha256": "another"}})
    report = measured(same, other, bootstrap=0)
    told = {course.name: (course.epochs, course.values) for course in report.runs[0].courses}
    assert told == {
        "loss, training": ((1, 2), (2.0, 1.0)),
        "loss, validation": ((1, 2), (3.0, 1.5)),
        "genre accuracy": ((1, 2), (0.5, 0.5)),
    }
    assert report.runs[1].courses == ()


def test_tables_say_what_was_measured(make, measured):
    said = text(measured(make(), make("later", BETTER), bootstrap=20))
    assert "run, genre (4 images, 1 without an answer)" in said
    assert re.search(r"later, year .*\nWithin 10 +1\.000", said)
    assert "portrait taken for landscape 1" in said
    assert re.search(r"Accuracy +0\.750 .* 1\.000 .* \+0\.250", said)


def test_files_hold_everything_and_need_nothing(make, measured, tmp_path):
    report = measured(make(), make("later", BETTER), bootstrap=5)
    metrics, page = save(report, tmp_path / "out", with_report=True, command="artdet evaluate")
    assert json.loads(metrics.read_text()) == json.loads(json.dumps(metrics_json(report)))
    html = page.read_text()
    assert html.startswith("<!DOCTYPE html>")
    assert html.count("data:image/jpeg") == 4  # b, a and c of the genre, b of the year
    assert "portrait taken for landscape" in html
    assert not re.search(r"(src|href)=\"https?:", html)


def test_a_missing_picture_is_told(make, measured, truth, tmp_path):
    report = measured(make(), bootstrap=0)
    (truth / "images" / "b.png").unlink()
    assert "no picture: " in save(report, tmp_path / "out", with_report=True)[1].read_text()


def test_the_command_takes_runs_of_labels(make, truth, tmp_path):
    arguments = [str(make()), "--truth", str(truth), "--out", str(tmp_path / "out"), "--no-report", "--bootstrap", "0"]
    done = CliRunner().invoke(command, [*arguments, "--task", "genre"], catch_exceptions=False)
    assert done.exit_code == 0
    assert "Accuracy  0.750" in done.stdout
    assert "year" not in done.stdout
    refused = CliRunner().invoke(command, [*arguments, "--level", "fine"])
    assert refused.exit_code == 2
    assert "--level is for runs of `artdet predict` only" in refused.stderr
