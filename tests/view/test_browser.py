"""The App in a real browser: grid, sample, boxes; beside it a second process; and its end by Ctrl-C."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from io import BytesIO

import numpy as np
import psutil
import pytest
from PIL import Image

from artdet.errors import MissingBackend
from artdet.palette import category_colours
from artdet.resources import shipped
from artdet.runs import PREDICTIONS_FILE, Box, Record, write_info
from artdet.view.database import find_mongod

PAINTINGS = shipped("examples", "paintings")
TRUTH = shipped("annotations", "examples.json")
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]


@pytest.fixture(scope="module")
def chromium():
    pytest.importorskip("fiftyone", reason="needs FiftyOne")
    pytest.importorskip("playwright", reason="needs playwright")
    try:
        find_mongod()
    except MissingBackend as error:
        pytest.skip(str(error))
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("needs Chromium (Debian: apt install chromium); nothing is downloaded for this test")
    return path


@pytest.fixture(scope="module")
def files():
    there = sorted(path.name for path in PAINTINGS.glob("*.jpg"))
    return [name for name in there if "librarian" in name or "mona_lisa" in name or "lion" in name]


@pytest.fixture(scope="module")
def run(tmp_path_factory, files):
    """A run over three paintings, with a person and a ship in each."""
    folder = tmp_path_factory.mktemp("project") / "demo"
    folder.mkdir()
    write_info(folder, {"root": str(PAINTINGS)})
    with (folder / PREDICTIONS_FILE).open("w") as stream:
        for name in files:
            width, height = Image.open(PAINTINGS / name).size
            person = Box("persons", 0.9, (width * 0.1, height * 0.1, width * 0.9, height * 0.95), "a")
            ship = Box("ship", 0.5, (width * 0.6, height * 0.05, width * 0.95, height * 0.3), "a")
            stream.write(Record(name, "ab" * 32, (height, width), (person, ship)).as_line() + "\n")
    return folder


def environment():
    """Without what the database of other tests in this process has set there."""
    return {name: value for name, value in os.environ.items() if not name.startswith("FIFTYONE_")}


def artdet(folder, *arguments):
    command = [sys.executable, "-m", "artdet", *map(str, arguments)]
    options = {"cwd": folder, "env": environment(), "timeout": 60, "check": False}
    return subprocess.run(command, capture_output=True, text=True, **options)


@pytest.fixture(scope="module")
def app(chromium, run):
    """The App as a process, and its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "artdet", "app", run, "--truth", TRUTH, "--images", PAINTINGS]
    command += ["--port", port, "--no-browser"]
    log = run.parent / "stderr.txt"
    with log.open("w") as stream:
        process = subprocess.Popen(
            list(map(str, command)), cwd=run.parent, env=environment(), stdout=subprocess.PIPE, stderr=stream, text=True
        )
    address = process.stdout.readline().strip()
    assert address == f"http://127.0.0.1:{port}/datasets/artdet-demo", log.read_text()
    yield process, address
    process.kill()
    process.wait()


def truths(name):
    data = json.loads(TRUTH.read_text())
    (image,) = (each["id"] for each in data["images"] if each["file_name"] == name)
    return sum(each["image_id"] == image for each in data["annotations"])


def test_grid_and_sample_show_truth_and_predictions(app, chromium, files, taxonomy, tmp_path):
    from playwright.sync_api import expect, sync_playwright

    _, address = app
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        expect.set_options(timeout=40_000)
        page.goto(address)
        expect(page.locator("[data-cy=looker]")).to_have_count(len(files))
        expect(page.get_by_text(f"{len(files)} samples")).to_be_visible()
        dismiss = page.get_by_text("Dismiss", exact=True)
        if dismiss.count():
            dismiss.first.click()
        page.screenshot(path=tmp_path / "grid.png")
        page.locator("[data-cy=looker]").first.click()
        modal = page.locator("[data-cy=modal]")
        for field, count in (("truth", truths(files[0])), ("predictions", 2)):
            row = modal.locator(f"[data-cy={field}-field]")
            expect(row).to_contain_text(str(count))
        page.mouse.move(1, 1)
        colours = {name: np.array(rgb) for name, rgb in category_colours(taxonomy).items()}
        wanted = ("persons", "structures", "faces")
        picture = None
        for _ in range(40):
            picture = np.asarray(Image.open(BytesIO(page.locator("[data-cy=modal-looker-container]").screenshot())))
            drawn = {name: painted(picture, colours[name]) for name in wanted}
            if all(drawn.values()):
                break
            page.wait_for_timeout(250)
        page.screenshot(path=tmp_path / "sample.png")
        browser.close()
    assert all(drawn.values()), drawn


def painted(picture, colour):
    """Whether some box has this colour: many pixels of exactly it."""
    return int((np.abs(picture[..., :3].astype(int) - colour).max(axis=2) <= 4).sum()) > 200


def test_a_second_app_on_the_same_database_is_refused_with_a_sentence(app, run):
    process, _ = app
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ran = artdet(run.parent, "app", run, "--port", port)
    assert ran.returncode == 1
    assert f"in use by another artdet (process {process.pid})" in ran.stderr


def test_corrections_are_taken_back_while_the_app_is_open(app, run, files):
    ran = artdet(run.parent, "data", "from-fiftyone", run, "--out", "back.json", "--json")
    assert ran.returncode == 0, ran.stderr
    counts = json.loads(ran.stdout)
    boxes = sum(map(truths, files))
    assert counts == {
        "file": "back.json",
        "field": "truth",
        "tagged": None,
        "images": len(files),
        "boxes": boxes,
        "edited": 0,
        "left_out": 0,
    }
    assert len(json.loads((run.parent / "back.json").read_text())["annotations"]) == boxes


def test_ctrl_c_ends_everything_in_order(app):
    process, _ = app
    servers = psutil.Process(process.pid).children(recursive=True)
    assert {"mongod"} <= {server.name() for server in servers}
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert psutil.wait_procs(servers, timeout=5)[1] == []
