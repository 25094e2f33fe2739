"""``Dataset``: images with their true boxes, whatever format they came in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from artdet.data.problems import Finding
from artdet.detections import Detections
from artdet.taxonomy import Taxonomy

BACKGROUND_HASH = "background_sha256"
"""Field of a composed picture: the bytes of the file that it was pasted onto, which must not be validated on."""


@dataclass(frozen=True, eq=False)
class Sample:
    """One image and what is known about it.

    Attributes:
        file: path relative to the data set's root, with forward slashes.
        truth: the true boxes, in pixels of the upright image; their scores are 1.
        crowd: bool (N,), boxes around objects that cannot be told apart (COCO's ``iscrowd``).
        difficult: bool (N,), boxes that count neither as hit nor as miss (VOC's ``difficult``).
        annotated: whether someone looked at this image; ``False`` is not the same as "has no boxes".
        labelled: ids of the classes that were looked for in this image. A category stands for all that belongs to it:
            its classes that are not named count as the mere category. All other boxes, true or found, are neither hit
            nor miss here.
        fields: style, artist, year ... as the source has them; always ``folder``, the folder of ``file``.
        group: one artwork or series; a split never separates it.
    """

    file: str
    truth: Detections
    crowd: NDArray[np.bool_]
    difficult: NDArray[np.bool_]
    annotated: bool
    labelled: frozenset[int]
    fields: Mapping[str, str]
    group: str

    def __post_init__(self) -> None:
        for name, column in (("crowd", self.crowd), ("difficult", self.difficult)):
            if column.shape != (len(self.truth),) or column.dtype != bool:
                raise ValueError(f"{name} must be bool ({len(self.truth)},), but got {column.dtype} {column.shape}")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples of one source.

    Attributes:
        name: what messages and tables call it.
        root: absolute folder of the images.
        samples: in the order of their files.
        taxonomy: of their labels.
        findings: everything odd that was met while reading, in the order of weight.
        licence: as the source states it; empty where it states none.
        origin: where the data come from, likewise.
        images: the folder of the images as the source names it; empty where it names none.
    """

    name: str
    root: Path
    samples: tuple[Sample, ...]
    taxonomy: Taxonomy
    findings: tuple[Finding, ...] = ()
    licence: str = ""
    origin: str = ""
    images: str = ""

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)
