from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from artdet.detections import Detections
from artdet.detectors import table
from artdet.detectors.base import Augmentation, FakeDetector, LoadContext, MemberSettings, ScalableSettings
from artdet.ensemble import ensemble
from artdet.ensemble.config import EnsembleFile, EnsembleSettings
from artdet.ensemble.ensemble import Ensemble, Member
from artdet.ensemble.fusion import FusionSettings
from artdet.ensemble.rules import AppendUntouched, KeepOutermost
from artdet.errors import LabelError, ModelError
from artdet.taxonomy import Taxonomy

TAXONOMY = Taxonomy.load()
SIZE, OTHER = (30, 40), (20, 50)
COW, CAT, SHIP, FACES = (TAXONOMY.id_of(name) for name in ("cow", "cat", "ship", "faces"))
IMAGES = [np.zeros((*size, 3), dtype=np.uint8) for size in (SIZE, OTHER)]
A, B, INNER = (2, 2, 12, 12), (2, 3, 12, 13), (4, 4, 8, 8)


def fake(labels, *rows):
    found = Detections.of([r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows], SIZE)
    return FakeDetector({SIZE: found}, frozenset(labels))


def rows_of(found):
    scores = [round(score, 4) for score in found.scores.tolist()]
    boxes = [tuple(round(x, 2) for x in box) for box in found.boxes.tolist()]
    return list(zip(boxes, scores, found.labels.tolist(), found.sources.tolist(), strict=True))


@pytest.fixture
def two():
    """Two members that agree on a cow; one sees a ship in a ship, the other two faces on one another."""
    first = fake([COW, SHIP], (A, 0.6, COW), (A, 0.5, SHIP), (INNER, 0.9, SHIP))
    second = fake([COW, CAT, FACES], (A, 0.8, CAT), (A, 0.7, FACES), (B, 0.9, FACES))
    return [Member("first", first), Member("second", second, weight=1.0)]


def test_no_images(two):
    made = Ensemble(two, taxonomy=TAXONOMY)
    assert made.detect([]) == []
    assert made.detect_members([]) == []


def test_is_a_detector_of_all_labels(two):
    made = Ensemble(two, taxonomy=TAXONOMY)
    assert made.labels == {COW, CAT, SHIP, FACES}
    assert made.member_names == ("first", "second")


def test_fuses_and_applies_rules(two):
    made = Ensemble(two, taxonomy=TAXONOMY, rules=[KeepOutermost(), AppendUntouched()])
    found, other = made.detect(IMAGES)
    assert rows_of(found) == [(A, 0.7, CAT, 3), (A, 0.5, SHIP, 1), (B, 0.9, FACES, 2), (A, 0.7, FACES, 2)]
    assert (len(other), other.image_size) == (0, OTHER)


def test_without_the_rule_faces_are_fused_like_others(two):
    found = Ensemble(two, taxonomy=TAXONOMY).detect(IMAGES)[0]
    assert rows_of(found) == [(INNER, 0.9, SHIP, 1), (B, 0.9, FACES, 2), (A, 0.7, CAT, 3), (A, 0.5, SHIP, 1)]


def test_detect_is_fuse_of_what_members_give(two):
    made = Ensemble(two, taxonomy=TAXONOMY, fusion=FusionSettings(method="nms"), rules=[AppendUntouched()])
    per_member = made.detect_members(IMAGES)
    assert [[len(part) for part in parts] for parts in per_member] == [[3, 3], [0, 0]]
    assert rows_of(made.fuse(per_member[0])) == rows_of(made.detect(IMAGES)[0])


def test_rules_are_checked_against_the_taxonomy(two):
    with pytest.raises(LabelError, match=r"rules\.0\.labels: .*'shipp'"):
        Ensemble(two, taxonomy=TAXONOMY, rules=[KeepOutermost(labels=("shipp",))])


