"""A YOLOv5u-n that begins with what COCO's YOLOv5n knows: the same body, and a new head that gives the same answers.

The head of the original network has anchors, and that of ``yolov5nu.pt`` is wider than one for fewer classes: neither
fits. A start that keeps only the body has to learn again what a cow is; here the new head learns it from the old one's
answers, position by position, without any labels (Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural
Network", 2015). What fits of the old head is kept as it is. Classes that COCO does not have stay as they begin. For
example:

    python tools/distil.py yolov5n_coco.safetensors runs/start animals cow dog ship --images ../shared/data/photos

``--hold-out CATEGORY`` keeps the validation images of a category out of it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import cv2
import numpy as np
import torch
import yaml
from anchor_free_network import AnchorFreeNetwork
from anchor_network import STRIDES, AnchorNetwork
from safetensors.torch import save_file

from artdet.data.category import load_category
from artdet.data.merge import merged
from artdet.detectors.yolo import categories_of
from artdet.devices import cpu_threads
from artdet.labelmaps import LabelMap
from artdet.taxonomy import Taxonomy
from artdet.training.backends.checkpoints import halved
from artdet.training.pictures import Pictures

Teacher = AnchorNetwork | AnchorFreeNetwork
BOX_FLOOR = 0.1  # answers of which the teacher is less sure teach no box
GREY = 114


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("teacher", type=Path, help="safetensors of YOLOv5 v7.0, or a .pt of ultralytics that you trust")
    parser.add_argument("out", type=Path)
    parser.add_argument("classes", nargs="+")
    parser.add_argument("--images", type=Path, nargs="+", required=True)
    parser.add_argument("--hold-out", default="all")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--image-size", type=int, default=416)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(cpu_threads())
    paths = images_below(options.images, options.hold_out)
    columns = columns_of(options.classes)
    network = AnchorFreeNetwork if options.teacher.suffix == ".pt" else AnchorNetwork
    teacher = network(options.teacher).requires_grad_(False)
    student = student_of(teacher, len(options.classes))
    learn(student, teacher, columns, paths, options)
    save(student, options, len(paths))


def images_below(folders: list[Path], hold_out: str) -> list[Path]:
    """Images of the folders, but for those that the category is validated on."""
    held = {entry.path.resolve() for entry in merged(load_category(hold_out, Taxonomy.load())).validation}
    files = sorted(path for folder in folders for path in folder.rglob("*"))
    return [path for path in files if path.suffix.lower() in (".jpg", ".jpeg", ".png") and path.resolve() not in held]


def columns_of(classes: list[str]) -> list[list[int]]:
    """For each class, the numbers of the COCO classes that it is; a category is all of its classes."""
    taxonomy = Taxonomy.load()
    ids = LabelMap.load("coco80").ids([str(number) for number in range(80)], taxonomy)
    own = [taxonomy.id_of(name) for name in classes]
    return [np.flatnonzero((ids == label) | (categories_of(ids, taxonomy) == label)).tolist() for label in own]


def student_of(teacher: Teacher, classes: int) -> torch.nn.Module:
    """The network of today with the body of the teacher and the parts of its head that fit; the others alone learn."""
    from ultralytics.cfg import get_cfg
    from ultralytics.nn.tasks import DetectionModel

    student = DetectionModel("yolov5n.yaml", nc=classes, verbose=False)
    for place, layer in enumerate(teacher.layers):
        student.model[place].load_state_dict(layer.state_dict())
    student.requires_grad_(False).eval()
    head, old = student.model[-1], dict(teacher.head.named_modules())
    for name in ("cv2", "cv3"):  # boxes, classes
        branch, taken = getattr(head, name), name in old and old[name].state_dict()
        if taken and {k: v.shape for k, v in taken.items()} == {k: v.shape for k, v in branch.state_dict().items()}:
            branch.load_state_dict(taken)
        else:
            branch.requires_grad_(True)
    student.args = get_cfg()
    return student.to(memory_format=torch.channels_last)


class TeacherAssigner(torch.nn.Module):
    """In the place of the assignment of labels to positions: what the teacher says there."""

    boxes: torch.Tensor
    scores: torch.Tensor
    sure: torch.Tensor

    def set(self, teacher: Teacher, features: list[torch.Tensor], columns: list[list[int]]) -> None:
        """Takes the teacher's answers for the images whose features these are.

        Args:
            teacher: of the answers.
            features: of its body, one (B, C, H, W) per level.
            columns: for each class of the student, the teacher's classes that it is.
        """
        self.boxes, of_class = teacher.answers(features)
        self.sure = of_class.amax(dim=2)
        nothing = torch.zeros_like(self.sure)
        self.scores = torch.stack([of_class[..., own].amax(dim=-1) if own else nothing for own in columns], dim=-1)


def losses(
    loss: object, assigner: TeacherAssigner, answers: dict[str, torch.Tensor], known: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Of boxes, classes and edges, as :class:`ultralytics.utils.loss.v8DetectionLoss` weighs them."""
    from ultralytics.utils.tal import make_anchors

    edges, scores = answers["boxes"].transpose(1, 2).float(), answers["scores"].transpose(1, 2).float()
    points, strides = make_anchors(answers["feats"], torch.tensor(STRIDES, dtype=torch.float), 0.5)
    weight = assigner.sure.sum().clamp(min=1)
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(scores, assigner.scores, reduction="none")
    classes = (entropy * known).sum() / assigner.scores.sum().clamp(min=1)
    fore = assigner.sure > BOX_FLOOR
    boxes = loss.bbox_decode(points, edges.contiguous())  # type: ignore[attr-defined]
    overlap, distances = loss.bbox_loss(  # type: ignore[attr-defined]
        edges, boxes, points, assigner.boxes / strides, assigner.sure[..., None], weight, fore, None, strides
    )
    return 7.5 * overlap, 0.5 * classes, 1.5 * distances


