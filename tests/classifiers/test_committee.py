"""Committees against votes counted by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from artdet.classifiers.committee import (
    Committee,
    CommitteeSettings,
    combined,
    committee_text,
    load_committee,
    read_committee,
)
from artdet.errors import ConfigError
from artdet.tasks import Task

GENRE = Task(name="genre", kind="label", classes=("portrait", "landscape", "marina"))
THEMES = Task(name="themes", kind="labels", classes=("sea", "dog"))
YEAR = Task(name="year", kind="number")


class Fixed:
    """Gives the same answer for every image."""

    def __init__(self, *answers: tuple[Task, Sequence[float]]) -> None:
        self.tasks = tuple(task for task, _ in answers)
        self._rows = {task.name: row for task, row in answers}

    def classify(self, images):
        return {n: np.tile(np.float32([row]), (len(images), 1)) for n, row in self._rows.items()}


def of_class(name: str, probability: float) -> Fixed:
    task = Task(name="genre", kind="label", classes=("rest", name))
    return Fixed((task, (1 - probability, probability)))


@pytest.fixture
def images():
    return [np.zeros((3, 5, 3), np.uint8), np.zeros((7, 2, 3), np.uint8)]


def test_no_images_no_rows():
    committee = Committee([Fixed((GENRE, (0.2, 0.5, 0.3)))] * 2, "vote", ["a", "b"])
    assert committee.classify([])["genre"].shape == (0, 3)


@pytest.mark.parametrize(
    ("method", "rows", "expected"),
    [
        pytest.param("mean", [(0.9, 0.1, 0.0), (0.2, 0.5, 0.3)], (0.55, 0.3, 0.15), id="mean"),
        # Two weak votes outdo a sure one: votes (1, 2, 0), means (0.46, 0.37, 0.17).
        pytest.param(
            "vote",
            [(0.98, 0.01, 0.01), (0.2, 0.5, 0.3), (0.2, 0.6, 0.2)],
            (1.46 / 4, 2.37 / 4, 0.17 / 4),
            id="majority",
        ),
        # One vote each: the mean (0.41, 0.57, 0.02) decides.
        pytest.param("vote", [(0.6, 0.4, 0.0), (0.22, 0.74, 0.04)], (1.41 / 3, 1.57 / 3, 0.02 / 3), id="tie"),
        # Sure of one class, hardly against it: three votes lose to four however high the mean is.
        pytest.param(
            "vote",
            [(1.0, 0.0, 0.0)] * 3 + [(0.49, 0.51, 0.0)] * 4,
            ((3 + 4.96 / 7) / 8, (4 + 2.04 / 7) / 8, 0.0),
            id="mean-never-outdoes-votes",
        ),
    ],
)
def test_one_label(images, method, rows, expected):
    names = [str(place) for place in range(len(rows))]
    committee = Committee([Fixed((GENRE, row)) for row in rows], method, names)
    found = committee.classify(images)["genre"]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [expected] * 2, rtol=1e-6)
    assert found.sum(axis=1) == pytest.approx(1)


def test_votes_agree_with_counting():
    """Of many random answers the winner is the one that counting by hand gives."""
    generator = np.random.default_rng(3)
    answers = generator.dirichlet((0.3, 0.3, 0.3), size=(5, 200)).astype(np.float32)
    found = combined(GENRE, list(answers), "vote").argmax(axis=1)
    ties = 0
    for image in range(200):
        votes = [int(answers[member, image].argmax()) for member in range(5)]
        most = max(votes.count(k) for k in range(3))
        leaders = [k for k in range(3) if votes.count(k) == most]
        ties += len(leaders) > 1
        assert found[image] == max(leaders, key=lambda k: answers[:, image, k].sum())
    assert ties > 10


@pytest.mark.parametrize(
    ("task", "method", "rows", "expected"),
    [
        pytest.param(THEMES, "vote", [(0.6, 0.4), (0.9, 0.3), (0.1, 0.8)], (2.5333 / 4, 1.5 / 4), id="labels-vote"),
        pytest.param(THEMES, "mean", [(0.6, 0.4), (0.9, 0.2)], (0.75, 0.3), id="labels-mean"),
        pytest.param(YEAR, "vote", [(1500.0,), (1510.0,), (1900.0,)], (1510.0,), id="number-median"),
        pytest.param(YEAR, "mean", [(1500.0,), (1600.0,)], (1550.0,), id="number-mean"),
    ],
)
def test_other_kinds(images, task, method, rows, expected):
    committee = Committee([Fixed((task, row)) for row in rows], method, "abc"[: len(rows)])
    np.testing.assert_allclose(committee.classify(images)[task.name], [expected] * 2, rtol=1e-4)


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [
        pytest.param((0.3, 0.6, 0.1), (0.3, 0.6, 0.1), id="sum-is-1"),
        pytest.param((0.9, 0.8, 0.3), (0.45, 0.4, 0.15), id="all-sure"),
        pytest.param((0.0, 0.0, 0.0), (1 / 3, 1 / 3, 1 / 3), id="none-at-all"),
    ],
)
def test_the_surest_wins(images, probabilities, expected):
    members = [of_class(name, p) for name, p in zip(GENRE.classes, probabilities, strict=True)]
    committee = Committee(members, "most_confident", GENRE.classes)
    assert committee.tasks == (GENRE,)
    np.testing.assert_allclose(committee.classify(images)["genre"], [expected] * 2, rtol=1e-6)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        pytest.param(Fixed((YEAR, (1.0,))), "one answers genre, the other year", id="task"),
        pytest.param(
            Fixed((GENRE.model_copy(update={"classes": ("portrait", "landscape", "sea")}), (1, 0, 0))),
            "only one of them knows marina, sea as genre",
            id="classes",
        ),
        pytest.param(
            Fixed((GENRE.model_copy(update={"classes": GENRE.classes[::-1]}), (1, 0, 0))), "another order", id="order"
        ),
        pytest.param(
            Fixed((GENRE.model_copy(update={"kind": "labels"}), (1, 0, 0))),
            "genre is a label for one and a labels for the other",
            id="kind",
        ),
    ],
)
def test_members_that_differ_are_refused(other, said):
    with pytest.raises(ConfigError, match=said):
        Committee([Fixed((GENRE, (1, 0, 0))), other], "mean", ["first", "second"])


def test_members_may_have_seen_other_years(images):
    later = YEAR.model_copy(update={"mean": 1900.0, "deviation": 3.0})
    committee = Committee([Fixed((YEAR, (1500.0,))), Fixed((later, (1600.0,)))], "mean", ["a", "b"])
    assert committee.classify(images)["year"].tolist() == [[1550.0], [1550.0]]


@pytest.mark.parametrize(
    ("members", "said"),
    [
        pytest.param([Fixed((GENRE, (1, 0, 0)))] * 2, "'a' .* tell one class from the rest", id="not-binary"),
        pytest.param([of_class("sea", 0.5), of_class("sea", 0.5)], "one class more than once", id="twice"),
    ],
)
def test_one_versus_rest_wants_a_member_for_each_class(members, said):
    with pytest.raises(ConfigError, match=said):
        Committee(members, "most_confident", ["a", "b"])


def test_a_file_finds_members_beside_it_and_by_name(tmp_path: Path, monkeypatch):
    (tmp_path / "runs" / "train" / "mine" / "portrait").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    settings = CommitteeSettings(method="vote", members=("portrait", "bundled"))
    folder = Path("runs/train/mine")
    (folder / "committee.yaml").write_text(committee_text(settings))
    asked = []

    def loader(name):
        asked.append(name)
        return Fixed((GENRE, (1, 0, 0)))

    load_committee(folder, loader)
    assert asked == ["runs/train/mine/portrait", "bundled"]
    assert read_committee(folder / "committee.yaml") == settings


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("method: vote\nmembers: [a]\n", "members: .*at least 2", id="one-member"),
        pytest.param("method: vote\nmembers: [a, a]\n", "a: appears more than once", id="twice"),
        pytest.param("method: loudest\nmembers: [a, b]\n", "method: .*'loudest'", id="method"),
        pytest.param("methods: vote\nmembers: [a, b]\n", "Did you mean 'method'", id="key"),
    ],
)
def test_a_wrong_file_is_told(tmp_path: Path, text, said):
    file = tmp_path / "committee.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_committee(file, lambda name: Fixed((GENRE, (1, 0, 0))))
