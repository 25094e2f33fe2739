"""The ensembles in ``configs/ensembles``, with the real backends' settings; no model is loaded."""

from __future__ import annotations

import pytest

from artdet.detectors.base import LoadContext
from artdet.ensemble.config import ensemble_names, load_ensemble, parse_ensemble
from artdet.ensemble.ensemble import missing
from artdet.ensemble.rules import (
    AppendUntouched,
    DropFrameFilling,
    KeepOutermost,
    KeepSurest,
    PreferSpecific,
    check_labels,
)
from artdet.labelmaps import LabelMap
from artdet.taxonomy import Taxonomy

TAXONOMY = Taxonomy.load()


@pytest.mark.parametrize("name", ensemble_names())
def test_names_in_it_exist(name):
    file = load_ensemble(name)
    check_labels(file.settings.rules, TAXONOMY)
    for member in file.settings.members:
        LabelMap.load(member.label_map)
        TAXONOMY.ids_of(member.only or ())
    assert file.settings.description
    assert parse_ensemble(file.resolved, where=name) == file.settings


def test_default_is_complete_and_has_the_reports_rules_which_guesses_do_not_decide():
    file = load_ensemble("default")
    assert missing(file, LoadContext(TAXONOMY)) == []
    assert file.settings.rules == (
        PreferSpecific(),
        KeepOutermost(ratio=1),
        DropFrameFilling(),
        KeepSurest(weights={"animals": 1.5}, least=0.3),
        AppendUntouched(),
    )
    assert file.settings.fusion.per == "category"


def test_resnext_wbf_is_the_reports():
    file = load_ensemble("resnext_wbf")
    assert [member.min_score for member in file.settings.members] == [0.3, 0.15, 0.3, 0.5, 0.2, 0.2, 0.2]
    assert {member.weight for member in file.settings.members} == {1.0}
    assert (file.settings.fusion.method, file.settings.fusion.iou) == ("wbf", 0.4)


def test_yolo_filters_nothing():
    file = load_ensemble("yolo")
    assert {member.min_score for member in file.settings.members} == {0.0}
    assert [member.name for member in file.settings.members] == [
        "persons",
        "animals",
        "structures",
        "produce",
        "coco",
        "faces",
    ]


def test_iconart_pretrained_is_nms_per_class():
    file = load_ensemble("iconart_pretrained")
    assert (file.settings.fusion.method, file.settings.fusion.per) == ("nms", "label")
    assert [member.detector for member in file.settings.members] == ["yolo"] * 4 + ["nudity"] + ["yolo"] * 2


@pytest.mark.parametrize("name", ["yolo", "resnext_wbf", "iconart_pretrained"])
def test_weights_that_do_not_ship_are_told_with_their_command(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = load_ensemble(name)
    lacking = "\n".join(missing(file, LoadContext(TAXONOMY)))
    bundled = {"persons"}
    wanted = [m for m in file.settings.members if m.detector in {"yolo", "torchvision"} and m.weights not in bundled]
    assert wanted
    for member in wanted:
        assert f"{member.name}: the weights '{member.weights}'" in lacking
        assert member.get in lacking
