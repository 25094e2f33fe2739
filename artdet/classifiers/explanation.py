"""Where in an image an answer comes from: Grad-CAM (Selvaraju et al. 2017) through Captum."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from artdet.classifiers.base import ClassifierCard
from artdet.classifiers.classifier import build_network
from artdet.embedders.base import HANDMADE
from artdet.embedders.preprocess import normalised, prepared
from artdet.errors import MissingBackend, ModelError
from artdet.images import RGBImage
from artdet.modelfiles import ModelFiles
from artdet.tasks import Task

STRENGTH = 0.5
"""How much of the colour of the heat covers the picture at its hottest."""

_HOTTEST = 225  # of 255: the scale of colours ends in a dark red, which would look like shade


class Explainer:
    """Grad-CAM of one model.

    Args:
        files: of the model.
        card: of the model.
        device: where it runs.

    Raises:
        MissingBackend: if Captum is not installed.
        ModelError: if the model keeps no maps.
    """

    def __init__(self, files: ModelFiles, card: ClassifierCard, *, device: str = "cpu") -> None:
        check_explainable(card)
        grad_cam: Any = _captum().LayerGradCam
        self._device = device
        self._preprocessing = card.preprocessing
        self._network = build_network(files, card).to(device)
        backbone = self._network.backbone
        side = card.preprocessing.image_size
        backbone.maps(torch.zeros(1, 3, side, side, device=device))  # raises where there are none
        # Gradients reach the maps even through frozen layers, since the images ask for them.
        self._network.requires_grad_(False)
        self._methods = {task.name: grad_cam(self._answer(task), backbone.maps_layer) for task in card.tasks}
        self._tasks = {task.name: task for task in card.tasks}

    def heat(self, image: RGBImage, task: str, label: str | None) -> tuple[RGBImage, NDArray[np.float32]]:
        """What speaks for an answer, and where.

        Args:
            image: RGB uint8 (H, W, 3).
            task: its name.
            label: a class of it; ``None`` for a number, whose heat is what makes it larger.

        Returns:
            The image as the network sees it (S, S, 3), and float32 (S, S) from 0 to 1, 0 everywhere where nothing
            speaks for the answer.
        """
        seen = prepared(image, self._preprocessing)
        pixels = normalised(seen[None], self._preprocessing, self._device).requires_grad_(True)
        target = 0 if label is None else self._tasks[task].classes.index(label)
        maps = self._methods[task].attribute(pixels, target=target, relu_attributions=True)
        coarse = maps.detach()[0, 0].float().cpu().numpy()
        heat = cv2.resize(coarse, (seen.shape[1], seen.shape[0]), interpolation=cv2.INTER_CUBIC).clip(0)
        highest = float(heat.max())
        return seen, np.asarray(heat / highest if highest > 0 else heat, dtype=np.float32)

    def _answer(self, task: Task) -> Any:
        def raw(pixels: torch.Tensor) -> torch.Tensor:
            given: torch.Tensor = self._network(pixels)[task.name]
            return given

        # Captum looks for the layer in the network, so the function must be a module that holds it.
        class Answer(torch.nn.Module):
            def __init__(self, network: torch.nn.Module) -> None:
                super().__init__()
                self.network = network

            def forward(self, pixels: torch.Tensor) -> torch.Tensor:
                return raw(pixels)

        return Answer(self._network)


def check_explainable(card: ClassifierCard) -> None:
    """Says at once what would fail later.

    Raises:
        MissingBackend: if Captum is not installed.
        ModelError: if the model is no network.
    """
    _captum()
    if card.backbone.startswith(HANDMADE):
        raise ModelError(f"{card.backbone} is no network, so --explain cannot show where its answers come from.")


def overlaid(seen: RGBImage, heat: NDArray[np.float32]) -> RGBImage:
    """The picture with the heat over it, RGB (S, S, 3): cold stays as it is, hot turns red through yellow.

    Args:
        seen: RGB uint8 (S, S, 3).
        heat: float32 (S, S) from 0 to 1.
    """
    colours = cv2.applyColorMap((heat * _HOTTEST).astype(np.uint8), cv2.COLORMAP_TURBO)[..., ::-1]
    share = (STRENGTH * np.sqrt(heat))[..., None]
    return np.asarray(seen * (1 - share) + colours * share, dtype=np.uint8)


def _captum() -> Any:
    try:
        from captum import attr
    except ImportError as error:
        remedy = 'Install it with: pip install "artdet[explain]"'
        raise MissingBackend("captum", "--explain", remedy) from error
    return attr
