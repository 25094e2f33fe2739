"""FiftyOne's zoo: where its sets are published, how their images are got, and what of them is on this machine.

The only module that imports FiftyOne, and none of its databases is started: only the functions are used that bring the
files of a set. They write to the final names, so each call works in a folder of its own, from small tables in the
zoo's layout that hold only the images of that call; a call that is cut costs no more than itself.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from artdet.atomic import cannot_write, make_folder
from artdet.errors import ArtdetError, InputError, MissingBackend
from artdet.fetching.archive import Remote, no_connection
from artdet.fetching.chosen import Chosen
from artdet.fetching.plan import ImageSet, Split

_WORKERS = 8
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)


class RefusedError(Exception):
    """A server has one of the images no more, or does not give it."""


@dataclass(frozen=True)
class Addresses:
    """Where the tables of a split are published.

    Attributes:
        tables: name of the file as the zoo has it -> its address.
        packed: member of the file of that address which is the table; empty where it is the table itself.
    """

    tables: dict[str, Remote]
    packed: str = ""


def check_installed() -> None:
    """Makes sure that FiftyOne is there.

    Raises:
        MissingBackend: if not.
    """
    if find_spec("fiftyone") is None:
        raise MissingBackend("fiftyone", "Fetching COCO and Open Images", "Install it with: pip install 'artdet[app]'")


def addresses(one: ImageSet, split: Split) -> Addresses:
    """Where a set's tables are published, as FiftyOne knows it.

    Raises:
        MissingBackend: without FiftyOne.
        ArtdetError: if this version of FiftyOne keeps them elsewhere.
    """
    module = _module(one)
    try:
        if one.kind == "coco":
            member = module._ANNOTATION_PATHS[one.year][split]
            return Addresses({Path(member).name: Remote(module._ANNOTATION_DOWNLOAD_LINKS[one.year])}, member)
        urls = module._ANNOTATION_DOWNLOAD_URLS
        tables = {
            "detections.csv": urls[split]["detections"],
            "classifications.csv": urls[split]["classifications"],
            "classes.csv": urls["general"]["class_names"],
            "hierarchy.json": urls["general"]["hierarchy"],
        }
        return Addresses({name: Remote(url) for name, url in tables.items()})
    except (AttributeError, KeyError, TypeError) as error:
        import fiftyone

        raise ArtdetError(
            f"FiftyOne {fiftyone.__version__} does not say where {one.title} is published. "
            "Install another version: pip install 'fiftyone==1.22.1'"
        ) from error


def at_hand(one: ImageSet, split: Split) -> dict[str, Path]:
    """What of a split lies in FiftyOne's zoo on this machine: names of tables, and ``data``, the images' folder."""
    _module(one)
    import fiftyone

    root = Path(fiftyone.config.dataset_zoo_dir)
    if one.kind == "coco":
        folder = root / f"coco-{one.year}"
        table = "train" if split == "train" else "val"
        name = f"instances_{table}{one.year}.json"
        places = {name: folder / "raw" / name, "data": folder / split / "data"}
    else:
        folder = root / "open-images-v7" / split
        places = {f"{name}.csv": folder / "labels" / f"{name}.csv" for name in ("detections", "classifications")}
        places |= {name: folder / "metadata" / name for name in ("classes.csv", "hierarchy.json")}
        places["data"] = folder / "data"
    return {name: path for name, path in places.items() if path.exists() and (path.is_dir() or _is_whole(path))}


def get_images(one: ImageSet, split: Split, images: Sequence[Chosen], folder: Path) -> dict[str, Path]:
    """Lets FiftyOne download images into an empty folder of this call's own.

    Args:
        one: of kind coco or open images.
        split: that the images are of.
        images: which.
        folder: that is made, and emptied before.

    Returns:
        name of an image -> where it lies now.

    Raises:
        RefusedError: if the server does not give one of them.
        InputError: if it cannot be reached.
        RunError: if the files cannot be written.
    """
    shutil.rmtree(folder, ignore_errors=True)
    module = _module(one)
    with _explained(folder):
        if one.kind == "coco":
            _prepare_coco(one, split, images, folder)
            numbers = list(range(1, len(images) + 1))
            module.download_coco_dataset_split(
                str(folder), split, year=one.year, image_ids=numbers, num_workers=_WORKERS
            )
        else:
            ids = [Path(image.image.file).stem for image in images]
            _prepare_open_images(ids, folder)
            module.download_open_images_split(
                str(folder), split, version="v7", label_types=["detections"], image_ids=ids, num_workers=_WORKERS
            )
    places = {image.image.file: folder / "data" / image.image.file for image in images}
    return {file: path for file, path in places.items() if path.is_file()}


def _module(one: ImageSet) -> Any:
    check_installed()
    # FiftyOne reads these when it is imported.
    os.environ.setdefault("FIFTYONE_DO_NOT_TRACK", "true")
    os.environ.setdefault("FIFTYONE_SHOW_PROGRESS_BARS", "false")
    os.environ.setdefault("FIFTYONE_LOGGING_LEVEL", "ERROR")
    if one.kind == "coco":
        import fiftyone.utils.coco as module
    else:
        import fiftyone.utils.openimages as module
    return module


def _is_whole(table: Path) -> bool:
    """Whether a table does not end in the middle, as one does whose download was cut."""
    with table.open("rb") as stream:
        stream.seek(max(0, table.stat().st_size - 16))
        end = stream.read()
    return end.rstrip().endswith(b"}") if table.suffix == ".json" else end.endswith(b"\n")


def _prepare_coco(one: ImageSet, split: Split, images: Sequence[Chosen], folder: Path) -> None:
    """COCO's table with the images of this call only; their boxes are known."""
    entries = [
        {"id": number, "file_name": image.image.file, "coco_url": image.address, "height": 0, "width": 0}
        for number, image in enumerate(images, start=1)
    ]
    name = f"instances_{'train' if split == 'train' else 'val'}{one.year}.json"
    table = folder / "raw" / name
    make_folder(table.parent)
    table.write_text(json.dumps({"info": {}, "images": entries, "annotations": [], "categories": []}))


