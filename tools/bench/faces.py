"""How quick are faces beside the `mtcnn` package on TensorFlow?

    pip install tensorflow-cpu    # in an environment of its own, beside artdet
    python tools/bench/faces.py --images examples/paintings [--rounds 3]

Both find faces in the same pictures in one process, in turn, with as many threads as there are processors.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
import torch
from mtcnn import MTCNN

from artdet.detectors import faces
from artdet.detectors.base import LoadContext
from artdet.devices import cpu_threads
from artdet.images.finder import find_images
from artdet.images.reader import read_image
from artdet.taxonomy import Taxonomy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(cpu_threads())
    torch.set_num_threads(cpu_threads())
    found = find_images([arguments.images])
    images = [read_image(found.root / file).pixels for file in found.files]
    package = MTCNN()
    ours = faces.load(faces.Settings(name="faces"), LoadContext(Taxonomy.load(), device="cpu"))
    rows = [
        [*cost(images, package.detect_faces), *cost(images, lambda image: ours.detect([image]))]
        for _ in range(arguments.rounds)
    ]
    wall_package, cpu_package, wall, cpu = (statistics.median(column) for column in zip(*rows, strict=True))
    print(f"{len(images)} images, median of {arguments.rounds} rounds, ms an image")
    print(f"  wall time       mtcnn {wall_package:6.1f}   artdet {wall:6.1f}   {wall_package / wall:.1f} times")
    print(f"  processor time  mtcnn {cpu_package:6.1f}   artdet {cpu:6.1f}   {cpu_package / cpu:.1f} times")


def cost(images: list[np.ndarray], detect: Callable[[np.ndarray], object]) -> tuple[float, float]:
    """Wall and processor time in ms an image."""
    wall, cpu = time.perf_counter(), time.process_time()
    for image in images:
        detect(image)
    count = len(images) / 1000
    return (time.perf_counter() - wall) / count, (time.process_time() - cpu) / count


if __name__ == "__main__":
    main()
