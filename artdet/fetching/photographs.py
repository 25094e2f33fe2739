"""Photographs of COCO and Open Images: tables, choice, images, labels, manifest, in this order."""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from artdet.atomic import cannot_write, make_folder
from artdet.errors import ImageError, InputError
from artdet.fetching import coco, open_images, zoo
from artdet.fetching.archive import Watch, download, file_digest, unpack
from artdet.fetching.chosen import Chosen, read_chosen, write_chosen
from artdet.fetching.folder import (
    CHOSEN,
    IMAGES,
    INCOMING,
    LABELS,
    TABLES,
    Manifest,
    image_digest,
    request_of,
    write_labels,
    write_manifest,
)
from artdet.fetching.plan import SETS, ImageSet, Request, Split
from artdet.images.header import image_sizes
from artdet.labelmaps import LabelMap
from artdet.taxonomy import Taxonomy

_BATCH = 64
_TRIES = 3
_WAIT = 1.0  # seconds before the second try, then twice as many


def fetch(
    request: Request,
    folder: Path,
    manifest: Manifest,
    good: frozenset[str],
    *,
    taxonomy: Taxonomy,
    watch: Watch,
) -> Manifest:
    """Completes a folder; see :func:`artdet.fetching.fetch.fetch`.

    Args:
        request: what is asked for now.
        folder: of the set.
        manifest: of the folder as it was.
        good: files of it that are intact.
        taxonomy: of our classes.
        watch: shows progress.
    """
    one = SETS[request.set]
    wanted: dict[str, Chosen] = {}
    requests = {**manifest.requests, request.digest: request_of(request)}
    for digest, asked in requests.items():
        for chosen in _chosen(Request(**asked), digest, folder, taxonomy, watch):
            wanted.setdefault(chosen.image.file, chosen)
    digests = {file: manifest.files[name] for file in wanted if (name := f"{IMAGES}/{file}") in good}
    digests |= _left_there(wanted, digests, folder)
    refused = [file for file in manifest.refused if file in wanted]
    lacking = [chosen for file, chosen in wanted.items() if file not in digests and file not in refused]
    with watch(f"fetching {one.name}", len(wanted), unit="images") as advance:
        advance(len(wanted) - len(lacking))
        got, gone = _get(one, lacking, folder, advance)
    digests |= got
    shutil.rmtree(folder / INCOMING, ignore_errors=True)
    return _finish(one, wanted, digests, folder, requests=requests, refused=(*refused, *gone))


def _chosen(request: Request, digest: str, folder: Path, taxonomy: Taxonomy, watch: Watch) -> list[Chosen]:
    """The images of a request, chosen at its first call."""
    path = folder / CHOSEN / f"{digest}.jsonl"
    if not path.is_file():
        one = SETS[request.set]
        tables = _tables(one, request, folder / TABLES / request.split, watch)
        if one.kind == "coco":
            (table,) = tables.values()
            chosen = coco.choose(table, request)
        else:
            files = open_images.Tables(
                tables["detections.csv"], tables["classifications.csv"], tables["classes.csv"], tables["hierarchy.json"]
            )
            chosen = open_images.choose(files, request, taxonomy)
        write_chosen(chosen, path)
    return read_chosen(path)


def _tables(one: ImageSet, request: Request, folder: Path, watch: Watch) -> dict[str, Path]:
    """The set's tables by their names: those in FiftyOne's zoo on this machine, else downloaded."""
    local = zoo.at_hand(one, request.split)
    published = zoo.addresses(one, request.split)
    found = {}
    for name, remote in published.tables.items():
        path = folder / name
        if path.is_file():
            found[name] = path
        elif name in local:
            found[name] = local[name]
        elif published.packed:
            packed = folder / "annotations.zip"
            if not packed.is_file():
                download(remote, packed, watch=watch)
            unpack(packed, {published.packed: path})
            packed.unlink()
            found[name] = path
        else:
            download(remote, path, watch=watch)
            found[name] = path
    return found


