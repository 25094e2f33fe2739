from __future__ import annotations

import threading
import time

import pytest

from artdet.training.companions import Companion
from artdet.training.folder import TrainingFolder


def test_one_process_alone_is_the_first_and_leaves_no_sign(monkeypatch, tmp_path):
    for name in ("RANK", "WORLD_SIZE", "TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT"):
        monkeypatch.delenv(name, raising=False)

    alone = Companion.of_environment()
    alone.announce(TrainingFolder(tmp_path))

    assert alone.is_first
    assert not list(tmp_path.iterdir())


def test_torchrun_tells_ranks_and_starts_apart(monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "a")
    second = Companion.of_environment()
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")

    assert not second.is_first
    assert Companion.of_environment().token != second.token


def test_others_wait_for_the_sign_of_their_own_start(tmp_path):
    folder = TrainingFolder(tmp_path)
    Companion(0, 2, "yesterday").announce(folder)
    first, second = Companion(0, 2, "today"), Companion(1, 2, "today")
    passed: list[float] = []

    def pause(seconds: float) -> None:
        passed.append(seconds)
        if len(passed) == 3:
            first.announce(folder)

    second.wait(folder, pause=pause)

    assert len(passed) == 3


def test_a_sign_that_is_not_there_yet_is_waited_for(tmp_path):
    folder = TrainingFolder(tmp_path / "later")
    first, second = Companion(0, 2, "now"), Companion(1, 2, "now")

    def begin() -> None:
        time.sleep(0.05)
        folder.write_info({})
        first.announce(folder)

    thread = threading.Thread(target=begin)
    thread.start()
    second.wait(folder, pause=lambda seconds: time.sleep(0.01))
    thread.join()

    assert folder.info_file.exists()


def test_waiting_ends(tmp_path, monkeypatch):
    from artdet.errors import TrainingError

    monkeypatch.setattr("artdet.training.companions._PATIENCE", 0.0)
    with pytest.raises(TrainingError, match="has not made"):
        Companion(1, 2, "now").wait(TrainingFolder(tmp_path), pause=lambda seconds: None)
