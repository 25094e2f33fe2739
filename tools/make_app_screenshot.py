"""Makes ``docs/app.jpg``: FiftyOne's App with a run over the example paintings, as `artdet app` opens it.

Usage: python tools/make_app_screenshot.py [RUN]  (default: runs/predict/paintings, which `make demo` makes)

Needs the extra ``app``, playwright and a Chromium of the system.
"""

from __future__ import annotations

import io
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "app.jpg"
WIDTH, HEIGHT = 1280, 800
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]


def main() -> None:
    run = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "runs" / "predict" / "paintings"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as database:
        command = [sys.executable, "-m", "artdet", "app", str(run), "--no-browser", "--port", str(port)]
        command += ["--truth", str(ROOT / "annotations" / "examples.json"), "--database", database]
        command += ["--images", str(ROOT / "examples" / "paintings")]
        app = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            address = (app.stdout.readline() if app.stdout else "").strip()
            if not address:
                sys.exit("the App did not open")
            picture = Image.open(io.BytesIO(screenshot(address))).convert("RGB")
        finally:
            app.send_signal(signal.SIGINT)
            app.wait()
    picture.save(TARGET, quality=82, optimize=True)
    print(f"{TARGET}: {TARGET.stat().st_size / 1000:.0f} kB")


def screenshot(address: str) -> bytes:
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto(address)
        expect(page.locator("[data-cy=looker]").first).to_be_visible(timeout=60_000)
        dismiss = page.get_by_text("Dismiss", exact=True)
        if dismiss.count():
            dismiss.first.click()
        page.mouse.move(1, 1)
        page.wait_for_timeout(4000)  # until all pictures of the grid have their boxes
        picture = page.screenshot()
        browser.close()
    return picture


if __name__ == "__main__":
    main()
