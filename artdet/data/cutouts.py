"""Cut-outs: objects on a transparent ground, each a PNG file whose place says its class."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from artdet.errors import InputError, LabelError
from artdet.labelmaps import LabelMap
from artdet.taxonomy import Taxonomy

ORIGINS = "cutouts.json"
"""File of a folder of cut-outs that says where each comes from: path -> fields such as ``source`` and ``licence``."""

_SHORTEST = 16  # pixels of a cut-out's longer side; less is a speck
_SHOWN = 5

RGBA = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Cutout:
    """One object.

    Attributes:
        file: its path relative to the named folder, behind that folder's name.
        label: taxonomy id.
        pixels: RGBA uint8 (H, W, 4), cut to what is more than half opaque.
        sha256: of the file's bytes, in hexadecimal.
        origin: where it comes from, as the folder's ``cutouts.json`` says.
    """

    file: str
    label: int
    pixels: RGBA
    sha256: str
    origin: Mapping[str, str]


def load_cutouts(
    folder: Path, classes: frozenset[int], *, label_map: LabelMap, taxonomy: Taxonomy, licence: str = ""
) -> tuple[tuple[Cutout, ...], Mapping[str, str]]:
    """Reads the cut-outs of some classes from a folder and those below it.

    The class of a file is what the label map says of its path or else of the nearest folder above it (both relative to
    ``folder``, with ``/``); where it says nothing, the nearest folder below ``folder`` that has the name of a class.

    Args:
        folder: with PNG files; all others are passed over.
        classes: ids that are wanted.
        label_map: of paths, or the identity.
        taxonomy: of the ids.
        licence: of those of which the folder states none.

    Returns:
        The cut-outs in the order of their files, and files that cannot be used, with the reason.

    Raises:
        InputError: if the folder is not there or has no PNG file.
        LabelError: naming files without a class, and classes that the taxonomy does not have.
    """
    files = _png_files(folder)
    labels = _labels(files, label_map, taxonomy, folder)
    origins = _origins(folder)
    stated = {"licence": licence} if licence else {}
    cutouts, failures = [], {}
    for file, label in labels.items():
        if label not in classes:
            continue
        name = f"{folder.resolve().name}/{file}"
        try:
            data = (folder / file).read_bytes()
            pixels = trimmed(_decoded(data))
        except (OSError, ValueError, SyntaxError) as error:
            failures[name] = str(error)
            continue
        digest = hashlib.sha256(data).hexdigest()
        cutouts.append(Cutout(name, label, pixels, digest, {**stated, **origins.get(file, {})}))
    return tuple(cutouts), failures


def trimmed(pixels: RGBA) -> RGBA:
    """The part of RGBA (H, W, 4) that holds all that is more than half opaque, with a margin of one pixel.

    Raises:
        ValueError: if nothing is transparent, or what is opaque is a mere speck.
    """
    solid = pixels[..., 3] > 127
    if solid.all():
        raise ValueError("has no transparent ground")
    rows, columns = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
    if not len(rows) or max(rows[-1] - rows[0], columns[-1] - columns[0]) < _SHORTEST:
        raise ValueError(f"is smaller than {_SHORTEST} pixels")
    top, left = max(rows[0] - 1, 0), max(columns[0] - 1, 0)
    return np.ascontiguousarray(pixels[top : rows[-1] + 2, left : columns[-1] + 2])


def turned(pixels: RGBA, angle: float) -> RGBA:
    """RGBA (H, W, 4) turned by ``angle`` radians, on a canvas that just holds it with a pixel to spare."""
    high, wide = pixels.shape[:2]
    cos, sin = np.cos(angle), np.sin(angle)
    out_wide = int(np.ceil(abs(wide * cos) + abs(high * sin) - 1e-6)) + 2
    out_high = int(np.ceil(abs(wide * sin) + abs(high * cos) - 1e-6)) + 2
    turn = np.array([[cos, -sin], [sin, cos]])
    shift = np.array([out_wide - 1, out_high - 1]) / 2 - turn @ (np.array([wide - 1, high - 1]) / 2)
    matrix = np.hstack([turn, shift[:, None]])
    laid = cv2.warpAffine(_premultiplied(pixels), matrix, (out_wide, out_high), flags=cv2.INTER_LINEAR)
    return _divided(laid)


def resized(pixels: RGBA, size: tuple[int, int]) -> RGBA:
    """RGBA (H, W, 4) at (width, height)."""
    smaller = size[0] * size[1] < pixels.shape[0] * pixels.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return _divided(cv2.resize(_premultiplied(pixels), size, interpolation=how))


def feathered(pixels: RGBA, sigma: float) -> RGBA:
    """The same with a soft edge that lies within the old one."""
    alpha = pixels[..., 3]
    thinner = cv2.erode(alpha, np.ones((3, 3), np.uint8))
    soft = np.minimum(cv2.GaussianBlur(thinner, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT), alpha)
    return np.dstack([pixels[..., :3], soft])


def _png_files(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise InputError(f"There is no folder of cut-outs {folder}. Name one with PNG files.")
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.suffix.lower() == ".png")
    if not files:
        raise InputError(f"{folder} has no PNG file. Name a folder of cut-outs with a transparent ground.")
    return files


def _labels(files: Sequence[str], label_map: LabelMap, taxonomy: Taxonomy, folder: Path) -> dict[str, int]:
    """File -> taxonomy id, or -1 for what the label map ignores."""
    known = list(label_map.labels or ())
    ids = dict(zip(known, label_map.ids(known, taxonomy).tolist(), strict=True))
    labels = {file: _label(file, ids, taxonomy) for file in files}
    lost = [file for file, label in labels.items() if label is None]
    if lost:
        shown = ", ".join(lost[:_SHOWN]) + (", ..." if len(lost) > _SHOWN else "")
        raise LabelError(
            f"{len(lost)} cut-outs of {folder} have no class ({shown}). Put them into folders with names of classes, "
            "or name them or their folders in a label map (--label-map)."
        )
    return {file: label for file, label in labels.items() if label is not None}


def _label(file: str, ids: Mapping[str, int], taxonomy: Taxonomy) -> int | None:
    """What the label map says of a path, else the nearest folder with the name of a class."""
    path = PurePosixPath(file)
    places = [str(path), *(str(parent) for parent in path.parents)]
    mapped = next((ids[place] for place in places if place in ids), None)
    if mapped is not None:
        return mapped
    return next((taxonomy.id_of(parent.name) for parent in path.parents if parent.name in taxonomy.names), None)


def _decoded(data: bytes) -> RGBA:
    try:
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image.convert("RGBA"))
    except ImportError as error:  # where ultralytics is loaded, it looks for another package before it gives up
        raise UnidentifiedImageError("is not an image") from error


def _origins(folder: Path) -> dict[str, dict[str, str]]:
    path = folder / ORIGINS
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {str(file): {str(k): str(v) for k, v in origin.items()} for file, origin in content.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(f"{path} cannot be read. Remove it, or make the cut-outs again.") from error


def _premultiplied(pixels: RGBA) -> NDArray[np.float32]:
    """Colours x alpha, and alpha, so that what lies under a transparent ground does not run in."""
    values = pixels.astype(np.float32)
    values[..., :3] *= values[..., 3:] / 255
    return values


def _divided(values: NDArray[np.float32]) -> RGBA:
    alpha = np.clip(values[..., 3:], 0, 255)
    colours = np.divide(values[..., :3] * 255, alpha, out=np.zeros_like(values[..., :3]), where=alpha > 0.5)
    return np.dstack([np.clip(colours, 0, 255), alpha]).round().astype(np.uint8)
