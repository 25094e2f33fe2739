"""Weights between two of one network: a run that learnt much from few images, and what it started from.

What the start could do and the run forgot comes back, and most of what was learnt stays (Wortsman et al. 2022, "Robust
fine-tuning of zero-shot models"). For example: python tools/mix_weights.py runs/start runs/train/objects runs/mixed 0.7
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from safetensors.torch import load_file, save_file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("start", type=Path)
    parser.add_argument("run", type=Path, help="its card goes with the result")
    parser.add_argument("out", type=Path)
    parser.add_argument("share", type=float, help="of the run, 0 to 1")
    options = parser.parse_args()
    start, run = (load_file(folder / "model.safetensors") for folder in (options.start, options.run))
    for name, tensor in run.items():
        if tensor.is_floating_point():
            mixed = (1 - options.share) * start[name].float() + options.share * tensor.float()
            run[name] = mixed.to(tensor.dtype).contiguous()
    options.out.mkdir(parents=True, exist_ok=True)
    save_file(run, options.out / "model.safetensors")
    shutil.copy(options.run / "model.yaml", options.out / "model.yaml")


if __name__ == "__main__":
    main()
