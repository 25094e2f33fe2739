"""Weights between two of one network: a run that learnt much from few images, and what it started from.

What the start could do and the run forgot comes back, and most of what was learnt stays (Wortsman et al. 2022, "Robust
fine-tuning of zero-shot models"). For example: python tools/mix_weights.py runs/start runs/train/objects runs/mixed 0.7
Where the run knows classes that the start does not, what it learnt of these stays as it is.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import torch
import yaml
from safetensors.torch import load_file, save_file

from artdet.training.backends.yolo_start import is_output, rows_by_name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("start", type=Path)
    parser.add_argument("run", type=Path, help="its card goes with the result")
    parser.add_argument("out", type=Path)
    parser.add_argument("share", type=float, help="of the run, 0 to 1")
    options = parser.parse_args()
    (start, there), (run, classes) = loaded(options.start), loaded(options.run)
    for name, tensor in run.items():
        if tensor.is_floating_point():
            before = start[name]
            if there != classes and is_output(name):
                assert len(before) == len(there), name
                assert len(tensor) == len(classes), name
                before = rows_by_name(before, there, tensor, classes)
            mixed = (1 - options.share) * before.float() + options.share * tensor.float()
            run[name] = mixed.to(tensor.dtype).contiguous()
    options.out.mkdir(parents=True, exist_ok=True)
    save_file(run, options.out / "model.safetensors")
    shutil.copy(options.run / "model.yaml", options.out / "model.yaml")


def loaded(folder: Path) -> tuple[dict[str, torch.Tensor], list[str]]:
    """Tensors and class names."""
    return load_file(folder / "model.safetensors"), yaml.safe_load((folder / "model.yaml").read_text())["classes"]


if __name__ == "__main__":
    main()
