"""Gets what a request lists, goes on where an earlier call stopped, and mends what is damaged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from artdet.data.sources import data_folder
from artdet.fetching import iconart, photographs
from artdet.fetching.archive import Watch, unwatched
from artdet.fetching.folder import Manifest, intact, only_one_fetches, read_manifest
from artdet.fetching.plan import SETS, Request
from artdet.taxonomy import Taxonomy


@dataclass(frozen=True)
class Fetched:
    """What one call came to.

    Attributes:
        set: its name.
        folder: of the set.
        images: that are there now, of this and earlier requests.
        new: of them, fetched in this call.
        mended: files that were damaged or gone, and were fetched again.
        refused: images that their server does not give.
    """

    set: str
    folder: Path
    images: int
    new: int
    mended: int
    refused: tuple[str, ...] = ()


def folder_of(request: Request) -> Path:
    """Where a request's images come to lie."""
    return data_folder() / SETS[request.set].folder


def check_installed(requests: tuple[Request, ...]) -> None:
    """Makes sure that what the requests need is installed, before anything is fetched.

    Raises:
        MissingBackend: without FiftyOne, if one of the sets needs it.
    """
    if any(SETS[request.set].kind != "archive" for request in requests):
        from artdet.fetching import zoo

        zoo.check_installed()


def fetch(request: Request, *, taxonomy: Taxonomy, watch: Watch = unwatched) -> Fetched:
    """Brings the images of one request below the data folder; those of earlier requests stay.

    Args:
        request: one of :func:`artdet.fetching.plan.plan`.
        taxonomy: of our classes.
        watch: shows progress.

    Raises:
        MissingBackend: without FiftyOne, for a set of its zoo.
        InputError: if a server cannot be reached, or what it gives is damaged; what was got stays for the next call.
        RunError: if files cannot be written.
    """
    folder = folder_of(request)
    with only_one_fetches(folder):
        manifest = read_manifest(folder)
        with watch(f"checking {request.set}", len(manifest.files), unit="files") as advance:
            advance(0)
            good = intact(manifest, folder, advance)
        damaged = len(manifest.files) - len(good)
        before = _images(manifest)
        if damaged or request.digest not in manifest.requests:
            work = iconart.fetch if SETS[request.set].kind == "archive" else photographs.fetch
            manifest = work(request, folder, manifest, good, taxonomy=taxonomy, watch=watch)
        images = _images(manifest)
        return Fetched(request.set, folder, images, max(0, images - before), damaged, manifest.refused)


def _images(manifest: Manifest) -> int:
    return sum(name.startswith(("images/", "JPEGImages/")) for name in manifest.files)