@pytest.fixture
def backend(monkeypatch):
    """A backend ``stub`` whose members lack what ``module.lacks`` says of their name; it notes what it loads."""
    module = ModuleType("stub_backend")
    module.Settings = MemberSettings
    module.lacks, module.loaded = {}, []
    module.requirements = lambda settings, context: module.lacks.get(settings.name, [])
    module.fingerprint = lambda settings, context: {"sha256": settings.name * 2}

    def load(settings, context):
        module.loaded.append((settings.name, context.folder, context.engine))
        return fake([COW], (A, 0.6, COW))

    module.load = load
    monkeypatch.setitem(sys.modules, "stub_backend", module)
    monkeypatch.setitem(table.DETECTORS, "stub", "stub_backend")
    return module


def file_of(*members, **more):
    made = EnsembleSettings(members=tuple(MemberSettings(detector="stub", **member) for member in members), **more)
    return EnsembleFile("mine", Path("some/folder/mine.yaml"), made)


CONTEXT = LoadContext(TAXONOMY, engine="torch")


def test_load(backend):
    file = file_of({"name": "a"}, {"name": "b", "weight": 3.0}, rules=(KeepOutermost(),))
    made = ensemble.load(file, CONTEXT)
    assert backend.loaded == [("a", Path("some/folder"), "torch"), ("b", Path("some/folder"), "torch")]
    assert rows_of(made.detect(IMAGES)[0]) == [(A, 0.6, COW, 3)]
    assert ensemble.missing(file, CONTEXT) == []
    assert ensemble.fingerprints(file, CONTEXT) == {"a": {"sha256": "aa"}, "b": {"sha256": "bb"}}


class Zooming(FakeDetector):
    """Sees its boxes at all scales, and on mirror images at the same place."""

    max_detections = 10

    def at_scale(self, ratio):
        return self


@pytest.mark.parametrize(
    ("changes", "asked", "expected"),
    [
        ({}, 0.4, [(A, 0.6, COW, 2)]),
        ({"tta": Augmentation(flip=False)}, 0.1, [(A, 0.6, COW, 2)]),
        ({"tta": Augmentation(flip=True)}, 0.1, []),  # 0.3 is less than 0.8 of 0.4
        ({"tta": Augmentation(min_score_share=0.7)}, 0.1, [(A, 0.3, COW, 2), ((28, 2, 38, 12), 0.3, COW, 2)]),
        ({"tta": Augmentation(flip=True), "min_score": 0.2}, 0.05, [(A, 0.3, COW, 2), ((28, 2, 38, 12), 0.3, COW, 2)]),
    ],
    ids=["one view", "scales", "mirrored", "a lower share", "lower"],
)
def test_a_member_with_views(backend, changes, asked, expected):
    thresholds = []

    def load(settings, context):
        thresholds.append(settings.min_score)
        return Zooming({SIZE: Detections.of([A], 0.6, COW, SIZE)}, frozenset({COW}))

    backend.load = load
    blind = MemberSettings(name="a", detector="stub", min_score=0.7)
    member = ScalableSettings(**{"name": "b", "detector": "stub", "min_score": 0.4, **changes})
    file = EnsembleFile("mine", Path("mine.yaml"), EnsembleSettings(members=(blind, member)))
    made = ensemble.load(file, CONTEXT)
    assert thresholds == pytest.approx([0.7, asked])
    found = made.detect_members([IMAGES[0]])[0][1].from_source(1)
    assert rows_of(found) == expected


def test_everything_missing_is_told_at_once_and_nothing_loaded(backend):
    backend.lacks = {"a": ["a: no weights"], "c": ["no library", "c: no weights"], "d": ["no library"]}
    file = file_of({"name": "a"}, {"name": "b"}, {"name": "c"}, {"name": "d"})
    with pytest.raises(ModelError, match="'mine' is not complete") as caught:
        ensemble.load(file, CONTEXT)
    assert str(caught.value).splitlines()[1:] == ["  a: no weights", "  no library", "  c: no weights"]
    assert ensemble.missing(file, CONTEXT) == ["a: no weights", "no library", "c: no weights"]
    assert backend.loaded == []


def test_rules_are_checked_before_anything_is_loaded(backend):
    with pytest.raises(LabelError):
        ensemble.load(file_of({"name": "a"}, rules=(KeepOutermost(labels=("shipp",)),)), CONTEXT)
    assert backend.loaded == []
