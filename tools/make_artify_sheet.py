"""Puts photographs and their artified variants side by side: the picture of docs/artify.md.

python tools/make_artify_sheet.py docs/artify.jpg

The photographs come with scikit-image: astronaut (NASA, public domain), coffee (Rachel Michetti, CC0) and chelsea
(Stéfan van der Walt, CC0).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from skimage import data

from artdet.data.artify import EFFECTS, Artify, Weights, artified
from artdet.fonts import font_for

WIDTH, GAP, LABEL = 230, 6, 24
SEEDS = (1, 4)


def main() -> None:
    photos = [getattr(data, name)() for name in ("astronaut", "coffee", "chelsea")]
    columns = [("photograph", photos)]
    for effect in EFFECTS:
        weights = Weights(**{name: float(name == effect) for name in EFFECTS})
        for seed in SEEDS:
            settings = Artify(probability=1, weights=weights, grey=float(seed == SEEDS[1] and effect == "oil_painting"))
            made = [artified(photo, settings, np.random.default_rng([seed, n]))[0] for n, photo in enumerate(photos)]
            columns.append((effect.replace("_", " ") + (", grey" if settings.grey else ""), made))
    heights = [round(photo.shape[0] * WIDTH / photo.shape[1]) for photo in photos]
    size = ((WIDTH + GAP) * len(columns) - GAP, LABEL + sum(heights) + GAP * (len(photos) - 1))
    sheet = Image.new("RGB", size, "white")
    write = ImageDraw.Draw(sheet)
    for place, (label, pictures) in enumerate(columns):
        left, top = place * (WIDTH + GAP), LABEL
        write.text((left, 3), label, "black", font=font_for(label, 15))
        for picture, height in zip(pictures, heights, strict=True):
            sheet.paste(Image.fromarray(picture).resize((WIDTH, height), Image.Resampling.LANCZOS), (left, top))
            top += height + GAP
    sheet.save(Path(sys.argv[1]), quality=85)


if __name__ == "__main__":
    main()
