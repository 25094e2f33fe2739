from __future__ import annotations

import sys
from types import ModuleType
from typing import Literal

import pytest
from pydantic import Field

from artdet.detectors import table
from artdet.detectors.base import Augmentation, MemberSettings, ScalableSettings
from artdet.ensemble.config import EnsembleSettings, ensemble_names, load_ensemble, parse_ensemble
from artdet.ensemble.rules import KeepOutermost
from artdet.errors import ConfigError


class StubSettings(MemberSettings):
    detector: Literal["stub"]
    image_size: int = Field(default=512, gt=0)


class ZoomSettings(ScalableSettings):
    detector: Literal["zoom"]


@pytest.fixture(autouse=True)
def stub(monkeypatch):
    """Detectors called ``stub`` and, for one that takes pictures at any scale, ``zoom`` in the table."""
    for name, settings in (("stub", StubSettings), ("zoom", ZoomSettings)):
        module = ModuleType(f"{name}_backend")
        module.Settings = settings
        monkeypatch.setitem(sys.modules, f"{name}_backend", module)
        monkeypatch.setitem(table.DETECTORS, name, f"{name}_backend")


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "mine.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


ONE = "members:\n  - {name: a, detector: stub}\n"


def problems_of(path, *overrides):
    with pytest.raises(ConfigError) as caught:
        load_ensemble(path, overrides)
    return [line.removeprefix(f"{path}: ") for line in str(caught.value).splitlines()]


def test_defaults(write):
    file = load_ensemble(write(ONE))
    assert file.name == "mine"
    assert file.settings.max_side == 1600
    assert file.settings.rules == ()
    assert file.settings.members == (StubSettings(name="a", detector="stub"),)
    assert file.settings.fusion.model_dump() == {"method": "wbf", "per": "category", "iou": 0.4}


def test_resolved_is_complete_and_reads_back(write):
    text = ONE + "rules:\n  - {rule: keep_outermost, labels: [ship]}\n  - rule: append_untouched\n"
    file = load_ensemble(write(text), ["members.0.image_size=640", "fusion.method=nms", "max_side=null"])
    resolved = file.resolved
    assert resolved["max_side"] is None
    assert resolved["members"] == [
        {
            "name": "a",
            "detector": "stub",
            "label_map": None,
            "only": None,
            "min_score": 0.0,
            "weight": 1.0,
            "get": None,
            "image_size": 640,
        }
    ]
    assert resolved["rules"] == [
        {"rule": "keep_outermost", "labels": ["ship"], "inside": 0.9, "ratio": 0.0},
        {"rule": "append_untouched", "categories": ["faces"]},
    ]
    assert parse_ensemble(resolved, where="run.json") == file.settings


def test_one_threshold_for_all(write):
    text = "members: [{name: a, detector: stub, image_size: 7}, {name: b, detector: stub, min_score: 0.7}]"
    file = load_ensemble(write(text))
    lowered = file.with_min_score(0.2)
    assert [member["min_score"] for member in lowered.resolved["members"]] == [0.2, 0.2]
    assert lowered.resolved["members"][0]["image_size"] == 7
    assert [member.min_score for member in file.settings.members] == [0.0, 0.7]


def test_augmentation_of_those_that_take_it_and_say_nothing_of_it(write):
    text = (
        "members:\n  - {name: a, detector: stub}\n  - {name: b, detector: zoom}\n"
        "  - {name: c, detector: zoom, tta: {flip: false, scales: [1.0, 1.5]}}\n"
    )
    file = load_ensemble(write(text), ["members.2.tta.iou=0.7"])
    assert [getattr(member, "tta", "none") for member in file.settings.members[:2]] == ["none", None]
    widened = file.with_tta()
    assert [member.get("tta", "none") for member in widened.resolved["members"]] == [
        "none",
        Augmentation().model_dump(mode="json"),
        {"flip": False, "scales": [1.0, 1.5], "iou": 0.7, "min_score_share": 0.8},
    ]
    assert parse_ensemble(widened.resolved, where="run.json") == widened.settings
    assert widened.with_tta().settings == widened.settings
    assert file.settings.members[1].tta is None


def test_augmentation_of_an_ensemble_that_cannot(write):
    with pytest.raises(ConfigError, match="'mine' has no member that test-time augmentation is for.*Leave --tta out"):
        load_ensemble(write(ONE)).with_tta()


def test_settings_in_python():
    made = EnsembleSettings(members=(StubSettings(name="a", detector="stub"),), rules=(KeepOutermost(),))
    assert made.model_dump(mode="json")["members"][0]["image_size"] == 512


