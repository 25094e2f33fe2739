"""Makes photographs look like art, so that detectors for art can be trained on them.

After the report's recipe, with OpenCV's filters (Gastal and Oliveira 2011 for all but the oil painting, which is
Holzmann 1988). Nothing moves, so boxes stay valid.

Each effect is painted on a canvas whose longer side is drawn from :data:`CANVAS`, and brought back to the size of the
photograph: a brush has the same share of a photograph of 300 and of one of 2,000 pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, cast

import cv2
import numpy as np
from pydantic import Field, model_validator

from artdet.config import StrictModel
from artdet.devices import CONTRIB
from artdet.errors import ConfigError, MissingBackend
from artdet.images import RGBImage

CANVAS = (512, 800)
"""Longer side in pixels that effects are painted at, smallest and largest."""

STYLE_CANVAS = 384.0
"""Longer side in pixels that the style networks work at."""


_MOST_ENLARGED = 4.0
_SHORTEST = 32  # pixels of the canvas; the filters and the style networks fail on narrower ones
_PROBE = 0.01  # shade that shows how a pencil drawing's tone grows, without touching white yet
_SHADES = np.geomspace(0.002, 0.1, 32)
_BRIGHTEST = 1.6

Probability = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Weights(StrictModel):
    """How often each effect is drawn, relative to the others; ``neural`` is beyond the report (neural_artify.py)."""

    edge_preserving: Weight = 0.05
    pencil_sketch: Weight = 0.05
    stylization: Weight = 0.2
    oil_painting: Weight = 0.7
    neural: Weight = 0

    @model_validator(mode="after")
    def _some(self) -> Weights:
        if sum(self.model_dump().values()) <= 0:
            raise ValueError("all weights are 0; give one of them a weight above 0")
        return self


class Artify(StrictModel):
    """How photographs become art; the defaults are the report's, but for ``grey``, which was 0.8 for its grey archive.

    Attributes:
        probability: that one of the effects is applied.
        weights: which one.
        grey: probability that the colours are taken away, whether there is an effect or not.
    """

    probability: Probability = 0.2
    weights: Weights = Weights()
    grey: Probability = 0.3


@dataclass(frozen=True)
class Applied:
    """What is done to a picture.

    Attributes:
        effect: name of a field of :class:`Weights`, or ``None``.
        parameters: of the effect; ``canvas`` is in pixels of the longer side, the others are those of its function.
        grey: whether colours are taken away.
    """

    effect: str | None = None
    parameters: Mapping[str, float] = field(default_factory=dict)
    grey: bool = False

    def __bool__(self) -> bool:
        """Whether anything is done at all."""
        return self.effect is not None or self.grey


def artified(image: RGBImage, settings: Artify, rng: np.random.Generator) -> tuple[RGBImage, Applied]:
    """A picture with the effect that ``rng`` draws, and which one that is.

    Returns:
        RGB uint8 (H, W, 3) of the same shape; ``image`` itself where nothing is done.

    Raises:
        MissingBackend: for an oil painting without OpenCV's contrib modules.
    """
    applied = drawn(settings, rng)
    return painted(image, applied), applied


def drawn(settings: Artify, rng: np.random.Generator) -> Applied:
    """What is to be done, without doing it."""
    whether, which, grey = rng.random(3)  # always three, so that one setting does not shift what another draws
    effect = _at(which, settings.weights) if whether < settings.probability else None
    parameters = {"canvas": float(rng.integers(*CANVAS, endpoint=True)), **_RANGES[effect](rng)} if effect else {}
    return Applied(effect, parameters, bool(grey < settings.grey))


def painted(
    image: RGBImage, applied: Applied, effects: Mapping[str, Callable[..., RGBImage]] | None = None
) -> RGBImage:
    """A picture with what :func:`drawn` gave.

    Args:
        image: RGB uint8 (H, W, 3), of any size from 1 x 1.
        effects: functions of the effects, where they are not only those of :data:`EFFECTS`.

    Returns:
        RGB uint8 (H, W, 3) of the same shape; ``image`` itself where nothing is done.

    Raises:
        ConfigError: for the neural effect, where ``effects`` lacks it.
        MissingBackend: for an oil painting without OpenCV's contrib modules.
    """
    if applied.effect is not None:
        parameters = dict(applied.parameters)
        function = (effects or EFFECTS).get(applied.effect)
        if function is None:
            raise ConfigError(f"The effect '{applied.effect}' needs paintings. Give a folder of them as styles.")
        canvas = _resized(image, _canvas(image.shape[:2], parameters.pop("canvas")))
        image = _resized(function(canvas, **parameters), image.shape[:2])
    return grey(image) if applied.grey else image


def generator(sha256: str, *, seed: int, variant: int) -> np.random.Generator:
    """What draws the effect of one variant of a file: the same bytes, seed and number give the same."""
    return np.random.default_rng([seed, variant, int(sha256, 16)])


def check_backend(settings: Artify) -> None:
    """Finds out before any work whether the effects can be had.

    Raises:
        MissingBackend: if oil paintings are wanted and OpenCV lacks its contrib modules.
    """
    if settings.probability > 0 and settings.weights.oil_painting > 0:
        _oil_filter()


def edge_preserving(image: RGBImage, *, sigma_s: float, sigma_r: float) -> RGBImage:
    """Smooth surfaces with their edges kept, as in a watercolour or a pastel.

    Args:
        image: RGB uint8 (H, W, 3).
        sigma_s: how far colours flow, in pixels, up to 200.
        sigma_r: how large an edge must be to stop them, 0 to 1.
    """
    done = cv2.edgePreservingFilter(_swapped(image), flags=cv2.RECURS_FILTER, sigma_s=sigma_s, sigma_r=sigma_r)
    return _swapped(cast(RGBImage, done))


def pencil_sketch(
    image: RGBImage, *, sigma_s: float, sigma_r: float, blur: float, tone: float, coloured: float
) -> RGBImage:
    """A drawing with graphite or colour pencils.

    The filter's brightness depends on how much texture a photograph has: with a fixed shade a meadow turns black and
    fur on a plain ground white. So the shade is chosen by the tone that is wanted.

    Args:
        image: RGB uint8 (H, W, 3).
        sigma_s: length of the strokes, in pixels.
        sigma_r: how large an edge must be to end them, 0 to 1.
        blur: standard deviation in pixels of what takes fine texture away before.
        tone: mean of the drawing, 0 black to 255.
        coloured: whether colour pencils are used, 0 or 1.
    """
    source = cv2.GaussianBlur(_swapped(image), (0, 0), blur)
    probe, _ = cv2.pencilSketch(source, sigma_s=sigma_s, sigma_r=sigma_r, shade_factor=_PROBE)
    counts, values = np.bincount(probe.ravel(), minlength=256), np.arange(256.0)
    tones = [float(np.minimum(values * (shade / _PROBE), 255) @ counts) / probe.size for shade in _SHADES]
    shade = float(_SHADES[min(int(np.searchsorted(tones, tone)), len(_SHADES) - 1)])
    graphite, colours = cv2.pencilSketch(source, sigma_s=sigma_s, sigma_r=sigma_r, shade_factor=shade)
    return _swapped(cast(RGBImage, colours)) if coloured else cast(RGBImage, cv2.cvtColor(graphite, cv2.COLOR_GRAY2RGB))


def stylization(image: RGBImage, *, sigma_s: float, sigma_r: float, blur: float) -> RGBImage:
    """Flat colours with dark contours, as in a coloured woodcut or an illumination.

    Contours darken a photograph with much texture, so that it is blurred before and brightened afterwards.

    Args:
        image: RGB uint8 (H, W, 3).
        sigma_s: how far colours flow, in pixels, up to 200.
        sigma_r: how large an edge must be to stop them, 0 to 1; contours fade as it grows.
        blur: standard deviation in pixels.
    """
    source = cv2.GaussianBlur(_swapped(image), (0, 0), blur)
    done = cv2.stylization(source, sigma_s=sigma_s, sigma_r=sigma_r)
    gain = min(_BRIGHTEST, float(image.mean()) / max(1.0, float(done.mean())))
    return _swapped(cast(RGBImage, cv2.convertScaleAbs(done, alpha=gain)))


def oil_painting(image: RGBImage, *, brush: float, levels: float) -> RGBImage:
    """Patches of one colour, as a brush leaves them.

    Args:
        image: RGB uint8 (H, W, 3).
        brush: its radius as a share of the longer side.
        levels: how many steps of brightness (of 255) the brush takes for the same.

    Raises:
        MissingBackend: without OpenCV's contrib modules.
    """
    size = max(1, round(brush * max(image.shape)))
    return _swapped(cast(RGBImage, _oil_filter()(_swapped(image), size, int(levels))))


def grey(image: RGBImage) -> RGBImage:
    """The luma of RGB uint8 (H, W, 3) in three equal channels."""
    return cast(RGBImage, cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB))


EFFECTS: Mapping[str, Callable[..., RGBImage]] = {
    "edge_preserving": edge_preserving,
    "pencil_sketch": pencil_sketch,
    "stylization": stylization,
    "oil_painting": oil_painting,
}

# Chosen by eye at the canvas' size, on photographs of animals, fruit, ships and streets: beyond these, stripes of a
# zebra and faces vanish, or the result is still a photograph.
_RANGES: Mapping[str, Callable[[np.random.Generator], dict[str, float]]] = {
    "edge_preserving": lambda rng: {"sigma_s": rng.uniform(30, 90), "sigma_r": rng.uniform(0.25, 0.5)},
    "pencil_sketch": lambda rng: {
        "sigma_s": rng.uniform(30, 80),
        "sigma_r": rng.uniform(0.04, 0.15),
        "blur": rng.uniform(0.6, 1.5),
        "tone": rng.uniform(170, 215),
        "coloured": float(rng.integers(2)),
    },
    "stylization": lambda rng: {
        "sigma_s": rng.uniform(30, 100),
        "sigma_r": rng.uniform(0.5, 0.9),
        "blur": rng.uniform(0.8, 1.5),
    },
    "oil_painting": lambda rng: {"brush": rng.uniform(0.005, 0.009), "levels": float(rng.integers(1, 17))},
    "neural": lambda rng: {"canvas": STYLE_CANVAS, "style": rng.random(), "strength": rng.uniform(0.5, 1)},
}


def _at(share: float, weights: Weights) -> str:
    """The effect in whose part of all weights, laid end to end, ``share`` (0 to 1) falls."""
    table = weights.model_dump()
    ends = np.cumsum(list(table.values()))
    last = np.searchsorted(ends, ends[-1])  # the last with any weight, should rounding lead beyond it
    return list(table)[min(int(np.searchsorted(ends, share * ends[-1], side="right")), int(last))]


def _canvas(size: tuple[int, ...], side: float) -> tuple[int, int]:
    """(height, width) to paint a picture of ``size`` (height, width) at."""
    scale = min(side / max(size), _MOST_ENLARGED)
    return max(_SHORTEST, round(size[0] * scale)), max(_SHORTEST, round(size[1] * scale))


def _resized(image: RGBImage, size: tuple[int, ...]) -> RGBImage:
    height, width = size
    if image.shape[:2] == (height, width):
        return image
    how = cv2.INTER_AREA if height * width < image.shape[0] * image.shape[1] else cv2.INTER_CUBIC
    return cast(RGBImage, cv2.resize(image, (width, height), interpolation=how))


def _swapped(image: RGBImage) -> RGBImage:
    """RGB as BGR, or back."""
    return cast(RGBImage, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))


def _oil_filter() -> Callable[..., Any]:
    found = getattr(getattr(cv2, "xphoto", None), "oilPainting", None)
    if found is None:
        raise MissingBackend("OpenCV's contrib build", "Painting in oil", f"Repair it with: {CONTRIB}")
    return cast("Callable[..., Any]", found)
