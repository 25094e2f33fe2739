"""The mean weights (EMA) of a YOLO training where it was stopped, as a model: runs keep only those of a measured epoch.

For example: python tools/mean_weights.py runs/train/stopped runs/kept runs/train/other/model.yaml, where the card is
that of a run with the same category and network.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import yaml
from safetensors.torch import save_file

from artdet.training.backends.checkpoints import halved, load_checkpoint
from artdet.training.backends.yolo_start import is_output


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("card", type=Path)
    options = parser.parse_args()
    state = load_checkpoint(options.run / "last.pt")
    assert state, f"{options.run} has no last.pt"
    classes = yaml.safe_load(options.card.read_text())["classes"]
    for name, tensor in state["ema"].items():
        assert not is_output(name) or len(tensor) == len(classes), f"{name} is not of the card's {len(classes)} classes"
    options.out.mkdir(parents=True, exist_ok=True)
    save_file(halved(state["ema"]), options.out / "model.safetensors")
    shutil.copy(options.card, options.out / "model.yaml")
    print(f"epoch {state['epoch']}, {state['step']} steps of the next")


if __name__ == "__main__":
    main()
