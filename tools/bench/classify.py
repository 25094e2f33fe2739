"""How fast is `artdet classify` beside a plain loop of torchvision with the same weights?

    python tools/bench/classify.py --images FOLDER [--count 200] [--rounds 3] [--engine auto]

Both go from files to answers, in turn in one process, with warm models. The loop opens images with Pillow, applies
torchvision's own transforms, and runs batches of 16 in torch as it comes; artdet also hashes files and writes its run
folder. Weights are random, which changes no time; that both give the same answers is checked as well.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision import models, transforms

from artdet.classifiers.base import ClassifierCard, HeadCard
from artdet.classifiers.network import ClassifierNetwork, TaskHeads
from artdet.config import yaml_text
from artdet.embedders.backbones import build
from artdet.predict.classification import Request, plan
from artdet.runs import open_run
from artdet.tasks import Task

BATCH = 16
CLASSES = tuple(f"class {index}" for index in range(10))


def main() -> None:
    arguments = parse()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        folder = gather(arguments.images, arguments.count, place / "images")
        files = sorted(folder.iterdir())
        model, plain = write_model(place / "model", files[:BATCH])
        ours, theirs = [], []
        for number in range(arguments.rounds + 1):
            run = place / f"run-{number}"
            request = Request(
                [str(folder)], models=[str(model)], out=run, top_k=10, engine=arguments.engine, device="cpu"
            )
            seconds = plan(request).run(lambda _: None).seconds
            started = time.perf_counter()
            answers = loop(plain, files)
            if number:  # the first round warms both
                ours.append(1000 * seconds / len(files))
                theirs.append(1000 * (time.perf_counter() - started) / len(files))
        report(ours, theirs, difference(run, answers, files))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="folder with JPEG files, any depth")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engine", default="auto")
    return parser.parse_args()


def write_model(folder: Path, files: list[Path]) -> tuple[Path, torch.nn.Module]:
    """A classifier of artdet, and torchvision's own MobileNetV2 with its weights.

    Args:
        folder: where to.
        files: batch norms learn the statistics of these images, without which all answers would be alike.
    """
    torch.manual_seed(0)
    task = Task(name="genre", kind="label", classes=CLASSES)
    backbone = build("mobilenet_v2")
    network = ClassifierNetwork(backbone, TaskHeads(backbone.dim, HeadCard(), [task]))
    plain = models.mobilenet_v2(num_classes=len(CLASSES))
    torch.nn.init.normal_(plain.classifier[1].weight, std=0.1)
    for module in plain.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        plain.train()(torch.stack([transformed(file) for file in files]))
    backbone.network.features.load_state_dict(plain.features.state_dict())
    network.heads.set_linear("genre", plain.classifier[1].weight, plain.classifier[1].bias)
    folder.mkdir()
    save_file({key: value.contiguous() for key, value in network.state_dict().items()}, folder / "model.safetensors")
    card = ClassifierCard(backbone="mobilenet_v2", preprocessing=backbone.preprocessing, tasks=(task,))
    (folder / "model.yaml").write_text(yaml_text(card.model_dump(mode="json")), encoding="utf-8")
    return folder, plain.eval()


def gather(source: Path, count: int, folder: Path) -> Path:
    """A folder of links to images, spread evenly over the source."""
    files = sorted(source.rglob("*.jpg"))
    folder.mkdir()
    for index, file in enumerate(files[:: max(1, len(files) // count)][:count]):
        (folder / f"{index:05}.jpg").symlink_to(file.resolve())
    return folder


TRANSFORM = transforms.Compose(
    [
        transforms.Resize(256),
        transforms.CenterCrop(224),
        transforms.ToTensor(),
        transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ]
)


def transformed(file: Path) -> torch.Tensor:
    with Image.open(file) as image:
        values: torch.Tensor = TRANSFORM(image.convert("RGB"))
    return values


def loop(model: torch.nn.Module, files: list[Path]) -> torch.Tensor:
    found = []
    with torch.inference_mode():
        for first in range(0, len(files), BATCH):
            batch = [transformed(file) for file in files[first : first + BATCH]]
            found.append(model(torch.stack(batch)).softmax(1))
    return torch.cat(found)


def difference(run: Path, answers: torch.Tensor, files: list[Path]) -> tuple[float, float]:
    """The mean difference of probabilities, from scaling pictures in another way, and how often the first is one."""
    records: dict[str, Any] = {record.file: record.classifications for record in open_run(run).records()}
    rows = []
    for file in files:
        scores = {label.label: label.score for label in records[file.name]["genre"]}
        rows.append([scores[name] for name in CLASSES])
    own = torch.tensor(rows)
    return float((own - answers).abs().mean()), float((own.argmax(1) == answers.argmax(1)).float().mean())


def report(ours: list[float], theirs: list[float], agreement: tuple[float, float]) -> None:
    ratios = sorted(their / our for our, their in zip(ours, theirs, strict=True))
    for name, values in (("artdet classify", ours), ("torchvision loop", theirs)):
        row = ", ".join(f"{value:.1f}" for value in values)
        middle = statistics.median(values)
        print(f"{name:<18} {middle:6.1f} ms an image, {1000 / middle:6.1f} images/s   ({row})")
    print(f"artdet is {statistics.median(ratios):.2f} times as fast ({ratios[0]:.2f} to {ratios[-1]:.2f})")
    apart, same = agreement
    print(f"probabilities differ by {apart:.4f} on average; the likeliest class is the same for {100 * same:.0f} %")


if __name__ == "__main__":
    main()
