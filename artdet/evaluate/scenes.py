"""What the report's pictures of mistakes show: an image with its true and its found boxes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from artdet.data.dataset import Sample
from artdet.evaluate.evaluation import Evaluation
from artdet.evaluate.pictures import Scene
from artdet.evaluate.results import Mistake, RunResult
from artdet.runs import Box
from artdet.taxonomy import Taxonomy


class Scenes:
    """Gives the scene of a mistake; boxes keep the labels of the run and the truth, whatever the level.

    Args:
        evaluation: whose mistakes are to be shown.
    """

    def __init__(self, evaluation: Evaluation) -> None:
        self._taxonomy = evaluation.truth.taxonomy
        self._root = evaluation.truth.root
        self._places = {
            run.name: {record.file: (record, sample) for record, sample in zip(records, samples, strict=True)}
            for run, records in zip(evaluation.report.runs, evaluation.aligned.records, strict=True)
            for samples in [evaluation.aligned.samples]
        }

    def __call__(self, run: RunResult, mistake: Mistake) -> Scene | None:
        """The image as the run saw it, else as the truth has it; ``None`` where neither is there any more."""
        record, sample = self._places[run.name][mistake.file]
        places = (os.path.join(run.root, record.file), os.path.join(self._root, sample.file))
        image = next((place for place in places if os.path.isfile(place)), None)
        if image is None:
            return None
        least = min(result.confusion.min_score for result in run.levels.values())
        size = record.size or sample.truth.image_size
        found = tuple(box for box in record.detections if box.score >= least)
        return Scene(Path(image), size, _truth(sample, size, self._taxonomy), found)


def _truth(sample: Sample, size: tuple[int, int], taxonomy: Taxonomy) -> tuple[Box, ...]:
    """The true boxes in pixels of an image of ``size`` (height, width)."""
    height, width = sample.truth.image_size
    corners = sample.truth.boxes.astype(float) * np.array([size[1] / width, size[0] / height] * 2)
    return tuple(
        Box(taxonomy.names[label], 1.0, (x1, y1, x2, y2), "truth")
        for (x1, y1, x2, y2), label in zip(corners.tolist(), sample.truth.labels.tolist(), strict=True)
    )
