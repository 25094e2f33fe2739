"""Weights between two of one network: a run that learnt much from few images, and what it started from.

What the start could do and the run forgot comes back, and most of what was learnt stays (Wortsman et al. 2022, "Robust
fine-tuning of zero-shot models"). For example: python tools/mix_weights.py runs/start runs/train/objects runs/mixed 0.7
Where the run knows classes that the start does not, what it learnt of these stays as it is. The start may be a .pt of
ultralytics, if the run's network has just its layers; it is a pickle, which can run code, so take none from strangers.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import torch
import yaml
from safetensors.torch import load_file, save_file

from artdet.detectors.yolo_network import network_of_pickle
from artdet.modelfiles import ModelFiles
from artdet.training.backends.yolo_start import is_output, our_names, rows_by_name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("start", type=Path, help="folder of a model, or a .pt of ultralytics")
    parser.add_argument("run", type=Path, help="its card goes with the result")
    parser.add_argument("out", type=Path)
    parser.add_argument("share", type=float, help="of the run, 0 to 1")
    options = parser.parse_args()
    (start, there), (run, classes) = start_of(options.start), loaded(options.run)
    for name, tensor in run.items():
        if tensor.is_floating_point():
            before = start[name]
            if there != classes and is_output(name):
                assert len(before) == len(there), name
                assert len(tensor) == len(classes), name
                before = rows_by_name(before, there, tensor, classes)
            assert before.shape == tensor.shape, f"{name}: other layers than those of the run"
            mixed = (1 - options.share) * before.float() + options.share * tensor.float()
            run[name] = mixed.to(tensor.dtype).contiguous()
    options.out.mkdir(parents=True, exist_ok=True)
    save_file(run, options.out / "model.safetensors")
    shutil.copy(options.run / "model.yaml", options.out / "model.yaml")


def start_of(path: Path) -> tuple[dict[str, torch.Tensor], list[str]]:
    """Tensors and class names; a name is empty where several classes of COCO are one of ours."""
    if path.suffix != ".pt":
        return loaded(path)
    network, names, _ = network_of_pickle(ModelFiles(path, None), True)
    ours = our_names(names)
    return network.state_dict(), [name if ours.count(name) == 1 else "" for name in ours]


def loaded(folder: Path) -> tuple[dict[str, torch.Tensor], list[str]]:
    """Tensors and class names."""
    return load_file(folder / "model.safetensors"), yaml.safe_load((folder / "model.yaml").read_text())["classes"]


if __name__ == "__main__":
    main()
