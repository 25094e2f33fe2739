"""From the files of a model to a classifier: a network or hand-made features, and layers on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from artdet.classifiers.base import Classifier, ClassifierCard, Scores
from artdet.config import read_yaml, validated
from artdet.devices import resolve_device
from artdet.embedders.base import HANDMADE, Preprocessing
from artdet.errors import ModelError
from artdet.images import RGBImage
from artdet.modelfiles import ModelFiles, file_sha256, first_mismatches, is_classifier, load_tensors
from artdet.runtimes import Runtime, choose_engine
from artdet.tasks import Task

if TYPE_CHECKING:
    from artdet.classifiers.network import ClassifierNetwork


def read_classifier_card(files: ModelFiles) -> ClassifierCard:
    """The card of a classifier.

    Raises:
        ModelError: if there is none, or it is of a detector.
        ConfigError: if it is not of the right form.
    """
    if files.card is None:
        raise ModelError(
            f"{files.model} has no card beside it, so its network and tasks are unknown. "
            f"Put the {files.model.with_suffix('.yaml').name} there that its training wrote."
        )
    if not is_classifier(files):
        raise ModelError(f"{files.model} is no classifier but a detector. Use it with `artdet predict`.")
    return validated(ClassifierCard, read_yaml(files.card), where=str(files.card))


def load_classifier(
    files: ModelFiles,
    *,
    device: str = "auto",
    threads: int = 1,
    crops: int = 1,
    precision: str = "auto",
    engine: str = "auto",
) -> Classifier:
    """The classifier of a model, ready to run; its network is exported for its engine the first time.

    Raises:
        ModelError: if weights are damaged or do not fit the card.
        ConfigError: if the card is wrong.
        MissingBackend: if a library is not installed.
    """
    card = read_classifier_card(files)
    if card.backbone.startswith(HANDMADE):
        return _handmade(files, card)
    from artdet.classifiers.engine import AnsweringNetwork, EngineSettings, open_engine

    resolved = resolve_device(device)
    runtime = open_engine(
        lambda: AnsweringNetwork(build_network(files, card), card.preprocessing, card.tasks),
        f"{file_sha256(files.model)[:32]}-{file_sha256(files.card)[:8] if files.card else ''}",
        EngineSettings(choose_engine(engine, resolved), resolved, threads, precision),
    )
    return NetworkClassifier(card.tasks, card.preprocessing, runtime, crops=crops)


def build_network(files: ModelFiles, card: ClassifierCard) -> ClassifierNetwork:
    """The network of a model with its weights as float32, in evaluation mode.

    Raises:
        ModelError: if the weights are damaged or do not fit.
    """
    from artdet.classifiers.network import ClassifierNetwork, TaskHeads
    from artdet.embedders.backbones import build

    own = card.preprocessing
    backbone = build(card.backbone, image_size=own.image_size, fit=own.fit)
    backbone.preprocessing = own
    network = ClassifierNetwork(backbone, TaskHeads(backbone.dim, card.head, card.tasks))
    _fill(network, load_tensors(files.model), files)
    return network.eval()


class NetworkClassifier:
    """A network as a :class:`artdet.classifiers.base.Classifier`.

    Args:
        tasks: in the order of the outputs.
        preprocessing: of images.
        runtime: gives (views, outputs) of the views (views, S, S, 3) of an image.
        crops: views of an image whose answers are averaged.
    """

    def __init__(self, tasks: Sequence[Task], preprocessing: Preprocessing, runtime: Runtime, *, crops: int) -> None:
        self.tasks = tuple(tasks)
        self._preprocessing = preprocessing
        self._runtime = runtime
        self._crops = crops

    def classify(self, images: Sequence[RGBImage]) -> Scores:
        """Answers for N images RGB uint8 (H, W, 3) of any size, in their order."""
        found = dict(self._runtime.infer(self._views(images)))
        rows = np.zeros((len(images), sum(task.outputs for task in self.tasks)), dtype=np.float32)
        for place, views in found.items():
            rows[place] = views.mean(axis=0)
        return _by_task(self.tasks, rows)

    def _views(self, images: Sequence[RGBImage]) -> Iterator[NDArray[np.uint8]]:
        from artdet.embedders.preprocess import crops

        for image in images:
            yield np.stack(crops(image, self._preprocessing, self._crops))


class FeatureClassifier:
    """Layers on features that are no network's own.

    Args:
        tasks: in the order of the outputs.
        answer: gives (N, outputs) of N images.
    """

    def __init__(
        self, tasks: Sequence[Task], answer: Callable[[Sequence[RGBImage]], Mapping[str, NDArray[np.float32]]]
    ) -> None:
        self.tasks = tuple(tasks)
        self._answer = answer

    def classify(self, images: Sequence[RGBImage]) -> Scores:
        """Answers for N images RGB uint8 (H, W, 3) of any size, in their order."""
        if not images:
            return {task.name: np.zeros((0, task.outputs), np.float32) for task in self.tasks}
        return self._answer(images)


def _handmade(files: ModelFiles, card: ClassifierCard) -> Classifier:
    import torch

    from artdet.classifiers.network import TaskHeads, answers
    from artdet.embedders.handmade import handmade

    tensors = load_tensors(files.model)
    own = {
        key.removeprefix("backbone."): value.numpy() for key, value in tensors.items() if key.startswith("backbone.")
    }
    embedder = handmade(card.backbone, own)
    heads = TaskHeads(embedder.dim, card.head, card.tasks)
    _fill(torch.nn.ModuleDict({"heads": heads}), {k: v for k, v in tensors.items() if k.startswith("heads.")}, files)
    heads.eval()

    def answer(images: Sequence[RGBImage]) -> Mapping[str, NDArray[np.float32]]:
        with torch.inference_mode():
            raw = heads(torch.from_numpy(embedder.features(images)))
            return {task.name: answers(task, raw[task.name]).numpy() for task in card.tasks}

    return FeatureClassifier(card.tasks, answer)


def _fill(module: Any, tensors: Mapping[str, Any], files: ModelFiles) -> None:
    """Loads tensors into a module, float16 as float32.

    Raises:
        ModelError: if they do not fit.
    """
    wanted = module.state_dict()
    wrong = [f"{key} is missing" for key in wanted.keys() - tensors.keys() if not key.endswith("num_batches_tracked")]
    wrong += [f"{key} is not of it" for key in tensors.keys() - wanted.keys()]
    shared = wanted.keys() & tensors.keys()
    wrong += [f"{key} has another shape" for key in shared if wanted[key].shape != tensors[key].shape]
    if wrong:
        raise ModelError(
            f"{files.model} does not fit its card ({first_mismatches(wrong)}). "
            "Check backbone, head and tasks in the card, or train it again."
        )
    module.load_state_dict({key: tensors[key].to(wanted[key].dtype) for key in shared}, strict=False)


def _by_task(tasks: Sequence[Task], rows: NDArray[np.float32]) -> Scores:
    """Task -> its columns of (N, outputs of all tasks)."""
    ends = np.cumsum([task.outputs for task in tasks])
    return {task.name: rows[:, end - task.outputs : end] for task, end in zip(tasks, ends.tolist(), strict=True)}
