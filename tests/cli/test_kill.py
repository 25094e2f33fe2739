"""Killed at any moment, a run goes on with the same command and ends with the lines of an uninterrupted one."""

import random
import signal
import subprocess
import sys
import time

import pytest

from artdet.runs import Record

IMAGES = 80


def lines(folder):
    path = folder / "predictions.jsonl"
    return path.read_bytes().splitlines() if path.exists() else []


@pytest.fixture
def command(make_pictures, persons_only, tmp_path):
    root = make_pictures(*(f"{index:03}.png" for index in range(IMAGES)))

    def made(out):
        return [
            sys.executable, "-m", "artdet", "predict", str(root), "--ensemble", str(persons_only),
            "--out", str(tmp_path / out), "--set", "members.0.min_score=0.001", "--batch", "2",
        ]  # fmt: skip

    return made


def kill_while_it_writes(command, folder, rng, signal_number):
    """Starts the command and stops it at a random moment after it went on writing; gives its exit status."""
    before = len(lines(folder))
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    target = min(IMAGES - 1, before + rng.randint(1, 5))
    while process.poll() is None and len(lines(folder)) < target:
        time.sleep(0.001)
    time.sleep(rng.uniform(0, 0.02))
    process.send_signal(signal_number)
    return process.wait()


def finish_and_compare(command, tmp_path):
    assert subprocess.run(command("whole"), check=False, capture_output=True).returncode == 0
    assert subprocess.run(command("killed"), check=False, capture_output=True).returncode == 0
    found = lines(tmp_path / "killed")
    assert len({Record.from_line(line).file for line in found}) == len(found) == IMAGES
    assert sorted(found) == sorted(lines(tmp_path / "whole"))


def test_ctrl_c_keeps_what_is_done_and_the_run_goes_on(command, tmp_path):
    status = kill_while_it_writes(command("killed"), tmp_path / "killed", random.Random(0), signal.SIGINT)
    assert status == 130
    assert 0 < len(lines(tmp_path / "killed")) < IMAGES
    finish_and_compare(command, tmp_path)


@pytest.mark.slow
def test_twenty_kills_lose_and_double_nothing(command, tmp_path):
    rng = random.Random(1)
    killed = 0
    for _ in range(20):
        killed += kill_while_it_writes(command("killed"), tmp_path / "killed", rng, signal.SIGKILL) == -signal.SIGKILL
    assert killed >= 10
    finish_and_compare(command, tmp_path)
