"""What each remedy adds: trains the same category again and again, each time with one more of them, and writes a table.

    python tools/ablation persons animals produce --start WEIGHTS --epochs 12 --image-size 320

WEIGHTS are a model that tools/distil.py made of COCO's, with all classes of the categories.

Every row is a run of `artdet train` in runs/train/ablation; a row that is finished is not trained again, one that was
stopped goes on. The last row is the one before it with `artdet predict --tta`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import yaml

from artdet.data.category import load_category
from artdet.data.merge import merged
from artdet.detectors import yolo
from artdet.detectors.base import LoadContext
from artdet.devices import cpu_threads
from artdet.taxonomy import Taxonomy
from artdet.training.pictures import Pictures
from artdet.training.validation import validated

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
RUNS = Path("runs/train/ablation")
FIGURES = ("ap50", "ap75", "ap", "coarse_ap50", "coarse_ap75", "coarse_ap")
ROWS = ("photographs", "+ art", "+ artify", "+ neural artify", "+ repeat factors", "+ negatives")
NEURAL = {"edge_preserving": 0.03, "pencil_sketch": 0.03, "stylization": 0.1, "oil_painting": 0.34, "neural": 0.5}


def main() -> None:
    options = arguments()
    for category in options.categories:
        rows = [("COCO start, as it is", as_it_is(category, options), 0.0)]
        for number, row in enumerate(ROWS):
            run = trained(category, number, options)
            rows.append((row, best_of(run), seconds_of(run)))
        rows.append(("+ --tta", with_tta(run), 0.0))
        print(table(category, rows, options), flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("categories", nargs="+")
    parser.add_argument("--start", required=True)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--image-size", type=int, default=320)
    parser.add_argument("--learning-rate", type=float, default=0.0007)
    parser.add_argument("--variants", type=int, default=4, help="of each photograph, made to look like art")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def settings_of(category: str, row: int, options: argparse.Namespace) -> dict[str, Any]:
    """The category with the first ``row`` remedies."""
    own = HERE / f"{category}.yaml"
    settings: dict[str, Any] = yaml.safe_load(
        (own if own.exists() else PROJECT / f"configs/{category}.yaml").read_text()
    )
    learns_from_art = row >= ROWS.index("+ art")
    settings["sources"] = [
        entry
        for entry in settings["sources"]
        if not entry.get("optional") and (learns_from_art or not entry["art"] or entry.get("split", "train") != "train")
    ]
    for entry in settings["sources"]:
        split = entry.get("split")
        if not isinstance(split, dict):
            continue
        if isinstance(split["validation"], str):  # a list beside the category, which is written elsewhere here
            split["validation"] = str(PROJECT / "configs" / split["validation"])
        if not learns_from_art:
            # Validation stays what it is in all rows; what else such a source has is not learnt from.
            entry["weight"] = 1e-9
    artify = {"variants": options.variants if row >= ROWS.index("+ artify") else 0, "probability": 0.5}
    if row >= ROWS.index("+ neural artify"):
        artify["weights"] = NEURAL
    if row < ROWS.index("+ repeat factors"):
        settings["repeat_threshold"] = 0
    if row < ROWS.index("+ negatives"):
        settings["negatives"] = []
    training = {"start": str(Path(options.start).absolute()), "artify": artify, "epochs": options.epochs, "patience": 0}
    training |= {
        "optimizer": "adamw",
        "learning_rate": options.learning_rate,
        "close_mosaic": options.epochs // 4,
        "mosaic": 0.7,
    }
    settings |= {"image_size": options.image_size, "seed": options.seed}
    return settings | {"training": training | {"validate_every": max(1, options.epochs // 2)}}


def trained(category: str, row: int, options: argparse.Namespace) -> Path:
    """The run of a row, trained or gone on with where that is needed."""
    run = RUNS / f"{category}_{row}"
    if (run / "last.pt").exists():
        call("train", "--resume", str(run))
        return run
    call("train", "--category", str(written(category, row, options)), "--name", f"ablation/{run.name}")
    return run


def written(category: str, row: int, options: argparse.Namespace) -> Path:
    file = RUNS / f"{category}_{row}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(settings_of(category, row, options), sort_keys=False))
    return file


def as_it_is(category: str, options: argparse.Namespace) -> dict[str, float]:
    """The weights that all rows start from, on the same images."""
    taxonomy = Taxonomy.load()
    entries = merged(load_category(str(written(category, 0, options)), taxonomy)).validation
    settings = yolo.Settings(name="start", weights=options.start, image_size=options.image_size)
    detector = yolo.load(settings, LoadContext(taxonomy, device="cpu", engine="torch", threads=cpu_threads()))
    found = validated(detector, entries, Pictures(max_side=2 * options.image_size), taxonomy, lambda count: None)
    return {name: getattr(found, name) for name in FIGURES}


def call(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "artdet", *arguments], check=True)


def epochs_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def best_of(run: Path) -> dict[str, float]:
    best = [epoch["figures"] for epoch in epochs_of(run) if epoch["best"]][-1]
    return {name: best[name] for name in FIGURES}


def seconds_of(run: Path) -> float:
    epochs = epochs_of(run)
    return sum(epoch["seconds"] for epoch in epochs) / len(epochs)


def with_tta(run: Path) -> dict[str, float]:
    """The last row's weights again, on the same images in several views."""
    out = Path("runs/predict") / f"{run.name}-ablation-tta"
    truth = json.loads((run / "validation.json").read_text())
    root = (run / truth["info"]["artdet"]["images"]).resolve()
    files = [str(root / image["file_name"]) for image in truth["images"]]
    call("predict", *files, "--ensemble", str(run / "ensemble.yaml"), "--tta", "--out", str(out))
    call(
        "evaluate",
        str(out),
        "--truth",
        str(run / "validation.json"),
        "--bootstrap",
        "0",
        "--out",
        str(out / "evaluate"),
    )
    report = json.loads((out / "evaluate" / "metrics.json").read_text())
    return figures(report)


def figures(report: dict[str, Any]) -> dict[str, float]:
    found = {}
    for level, prefix in (("fine", ""), ("coarse", "coarse_")):
        levels = report["runs"][0]["levels"]
        # A category without finer classes has one level.
        means = levels.get(level, levels["coarse"])["overall"]
        found |= {f"{prefix}{name}": means[name]["value"] for name in ("ap50", "ap75", "ap")}
    return found


def table(category: str, rows: list[tuple[str, dict[str, float], float]], options: argparse.Namespace) -> str:
    size = f"{options.epochs} epochs at {options.image_size} px, seed {options.seed}"
    lines = [f"\n{category}, {size}\n", "| learnt from | AP50 | AP75 | AP | coarse AP50 | AP75 | AP | s an epoch |"]
    lines.append("|---|" + "---|" * (len(FIGURES) + 1))
    for row, values, seconds in rows:
        shown = " | ".join("" if values[name] is None else f"{values[name]:.3f}" for name in FIGURES)
        lines.append(f"| {row} | {shown} | {seconds:.0f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
