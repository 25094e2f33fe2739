"""Paints what ``scenes`` has drawn: objects on a background, their colours and edges brought together with it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from artdet.data.artify import painted
from artdet.data.scenes import Layer, Scene, overlap_of
from artdet.images import RGBImage

_TONED = 5.0  # standard deviation of a* and b* below which a picture counts as of one colour
_FAINT = 24.0  # mean distance of colours; an object that would differ less from the ground keeps its own ones
_MARGIN = 6  # pixels round an object that Poisson blending takes its colours from
_SPREAD = (0.6, 1.5)  # limits of the change of contrast
_WASHED_OUT = 0.8  # Poisson blending is dropped where it leaves less than this share of an object's contrast
_SHIFTED = 14.0  # ... or moves its colours by more than this on average


def painted_scene(background: RGBImage, scene: Scene) -> RGBImage:
    """The picture.

    Args:
        background: RGB uint8 (H, W, 3), the whole of it.
        scene: drawn for its size.

    Returns:
        RGB uint8 of ``scene.image_size``.
    """
    picture = _laid_out(background, scene)
    tone = tone_of(picture)
    for layer in scene.layers:
        _lay(layer, picture, tone)
    return picture


def tone_of(picture: RGBImage) -> NDArray[np.float32] | None:
    """The one colour (2,), a* and b* of OpenCV's 8-bit L*a*b*, of a drawing or grey photograph; else ``None``."""
    colours = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)[..., 1:].reshape(-1, 2).astype(np.float32)
    toned = colours.std(axis=0).max() < _TONED
    return np.asarray(colours.mean(axis=0), dtype=np.float32) if toned else None


def _laid_out(background: RGBImage, scene: Scene) -> RGBImage:
    high, wide = background.shape[:2]
    left, top, right, bottom = scene.crop
    part = background[int(top * high) : max(round(bottom * high), 1), int(left * wide) : max(round(right * wide), 1)]
    target_high, target_wide = scene.image_size
    smaller = target_high < part.shape[0]
    how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    picture = cv2.resize(part, (target_wide, target_high), interpolation=how)
    return np.ascontiguousarray(picture[:, ::-1] if scene.flip else picture).astype(np.uint8)


def _lay(layer: Layer, picture: RGBImage, tone: NDArray[np.float32] | None) -> None:
    """Puts an object into the picture."""
    size = picture.shape[0], picture.shape[1]
    here, there = overlap_of(layer, size)
    pixels = layer.pixels[there]
    ground = picture[here]
    colours = painted(_filled(pixels), layer.effect) if layer.effect else pixels[..., :3]
    colours = np.ascontiguousarray(colours) if tone is None else _toned(np.ascontiguousarray(colours), tone)
    alpha = pixels[..., 3]
    nearer = matched(colours, ground, alpha, layer.match)
    colours = nearer if _difference(nearer, ground, alpha) >= _FAINT else colours
    laid = _over(colours, ground, alpha)
    if layer.blend == "poisson":
        cloned = _cloned(colours, picture, here, alpha)
        if cloned is not None and keeps_contrast(cloned, laid, ground, alpha):
            laid = cloned
    picture[here] = laid


def matched(colours: RGBImage, ground: RGBImage, alpha: NDArray[np.uint8], share: float) -> RGBImage:
    """An object with the mean and spread of its colours brought nearer to those of the ground beneath it.

    Reinhard, Ashikhmin, Gooch and Shirley, "Color Transfer between Images" (2001), in L*a*b*, by ``share`` of the way.

    Args:
        colours: RGB uint8 (h, w, 3).
        ground: RGB uint8 (h, w, 3).
        alpha: uint8 (h, w); only what is more than half opaque counts.
        share: 0 leaves the object as it is.
    """
    solid = alpha > 127
    if not solid.any() or share <= 0:
        return colours
    own = cv2.cvtColor(colours, cv2.COLOR_RGB2LAB).astype(np.float32)
    other = cv2.cvtColor(np.ascontiguousarray(ground), cv2.COLOR_RGB2LAB).astype(np.float32)
    mean, spread = own[solid].mean(axis=0), own[solid].std(axis=0) + 1
    to_mean, to_spread = other.reshape(-1, 3).mean(axis=0), other.reshape(-1, 3).std(axis=0) + 1
    # Halfway for lightness: a white bird stays lighter than the wood behind it.
    shares = np.array([share / 2, share, share], dtype=np.float32)
    contrast = np.clip(to_spread / spread, *_SPREAD) ** shares
    moved = (own - mean) * contrast + mean + (to_mean - mean) * shares
    result = cv2.cvtColor(np.clip(moved, 0, 255).astype(np.uint8), cv2.COLOR_LAB2RGB)
    return np.asarray(result, dtype=np.uint8)


