"""A step of YOLOv5n in training, forward and backward: float32 and bfloat16, channels first and last.

python tools/bench/training.py [--image-size 512] [--batch 8]
"""

import argparse
import os
import statistics
import time

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import torch

from artdet.detectors.yolo_network import quiet_ultralytics
from artdet.devices import cpu_threads
from artdet.taxonomy import Taxonomy
from artdet.training.examples import DetectorClasses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image-size", type=int, default=512)
    parser.add_argument("--batch", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(cpu_threads())
    first = None
    for low in (False, True):
        for last in (False, True):
            milliseconds = step(options.image_size, options.batch, low_precision=low, channels_last=last)
            first = first or milliseconds
            kind = f"{'bfloat16' if low else 'float32'}, channels {'last' if last else 'first'}"
            print(f"{kind:26} {milliseconds:6.1f} ms an image  {milliseconds / first:.2f}", flush=True)


def step(size: int, batch: int, *, low_precision: bool, channels_last: bool) -> float:
    """Median of the milliseconds an image of five steps."""
    quiet_ultralytics()  # before its import
    from ultralytics.cfg import get_cfg

    from artdet.training.backends.yolo_model import TrainedNetwork

    torch.manual_seed(0)
    classes = DetectorClasses.of(("persons", "angel"), Taxonomy.load())
    network = TrainedNetwork("yolov5n.yaml", classes, low_precision=low_precision).train()
    network.args = get_cfg()
    layout = torch.channels_last if channels_last else torch.contiguous_format
    network = network.to(memory_format=layout)
    optimizer = torch.optim.SGD(network.parameters(), 1e-4)
    centres = torch.from_numpy(np.random.default_rng(0).uniform(0.2, 0.8, (4 * batch, 2))).float()
    data = {
        "img": torch.rand(batch, 3, size, size).contiguous(memory_format=layout),
        "batch_idx": torch.arange(batch).repeat_interleave(4).float(),
        "cls": torch.zeros(4 * batch, 1),
        "bboxes": torch.cat([centres, torch.full((4 * batch, 2), 0.2)], dim=1),
        "labelled": torch.ones(batch, 2, dtype=torch.bool),
        "covered": torch.ones(batch, 2, dtype=torch.bool),
    }
    times = []
    for _ in range(7):
        begun = time.perf_counter()
        loss, _ = network.loss(data)
        loss.sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        times.append((time.perf_counter() - begun) * 1000 / batch)
    return statistics.median(times[2:])


if __name__ == "__main__":
    main()
