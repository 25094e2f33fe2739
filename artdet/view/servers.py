"""Starting the servers behind the App, MongoDB and FiftyOne's own, and stopping them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from artdet.atomic import make_folder
from artdet.view import keeper

T = TypeVar("T")
_PATIENCE = 30.0
_STEP = 0.1


class Stopped(Exception):
    """A server ended before it was ready.

    Attributes:
        status: its exit status; ``keeper.CANNOT_START`` where it never ran.
        log: what it printed.
    """

    def __init__(self, status: int, log: str) -> None:
        super().__init__(f"exit status {status}")
        self.status = status
        self.log = log


class Server:
    """A program that runs until :meth:`stop`, or until this process ends in whatever way.

    Args:
        command: program and arguments.
        log: file that takes what it prints; one of the same name is replaced.
        environment: of the program.
        folder: in which it runs.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        make_folder(log.parent)
        self._log = log.absolute()
        self._log.unlink(missing_ok=True)  # What an earlier one printed must not be taken for this one's.
        # A session of its own: Ctrl-C reaches this process only, which then stops its servers in order.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", keeper.__file__, str(self._log), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=None if environment is None else dict(environment),
            cwd=folder,
            start_new_session=True,
        )

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def log(self) -> str:
        """What it printed so far."""
        try:
            return self._log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def wait_for(self, ready: Callable[[], T | None], seconds: float) -> T:
        """Asks ``ready`` until it gives something.

        Raises:
            Stopped: if the server ended meanwhile.
            TimeoutError: if it is not ready after so many ``seconds``.
        """
        end = time.monotonic() + seconds
        while True:
            running = self.running
            answer = ready()
            if answer is not None:
                return answer
            if not running:
                self.stop()
                raise Stopped(self._process.returncode, self.log)
            if time.monotonic() > end:
                raise TimeoutError(f"not ready after {seconds:.0f} seconds")
            time.sleep(_STEP)

    def stop(self) -> None:
        """Stops it and waits until it has ended."""
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
