"""A folder of composed scenes with their boxes, for ``artdet data compose``."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from artdet.atomic import make_folder, whole_file
from artdet.data.artify import Artify, check_backend
from artdet.data.artify_cache import on_all_processors, write_picture
from artdet.data.coco_writer import write_coco
from artdet.data.cutouts import Cutout
from artdet.data.dataset import BACKGROUND_HASH, Dataset, Sample
from artdet.data.formats import FORMATS, reader
from artdet.data.scene_painting import painted_scene
from artdet.data.scenes import Scene, SceneSettings, background_of, drawn_scene
from artdet.data.sources import load_dataset, shipped_sources
from artdet.detections import Detections
from artdet.errors import ImageError, InputError
from artdet.images.finder import find_images
from artdet.images.reader import read_image
from artdet.runs import json_text
from artdet.taxonomy import Taxonomy

NOTE = "compose.json"
"""File of the result's folder: settings, and where every cut-out and background comes from."""

BOXES = "instances.json"
"""File of the result's folder with the boxes, as COCO json."""

VERSION = 1
"""Raised when the same settings give other pictures."""

_QUALITY = 92
_DIGITS = 6


@dataclass(frozen=True)
class Background:
    """An image that holds none of the classes.

    Attributes:
        path: of the file.
        file: the same relative to its source, behind the source's name; the group of all pictures on it.
        source: name of the source or folder.
        licence: as the source states it.
    """

    path: Path
    file: str
    source: str
    licence: str


@dataclass(frozen=True, eq=False)
class Order:
    """What to compose.

    Attributes:
        cutouts: at least one.
        backgrounds: at least one.
        classes: ids that are boxed wherever they appear: those that the backgrounds do not hold.
        settings: of the scenes.
        seed: another one gives other scenes.
    """

    cutouts: Sequence[Cutout]
    backgrounds: Sequence[Background]
    classes: frozenset[int]
    settings: SceneSettings
    seed: int


@dataclass
class Composed:
    """What was made.

    Attributes:
        dataset: all pictures of the folder with their boxes.
        made: pictures written now.
        before: pictures that were there.
        failures: backgrounds that cannot be read, and why; their pictures are not there.
    """

    dataset: Dataset
    made: int = 0
    before: int = 0
    failures: dict[str, ImageError] = field(default_factory=dict)


def backgrounds_of(
    place: str, classes: frozenset[int], *, taxonomy: Taxonomy, assume_absent: bool, files: str | None = None
) -> tuple[Background, ...]:
    """The images of a source that hold none of the classes.

    Args:
        place: a folder of images, or a source.
        classes: ids of the taxonomy.
        taxonomy: of the source's labels.
        assume_absent: whether the user vouches that none of the classes is in the images without a box of them.
            Otherwise they must have been looked for.
        files: regular expression searched in an image's path; all by default.

    Raises:
        InputError: if there is no such image.
    """
    if assume_absent and _is_plain(place):
        found = find_images([place], recursive=True)
        name = found.root.name
        images = [Background(found.root / file, f"{name}/{file}", name, "") for file in found.files]
    else:
        dataset = load_dataset(place, taxonomy=taxonomy)
        images = [
            Background(dataset.root / s.file, f"{dataset.name}/{s.file}", dataset.name, dataset.licence)
            for s in dataset
            if _is_free(s, classes, taxonomy, assume_absent)
        ]
    kept = tuple(image for image in images if files is None or re.search(files, image.file.partition("/")[2]))
    if not kept:
        raise InputError(
            f"{place} has no image in which the classes were looked for and are not. Name other backgrounds, "
            "or give --assume-absent if you know that images without such a box hold none of them."
        )
    return kept


def compose(order: Order, folder: Path, *, count: int, taxonomy: Taxonomy, progress: Callable[[int], None]) -> Composed:
    """Makes the first ``count`` pictures that are not there yet, and writes the boxes of them all.

    May be stopped in any way and called again, also with another ``count``.

    Args:
        order: what to compose.
        folder: for the results; it is made.
        count: of pictures.
        taxonomy: of the classes.
        progress: called with the number of pictures that are through; first with 0.

    Raises:
        InputError: if the folder holds other files, or pictures made with other settings, cut-outs or backgrounds.
        MissingBackend: if an effect needs a library that is not there.
        RunError: if a file cannot be written.
    """
    check_backend(Artify(probability=order.settings.artify))
    claim(folder, order, taxonomy)
    make_folder(folder / "images")
    work = _Work(order, folder, taxonomy)
    result = Composed(Dataset(folder.resolve().name, folder.resolve(), (), taxonomy))
    samples: dict[int, Sample] = {}
    progress(0)
    for number, done in on_all_processors(work.make, range(count)):
        if isinstance(done, ImageError):
            result.failures[work.background(number).file] = done
        else:
            samples[number], new = done
            result.made, result.before = result.made + new, result.before + (not new)
        progress(1)
    licences = sorted({b.licence for b in order.backgrounds if b.licence} | _licences(order.cutouts))
    result.dataset = Dataset(
        result.dataset.name,
        result.dataset.root,
        tuple(samples[number] for number in sorted(samples)),
        taxonomy,
        licence="; ".join(licences),
    )
    write_coco(result.dataset, folder / BOXES)
    return result


