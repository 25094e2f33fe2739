"""The report's sentences say what the figures say, and nothing where there are none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from artdet.evaluate.report_tables import figures, matrix
from artdet.evaluate.report_words import level_sentences
from artdet.evaluate.results import Confusion, ErrorType, Estimate, LevelResult, Reliability, Row

NONE = Estimate(None)
BINS = Reliability("all", (0.0, 0.5, 1.0), (10, 30), (0.2, 0.8), (0.2, 0.8), 0.0)


def row(name: str, ap50: float | None, truths: int, **more: float | None) -> Row:
    return Row(name, 7, truths, 9, Estimate(ap50), Estimate(ap50), Estimate(ap50), **more)  # type: ignore[arg-type]


def level(overall: Row, classes: tuple[Row, ...] = (), errors: tuple[ErrorType, ...] = ()) -> LevelResult:
    nothing = Confusion(("background",), ((0,),), 0.5)
    return LevelResult("fine", overall, classes, (), {}, (), replace(BINS, ece=None), nothing, errors, ())


def test_without_truth_no_figure_is_invented() -> None:
    assert level_sentences(level(row("all", None, 0))) == [
        "There is no true box at this level, so that AP cannot be measured; the run has 9 boxes on 7 images."
    ]


def test_without_threshold_only_what_is_there() -> None:
    told = level_sentences(level(row("all", 0.5, 1)))
    assert told == [
        "To be found: 1 true box (objects); the run has 9 boxes on 7 images.",
        "AP50 0.50, AP75 0.50 and AP 0.50.",
    ]


def test_a_lone_class_is_named() -> None:
    found = row("all", 0.5, 40, recall=0.5, precision=0.25, best_score=0.4)
    told = level_sentences(level(found, (row("saint_sebastian", 0.5, 40), row("cat", None, 0))))
    assert told[0].startswith(
        "With scores from 0.40 on it finds 5 of 10 saint sebastian (recall 0.50 of 40 true boxes)"
    )


def test_thresholds_of_their_own_are_said_so() -> None:
    told = level_sentences(level(row("all", 0.5, 40, recall=0.5, precision=0.25)))
    assert told[0].startswith("At the best threshold of each class it finds 5 of 10 objects")


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (
            ((0.2, 50), (0.9, 50)),
            "the best is c1 (AP50 0.90, 50 true boxes) and the weakest c0 (AP50 0.20, 50 true boxes)",
        ),
        (((0.2, 50), (0.9, 9)), None),
        (((0.2, 50), (None, 0)), None),
    ],
    ids=["two", "one has too few boxes", "one has none"],
)
def test_best_and_weakest_class(rows: tuple[tuple[float | None, int], ...], sentence: str | None) -> None:
    classes = tuple(row(f"c{index}", value, truths) for index, (value, truths) in enumerate(rows))
    told = " ".join(level_sentences(level(row("all", 0.5, 100), classes)))
    assert (sentence in told) if sentence else ("weakest" not in told)


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (0, None),
        (1, "The run has no box of 1 class with true boxes: c0 (9)."),
        (7, "The run has no box of 7 classes with true boxes: c0 (9), c1 (8), c2 (7), c3 (6), c4 (5) and 2 more."),
    ],
    ids=["none", "one", "many"],
)
def test_classes_without_any_box_are_named(number: int, sentence: str | None) -> None:
    missing = tuple(replace(row(f"c{index}", 0.0, 9 - index), found=0) for index in range(number))
    told = level_sentences(level(row("all", 0.5, 100), (row("cat", 0.5, 50), *missing)))
    assert (sentence in told) if sentence else all("no box of" not in each for each in told)


@pytest.mark.parametrize(
    ("costs", "sentence"),
    [
        ((0.0, 0.0001), None),
        ((0.1, 0.0), "mending it alone would add 0.100 to AP50."),
        ((0.1, 0.2), "would add 0.200 to AP50; next comes “class” 0.100."),
    ],
    ids=["none", "one", "two"],
)
def test_costly_errors(costs: tuple[float, float], sentence: str | None) -> None:
    errors = tuple(ErrorType(name, 3, cost) for name, cost in zip(("class", "missed"), costs, strict=True))
    told = " ".join(level_sentences(level(row("all", 0.5, 100), (), errors)))
    assert (sentence in told) if sentence else ("Most AP" not in told)


@pytest.mark.parametrize(
    ("score", "ece", "sentence"),
    [
        ((0.2, 0.8), 0.0, "Scores can be read as chances: they are off by 0.000 on average (ECE)."),
        # (10 x 0.1 + 30 x 0.1) / 40 = 0.1
        ((0.3, 0.9), 0.1, "they are 0.100 too high on average (ECE 0.100)."),
        ((0.1, 0.7), 0.1, "they are 0.100 too low on average (ECE 0.100)."),
        # 10 x 0.3 - 30 x 0.1 = 0
        ((0.5, 0.7), 0.15, "too high for some boxes and too low for others (ECE 0.150)."),
    ],
    ids=["right", "too high", "too low", "both"],
)
def test_calibration(score: tuple[float, float], ece: float, sentence: str) -> None:
    result = replace(level(row("all", 0.5, 100)), reliability=replace(BINS, score=score, ece=ece))
    assert level_sentences(result)[-1].endswith(sentence)


def test_no_rows_no_columns() -> None:
    table = figures((), "Class")
    assert (table.heads, table.rows) == ((), ())


def test_columns_without_a_figure_are_left_out() -> None:
    table = figures((row("cat", None, 0), row("dog", 0.5, 3, recall=0.25)), "Class")
    assert table.heads == ("AP50", "AP75", "AP", "True boxes", "Found", "Recall", "Images")
    assert [cell.text for cell in table.rows[0].cells] == ["–", "–", "–", "0", "9", "–", "7"]


def test_rows_of_the_matrix_add_up() -> None:
    made = matrix(Confusion(("cat", "dog", "cow", "background"), ((3, 0, 0, 1), (0,) * 4, (0,) * 4, (2, 0, 0, 0)), 0.5))
    assert made.names == ("cat", "background")
    assert made.left_out == ("dog", "cow")
    assert [[cell.count for cell in line] for line in made.rows] == [[3, 1], [2, 0]]
    assert [[cell.share for cell in line] for line in made.rows] == [[0.75, 0.25], [1.0, 0.0]]
