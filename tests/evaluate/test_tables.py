"""The text of a terminal."""

import pytest

from artdet.data.sources import load_dataset
from artdet.evaluate.evaluation import Request, evaluate
from artdet.evaluate.tables import aligned, text


def test_no_columns():
    assert aligned([("",)]) == ""


@pytest.fixture
def lines(made_truth, made_run, taxonomy):
    def make(*names, **options):
        truth = load_dataset(made_truth, taxonomy=taxonomy)
        runs = [made_run(name) for name in names]
        return text(evaluate(Request(runs=runs, **{"bootstrap": 0, **options}), truth).report).splitlines()

    return make


def cells(lines, start):
    return next(line.split() for line in lines if line.strip().startswith(start))


def test_one_run(lines):
    shown = lines("run", by=["hand"])
    assert shown[0] == "boxes: 4 images, 5 true boxes"
    assert cells(shown, "cat")[:6] == ["cat", "2", "3", "0.835", "0.835", "0.835"]
    assert cells(shown, "dog")[1:4] == ["2", "1", "0.000"]
    assert cells(shown, "animals, mean")[:3] == ["animals,", "mean", "4"]
    assert any(line.startswith("neither true nor found: ") and "horse" in line for line in shown)
    assert cells(shown, "o  ")[1:4] == ["1", "2", "4"]
    assert not any("[" in line for line in shown)


def test_columns_are_in_line(lines):
    shown = lines("run", bootstrap=20)
    head = next(place for place, line in enumerate(shown) if "AP50 VOC" in line)
    table = shown[head : shown.index("", head)]
    ends = {len(line) for line in table if not line.startswith("neither")}
    assert len(ends) == 1


def test_two_runs_side_by_side(lines):
    shown = lines("one", "two", bootstrap=50, level="coarse")
    start = shown.index("coarse, AP50")
    assert shown[start + 1].split() == ["one", "two", "difference"]
    assert shown[start + 2].split()[0] == "all"
    assert "+0.000 [+0.000, +0.000]" in shown[start + 2]
    assert any("interval of the difference leaves out 0" in line for line in shown)
    assert "95 % interval, bootstrap of 50 resamples" in shown[-1]
