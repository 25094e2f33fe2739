"""What the tests of all backends train on."""

import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import yaml

from artdet.data.category import load_category
from artdet.data.merge import merged
from artdet.training.course import SilentWatch, Task
from artdet.training.examples import examples
from artdet.training.pictures import Pictures


@pytest.fixture(scope="module")
def task_of_category(taxonomy, tmp_path_factory):
    """Makes the task of a category's content, with its first images, each once an epoch, and two to validate on."""

    def make(content, *, images, start=None, threads=2):
        path = tmp_path_factory.mktemp("category") / "people.yaml"
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        data = merged(load_category(str(path), taxonomy))
        data = replace(data, train=data.train[:images], factors=np.ones(min(images, len(data.train))))
        side = data.category.settings.image_size
        return Task(
            data=data,
            examples=examples(data),
            pictures=Pictures(max_side=side),
            validation=data.validation[:2],
            validation_pictures=Pictures(max_side=side),
            start=start,
            device="cpu",
            threads=threads,
            seed=5,
        )

    return make


class InterruptAt(SilentWatch):
    """Presses Ctrl-C after some steps; keeps the steps, their losses and the notes."""

    def __init__(self, step=None):
        self.left, self.notes, self.shown, self.losses = step, [], [], []

    def steps(self, epoch, epochs, done, total, losses):
        self.shown.append((epoch, done, total))
        self.losses.append(losses["loss"])
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGINT)

    def note(self, text):
        self.notes.append(text)


@pytest.fixture
def interrupt_at():
    """Makes a watch that presses Ctrl-C after a number of steps, or never."""
    return InterruptAt