PROBLEMS = {
    "empty": ("", ["must hold keys and values, but holds nothing."]),
    "a list": ("[1]", ["must hold keys and values, but holds a list."]),
    "no members": ("description: x", ["members: is missing"]),
    "none of them": ("members: []", ["members: tuple should have at least 1 item after validation, not 0"]),
    "members of a wrong kind": ("members: 3", ["members: input should be a valid tuple, but got 3"]),
    "member of a wrong kind": ("members: [3]", ["members.0: must hold keys and values, but got 3"]),
    "no detector": ("members: [{name: a}]", ["members.0.detector: is missing"]),
    "detector of a wrong kind": (
        "members: [{name: a, detector: 3}]",
        ["members.0.detector: must be a name, but got 3"],
    ),
    "unknown detector": (
        "members: [{name: a, detector: stubb}]",
        ["members.0.detector: there is no detector 'stubb'. Did you mean 'stub'?"],
    ),
    "rest of an unknown detector": (
        "members: [{detector: stubb, min_score: 2, image_size: 7}]",
        ["members.0.detector: there is no detector 'stubb'", "members.0.name: is missing", "members.0.min_score: "],
    ),
    "unknown key of a detector": (
        "members: [{name: a, detector: stub, image_sise: 7}]",
        ["members.0.image_sise: unknown key. Did you mean 'image_size'?"],
    ),
    "twice": (
        "members: [{name: a, detector: stub}, {name: b, detector: stub}, {name: a, detector: stub}]",
        ["members: a: appears more than once"],
    ),
    "unknown rule": (
        ONE + "rules: [{rule: keep_outermos}]",
        ["rules.0.rule: there is no rule 'keep_outermos'. Did you mean 'keep_outermost'?"],
    ),
    "rule of a wrong kind": (ONE + "rules: [keep_outermost]", ["rules.0: must hold keys and values"]),
    "rule without name": (ONE + "rules: [{iou: 0.3}]", ["rules.0.rule: is missing"]),
    "unknown key of a rule": (
        ONE + "rules: [{rule: keep_outermost, insid: 1}]",
        ["rules.0.insid: unknown key. Did you mean 'inside'?"],
    ),
    "untouched too early": (
        ONE + "rules: [{rule: append_untouched}, {rule: prefer_specific}]",
        ["rules: append_untouched must be the last rule"],
    ),
    "weight 0": (
        "members: [{name: a, detector: stub, weight: 0}]",
        ["members.0.weight: input should be greater than 0, but got 0"],
    ),
    "endless weight": ("members: [{name: a, detector: stub, weight: .inf}]", ["members.0.weight: "]),
    "views of a detector that has none": (
        "members: [{name: a, detector: stub, tta: {}}]",
        ["members.0.tta: unknown key"],
    ),
    "views": (
        "members: [{name: a, detector: zoom, tta: {scale: [1], scales: [0, 2, 2]}},"
        " {name: b, detector: zoom, tta: {scales: []}}, {name: c, detector: zoom, tta: {scales: [1, 1]}}]",
        [
            "members.0.tta.scales.0: input should be greater than or equal to 0.25, but got 0",
            "members.0.tta.scale: unknown key.",
            "members.1.tta.scales: tuple should have at least 1 item after validation, not 0",
            "members.2.tta.scales: each scale must appear once",
        ],
    ),
    "all at once": (
        "max_side: 3\ncolour: red\nfusion: {iuo: 0.3, method: wbff}\n"
        "members:\n"
        "  - {name: a, detector: stub, image_size: -1, colour: red}\n"
        "  - {name: a, detector: stubb}\n"
        "rules:\n  - {rule: keep_outermos}\n  - {rule: drop_frame_filling, share: 3}\n",
        [
            "max_side: ",
            "members: a: appears more than once",
            "fusion.method: ",
            "fusion.iuo: unknown key. Did you mean 'iou'?",
            "colour: unknown key.",
            "members.0.image_size: input should be greater than 0, but got -1",
            "members.0.colour: unknown key.",
            "members.1.detector: there is no detector 'stubb'",
            "rules.0.rule: there is no rule 'keep_outermos'",
            "rules.1.share: input should be less than or equal to 1, but got 3",
        ],
    ),
}


@pytest.mark.parametrize(("text", "expected"), PROBLEMS.values(), ids=PROBLEMS)
def test_problems(write, text, expected):
    told = problems_of(write(text))
    assert len(told) == len(expected), told
    for line, start in zip(told, expected, strict=True):
        assert line.startswith(start)


def test_a_limit_on_members(write):
    rows = "".join(f"  - {{name: m{index}, detector: stub}}\n" for index in range(63))
    assert problems_of(write("members:\n" + rows))[0].startswith("members: tuple should have at most 62 items")


def test_overrides_are_checked_like_the_file(write):
    assert problems_of(write(ONE), "members.0.image_size=many")[0].startswith("members.0.image_size: ")
    assert problems_of(write(ONE), "fusion.ious=0.3") == ["fusion.ious: unknown key. Did you mean 'iou'?"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("defualt", r"no ensemble 'defualt'\. Did you mean 'default'\?.*\.yaml"),
        ("nowhere/mine.yaml", r"nowhere/mine\.yaml cannot be read"),
        ("mine.yml", r"mine\.yml cannot be read"),
    ],
)
def test_unknown_ensembles(name, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message):
        load_ensemble(name)


def test_shipped_names():
    assert set(ensemble_names()) >= {"default", "yolo", "resnext_wbf", "iconart_pretrained"}
