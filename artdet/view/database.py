"""The database behind the App: a MongoDB of our own in a folder of the project, or one that runs elsewhere.

FiftyOne starts a MongoDB by itself, but joins any that another FiftyOne of the same user has started, whatever its
folder; so ours is started here, and FiftyOne is given its address. Nothing here imports FiftyOne: it reads its settings
when it is imported.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from artdet.atomic import cannot_write, make_folder
from artdet.errors import ArtdetError, InputError, MissingBackend
from artdet.view.keeper import CANNOT_START
from artdet.view.servers import Server, Stopped

DEFAULT_FOLDER = Path("runs") / ".fiftyone"
"""Beside the runs, in the folder where artdet is started: it holds corrections, so it is no cache."""
MONGOD = "ARTDET_MONGOD"
"""Environment variable that names the ``mongod`` to use."""

LOCK_FILE = "artdet.lock"
LOG_FILE = "mongod.log"
_START_SECONDS = 60.0
_RELEASE_SECONDS = 15.0
_ANSWER_MS = 4000
_CACHE_GB = "1"
_ELSEWHERE = "or name a MongoDB that runs with --database mongodb://HOST:PORT"


@dataclass(frozen=True)
class Database:
    """An open database.

    Attributes:
        uri: where it answers.
        folder: for logs and all else that FiftyOne may write; the data too, where the MongoDB is our own.
    """

    uri: str
    folder: Path


@contextmanager
def open_database(where: str | None = None, *, join: bool = False) -> Iterator[Database]:
    """Makes the database answer, and FiftyOne use it, until the block ends.

    Args:
        where: a folder, or the URI of a MongoDB; by default ``FIFTYONE_DATABASE_URI`` or ``FIFTYONE_DATABASE_DIR`` of
            the environment, else ``DEFAULT_FOLDER``.
        join: also accept a folder whose database another artdet has open.

    Raises:
        MissingBackend: without FiftyOne or a MongoDB server.
        InputError: if the folder or the server cannot be used.
    """
    if find_spec("fiftyone") is None:
        raise MissingBackend("fiftyone", "Browsing", "Install it with: pip install 'artdet[app]'")
    environment = os.environ.get("FIFTYONE_DATABASE_URI") or os.environ.get("FIFTYONE_DATABASE_DIR")
    named = where or environment or str(DEFAULT_FOLDER)
    if re.match(r"mongodb(\+srv)?://", named):
        check_answers(named)
        with _fiftyone_uses(Database(named, DEFAULT_FOLDER.absolute())) as database:
            yield database
        return
    folder = Path(named).expanduser().absolute()
    with _own_server(folder, join=join) as port, _fiftyone_uses(Database(local_uri(port), folder)) as database:
        yield database


def local_uri(port: int) -> str:
    """The URI of a MongoDB on this machine."""
    return f"mongodb://127.0.0.1:{port}/?serverSelectionTimeoutMS={_ANSWER_MS}"


def check_answers(uri: str) -> None:
    """Asks a MongoDB whether it is there.

    Raises:
        InputError: if the URI is wrong, or nothing answers, or it wants other credentials.
    """
    import pymongo
    from pymongo.errors import OperationFailure, PyMongoError

    shown = re.sub(r"//[^@/]*@", "//...@", uri)
    try:
        with pymongo.MongoClient(uri, serverSelectionTimeoutMS=_ANSWER_MS, connectTimeoutMS=_ANSWER_MS) as client:
            client.list_database_names()
    except OperationFailure as error:
        raise InputError(
            f"the MongoDB at {shown} refuses us: {(error.details or {}).get('errmsg', error)}. "
            "Put a name and password that it knows into the address: mongodb://NAME:PASSWORD@HOST:PORT."
        ) from error
    except (PyMongoError, ValueError) as error:
        why = str(error).split(" (configured", maxsplit=1)[0].split(", Timeout:", maxsplit=1)[0]
        raise InputError(
            f"no MongoDB answers at {shown} ({why}). Start it or correct the address, or leave --database out "
            "to use one in the project's own folder."
        ) from error


def find_mongod() -> Path:
    """The MongoDB server: of ``ARTDET_MONGOD``, of FiftyOne's package, or on the ``PATH``.

    Raises:
        MissingBackend: if there is none.
        InputError: if ``ARTDET_MONGOD`` names no file.
    """
    if named := os.environ.get(MONGOD):
        if not Path(named).is_file():
            raise InputError(f"{MONGOD} names {named}, which is no file. Correct it or unset it.")
        return Path(named)
    spec = find_spec("fiftyone")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        bundled = Path(place, "db", "bin", "mongod.exe" if sys.platform == "win32" else "mongod")
        if bundled.is_file():
            return bundled
    if on_path := shutil.which("mongod"):
        return Path(on_path)
    raise MissingBackend(
        "a MongoDB server (mongod)",
        "Browsing",
        f"Install it with: pip install --force-reinstall fiftyone-db, {_ELSEWHERE}.",
    )


@contextmanager
def _own_server(folder: Path, *, join: bool) -> Iterator[int]:
    make_folder(folder)
    with _locked(folder) as lock:
        if isinstance(lock, dict):
            port = lock.get("port")
            if not join or port is None:
                raise in_use(folder, lock.get("pid"))
            check_answers(local_uri(port))
            yield port
            return
        program = find_mongod()
        server, port = _started(program, folder)
        try:
            _write_lock(lock, {"pid": os.getpid(), "port": port})
            yield port
        finally:
            server.stop()
            _write_lock(lock, {})


def in_use(folder: Path, pid: Any = None) -> InputError:
    """The error of a database folder that another process has open."""
    owner = f"another artdet (process {pid})" if pid else "another process"
    return InputError(
        f"the database in {folder} is in use by {owner}. Stop that one (its App shows all runs that were loaded "
        "into this folder), or name another folder with --database."
    )


@contextmanager
def _locked(folder: Path) -> Iterator[int | dict[str, Any]]:
    """A descriptor of the lock file, which this process now holds, or what the process that holds it wrote there."""
    path = folder / LOCK_FILE
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise cannot_write(folder, error) from error
    try:
        try:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield _written(path)
            return
        except (ImportError, OSError):
            pass  # Windows and some network disks have none of these locks; mongod has its own.
        yield descriptor
    finally:
        os.close(descriptor)


def _written(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8") or "{}")
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def _write_lock(descriptor: int, data: dict[str, Any]) -> None:
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, json.dumps(data).encode())


def _started(program: Path, folder: Path) -> tuple[Server, int]:
    """A MongoDB on the folder, and the port where it listens."""
    data = folder / "data"
    make_folder(data)
    command = [str(program), "--dbpath", str(data), "--port", "0", "--bind_ip", "127.0.0.1"]
    command += ["--wiredTigerCacheSizeGB", _CACHE_GB] + ([] if sys.platform == "win32" else ["--nounixsocket"])
    end = time.monotonic() + _RELEASE_SECONDS
    while True:
        server = Server(command, folder / LOG_FILE)
        try:
            return server, server.wait_for(partial(_port_of, server), _START_SECONDS)
        except Stopped as stopped:
            # The mongod of an artdet that was killed needs a moment to go.
            if "DBPathInUse" in stopped.log and time.monotonic() < end:
                time.sleep(0.5)
                continue
            raise _cannot_start(program, folder, stopped) from stopped
        except BaseException as error:
            server.stop()
            if isinstance(error, TimeoutError):
                raise InputError(
                    f"{program} does not answer after {_START_SECONDS:.0f} seconds. Look into {folder / LOG_FILE}, "
                    f"{_ELSEWHERE}."
                ) from error
            raise


def _port_of(server: Server) -> int | None:
    found = re.search(r'"Waiting for connections".*?"port":\s*(\d+)', server.log)
    return int(found[1]) if found else None


def _cannot_start(program: Path, folder: Path, stopped: Stopped) -> ArtdetError:
    log = stopped.log
    if "DBPathInUse" in log:
        return in_use(folder)
    if "Permission denied" in log and stopped.status != CANNOT_START:
        return InputError(f"{folder} cannot be written: you may not write there. Name another folder with --database.")
    if "No space left" in log:
        return InputError(f"{folder} cannot be written: the disk is full. Free some space and try again.")
    if "IncompatibleServerVersion" in log or "UPGRADE PROBLEM" in log or "Unsupported WiredTiger" in log:
        return InputError(
            f"the database in {folder} was made by another version of MongoDB than {program}. "
            "Use that version (ARTDET_MONGOD names it), or name another folder with --database."
        )
    return InputError(
        f"the MongoDB server {program} does not start (exit status {stopped.status}): {_last_error(log)}. "
        f"Install one that fits this machine (pip install --force-reinstall fiftyone-db), {_ELSEWHERE}."
    )


def _last_error(log: str) -> str:
    """The last error that mongod logged (JSON lines), or its last line, or that it printed nothing."""
    lines = [line for line in log.splitlines() if line.strip()]
    for line in reversed(lines):
        with suppress(ValueError, KeyError, TypeError):
            entry = json.loads(line)
            if entry["s"] in "EF":
                return f"{entry['msg']} {entry.get('attr', {}).get('error', '')}".strip().rstrip(".")
    return lines[-1].strip().rstrip(".")[:300] if lines else "it printed nothing"


@contextmanager
def _fiftyone_uses(database: Database) -> Iterator[Database]:
    """Settings that FiftyOne reads when it is imported; at the end it lets go of the database."""
    home = database.folder / "home"
    before = os.environ.get("FIFTYONE_DATABASE_URI")
    os.environ["FIFTYONE_DATABASE_URI"] = database.uri
    os.environ["FIFTYONE_DATABASE_VALIDATION"] = "false"
    os.environ["FIFTYONE_DO_NOT_TRACK"] = "true"
    os.environ["FIFTYONE_DEFAULT_APP_ADDRESS"] = "127.0.0.1"
    os.environ["FIFTYONE_SHOW_PROGRESS_BARS"] = "false"
    os.environ.setdefault("FIFTYONE_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("FIFTYONE_DEFAULT_DATASET_DIR", str(home / "datasets"))
    os.environ.setdefault("FIFTYONE_DATASET_ZOO_DIR", str(home / "datasets"))
    os.environ.setdefault("FIFTYONE_MODEL_ZOO_DIR", str(home / "models"))
    os.environ.setdefault("FIFTYONE_PLUGINS_DIR", str(home / "plugins"))
    if "fiftyone" in sys.modules:
        sys.modules["fiftyone"].config.database_uri = database.uri
    try:
        yield database
    finally:
        _let_go()
        os.environ.pop("FIFTYONE_DATABASE_URI")
        if before is not None:
            os.environ["FIFTYONE_DATABASE_URI"] = before


def _let_go() -> None:
    """Does now what FiftyOne does when Python ends: it would wait half a minute for a server that is gone by then."""
    module = sys.modules.get("fiftyone.core.odm.database")
    if module is None:
        return
    if clean := getattr(module, "_delete_non_persistent_datasets_if_allowed", None):
        clean()
        atexit.unregister(clean)
    if disconnect := getattr(module, "_disconnect", None):
        disconnect()
