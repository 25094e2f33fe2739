"""Pictures of where the answers of a run come from: ``RUN/explanations/TASK/FILE.png``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from artdet.atomic import make_folder, whole_file
from artdet.classifiers.named import NamedClassifier
from artdet.errors import ImageError, ModelError
from artdet.images.reader import ReadImage, read_image
from artdet.predict.classification import Classification
from artdet.runs import Label, Record, open_run

if TYPE_CHECKING:
    from artdet.classifiers.explanation import Explainer
    from artdet.images import RGBImage

FOLDER = "explanations"
_CAPTION = 22  # pixels


def check(classification: Classification) -> None:
    """Says before the run what would keep its answers from being explained.

    Raises:
        MissingBackend: if Captum is not installed.
        ModelError: if a model is a committee or no network.
    """
    from artdet.classifiers.explanation import check_explainable

    for model in classification.choice.models:
        if model.committee is not None:
            raise ModelError(f"{model.name} is a committee, which --explain cannot show. Name one of its members.")
        check_explainable(model.models[0][1])


def explain(classification: Classification, progress: Callable[[int], None]) -> Path:
    """Draws the likeliest answer to each task on each image of this call; what is drawn already stays.

    Args:
        progress: called with 1 after each image.

    Returns:
        The folder of the pictures.

    Raises:
        RunError: if a picture cannot be written.
    """
    explainers = {id(model): _explainer(model, classification) for model in classification.choice.models}
    files, folder = set(classification.files), classification.folder / FOLDER
    for record in open_run(classification.folder).records():
        if record.file not in files:
            continue
        todo = {task: labels[0] for task, labels in (record.classifications or {}).items() if labels}
        todo = {task: label for task, label in todo.items() if not _place(folder, task, record).exists()}
        image = _read(classification, record) if todo else None
        for task, label in todo.items() if image is not None else ():
            assert image is not None
            explainer = explainers[id(classification.choice.answering[task])]
            _write(_place(folder, task, record), _picture(explainer, image, task, label))
        progress(1)
    return folder


def _explainer(model: NamedClassifier, classification: Classification) -> Explainer:
    from artdet.classifiers.explanation import Explainer
    from artdet.devices import resolve_device

    files, card = model.models[0]
    return Explainer(files, card, device=resolve_device(classification.options.device))


def _read(classification: Classification, record: Record) -> ReadImage | None:
    """The image again; ``None`` where it vanished since, which the missing picture tells."""
    request = classification.request
    try:
        return read_image(
            classification.found.root / record.file,
            max_pixels=request.max_pixels,
            max_side=classification.max_side,
        )
    except ImageError:
        return None


def _picture(explainer: Explainer, image: ReadImage, task: str, label: Label) -> RGBImage:
    """What the network sees, the same with heat over it beside it, and the answer below."""
    import numpy as np
    from PIL import Image, ImageDraw

    from artdet.classifiers.explanation import overlaid
    from artdet.fonts import font_for

    seen, heat = explainer.heat(image.pixels, task, label.label)
    pair = np.concatenate([seen, overlaid(seen, heat)], axis=1)
    sheet = Image.new("RGB", (pair.shape[1], pair.shape[0] + _CAPTION), "white")
    sheet.paste(Image.fromarray(pair), (0, 0))
    told = f"{task}: {label.value:.0f}" if label.label is None else f"{task}: {label.label} {label.score:.2f}"
    ImageDraw.Draw(sheet).text((4, pair.shape[0] + 3), told, fill="black", font=font_for(told, 13))
    return np.asarray(sheet)


def _place(folder: Path, task: str, record: Record) -> Path:
    return folder / task / f"{record.file}.png"


def _write(path: Path, picture: RGBImage) -> None:
    from PIL import Image

    make_folder(path.parent)
    with whole_file(path) as stream:
        Image.fromarray(picture).save(stream, format="PNG")
