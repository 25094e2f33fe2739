"""IconArt v1: one archive on Zenodo, in Pascal VOC's form. Only images that someone boxed objects in are taken out.

Reference: Gonthier et al., Weakly Supervised Object Detection in Artworks, ECCV Workshops 2018.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from artdet.errors import InputError
from artdet.fetching.archive import Watch, download, file_digest, record_file, unpack
from artdet.fetching.balance import balanced
from artdet.fetching.folder import TABLES, Manifest, image_digest, request_of, write_manifest
from artdet.fetching.plan import Request
from artdet.taxonomy import Taxonomy

RECORD = "https://zenodo.org/api/records/4737435"
ARCHIVE = "IconArt_v1.zip"
_ANNOTATIONS, _IMAGES = "Annotations", "JPEGImages"
_MEMBER = re.compile(rf"(?:[^/\\]+/)*({_ANNOTATIONS}|{_IMAGES})/([^/\\]+)\.(xml|jpg)")
_OBJECT = re.compile(r"<object>.*?<name>\s*([^<]+?)\s*</name>", re.DOTALL)
_MAX_XML = 1 << 20
_STEP = 64


def fetch(
    request: Request,
    folder: Path,
    manifest: Manifest,
    good: frozenset[str],
    *,
    taxonomy: Taxonomy,
    watch: Watch,
) -> Manifest:
    """Completes the folder; see :func:`artdet.fetching.fetch.fetch`.

    Args:
        request: what is asked for now.
        folder: of the set.
        manifest: of the folder as it was.
        good: files of it that are intact.
        taxonomy: not needed: nothing about the classes that were looked for differs between the images.
        watch: shows progress.
    """
    archive = folder / TABLES / ARCHIVE
    if not archive.is_file():
        download(record_file(RECORD, ARCHIVE), archive, watch=watch)
    requests = {**manifest.requests, request.digest: request_of(request)}
    members = _members(archive)
    classes = _classes(archive, members)
    wanted = {
        stem for asked in requests.values() for stem in _stems(Request(**asked), classes) if _image(stem) in members
    }
    digests = {name: manifest.files[name] for name in good}
    with watch("unpacking iconart", len(wanted), unit="images") as advance:
        digests |= _unpacked(archive, members, sorted(wanted), digests, folder, advance)
    made = Manifest(requests, dict(sorted(digests.items())))
    write_manifest(made, folder)
    return made


def _image(stem: str) -> str:
    return f"{_IMAGES}/{stem}.jpg"


def _annotation(stem: str) -> str:
    return f"{_ANNOTATIONS}/{stem}.xml"


def _members(archive: Path) -> dict[str, str]:
    """File below our folder -> member of the archive; all else in it is left alone."""
    try:
        with zipfile.ZipFile(archive) as packed:
            found = {name: _MEMBER.fullmatch(name) for name in packed.namelist()}
    except (OSError, zipfile.BadZipFile) as error:
        raise _damaged(archive, error) from error
    return {f"{match[1]}/{match[2]}.{match[3]}": name for name, match in found.items() if match}


def _classes(archive: Path, members: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """Annotated image -> the set's names of what is boxed in it."""
    found = {}
    try:
        with zipfile.ZipFile(archive) as packed:
            for file, member in members.items():
                if file.startswith(_ANNOTATIONS):
                    with packed.open(member) as stream:
                        text = stream.read(_MAX_XML).decode("utf-8", "replace")
                    found[Path(file).stem] = frozenset(_OBJECT.findall(text))
    except (OSError, zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise _damaged(archive, error) from error
    return found


def _damaged(archive: Path, error: Exception) -> InputError:
    return InputError(f"{archive} is damaged ({error}). Delete it and run the same command again.")


def _stems(request: Request, classes: Mapping[str, frozenset[str]]) -> list[str]:
    bits = {name: 1 << index for index, name in enumerate(sorted(set(request.classes.values())))}
    masks = {stem: sum({bits[request.classes[name]] for name in own & request.classes.keys()})
             for stem, own in classes.items()}  # fmt: skip
    return balanced(masks, request.max_images, seed=request.seed)


def _unpacked(
    archive: Path,
    members: Mapping[str, str],
    stems: list[str],
    digests: Mapping[str, str],
    folder: Path,
    advance: Callable[[int], None],
) -> dict[str, str]:
    """Checksums of the files of images that were not there."""
    rest = [stem for stem in stems if not {_image(stem), _annotation(stem)} <= digests.keys()]
    advance(len(stems) - len(rest))
    made: dict[str, str] = {}
    for start in range(0, len(rest), _STEP):
        part = rest[start : start + _STEP]
        files = [file for stem in part for file in (_annotation(stem), _image(stem))]
        unpack(archive, {members[file]: folder / file for file in files})
        for stem in part:
            digest = image_digest(folder / _image(stem))
            if digest is None:
                raise InputError(
                    f"{members[_image(stem)]} in {archive} is no image. Delete the archive and run the command again."
                )
            made |= {_image(stem): digest, _annotation(stem): file_digest(folder / _annotation(stem))}
        advance(len(part))
    return made
