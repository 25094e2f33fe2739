"""Puts some pictures of a drawn run side by side: the picture at the top of README.

python tools/make_readme_picture.py runs/predict/paintings docs/demo.jpg
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

SHOWN = (
    "renoir_moulin_de_la_galette",
    "bellini_pesaro_altarpiece_detail",
    "cassatt_summertime",
    "hokusai_kazusa_sea_route",
)
HEIGHT = 380
GAP = 8


def main() -> None:
    run, out = Path(sys.argv[1]), Path(sys.argv[2])
    pictures = [Image.open(run / "pictures" / f"{name}.jpg").convert("RGB") for name in SHOWN]
    scaled = [p.resize((round(p.width * HEIGHT / p.height), HEIGHT), Image.Resampling.LANCZOS) for p in pictures]
    row = Image.new("RGB", (sum(p.width for p in scaled) + GAP * (len(scaled) - 1), HEIGHT), "white")
    left = 0
    for picture in scaled:
        row.paste(picture, (left, 0))
        left += picture.width + GAP
    row.save(out, quality=88)


if __name__ == "__main__":
    main()
