"""Charts: that they are SVG of the page's own colours, draw the right data and come out the same each time."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from artdet.evaluate import charts
from artdet.evaluate.charts import Line, best_point, precision_recall, reliability, sample
from artdet.evaluate.results import Curve, Reliability

CURVE = Curve("cat", (0.25, 0.5, 0.75), (1.0, 0.8, 0.3), (0.9, 0.6, 0.1))
EMPTY = Curve("dog", (), (), ())
BINS = Reliability("all", (0.0, 0.5, 1.0), (1234, 0), (0.2, None), (0.1, None), 0.1)


def texts(svg: str) -> list[str]:
    return ["".join(node.itertext()).strip() for node in ET.fromstring(svg).iter("text")]


def test_no_curve_is_an_empty_chart() -> None:
    assert "Recall" in texts(precision_recall([], label="nothing"))


def test_an_empty_curve_has_no_best_point() -> None:
    assert best_point(EMPTY) is None
    assert "Recall" in texts(precision_recall([Line(EMPTY, "red")], label="nothing"))


def test_best_point_has_the_highest_f1() -> None:
    # F1 = 2PR / (P + R): 0.4, 0.615, 0.429.
    best = best_point(CURVE)
    assert best is not None
    assert (best.recall, best.precision, best.score) == (0.5, 0.8, 0.6)
    assert best.f1 == pytest.approx(2 * 0.8 * 0.5 / 1.3)


def test_best_point_where_nothing_is_right() -> None:
    assert best_point(Curve("cat", (0.0,), (0.0,), (0.5,))) is not None


@pytest.mark.parametrize(
    "svg",
    [precision_recall([Line(CURVE, "var(--k0)")], label='a "label" & <more>'), reliability(BINS, label="bins")],
    ids=["curves", "reliability"],
)
def test_svg_fits_into_a_page(svg: str) -> None:
    root = ET.fromstring(svg)  # well formed, also with a label full of markup
    assert root.get("role") == "img"
    assert root.get("aria-label")
    assert root.get("width") is None
    assert "xmlns" not in svg.split(">")[0]
    assert "<style" not in svg
    assert "font-family" not in svg
    assert "currentColor" in svg
    assert not re.search(r"#0102|#[0-9a-f]{6}\b", svg), "every colour is the page's"
    names = [node.get("id") for node in root.iter() if node.get("id")]
    assert len(names) == len(set(names))


def test_curve_is_drawn_where_the_data_are() -> None:
    svg = precision_recall([Line(CURVE, "var(--k0)")], label="curve")
    path = next(node for node in ET.fromstring(svg).iter("path") if "var(--k0)" in node.get("style", ""))
    points = [tuple(map(float, pair)) for pair in re.findall(r"[ML] ([\d.]+) ([\d.]+)", path.get("d", ""))]
    width, height = 360.0, 316.8
    left, bottom, wide, high = 0.13 * width, 0.13 * height, 0.84 * width, 0.84 * height
    for (x, y), recall, precision in zip(points, CURVE.recall, CURVE.precision, strict=True):
        assert x == pytest.approx(left + recall * wide, abs=0.02)
        assert height - y == pytest.approx(bottom + precision / 1.02 * high, abs=0.02)


def test_most_curves_have_their_own_dashes() -> None:
    assert len(set(charts.DASHES)) == len(charts.DASHES) == charts.MOST_CURVES
    lines = [Line(CURVE, f"var(--k{index})") for index in range(charts.MOST_CURVES + 3)]
    svg = precision_recall(lines, label="many")
    assert "var(--k7)" in svg
    assert "var(--k8)" not in svg
    samples = {sample(index, "red") for index in range(charts.MOST_CURVES)}
    assert len(samples) == charts.MOST_CURVES


def test_reliability_counts_boxes_and_skips_empty_bins() -> None:
    shown = texts(reliability(BINS, label="bins"))
    assert "1.2k" in shown
    assert "0" not in shown


def test_a_sample_cannot_become_markup() -> None:
    assert "<script>" not in sample(0, '"><script>')


def test_charts_are_the_same_in_another_process_and_say_nothing(tmp_path: Path) -> None:
    """Nothing on stderr where the home cannot be written, no file outside of the cache, no setting of the user's."""
    home = tmp_path / "home"
    (home / ".config" / "matplotlib").mkdir(parents=True)
    (home / ".config" / "matplotlib" / "matplotlibrc").write_text("font.size: 30\nlines.linewidth: 9\n")
    code = (
        "from artdet.evaluate.charts import *\nimport os\n"
        "print(precision_recall([Line(Curve('cat', (.25, .5, .75), (1., .8, .3), (.9, .6, .1)), 'red')], label='x'))\n"
        "assert 'MPLCONFIGDIR' not in os.environ"
    )
    kept = {name: value for name, value in os.environ.items() if name not in ("MPLCONFIGDIR", "XDG_CONFIG_HOME")}
    env = {**kept, "HOME": str(home)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.strip() == precision_recall([Line(CURVE, "red")], label="x").strip()
    assert [path.name for path in home.rglob("*") if path.is_file()] == ["matplotlibrc"]