def claim(folder: Path, order: Order, taxonomy: Taxonomy) -> None:
    """Makes the folder ours, or finds that it is ours and of the same order.

    Raises:
        InputError: if it is not.
    """
    note = folder / NOTE
    ours = _note(order, taxonomy)
    if os.path.lexists(note):
        try:
            theirs = json.loads(note.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{note} cannot be read. Name another folder with --out.") from error
        if theirs != json.loads(json_text(ours)):
            changed = ", ".join(key for key in ours if not isinstance(theirs, dict) or theirs.get(key) != ours[key])
            raise InputError(
                f"{folder} holds scenes made in another way (other {changed or 'contents'}). "
                "Name another folder with --out."
            )
        return
    if os.path.lexists(folder / "images") or os.path.lexists(folder / BOXES):
        raise InputError(f"{folder} holds other images or boxes already. Name another folder with --out.")
    make_folder(folder)
    with whole_file(note) as stream:
        stream.write(json_text(ours, indent=1).encode())


class _Work:
    """Makes one picture after the other; may be called from several threads."""

    def __init__(self, order: Order, folder: Path, taxonomy: Taxonomy) -> None:
        self._order, self._folder, self._taxonomy = order, folder, taxonomy

    def background(self, number: int) -> Background:
        """What is behind a picture."""
        order = self._order
        return order.backgrounds[background_of(number, len(order.backgrounds), order.seed)]

    def make(self, number: int) -> tuple[Sample, bool] | ImageError:
        """A picture's boxes, and whether it had to be made."""
        order, background = self._order, self.background(number)
        try:
            image = read_image(background.path)
        except ImageError as error:
            return error
        rng = np.random.default_rng([order.seed, number, 1])
        size = image.pixels.shape[0], image.pixels.shape[1]
        scene = drawn_scene(order.settings, order.cutouts, size, names=self._taxonomy.names, rng=rng)
        file = f"images/{number:0{_DIGITS}d}.jpg"
        path = self._folder / file
        new = not os.path.lexists(path)
        if new:
            write_picture(path, painted_scene(image.pixels, scene), quality=_QUALITY)
        return self._sample(file, scene, background, image.sha256), new

    def _sample(self, file: str, scene: Scene, background: Background, sha256: str) -> Sample:
        none = np.zeros(len(scene.layers), dtype=bool)
        return Sample(
            file=file,
            truth=Detections.of(scene.boxes, 1.0, [layer.label for layer in scene.layers], scene.image_size),
            crowd=none,
            difficult=none,
            annotated=True,
            labelled=self._order.classes,
            fields={"background": background.file, BACKGROUND_HASH: sha256},
            group=background.file,
        )


def _is_plain(place: str) -> bool:
    """Whether a name is that of a folder of mere images."""
    path = Path(place)
    return path.is_dir() and place not in shipped_sources() and not any(reader(f).recognises(path) for f in FORMATS)


def _is_free(sample: Sample, classes: frozenset[int], taxonomy: Taxonomy, assume_absent: bool) -> bool:
    if taxonomy.among(sample.truth.labels, classes).any():
        return False
    wanted = np.array(sorted(classes))
    return assume_absent or (sample.annotated and bool(taxonomy.among(wanted, sample.labelled).all()))


def _note(order: Order, taxonomy: Taxonomy) -> dict[str, Any]:
    cutouts = [
        {"file": c.file, "class": taxonomy.names[c.label], "sha256": c.sha256[:32], **_prefixed(c.origin)}
        for c in order.cutouts
    ]
    backgrounds = [{"file": b.file, "licence": b.licence} for b in order.backgrounds]
    settings = order.settings.model_dump(mode="json")
    if not settings["together"]:
        del settings["together"]  # so that folders go on that were begun before there was such a setting
    return {
        "version": VERSION,
        "seed": order.seed,
        "settings": settings,
        "classes": [taxonomy.names[label] for label in sorted(order.classes)],
        "cutouts": cutouts,
        "backgrounds": backgrounds,
    }


def _prefixed(origin: Mapping[str, str]) -> dict[str, str]:
    return {f"from_{name}": text for name, text in origin.items()}


def _licences(cutouts: Sequence[Cutout]) -> set[str]:
    return {licence for cutout in cutouts if (licence := cutout.origin.get("licence"))}
