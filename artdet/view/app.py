"""FiftyOne's App on this machine: its server runs until it is told to stop."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

from artdet.errors import InputError
from artdet.view.database import Database
from artdet.view.servers import Server, Stopped

ADDRESS = "127.0.0.1"
LOG_FILE = "app.log"
_START_SECONDS = 120.0
_WATCH_SECONDS = 0.5


def check_port(port: int) -> None:
    """Makes sure that a port is free.

    Raises:
        InputError: if it is not.
    """
    with socket.socket() as probe:
        # As servers do: a port whose last user has just gone is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(sys.platform != "win32"))
        try:
            probe.bind((ADDRESS, port))
        except PermissionError as error:
            raise InputError(f"port {port} is reserved for the system. Name one above 1023 with --port.") from error
        except OSError as error:
            raise InputError(
                f"port {port} is in use by another program, such as an App that is open already. "
                "Close that one, or name another port with --port."
            ) from error


@contextmanager
def served(dataset_name: str, port: int, database: Database) -> Iterator[tuple[Server, str]]:
    """The App, showing a dataset, until the block ends.

    Yields:
        The server, and the address that a browser opens; it answers already.

    Raises:
        InputError: if the App does not start.
    """
    spec = find_spec("fiftyone")
    assert spec is not None
    assert spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0]) / "server"
    log = database.folder / LOG_FILE
    server = Server(
        [sys.executable, "main.py", "--port", str(port), "--address", ADDRESS],
        log,
        environment={**os.environ, "FIFTYONE_DISABLE_SERVICES": "1"},
        folder=folder,
    )
    try:
        try:
            server.wait_for(lambda: _answers(port), _START_SECONDS)
        except (Stopped, TimeoutError) as error:
            raise InputError(
                f"FiftyOne's App did not start ({error}). The reason stands in {log}; "
                "`artdet doctor` tells whether FiftyOne is well."
            ) from error
        yield server, f"http://{ADDRESS}:{port}/datasets/{quote(dataset_name)}"
    finally:
        server.stop()


def wait(server: Server) -> None:
    """Returns only when the server has ended by itself."""
    while server.running:
        time.sleep(_WATCH_SECONDS)


def open_browser(address: str) -> None:
    """Opens a browser at the address where there is a desktop; else does nothing."""
    import webbrowser

    desktop = sys.platform in ("darwin", "win32") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if desktop:
        with suppress(webbrowser.Error):
            webbrowser.open(address)


def _answers(port: int) -> bool | None:
    try:
        with urlopen(f"http://{ADDRESS}:{port}/fiftyone", timeout=2) as answer:
            return True if answer.status == 200 else None
    except OSError:
        return None
