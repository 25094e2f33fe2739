"""Bad input gets one clear sentence with a remedy, and the exit status says which kind it is."""

import os
import subprocess
import sys

import pytest

from artdet import __main__
from artdet.resources import shipped

PAINTINGS = shipped("examples", "paintings")


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        pytest.param(["predict"], 2, "Missing argument", id="no path"),
        pytest.param(["predikt"], 2, "No such command", id="no such command"),
        pytest.param(["predict", "x", "--batch", "0"], 2, "--batch", id="usage"),
        pytest.param(["predict", "/nowhere/at/all"], 1, "There is no '/nowhere/at/all'", id="no folder"),
        pytest.param(["predict", "{empty}"], 1, "it is empty", id="empty folder"),
        pytest.param(["predict", "{paintings}", "--ensemble", "defalt"], 1, "Did you mean 'default'", id="ensemble"),
        pytest.param(["predict", "{paintings}", "--ensemble", "{empty}/no.yaml"], 1, "cannot be read", id="file"),
        pytest.param(["predict", "{paintings}", "--device", "tpu"], 1, "no device 'tpu'", id="device"),
        pytest.param(["predict", "{paintings}", "--device", "cuda:99"], 1, "CUDA devices here", id="gpu"),
        pytest.param(["predict", "{paintings}", "--set", "fusion.iu=1"], 1, "Did you mean 'iou'", id="set"),
        pytest.param(["predict", "{paintings}", "--set", "fusion"], 1, "not of the form", id="set without value"),
        pytest.param(["predict", "{paintings}", "--taxonomy", "{empty}/t.yaml"], 1, "cannot be read", id="taxonomy"),
        pytest.param(["export", "{empty}", "--format", "coco"], 1, "not a run folder", id="no run"),
        pytest.param(["classes", "--taxonomy", "{empty}/t.yaml"], 1, "cannot be read", id="classes"),
    ],
)
def test_a_sentence_and_a_status(artdet, tmp_path, arguments, status, words):
    empty = tmp_path / "empty"
    empty.mkdir()
    ran = artdet(*(argument.format(paintings=PAINTINGS, empty=empty) for argument in arguments))
    assert ran.status == status
    assert words in ran.err
    assert "Traceback" not in ran.err
    assert ran.out == ""


def test_everything_that_is_missing_is_said_at_once_before_anything_runs(artdet, tmp_path):
    ran = artdet("predict", PAINTINGS, "--ensemble", "resnext_wbf", "--out", tmp_path / "run")
    assert ran.status == 1
    assert ran.err.count("artdet train") >= 3
    assert not (tmp_path / "run").exists()


def test_every_problem_of_an_ensemble_file_is_said_at_once(artdet, tmp_path):
    path = tmp_path / "e.yaml"
    path.write_text(
        "members:\n  - {name: a, detector: yolo, wieghts: x}\n  - {name: b, detector: yoloo}\nfusion: {io: 3}\n"
    )
    ran = artdet("predict", PAINTINGS, "--ensemble", path)
    assert ran.status == 1
    for words in (
        "members.0.weights: is missing",
        "members.0.wieghts: unknown key",
        "no detector 'yoloo'",
        "fusion.io",
    ):
        assert words in ran.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_folder_is_a_sentence(artdet, tmp_path, persons_only):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    ran = artdet("predict", PAINTINGS, "--ensemble", persons_only, "--out", locked / "run")
    assert (ran.status, "you may not write there" in ran.err) == (1, True)


def test_an_unexpected_error_is_a_sentence_and_the_traceback_comes_on_request(artdet, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(__main__.cli, "main", broken)
    monkeypatch.delenv("ARTDET_DEBUG", raising=False)
    assert "Traceback" not in artdet("classes").err
    monkeypatch.setenv("ARTDET_DEBUG", "1")
    ran = artdet("classes")
    assert (ran.status, "ZeroDivisionError: oh" in ran.err) == (1, True)


def test_ctrl_c_exits_130(artdet, monkeypatch):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(__main__.cli, "main", stopped)
    ran = artdet("classes")
    assert (ran.status, "goes on from here" in ran.err) == (130, True)


def test_output_into_a_closed_pipe_makes_no_noise():
    script = f"{sys.executable} -m artdet classes | head -n 1"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("persons")
    assert done.stderr == ""


def test_the_tree_of_classes_and_the_models(artdet):
    tree = artdet("classes").out.splitlines()
    assert len(tree) == 28
    assert tree[1].split() == ["angel", "11G"]
    listing = artdet("models").out
    assert "persons_v0" in listing
    assert "ensemble default: ready" in listing


@pytest.mark.slow
def test_doctor_finds_this_installation_well(artdet):
    ran = artdet("doctor")
    assert ran.status == 0
    assert "BROKEN" not in ran.out