def keeps_contrast(cloned: RGBImage, laid: RGBImage, ground: RGBImage, alpha: NDArray[np.uint8]) -> bool:
    """Whether an object is still there, and of its own colour, after Poisson blending."""
    before, after = _difference(laid, ground, alpha), _difference(cloned, ground, alpha)
    return after >= _WASHED_OUT * before and _difference(cloned, laid, alpha) <= _SHIFTED


def _difference(first: RGBImage, second: RGBImage, alpha: NDArray[np.uint8]) -> float:
    """Mean distance of the colours of two pictures within an outline, in OpenCV's 8-bit L*a*b*."""
    solid = alpha > 127
    if not solid.any():
        return 0.0
    parts = [cv2.cvtColor(np.ascontiguousarray(part), cv2.COLOR_RGB2LAB)[solid] for part in (first, second)]
    return float(np.linalg.norm(parts[0].astype(np.float32) - parts[1], axis=1).mean())


def _toned(colours: RGBImage, tone: NDArray[np.float32]) -> RGBImage:
    lab = cv2.cvtColor(colours, cv2.COLOR_RGB2LAB)
    lab[..., 1:] = tone.round()
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), dtype=np.uint8)


def _over(colours: RGBImage, ground: RGBImage, alpha: NDArray[np.uint8]) -> RGBImage:
    share = alpha[..., None].astype(np.float32) / 255
    mixed = colours * share + ground * (1 - share)
    return mixed.round().astype(np.uint8)


def _cloned(
    colours: RGBImage, picture: RGBImage, here: tuple[slice, slice], alpha: NDArray[np.uint8]
) -> RGBImage | None:
    """What is in ``here`` after Poisson blending (Perez, Gangnet and Blake 2003); ``None`` where the border is near."""
    rows, columns = here
    if rows.start < _MARGIN or columns.start < _MARGIN:
        return None
    if rows.stop + _MARGIN > picture.shape[0] or columns.stop + _MARGIN > picture.shape[1]:
        return None
    wide = slice(rows.start - _MARGIN, rows.stop + _MARGIN), slice(columns.start - _MARGIN, columns.stop + _MARGIN)
    ground = np.ascontiguousarray(picture[wide])
    source = ground.copy()
    inner = slice(_MARGIN, -_MARGIN), slice(_MARGIN, -_MARGIN)
    mask = np.zeros(ground.shape[:2], np.uint8)
    mask[inner] = np.where(alpha > 127, 255, 0)
    source[inner] = np.where(alpha[..., None] > 20, colours, source[inner])
    left, top, across, down = cv2.boundingRect(mask)
    try:
        done = cv2.seamlessClone(source, ground, mask, (left + across // 2, top + down // 2), cv2.NORMAL_CLONE)
    except cv2.error:  # the solver fails on some thin outlines
        return None
    return np.asarray(done[inner], dtype=np.uint8)


def _filled(pixels: NDArray[np.uint8]) -> RGBImage:
    """Colours with the object's mean where it is transparent, so that effects do not smear black into it."""
    solid = pixels[..., 3] > 127
    mean = pixels[..., :3][solid].mean(axis=0) if solid.any() else np.zeros(3)
    share = pixels[..., 3:].astype(np.float32) / 255
    return (pixels[..., :3] * share + mean * (1 - share)).round().astype(np.uint8)
