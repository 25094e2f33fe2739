"""Runs a server for as long as the process that asked for it lives: ``python keeper.py LOG PROGRAM ARGUMENT...``.

The asking process holds the other end of our standard input. Once it ends, in whatever way, the server is told to stop;
so neither Ctrl-C nor a kill leaves one behind. Needs the standard library only, and is run as a script.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import suppress

CANNOT_START = 127
"""Exit status where the program cannot be started at all; the log says why. Else it is the program's own."""

_PATIENCE = 20.0


def main(log: str, command: list[str]) -> int:
    """Runs ``command`` until it ends by itself or standard input does; what it prints goes to the file ``log``."""
    with open(log, "wb") as stream:
        try:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT)
        except OSError as error:
            stream.write(f"{error.strerror or error}\n".encode())
            return CANNOT_START
    threading.Thread(target=_stop_at_the_end, args=(child,), daemon=True).start()
    return child.wait()


def _stop_at_the_end(child: subprocess.Popen[bytes]) -> None:
    while os.read(sys.stdin.fileno(), 4096):  # unbuffered: Python must be able to end while this waits
        pass
    child.terminate()
    with suppress(subprocess.TimeoutExpired):
        child.wait(_PATIENCE)
        return
    child.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
