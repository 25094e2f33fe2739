"""A YOLO model with some of its classes only: rows of its last layers are taken, nothing else changes.

For example: python tools/keep_classes.py runs/train/persons artdet/weights/persons persons
"""

from __future__ import annotations

import argparse
from pathlib import Path

import yaml
from safetensors.torch import load_file, save_file

from artdet.training.backends.yolo_start import is_output


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("classes", nargs="+")
    options = parser.parse_args()
    card = yaml.safe_load((options.model / "model.yaml").read_text())
    tensors = load_file(options.model / "model.safetensors")
    places = [card["classes"].index(name) for name in options.classes]
    for name, tensor in tensors.items():
        if is_output(name):
            assert len(tensor) == len(card["classes"]), name
            tensors[name] = tensor[places].contiguous()
    kept = {"classes": options.classes}
    if parents := card.get("parents"):
        kept["parents"] = {name: above for name, above in parents.items() if {name, above} <= set(options.classes)}
        assert set(parents) & set(options.classes) == set(kept["parents"]), "a class says nothing without its parent"
    options.out.mkdir(parents=True, exist_ok=True)
    save_file(tensors, options.out / "model.safetensors")
    (options.out / "model.yaml").write_text(
        yaml.safe_dump({**card, **kept}, sort_keys=False, allow_unicode=True, width=120)
    )


if __name__ == "__main__":
    main()
