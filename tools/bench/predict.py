"""How fast is `artdet predict` beside `yolo predict`, and does an ensemble cost more than its members?

    python tools/bench/predict.py --images FOLDER [--count 300] [--rounds 3]

Both programs run as whole processes, in turn, over the same images, from files to results. Start-up is left out by
running each over a few images as well and taking the difference. `yolo predict` runs as shipped, and again with torch
held at as many threads as there are processors. The last part compares a run of an ensemble, from files to lines, with
the time that its members take alone on images that are decoded already.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")
FEW = 30
BATCH = 16

THREADED_YOLO = """
import os, torch
real = torch.set_num_threads
torch.set_num_threads = lambda count: real(os.cpu_count())
from ultralytics.cfg import entrypoint
torch.set_num_threads(0)
entrypoint()
"""

ENSEMBLES = {
    "one": "{name: persons, detector: yolo, weights: persons_v0, min_score: 0.25}",
    "two": "{name: small, detector: yolo, weights: persons_v0, min_score: 0.25, image_size: 416}",
    "faces": "{name: faces, detector: faces, min_score: 0.9}",
}


def main() -> None:
    arguments = parse()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        many, few = gather(arguments.images, arguments.count, place)
        if arguments.part != "ensemble":
            against_yolo(place, many, few, arguments)
        if arguments.part != "yolo":
            ensemble_cost(place, many, arguments.rounds)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="folder with at least --count JPEG files, any depth")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--part", choices=["yolo", "ensemble", "both"], default="both")
    return parser.parse_args()


def gather(source: Path, count: int, place: Path) -> tuple[Path, Path]:
    """Two folders of copies, the first ``count`` images and a few of them, so that both programs see plain folders."""
    files = sorted(source.rglob("*.jpg"))[:: max(1, len(list(source.rglob("*.jpg"))) // count)][:count]
    if len(files) < count:
        sys.exit(f"{source} holds {len(files)} .jpg files, but --count is {count}")
    many, few = place / "many", place / "few"
    for folder, chosen in ((many, files), (few, files[:FEW])):
        folder.mkdir()
        for index, file in enumerate(chosen):
            shutil.copy(file, folder / f"{index:05}.jpg")
    return many, few


def against_yolo(place: Path, many: Path, few: Path, arguments: argparse.Namespace) -> None:
    weights = pickled(place)
    ensemble = write_ensemble(place, "one", ["one"])

    def yolo(folder: Path) -> list[str]:
        return [
            "predict", f"model={weights}", f"source={folder}", "imgsz=512", "conf=0.25", "iou=0.7", "save=False",
            "save_txt=True", "save_conf=True", f"project={place}", "name=yolo", "exist_ok=True", "device=cpu",
        ]  # fmt: skip

    shipped = shutil.which("yolo", path=str(Path(sys.executable).parent)) or "yolo"
    programs = {
        "artdet predict": lambda folder: [
            sys.executable, "-m", "artdet", "predict", str(folder), "--ensemble", str(ensemble),
            "--out", str(place / "run"), "--overwrite",
        ],
        "yolo predict, as shipped": lambda folder: [shipped, *yolo(folder)],
        f"yolo predict, {os.cpu_count()} threads": lambda folder: [sys.executable, "-c", THREADED_YOLO, *yolo(folder)],
    }  # fmt: skip
    for command in programs.values():
        timed(command(few))  # exports, caches, bytecode
    paces: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(arguments.rounds):
        for name, command in programs.items():
            small, large = timed(command(few)), timed(command(many))
            paces[name].append(1000 * (large - small) / (arguments.count - FEW))
    print(f"one YOLOv5n, 512 px, {arguments.count} images, files to results, ms an image without start-up:")
    ours = statistics.median(paces["artdet predict"])
    for name, values in paces.items():
        ratio = statistics.median(values) / ours
        row = ", ".join(f"{value:.1f}" for value in values)
        print(f"  {name:<26} {statistics.median(values):6.1f}   ({row})   {ratio:.2f} times artdet's")


def ensemble_cost(place: Path, images: Path, rounds: int) -> None:
    """Runs of an ensemble beside its members on decoded images, in turn, all with the same warm models."""
    from artdet.detectors.base import LoadContext
    from artdet.devices import cpu_threads
    from artdet.ensemble.config import load_ensemble
    from artdet.ensemble.ensemble import load
    from artdet.images.finder import find_images
    from artdet.images.reader import read_image
    from artdet.taxonomy import Taxonomy

    context = LoadContext(Taxonomy.load(), device="cpu", threads=cpu_threads())
    found = find_images([images])
    pixels = [read_image(found.root / file).pixels for file in found.files]
    print("a run from files to lines beside the members' time on decoded images, ms an image, models warm:")
    for names in (["one", "two"], ["one", "faces"], ["one", "two", "faces"]):
        file = load_ensemble(str(write_ensemble(place, "-".join(names), names)))
        ensemble = load(file, context)
        alone = [load(load_ensemble(str(write_ensemble(place, name, [name]))), context) for name in names]
        wholes, parts = [], []
        for number in range(rounds + 1):
            run = place / f"run-{'-'.join(names)}-{number}"
            times = [model_time(member, pixels) for member in alone], whole_time(ensemble, found, run, context)
            if number:  # the first round meets every image size for the first time
                parts.append([1000 * value / len(pixels) for value in times[0]])
                wholes.append(1000 * times[1] / len(pixels))
        whole, members = statistics.median(wholes), [statistics.median(column) for column in zip(*parts, strict=True)]
        ratio = statistics.median(w / sum(p) for w, p in zip(wholes, parts, strict=True))
        shown = " + ".join(f"{value:.1f}" for value in members)
        print(
            f"  {' + '.join(names):<20} whole {whole:6.1f}   members {shown} = {sum(members):.1f}   {ratio:.2f} times"
        )


def whole_time(ensemble: Any, found: Any, folder: Path, context: Any) -> float:
    from artdet.predict.journal import open_journal
    from artdet.predict.reading import ReadSettings
    from artdet.predict.runner import RunSettings, predict_files

    folder.mkdir()
    settings = RunSettings(ReadSettings(1600, 10**9, context.threads, BATCH + 2 * context.threads), BATCH)
    with open_journal(folder) as journal:
        return predict_files(
            found.files,
            found.root,
            ensemble,
            journal,
            settings=settings,
            taxonomy=context.taxonomy,
            progress=lambda _: None,
        ).seconds


def model_time(member: Any, pixels: list[Any]) -> float:
    started = time.perf_counter()
    for index in range(0, len(pixels), BATCH):
        member.detect_members(pixels[index : index + BATCH])
    return time.perf_counter() - started


def write_ensemble(place: Path, name: str, members: list[str]) -> Path:
    path = place / f"{name}.yaml"
    rows = "\n".join(f"  - {ENSEMBLES[member]}" for member in members)
    path.write_text(f"members:\n{rows}\nrules:\n  - rule: append_untouched\n    categories: [faces]\n")
    return path


def pickled(place: Path) -> Path:
    """The bundled network as a .pt, which is what `yolo predict` takes."""
    from artdet.detectors.yolo_network import quiet_ultralytics
    from artdet.modelfiles import find_model, load_tensors

    quiet_ultralytics()
    from ultralytics import YOLO

    files = find_model("persons_v0", place)
    assert files is not None
    model = YOLO("yolov5n.yaml")
    model.model = type(model.model)("yolov5n.yaml", nc=1, verbose=False)
    model.model.names = {0: "persons"}
    model.model.load_state_dict(load_tensors(files.model))
    model.save(place / "persons.pt")
    return place / "persons.pt"


def timed(command: list[str]) -> float:
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
