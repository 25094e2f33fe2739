"""What keeps the App from opening is one sentence, said before anything slow starts."""

from __future__ import annotations

import json
import socket
import subprocess
import sys

import pytest

from artdet.runs import PREDICTIONS_FILE, Record, write_info
from artdet.view import database


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch, tmp_path):
    for name in ("FIFTYONE_DATABASE_URI", "FIFTYONE_DATABASE_DIR", "ARTDET_MONGOD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    write_info(folder, {"root": str(tmp_path)})
    (folder / PREDICTIONS_FILE).write_text(Record("a.jpg", None, (20, 10)).as_line() + "\n")
    return folder


@pytest.fixture
def port():
    """A port that another program listens on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_port_in_use(artdet, run, port):
    ran = artdet("app", run, "--port", port)
    assert (ran.status, ran.out) == (1, "")
    assert f"port {port} is in use by another program" in ran.err
    assert "--port" in ran.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["nowhere"], "nowhere is not a run folder", id="no run"),
        pytest.param(["run", "--truth", "nothing"], "There is no source 'nothing'", id="no truth"),
        pytest.param(["run", "--taxonomy", "no.yaml"], "cannot be read", id="no taxonomy"),
        pytest.param(["run", "--database", "mongodb://127.0.0.1:1"], "no MongoDB answers", id="uri"),
        pytest.param(["run"], "ARTDET_MONGOD names", id="no mongod"),
        pytest.param(["run", "--database", "run/run.json"], "a part of its path is a file", id="a file as folder"),
    ],
)  # fmt: skip
def test_a_sentence_and_a_status(artdet, run, free_port, monkeypatch, arguments, words):
    monkeypatch.setenv("ARTDET_MONGOD", "/nowhere/mongod")
    monkeypatch.setattr(database, "_ANSWER_MS", 300)
    ran = artdet("app", *arguments, "--port", free_port)
    assert (ran.status, ran.out) == (1, "")
    assert words in ran.err
    assert "Traceback" not in ran.err


def test_a_broken_mongod(artdet, run, free_port, monkeypatch, tmp_path):
    fake = tmp_path / "mongod"
    fake.write_text("#!/bin/sh\necho illegal instruction\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("ARTDET_MONGOD", str(fake))
    for command in (["app", run, "--port", free_port], ["app", run, "--export", "out"]):
        ran = artdet(*command)
        assert ran.status == 1
        assert "does not start (exit status 1): illegal instruction. Install one that fits" in ran.err
    assert (tmp_path / "runs" / ".fiftyone").is_dir()


def test_the_database_is_in_the_project_by_default(artdet):
    assert "runs/.fiftyone" in artdet("app", "--help").out


def test_help_imports_nothing_heavy():
    probe = "import sys; from artdet.__main__ import run; run(sys.argv[1:]); print('MODULES', *sys.modules)"
    command = [sys.executable, "-c", probe, "app", "--help"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    loaded = {name.partition(".")[0] for name in printed.partition("MODULES ")[2].split()}
    assert loaded & {"fiftyone", "pymongo", "bson", "numpy", "pydantic", "PIL"} == set()


def test_export_and_the_way_back(run, tmp_path):
    """As whole commands, since FiftyOne holds one database per process."""
    pytest.importorskip("fiftyone", reason="needs FiftyOne")

    def artdet(*arguments):
        command = [sys.executable, "-m", "artdet", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False)

    ran = artdet("app", run, "--export", "out", "--no-copy-images")
    if "mongod" in ran.stderr:
        pytest.skip(ran.stderr)
    assert (ran.returncode, ran.stdout) == (0, "out\n"), ran.stderr
    assert "dataset artdet-run: 1 images, 1 new, 0 changed" in ran.stderr
    assert len(json.loads((tmp_path / "out" / "samples.json").read_text())["samples"]) == 1
    again = artdet("app", run, "--export", "out")
    assert again.returncode == 1
    assert "is there already" in again.stderr
