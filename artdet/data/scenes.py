"""Scenes made of cut-outs on backgrounds: where each object goes, after Dwibedi, Misra and Hebert 2017.

"Cut, Paste and Learn: Surprisingly Easy Synthesis for Instance Detection" (ICCV 2017): objects are turned, scaled, cut
by the borders and hidden by each other within limits, and blended in several ways, so that a detector does not learn
the edges of pasting. Here everything is drawn first, with the final outlines; ``scene_painting`` does it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from artdet.boxes import ious
from artdet.config import StrictModel
from artdet.data.artify import Applied, Artify, drawn
from artdet.data.cutouts import RGBA, Cutout, feathered, resized, turned

Blend = Literal["plain", "feather", "poisson"]
BLENDS: tuple[Blend, ...] = ("plain", "feather", "poisson")

_TRIES = 40
_NARROWEST = 10  # pixels of a visible object's shorter side; boxes below it teach nothing
_INSIDE = 0.65  # share of the objects that no border cuts, unless they are too large
_MATCH = (0.3, 0.8)  # how far an object takes on the colours around it
_COMPANY = (0.65, 1.1)  # size of an object beside the one behind it
_ASIDE = (0.1, 0.6)  # how far it stands aside, as a share of both widths' mean
_LOWER = (-0.05, 0.3)  # how much lower it ends, as a share of the other's height
_FEATHER = (0.6, 2.0)  # pixels, standard deviation


class SceneSettings(StrictModel):
    """Everything that decides what scenes look like, beside the cut-outs and backgrounds.

    Attributes:
        size: longer side of a picture in pixels.
        objects: fewest and most objects of a picture.
        scale: smallest and largest longer side of an object, as a share of the picture's longer side.
        aspect: at most this factor wider or narrower than the cut-out.
        rotation: at most so many degrees to either side.
        feet: the lower edge of an object lies at least so far down, as a share of the height; 0 is anywhere.
        enlarge: cut-outs are enlarged at most by this factor.
        hidden: largest share of an object that the borders cut off.
        together: probability that an object stands in front of the last one, about as large: people in company.
        overlap: largest intersection over union of two objects' boxes.
        visible: smallest share of an object that borders and other objects leave to be seen.
        crop: smallest share of a background's sides that is used.
        artify: probability that an object is painted by an effect of ``artify``.
        weights: class -> how often it is drawn, relative to 1 for all that are not named.
    """

    size: int = Field(default=512, ge=64, le=4096)
    objects: tuple[int, int] = (1, 4)
    scale: tuple[float, float] = (0.15, 0.5)
    aspect: float = Field(default=1.2, ge=1, le=2)
    rotation: float = Field(default=15, ge=0, le=180)
    feet: float = Field(default=0.4, ge=0, le=1)
    enlarge: float = Field(default=2.0, ge=1, le=8)
    hidden: float = Field(default=0.4, ge=0, lt=1)
    together: float = Field(default=0.0, ge=0, le=1)
    overlap: float = Field(default=0.75, ge=0, le=1)
    visible: float = Field(default=0.34, gt=0, le=1)
    crop: float = Field(default=0.75, gt=0, le=1)
    artify: float = Field(default=0.5, ge=0, le=1)
    weights: dict[str, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _ranges(self) -> SceneSettings:
        if not 1 <= self.objects[0] <= self.objects[1] <= 50:
            raise ValueError("objects must be two numbers from 1 to 50, the smaller one first")
        if not 0 < self.scale[0] <= self.scale[1] <= 1.5:
            raise ValueError("scale must be two shares above 0, at most 1.5, the smaller one first")
        if any(weight < 0 for weight in self.weights.values()):
            raise ValueError("weights must not be negative")
        return self


@dataclass(frozen=True, eq=False)
class Layer:
    """One object where it goes.

    Attributes:
        cutout: index of the cut-out.
        label: taxonomy id.
        pixels: RGBA uint8 (h, w, 4), turned and scaled; alpha as it is laid on.
        left, top: pixel of the picture where ``pixels`` begins; negative where the border cuts.
        blend: how its edge is treated.
        match: how far it takes on the colours around it, in [0, 1].
        effect: what makes it look painted.
    """

    cutout: int
    label: int
    pixels: RGBA
    left: int
    top: int
    blend: Blend
    match: float
    effect: Applied


@dataclass(frozen=True, eq=False)
class Scene:
    """What one picture is to be.

    Attributes:
        image_size: (height, width) in pixels.
        crop: (left, top, right, bottom) of the background that is used, in shares of its sides.
        flip: whether the background is mirrored.
        layers: objects, later ones in front.
        boxes: float32 (N, 4) xyxy, continuous edges, round what is seen of each object (alpha above one half).
    """

    image_size: tuple[int, int]
    crop: tuple[float, float, float, float]
    flip: bool
    layers: tuple[Layer, ...]
    boxes: NDArray[np.float32]


def background_of(number: int, count: int, seed: int) -> int:
    """Index of the background of picture ``number``: all ``count`` in shuffled order, again and again."""
    turn, place = divmod(number, count)
    return int(np.random.default_rng([seed, turn, 0]).permutation(count)[place])


def drawn_scene(
    settings: SceneSettings,
    cutouts: Sequence[Cutout],
    background_size: tuple[int, int],
    *,
    names: Sequence[str],
    rng: np.random.Generator,
) -> Scene:
    """Draws a scene; the same generator state gives the same one.

    Args:
        settings: the limits.
        cutouts: at least one, some of a class with a weight above 0.
        background_size: (height, width) in pixels.
        names: of the taxonomy's ids.
        rng: source of all randomness.
    """
    crop, flip = _crop(settings.crop, rng), bool(rng.random() < 0.5)
    size = _picture_size(background_size, crop, settings.size)
    wanted = int(rng.integers(*settings.objects, endpoint=True))
    by_class = _by_class(cutouts, settings.weights, names)
    layers: list[Layer] = []
    for _ in range(wanted):
        for _ in range(_TRIES):
            # No number is drawn for a probability of 0: seeds of scenes made before it came still give them.
            before = layers[-1] if layers and settings.together and rng.random() < settings.together else None
            layer = _drawn_layer(settings, cutouts, by_class, size, before, rng)
            if layer is not None and fits([*layers, layer], size, settings):
                layers.append(layer)
                break
    return Scene(size, crop, flip, tuple(layers), visible_boxes(layers, size)[0])


def fits(layers: Sequence[Layer], size: tuple[int, int], settings: SceneSettings) -> bool:
    """Whether all objects are seen well enough, and no two boxes overlap too much."""
    boxes, shares = visible_boxes(layers, size)
    sides = boxes[:, 2:] - boxes[:, :2]
    whole = np.array([_outline(layer, size) for layer in layers])
    overlaps = np.triu(ious(whole, whole), 1)
    return bool(
        shares.min() >= settings.visible and sides.min() >= _NARROWEST and overlaps.max(initial=0) <= settings.overlap
    )


def visible_boxes(layers: Sequence[Layer], size: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Boxes (N, 4) round what is seen of each object, and which share (N,) of the whole object that is.

    A box of zeros stands for an object that is not seen at all.
    """
    front = np.full(size, -1, dtype=np.int16)
    for index, layer in enumerate(layers):
        here, there = overlap_of(layer, size)
        front[here][layer.pixels[there][..., 3] > 127] = index
    boxes, shares = np.zeros((len(layers), 4), dtype=np.float32), np.zeros(len(layers))
    for index, layer in enumerate(layers):
        seen = front == index
        boxes[index] = box_of(seen)
        shares[index] = seen.sum() / (layer.pixels[..., 3] > 127).sum()
    return boxes, shares


