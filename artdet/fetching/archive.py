"""Large files over HTTP: gone on with where a download was cut, checked, and never there by halves."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from artdet.atomic import cannot_write, make_folder, whole_file
from artdet.errors import InputError

_CHUNK = 1 << 20
_TIMEOUT = 60.0  # seconds without a byte
_TRIES = 4  # in a row that bring nothing
_WAIT = 1.0  # seconds before the second try, then twice as many each time
_MAX_RECORD = 1 << 24


class Watch(Protocol):
    """Shows progress: called with a verb, a total and its unit, gives what takes the count just done.

    The first count is what was done before.
    """

    def __call__(self, verb: str, total: int, *, unit: str) -> AbstractContextManager[Callable[[int], None]]:
        """See the class."""


@dataclass(frozen=True)
class Remote:
    """A file on a server.

    Attributes:
        url: its address.
        md5: in hexadecimal, as published; empty where none is.
        size: in bytes, as published; 0 where it is not.
    """

    url: str
    md5: str = ""
    size: int = 0


def unwatched(verb: str, total: int, *, unit: str) -> AbstractContextManager[Callable[[int], None]]:
    """A :class:`Watch` that shows nothing."""
    return nullcontext(lambda count: None)


def no_connection(server: str, reason: object) -> InputError:
    """The error to raise where a server cannot be reached."""
    return InputError(
        f"{server} cannot be reached ({reason}). Connect to the internet and run the same command again: "
        "it goes on where it stopped."
    )


def record_file(record: str, name: str) -> Remote:
    """A file of a Zenodo record, with its checksum.

    Args:
        record: address of the record in Zenodo's API, ``https://zenodo.org/api/records/NUMBER``.
        name: of the file.

    Raises:
        InputError: if the record cannot be read or has no such file.
    """
    try:
        with _open(urllib.request.Request(record, headers={"Accept": "application/json"})) as answer:
            content = json.loads(answer.read(_MAX_RECORD))
        files = {entry["key"]: entry for entry in content["files"]}
        if name in files:
            entry = files[name]
            method, _, digest = str(entry.get("checksum", "")).rpartition(":")
            return Remote(entry["links"]["self"], digest if method == "md5" else "", int(entry.get("size", 0)))
    except (OSError, http.client.HTTPException) as error:
        raise _explained(record, error) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{record} does not list files as Zenodo does ({error!r}). Update artdet.") from error
    raise InputError(f"{record} has no file {name} any more, only {', '.join(files)}. Update artdet.")


def download(remote: Remote, path: Path, *, watch: Watch = unwatched) -> None:
    """Brings a file to ``path``, whole or not at all; what was got so far waits in ``NAME.part`` for the next call.

    Raises:
        InputError: if the server cannot be reached or refuses, or the checksum is wrong.
        RunError: if the file cannot be written.
    """
    make_folder(path.parent)
    part = path.with_name(f"{path.name}.part")
    for attempt in (1, 2):
        md5 = _whole(remote, part, watch) or remote.md5
        if not md5 or _md5(part) == md5:
            part.replace(path)
            _note(part).unlink(missing_ok=True)
            return
        part.unlink()
        if attempt == 2:
            raise InputError(f"{remote.url} came with a wrong checksum, twice. Try again later.")


def unpack(archive: Path, members: Mapping[str, Path]) -> None:
    """Writes members of a zip to the files named for them, each whole or not at all, and nothing else.

    Raises:
        InputError: if the zip is damaged or lacks a member.
        RunError: if a file cannot be written.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            for name, target in members.items():
                make_folder(target.parent)
                with packed.open(name) as source, whole_file(target) as stream:
                    while block := source.read(_CHUNK):
                        stream.write(block)
    except (zipfile.BadZipFile, KeyError, NotImplementedError, EOFError) as error:
        raise InputError(f"{archive} is damaged ({error}). Delete it and run the same command again.") from error


