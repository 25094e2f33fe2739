"""A training that is killed, or stopped by Ctrl-C, goes on and ends as an uninterrupted one."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file

from artdet.modelfiles import TRAINED
from artdet.training.folder import TrainingFolder

pytestmark = pytest.mark.slow
EPOCHS, IMAGES = 3, 16


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Trains in a folder of the test; the arguments behind ``artdet``."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for folder in ("images", "labels"):
        (tmp_path / "set" / folder).mkdir(parents=True)
    for index in range(IMAGES):
        pixels = rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)
        pixels[10:30, 20:50] = (200, 30, 30)
        Image.fromarray(pixels).save(tmp_path / f"set/images/{index}.png")
        (tmp_path / f"set/labels/{index}.txt").write_text(f"0 {35 / 64} {20 / 48} {30 / 64} {20 / 48}\n")
    (tmp_path / "set/classes.txt").write_text("dog\n")
    (tmp_path / "set.yaml").write_text("{format: yolo, path: set, licence: free}")
    sources = [{"source": "set.yaml", "art": True, "split": {"validation": 0.25}}]
    training = {"start": "random", "epochs": EPOCHS, "batch": 2, "precision": "float32", "close_mosaic": 1}
    content = {"classes": ["animals", "dog"], "sources": sources, "image_size": 64, "training": training}
    (tmp_path / "dogs.yaml").write_text(yaml.safe_dump(content))
    return ["train", "--category", "dogs.yaml", "--device", "cpu", "--name"]


def stopped_in_the_second_epoch(command, name, which):
    """Starts a training and stops it once its first epoch is done; its exit status, and what it said."""
    process = subprocess.Popen(
        [sys.executable, "-m", "artdet", *command, name], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    folder = TrainingFolder(TRAINED / name)
    while process.poll() is None and not (folder.checkpoint.exists() and list(folder.epochs())):
        time.sleep(0.01)
    process.send_signal(which)
    _, said = process.communicate()
    return process.returncode, said


def same(left, right):
    """That two runs ended alike."""
    ours, theirs = list(left.epochs()), list(right.epochs())
    assert [epoch.number for epoch in ours] == [epoch.number for epoch in theirs] == [*range(1, EPOCHS + 1)]
    for one, other in zip(ours, theirs, strict=True):
        assert one.losses == pytest.approx(other.losses, rel=1e-4)
        assert (one.best, one.images, one.learning_rate) == (other.best, other.images, other.learning_rate)
    there = load_file(right.model)
    for name, tensor in load_file(left.model).items():
        torch.testing.assert_close(tensor, there[name], rtol=1e-3, atol=1e-3)


def test_after_kill_9_it_goes_on_and_ends_as_if_nothing_had_been(command, artdet):
    status, _ = stopped_in_the_second_epoch(command, "killed", signal.SIGKILL)
    assert status == -signal.SIGKILL
    folder = TrainingFolder(TRAINED / "killed")
    assert 1 <= len(list(folder.epochs())) < EPOCHS
    ran = artdet("train", "--resume", "killed")
    assert ran.status == 0, ran.err
    assert artdet(*command, "whole").status == 0
    same(folder, TrainingFolder(TRAINED / "whole"))
    assert not (folder.path / "ultralytics").exists()


def test_ctrl_c_saves_and_says_how_to_go_on(command, artdet):
    status, said = stopped_in_the_second_epoch(command, "stopped", signal.SIGINT)
    assert status == 130
    assert "Stopped, and saved. Go on with: artdet train --resume runs/train/stopped" in said
    assert "Traceback" not in said
    folder = TrainingFolder(TRAINED / "stopped")
    state = torch.load(folder.checkpoint, weights_only=True)
    done = len(list(folder.epochs()))
    assert state["epoch"] == done < EPOCHS
    assert state["step"] > 0
    ran = artdet("train", "--resume", "runs/train/stopped")
    assert ran.status == 0, ran.err
    assert [epoch.number for epoch in folder.epochs()] == [*range(1, EPOCHS + 1)]


def test_two_processes_of_torchrun_make_one_run(command):
    """The first one writes; both see half of every batch, so an epoch has as many images as with one."""
    small = ["--backend", "torchvision", "--architecture", "fasterrcnn_mobilenet_v3_large_320_fpn"]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    ran = subprocess.run(
        [*torchrun, "-m", "artdet", *command, "both", *small], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("model: ") == 1
    epochs = list(TrainingFolder(TRAINED / "both").epochs())
    assert [epoch.number for epoch in epochs] == [*range(1, EPOCHS + 1)]
    assert {epoch.images for epoch in epochs} == {12}