def _prepare_open_images(ids: Sequence[str], folder: Path) -> None:
    """Open Images' tables with the images of this call only, and without boxes, which are known."""
    lines = {
        "metadata/image_ids.csv": ["ImageID,Subset", *(f"{image}," for image in ids)],
        "metadata/classes.csv": ["/m/0jbk,Animal", "/m/0bt9lr,Dog"],
        "metadata/hierarchy.json": ["{}"],
        "labels/detections.csv": ["ImageID,LabelName"],
    }
    for name, content in lines.items():
        make_folder((folder / name).parent)
        (folder / name).write_text("\n".join(content) + "\n")


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Foreign exceptions in our words; what FiftyOne logs is the caller's to say."""
    logging.getLogger("fiftyone").setLevel(logging.ERROR)
    try:
        yield
    except ArtdetError:
        raise
    except Exception as error:
        raise _ours(error, folder) from error


def _ours(error: Exception, folder: Path) -> Exception:
    import boto3.exceptions
    import botocore.exceptions
    import eta.core.web

    if isinstance(error, OSError) and error.errno in _DISK:
        return cannot_write(folder, error)
    if isinstance(error, eta.core.web.WebSessionError):
        return RefusedError(str(error))
    if isinstance(error, botocore.exceptions.ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if status in (403, 404, 410):
            return RefusedError(str(error))
    lost = (OSError, botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, boto3.exceptions.Boto3Error)
    if isinstance(error, lost):  # requests' errors are OSErrors
        return no_connection("The server of the images", type(error).__name__)
    return InputError(
        f"FiftyOne could not fetch the images: {error!r}. Install another version: pip install -U fiftyone"
    )