def learn(
    student: torch.nn.Module,
    teacher: Teacher,
    columns: list[list[int]],
    paths: list[Path],
    options: argparse.Namespace,
) -> None:
    from ultralytics.utils.loss import v8DetectionLoss

    loss, assigner = v8DetectionLoss(student), TeacherAssigner()
    known = torch.tensor([bool(own) for own in columns]).float()
    head = student.model[-1]  # type: ignore[index]
    learning = [weights for weights in head.parameters() if weights.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=options.learning_rate, weight_decay=5e-4)
    steps = options.epochs * (len(paths) // options.batch)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimizer, options.learning_rate, total_steps=steps, pct_start=0.05)
    teacher.to(memory_format=torch.channels_last)
    head.training = True  # to give its answers raw; what is the teacher's keeps its statistics
    for branch in (head.cv2, head.cv3):
        branch.train(any(weights.requires_grad for weights in branch.parameters()))
    sums = np.zeros(3)
    for step, pixels in zip(range(steps), batches(paths, options), strict=False):
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            features = teacher.features(pixels)
        with torch.no_grad():
            assigner.set(teacher, [maps.float() for maps in features], columns)
        with torch.autocast("cpu", torch.bfloat16):
            answers = head([maps.detach() for maps in features])
        parts = losses(loss, assigner, answers, known)
        optimizer.zero_grad()
        sum(parts).backward()  # type: ignore[union-attr]
        optimizer.step()
        plan.step()
        sums += [float(part.detach()) for part in parts]
        if step % 50 == 49:
            print(f"{step + 1}/{steps} boxes, classes, edges:", (sums / 50).round(3).tolist(), flush=True)
            sums[:] = 0


def batches(paths: list[Path], options: argparse.Namespace) -> Iterator[torch.Tensor]:
    """(B, 3, S, S) RGB in 0..1: half of them one image each, half four."""
    rng = np.random.default_rng(0)
    pictures = Pictures(max_side=options.image_size)
    while True:
        order = rng.permutation(len(paths))
        for first in range(0, len(order) - options.batch + 1, options.batch):
            chosen = [canvas(paths[place], paths, pictures, options, rng) for place in order[first:][: options.batch]]
            pixels = torch.from_numpy(np.stack(chosen)).permute(0, 3, 1, 2).float() / 255
            yield pixels.to(memory_format=torch.channels_last)


def canvas(
    path: Path, paths: list[Path], pictures: Pictures, options: argparse.Namespace, rng: np.random.Generator
) -> np.ndarray:
    size = options.image_size
    full = np.full((size, size, 3), GREY, dtype=np.uint8)
    cells = 1 if rng.random() < 0.5 else 2
    half = size // cells
    for number in range(cells * cells):
        own = path if number == 0 else paths[int(rng.integers(len(paths)))]
        image = pictures.read(own)
        ratio = half / max(image.shape[:2]) * rng.uniform(0.6, 1.0 if cells == 1 else 1.4)
        width, height = (max(8, round(side * ratio)) for side in image.shape[1::-1])
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR)
        image = image[:half, :half]
        if rng.random() < 0.5:
            image = image[:, ::-1]
        top, left = (int(rng.integers(half - side + 1)) for side in image.shape[:2])
        top, left = top + half * (number // cells), left + half * (number % cells)
        full[top : top + image.shape[0], left : left + image.shape[1]] = image
    return full


def save(student: torch.nn.Module, options: argparse.Namespace, images: int) -> None:
    options.out.mkdir(parents=True, exist_ok=True)
    save_file(halved(student.state_dict()), options.out / "model.safetensors")
    card = {
        "backend": "yolo",
        "architecture": "yolov5n.yaml",
        "classes": options.classes,
        "image_size": options.image_size,
        "description": f"A start for training: the answers of {options.teacher.name} in a head of today.",
        "trained_on": f"the answers of {options.teacher.name} on {images} images, no labels (tools/distil.py)",
    }
    (options.out / "model.yaml").write_text(yaml.safe_dump(card, sort_keys=False, width=120), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