def file_digest(path: Path) -> str:
    """SHA-256 of a file in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _md5(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "md5").hexdigest()


def _note(part: Path) -> Path:
    """Beside a part: which version of the file it is of."""
    return part.with_name(f"{part.name}.json")


def _whole(remote: Remote, part: Path, watch: Watch) -> str:
    """Goes on until the part is whole; gives the MD5 that the server states."""
    failures, before = 0, -1
    while True:
        try:
            return _go_on(remote, part, watch)
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, urllib.error.HTTPError) and error.code < 500 and error.code != 429:
                raise _explained(remote.url, error) from error
            got = part.stat().st_size if part.exists() else 0
            failures = 1 if got > before else failures + 1
            before = max(got, before)
            if failures >= _TRIES:
                raise _explained(remote.url, error) from error
            time.sleep(_WAIT * 2 ** (failures - 1))


def _go_on(remote: Remote, part: Path, watch: Watch) -> str:
    start, version = _state(remote, part)
    request = urllib.request.Request(remote.url)
    if start:
        request.add_header("Range", f"bytes={start}-")
        request.add_header("If-Range", version)
    try:
        answer = _open(request)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not start:
            raise
        if error.headers.get("Content-Range") == f"bytes */{start}":
            return ""  # whole since before
        part.unlink()
        answer = _open(urllib.request.Request(remote.url))
    with answer:
        if answer.status != 206:
            start = 0
        length = answer.headers.get("Content-Length")
        total = start + int(length) if length else remote.size
        _remember(remote, part, answer.headers)
        with watch(f"getting {_name(remote)}", max(total, 1) // _CHUNK, unit="MB") as advance:
            _copy(answer, part, start, advance)
        got = part.stat().st_size
        if total and got < total:
            raise http.client.IncompleteRead(b"", total - got)
        return _stated_md5(answer.headers)


def _copy(answer: Any, part: Path, start: int, advance: Callable[[int], None]) -> None:
    advance(start // _CHUNK)
    done = start
    try:
        stream = part.open("r+b" if start else "wb")
    except OSError as error:
        raise cannot_write(part, error) from error
    with stream:
        stream.seek(start)
        while block := answer.read(_CHUNK):
            try:
                stream.write(block)
            except OSError as error:
                raise cannot_write(part, error) from error
            advance((done + len(block)) // _CHUNK - done // _CHUNK)
            done += len(block)


def _state(remote: Remote, part: Path) -> tuple[int, str]:
    """How much of the file is there, and of which version; nothing where that is not known."""
    try:
        known = json.loads(_note(part).read_text(encoding="utf-8"))
        if known["url"] == remote.url and known["version"]:
            return part.stat().st_size, known["version"]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return 0, ""


def _remember(remote: Remote, part: Path, headers: Mapping[str, str]) -> None:
    tag = headers.get("ETag") or ""
    version = tag if tag and not tag.startswith("W/") else headers.get("Last-Modified") or ""
    with whole_file(_note(part)) as stream:
        stream.write(json.dumps({"url": remote.url, "version": version}).encode())


def _stated_md5(headers: Any) -> str:
    """Google's storage states the MD5 of what it sends."""
    stated = ",".join(headers.get_all("x-goog-hash") or ())
    for part in stated.split(","):
        method, _, value = part.strip().partition("=")
        if method == "md5":
            return base64.b64decode(value).hex()
    return ""


def _name(remote: Remote) -> str:
    parts = [part for part in urlsplit(remote.url).path.split("/") if part and part != "content"]
    return parts[-1] if parts else remote.url


def _open(request: urllib.request.Request) -> Any:
    request.add_header("User-Agent", "artdet")
    return urllib.request.urlopen(request, timeout=_TIMEOUT)


def _explained(url: str, error: Exception) -> InputError:
    if isinstance(error, urllib.error.HTTPError):
        return InputError(f"{url} answers {error.code} {error.reason}. Try again later, or update artdet.")
    reason = getattr(error, "reason", None) or error
    return no_connection(urlsplit(url).netloc or url, getattr(reason, "strerror", None) or reason)
