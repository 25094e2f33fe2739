import pytest
from pydantic import Field

from artdet.config import StrictModel, read_yaml, validated, with_overrides
from artdet.errors import ConfigError


class Inner(StrictModel):
    epochs: int = Field(default=3, gt=0)


class Outer(StrictModel):
    name: str
    training: Inner = Inner()


def test_a_good_file_passes():
    made = validated(Outer, {"name": "x", "training": {"epochs": 5}}, where="f.yaml")
    assert made.training.epochs == 5


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        pytest.param(None, ["f.yaml: must hold keys and values, but holds nothing."], id="empty"),
        pytest.param([1], ["f.yaml: must hold keys and values, but holds a list."], id="list"),
        pytest.param({}, ["f.yaml: name: is missing"], id="missing"),
        pytest.param(
            {"name": "x", "training": {"epoch": 5}},
            ["f.yaml: training.epoch: unknown key. Did you mean 'epochs'?"],
            id="unknown key below",
        ),
        pytest.param(
            {"nam": "x", "training": {"epochs": -1}},
            [
                "f.yaml: name: is missing",
                "f.yaml: nam: unknown key. Did you mean 'name'?",
                "f.yaml: training.epochs: input should be greater than 0, but got -1",
            ],
            id="all at once",
        ),
    ],
)
def test_every_problem_is_said_at_once(data, lines):
    with pytest.raises(ConfigError) as caught:
        validated(Outer, data, where="f.yaml")
    assert sorted(str(caught.value).splitlines()) == sorted(lines)


def test_overrides_set_values_and_leave_the_original_alone():
    data = {"a": {"b": 1}, "members": [{"s": 0.1}, {"s": 0.2}]}
    changed = with_overrides(data, ["a.b=2", "a.c=[1, x]", "members.1.s=0.5", "new.deep=true"])
    expected = {"a": {"b": 2, "c": [1, "x"]}, "members": [{"s": 0.1}, {"s": 0.5}], "new": {"deep": True}}
    assert changed == expected
    assert data == {"a": {"b": 1}, "members": [{"s": 0.1}, {"s": 0.2}]}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        pytest.param("a.b", "not of the form", id="no sign"),
        pytest.param("=3", "not of the form", id="no path"),
        pytest.param("members.7.s=1", "no index of a list of 1", id="index"),
        pytest.param("members.x=1", "no index of a list of 1", id="word as index"),
        pytest.param("a.b.c=1", "nothing below", id="below a number"),
        pytest.param("a=[1", "not valid YAML", id="bad value"),
    ],
)
def test_wrong_overrides_are_sentences(override, message):
    with pytest.raises(ConfigError, match=message):
        with_overrides({"a": {"b": 1}, "members": [{}]}, [override])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"a: [1", "not valid YAML in line", id="syntax"),
        pytest.param(b"\xff\xfe\x00", "not UTF-8", id="encoding"),
        pytest.param(None, "cannot be read", id="absent"),
    ],
)
def test_unreadable_yaml_is_a_sentence(tmp_path, content, message):
    path = tmp_path / "x.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read_yaml(path)