def box_of(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """The tight box xyxy, continuous edges, round the true pixels of a mask (H, W); zeros where there are none."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return 0, 0, 0, 0
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def overlap_of(layer: Layer, size: tuple[int, int]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Rows and columns of the picture that a layer covers, and those of the layer that lie in the picture."""
    high, wide = layer.pixels.shape[:2]
    top, left = max(layer.top, 0), max(layer.left, 0)
    bottom, right = min(layer.top + high, size[0]), min(layer.left + wide, size[1])
    here = slice(top, max(bottom, top)), slice(left, max(right, left))
    there = (
        slice(top - layer.top, max(bottom, top) - layer.top),
        slice(left - layer.left, max(right, left) - layer.left),
    )
    return here, there


def _outline(layer: Layer, size: tuple[int, int]) -> tuple[float, ...]:
    """Box of an object in the picture, as if nothing were in front."""
    alone = visible_boxes([layer], size)[0][0]
    return tuple(alone.tolist())


def _crop(smallest: float, rng: np.random.Generator) -> tuple[float, float, float, float]:
    wide, high, x, y = rng.random(4)
    wide, high = smallest + (1 - smallest) * wide, smallest + (1 - smallest) * high
    left, top = x * (1 - wide), y * (1 - high)
    return float(left), float(top), float(left + wide), float(top + high)


def _picture_size(background: tuple[int, int], crop: tuple[float, float, float, float], size: int) -> tuple[int, int]:
    high, wide = (crop[3] - crop[1]) * background[0], (crop[2] - crop[0]) * background[1]
    factor = size / max(high, wide)
    return max(round(high * factor), size // 4), max(round(wide * factor), size // 4)


def _by_class(
    cutouts: Sequence[Cutout], weights: Mapping[str, float], names: Sequence[str]
) -> tuple[list[list[int]], NDArray[np.float64]]:
    """Indices of the cut-outs of each class, and the probability (C,) of each class."""
    labels = sorted({cutout.label for cutout in cutouts})
    members = [[index for index, cutout in enumerate(cutouts) if cutout.label == label] for label in labels]
    chances = np.array([weights.get(names[label], 1.0) for label in labels], dtype=np.float64)
    return members, chances / chances.sum()


def _drawn_layer(
    settings: SceneSettings,
    cutouts: Sequence[Cutout],
    by_class: tuple[list[list[int]], NDArray[np.float64]],
    size: tuple[int, int],
    before: Layer | None,
    rng: np.random.Generator,
) -> Layer | None:
    """One object at one place, if need be in front of another; ``None`` where the border cuts too much of it."""
    members, chances = by_class
    own = members[int(rng.choice(len(members), p=chances))]
    index = own[int(rng.integers(len(own)))]
    scale = settings.scale if before is None else tuple(max(before.pixels.shape) / max(size) * s for s in _COMPANY)
    pixels = _moved(cutouts[index].pixels, settings, scale, max(size), rng)
    blend = BLENDS[int(rng.integers(len(BLENDS)))]
    if blend != "plain":
        pixels = feathered(pixels, float(rng.uniform(*_FEATHER)))
    extent = pixels.shape[:2]
    left, top = _place(extent, size, settings, rng) if before is None else _place_before(before, extent, rng)
    match = float(rng.uniform(*_MATCH))
    effect = drawn(Artify(probability=settings.artify, grey=0), rng)
    layer = Layer(index, cutouts[index].label, pixels, left, top, blend, match, effect)
    return layer if visible_boxes([layer], size)[1][0] >= 1 - settings.hidden else None


def _place(
    own: tuple[int, ...], size: tuple[int, int], settings: SceneSettings, rng: np.random.Generator
) -> tuple[int, int]:
    """Left and top of an object of ``own`` (height, width): mostly within the picture, else across a border."""
    out = 0.0 if rng.random() < _INSIDE else settings.hidden
    (high, wide), (picture_high, picture_wide) = own, size
    left = _between(-out * wide, picture_wide - (1 - out) * wide, rng)
    top = _between(max(-out * high, settings.feet * picture_high - high), picture_high - (1 - out) * high, rng)
    return left, top


def _place_before(before: Layer, own: tuple[int, ...], rng: np.random.Generator) -> tuple[int, int]:
    """Left and top of an object that hides part of another: to one of its sides, and mostly lower."""
    (high, wide), (other_high, other_wide) = own, before.pixels.shape[:2]
    aside = float(rng.choice([-1, 1]) * rng.uniform(*_ASIDE)) * (wide + other_wide) / 2
    lower = float(rng.uniform(*_LOWER)) * other_high
    left = before.left + (other_wide - wide) / 2 + aside
    return round(left), round(before.top + other_high - high + lower)


def _between(low: float, high: float, rng: np.random.Generator) -> int:
    return round(float(rng.uniform(min(low, high), max(low, high))))


def _moved(
    pixels: RGBA, settings: SceneSettings, scale: tuple[float, ...], side: int, rng: np.random.Generator
) -> RGBA:
    """A cut-out mirrored, scaled to a share of the picture's ``side``, stretched and turned on a canvas of its own."""
    high, wide = pixels.shape[:2]
    share = np.exp(rng.uniform(*np.log(scale)))
    factor = min(share * side / max(high, wide), settings.enlarge)
    stretch = np.exp(rng.uniform(-1, 1) * np.log(settings.aspect) / 2)
    angle = np.radians(rng.uniform(-settings.rotation, settings.rotation))
    if rng.random() < 0.5:
        pixels = np.ascontiguousarray(pixels[:, ::-1])
    target = max(round(wide * factor * stretch), 4), max(round(high * factor / stretch), 4)
    return turned(resized(pixels, target), float(angle))
