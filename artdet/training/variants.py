"""Photographs among the training images, painted before training so that an epoch does not wait for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from artdet.data.artify import painted
from artdet.data.artify_cache import Painter, VariantSettings, variants
from artdet.data.category import Category
from artdet.data.training_settings import ArtifySettings
from artdet.images.finder import find_images
from artdet.resources import cache_folder
from artdet.training.examples import Example
from artdet.training.pictures import Pictures

MOST_STYLES = 200
"""Paintings that styles are taken from, at most."""

Bar = Callable[[int], AbstractContextManager[Callable[[int], None]]]
"""Total of images -> what shows how many of them are done."""


def training_pictures(category: Category, learnt: Sequence[Example], bar: Bar) -> Pictures:
    """Reads the examples; of photographs, variants that are made now where the cache does not have them.

    Raises:
        MissingBackend: if an effect needs a library that is not there.
        InputError: if there are no paintings for the neural effect.
    """
    settings = category.settings.training.artify
    side = category.settings.image_size
    photographs = [example.path for example in learnt if example.photograph]
    if not (settings.variants and photographs):
        return Pictures(max_side=side)
    paint, styles = _painter(settings, category, learnt)
    plain = settings.model_dump(exclude={"variants", "styles"})
    how = VariantSettings.model_validate(
        {"artify": plain, "seed": category.settings.seed, "max_side": side, "styles": styles}
    )
    with bar(len(photographs)) as progress:
        made = variants(
            photographs, cache_folder() / "artify", how, count=settings.variants, progress=progress, paint=paint
        )
    return Pictures(max_side=side, variants=made.paths)


def _painter(settings: ArtifySettings, category: Category, learnt: Sequence[Example]) -> tuple[Painter, str]:
    """What paints, and what identifies its styles."""
    if not settings.weights.neural:
        return painted, ""
    from artdet.data.neural_artify import load_stylist

    if settings.styles is not None:
        found = find_images([category.path.parent / Path(settings.styles).expanduser()], recursive=True)
        files = [found.root / name for name in found.files]
    else:
        files = [example.path for example in learnt if not example.photograph]
    stylist = load_stylist(sorted(files)[:: max(1, -(-len(files) // MOST_STYLES))])
    return stylist.painted, stylist.digest