def _left_there(wanted: Mapping[str, Chosen], known: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Checksums of images that an earlier call brought without coming to its end."""
    found = {}
    for file in wanted.keys() - known.keys():
        path = folder / IMAGES / file
        if path.is_file() and (digest := image_digest(path)):
            found[file] = digest
    return found


def _get(
    one: ImageSet, lacking: Sequence[Chosen], folder: Path, advance: Callable[[int], None]
) -> tuple[dict[str, str], list[str]]:
    """Checksums of the images that were brought, and the files that are not to be had."""
    make_folder(folder / IMAGES)
    digests: dict[str, str] = {}
    refused: list[str] = []
    places = (folder / INCOMING / str(number) for number in itertools.count())
    for split, batch in _batches(lacking):
        local = zoo.at_hand(one, split).get("data")
        copied = _copied(batch, local, folder) if local else {}
        advance(len(copied))
        digests |= copied
        rest = [chosen for chosen in batch if chosen.image.file not in copied]
        if rest:
            got, gone = _downloaded(one, split, rest, folder, places)
            digests |= got
            refused += gone
            advance(len(rest))
    return digests, refused


def _batches(images: Sequence[Chosen]) -> Iterator[tuple[Split, list[Chosen]]]:
    for split in dict.fromkeys(chosen.split for chosen in images):
        own = [chosen for chosen in images if chosen.split == split]
        for start in range(0, len(own), _BATCH):
            yield split, own[start : start + _BATCH]


def _copied(batch: Sequence[Chosen], source: Path, folder: Path) -> dict[str, str]:
    """Images that lie whole in FiftyOne's zoo on this machine."""
    found: dict[str, str] = {}
    for chosen in batch:
        file = chosen.image.file
        if not (source / file).is_file() or image_digest(source / file) is None:
            continue
        draft = folder / INCOMING / file
        make_folder(draft.parent)
        try:
            shutil.copyfile(source / file, draft)
        except OSError as error:
            raise cannot_write(draft, error) from error
        found |= _moved({file: draft}, folder)
    return found


def _downloaded(
    one: ImageSet, split: Split, batch: Sequence[Chosen], folder: Path, places: Iterator[Path]
) -> tuple[dict[str, str], list[str]]:
    """Checksums of the images of a batch, and the files that are not to be had.

    Raises:
        InputError: if the server cannot be reached.
    """
    digests: dict[str, str] = {}
    rest = list(batch)
    for attempt in range(_TRIES):
        try:
            # A folder for each try: threads of one that failed may still be writing.
            digests |= _moved(zoo.get_images(one, split, rest, next(places)), folder)
        except zoo.RefusedError:
            break
        except InputError:
            if attempt == _TRIES - 1:
                raise
            time.sleep(_WAIT * 2**attempt)
        rest = [chosen for chosen in rest if chosen.image.file not in digests]
        if not rest:
            return digests, []
    else:  # they came damaged each time
        return digests, [chosen.image.file for chosen in rest]
    if len(rest) == 1:
        return digests, [rest[0].image.file]
    refused = []
    for half in (rest[: len(rest) // 2], rest[len(rest) // 2 :]):
        got, gone = _downloaded(one, split, half, folder, places)
        digests |= got
        refused += gone
    return digests, refused


def _moved(files: Mapping[str, Path], folder: Path) -> dict[str, str]:
    """Moves those that can be decoded to the images; gives their checksums."""
    found = {}
    for file, path in files.items():
        digest = image_digest(path)
        if digest is None:
            continue
        try:
            path.replace(folder / IMAGES / file)
        except OSError as error:
            raise cannot_write(folder / IMAGES / file, error) from error
        found[file] = digest
    return found


def _finish(
    one: ImageSet,
    wanted: Mapping[str, Chosen],
    digests: Mapping[str, str],
    folder: Path,
    *,
    requests: Mapping[str, Mapping[str, object]],
    refused: tuple[str, ...],
) -> Manifest:
    files = sorted(digests)
    images, sizes = [], []
    for file, size in zip(files, image_sizes([folder / IMAGES / file for file in files]), strict=True):
        if isinstance(size, ImageError):
            raise InputError(f"{folder / IMAGES / file} vanished. Run the same command again.") from size
        images.append(wanted[file].image)
        sizes.append(size)
    names = list(LabelMap.load(one.label_map).labels or ())
    write_labels(images, sizes, names, folder, title=one.title, licence=one.licence)
    made = {f"{IMAGES}/{file}": digests[file] for file in files}
    manifest = Manifest(requests, {LABELS: file_digest(folder / LABELS), **made}, refused)
    write_manifest(manifest, folder)
    return manifest
