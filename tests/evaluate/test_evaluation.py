"""Figures that were worked out by hand from ``conftest.RECORDS`` and ``conftest.TRUTH``."""

import dataclasses
import json

import numpy as np
import pytest

from artdet.data.sources import load_dataset
from artdet.errors import InputError, LabelError
from artdet.evaluate.evaluation import Request, evaluate, unique_names
from artdet.evaluate.output import metrics_json, save
from artdet.runs import Box, Record

CATS = (51 * 1 + 50 * 2 / 3) / 101
"""Hit, false alarm, hit of two: precision 1 up to recall 0.5 (51 of 101 points), 2/3 up to 1."""
ANIMALS = (26 * 1 + 25 * 2 / 3) / 101
"""The same two hits of four animals: precision 1 at 26 points, 2/3 at 25, 0 at the rest."""


@pytest.fixture
def truth(made_truth, taxonomy):
    return load_dataset(made_truth, taxonomy=taxonomy)


def evaluated(truth, *folders, **options):
    return evaluate(Request(runs=folders, **{"bootstrap": 0, **options}), truth)


def figures(row):
    return [estimate.value for estimate in (row.ap, row.ap50, row.ap75)]


def rows(result):
    return {row.name: row for row in result.classes}


def test_fine(truth, made_run):
    result = evaluated(truth, made_run()).report.runs[0].levels["fine"]
    classes = rows(result)
    assert figures(classes["cat"]) == pytest.approx([CATS] * 3)
    assert figures(classes["dog"]) == [0.0, 0.0, 0.0]
    assert figures(classes["angel"]) == [0.0, 0.0, 0.0]
    assert figures(classes["persons"]) == [None, None, None]
    assert figures(result.overall) == pytest.approx([CATS / 3] * 3)
    assert (classes["cat"].truths, classes["cat"].found, classes["cat"].images) == (2, 3, 4)
    assert classes["cat"].ap50_voc == pytest.approx((1 + 2 / 3) / 2)
    assert (classes["cat"].precision, classes["cat"].recall) == (pytest.approx(2 / 3), 1.0)
    assert classes["cat"].best_score == pytest.approx(0.7)
    animals = next(row for row in result.categories if row.name == "animals")
    assert figures(animals) == pytest.approx([CATS / 2] * 3)


def test_coarse(truth, made_run):
    result = evaluated(truth, made_run(), level="coarse").report.runs[0].levels["coarse"]
    classes = rows(result)
    assert figures(classes["animals"]) == pytest.approx([ANIMALS] * 3)
    assert figures(classes["persons"]) == [1.0, 1.0, 1.0]
    assert figures(result.overall) == pytest.approx([(1 + ANIMALS) / 2] * 3)
    assert result.categories == ()


def test_errors_confusion_and_mistakes(truth, made_run):
    result = evaluated(truth, made_run()).report.runs[0].levels["fine"]
    errors = {error.name: error.count for error in result.errors}
    # Best F1 at 0.7: the persons that is an angel, the second cat, and two dogs that nothing found.
    assert result.confusion.min_score == pytest.approx(0.7)
    assert errors == {"class": 1, "localisation": 0, "both": 0, "duplicate": 1, "background": 0, "missed": 2}
    names = result.confusion.names
    counts = np.array(result.confusion.counts)
    found = {(names[t], names[f]): counts[t, f] for t, f in zip(*np.nonzero(counts), strict=True)}
    assert found == {
        ("cat", "cat"): 2,
        ("angel", "persons"): 1,
        ("background", "cat"): 1,
        ("dog", "background"): 2,
    }
    mistakes = {(each.kind, each.file, each.label) for each in result.mistakes}
    assert ("miss", "two.png", "dog") in mistakes
    assert ("miss", "broken.png", "dog") in mistakes
    assert ("false alarm", "one.png", "cat") in mistakes


def test_by_a_field(truth, made_run):
    result = evaluated(truth, made_run(), by=("hand",)).report.runs[0].levels["fine"]
    by = {row.name: row for row in result.by["hand"]}
    assert list(by) == ["b", "e", "o", "t"]
    assert figures(by["o"]) == pytest.approx([CATS] * 3)
    assert figures(by["e"]) == [None, None, None]
    assert (by["t"].images, by["t"].truths, by["t"].found) == (1, 2, 1)


def test_an_unknown_field_names_the_known(truth, made_run):
    with pytest.raises(InputError, match="no field 'hands'.*'hand'"):
        evaluated(truth, made_run(), by=("hands",))


def test_a_failed_image_costs_and_is_said(truth, made_run):
    evaluation = evaluated(truth, made_run())
    assert any("broken.png" in note and "could not read" in note for note in evaluation.notes)
    assert evaluation.report.images == 4


def test_min_score(truth, made_run):
    result = evaluated(truth, made_run(), min_score=0.75).report.runs[0].levels["fine"]
    assert figures(rows(result)["cat"]) == pytest.approx([51 / 101] * 3)


def test_two_runs_are_paired(truth, made_run):
    first, better = made_run("first"), made_run("better", better_records())
    report = evaluated(truth, first, better, bootstrap=200).report
    by = {(d.level, d.group, d.metric): d.estimate for d in report.differences}
    gain = by["fine", "cat", "ap50"]
    assert gain.value == pytest.approx(1 - CATS)
    assert gain.low <= gain.value <= gain.high
    assert by["fine", "dog", "ap"].value == 0.0
    same = evaluated(truth, first, first, bootstrap=50).report
    assert [run.name for run in same.runs] == ["first", "first (2)"]
    assert {(d.estimate.low, d.estimate.high) for d in same.differences if d.estimate.value is not None} == {(0.0, 0.0)}


def better_records():
    from_one = (Box("cat", 0.9, (10.0, 10.0, 50.0, 50.0), "one"), Box("cat", 0.7, (100.0, 10.0, 140.0, 50.0), "one"))
    return (
        Record("one.png", "aa", (120, 200), from_one),
        *(Record(n, "bb", (120, 200)) for n in ("two.png", "empty.png", "broken.png")),
    )


def test_settings_name_what_differs(truth, made_run):
    def ensemble(iou, score):
        return {"fusion": {"iou": iou}, "members": [{"name": "yolo", "min_score": score}], "max_side": 9}

    runs = [made_run("a", ensemble=ensemble(0.4, 0.1)), made_run("b", ensemble=ensemble(0.5, None))]
    settings = [run.settings for run in evaluated(truth, *runs).report.runs]
    assert settings == ["fusion.iou 0.4, members.yolo.min_score 0.1", "fusion.iou 0.5"]


def test_the_same_seed_gives_the_same_intervals(truth, made_run):
    run = made_run()
    first, again = (evaluated(truth, run, bootstrap=100).report for _ in range(2))
    assert metrics_json(first) == metrics_json(again)
    estimate = first.runs[0].levels["coarse"].overall.ap50
    assert estimate.low < estimate.value


def test_a_truth_of_categories_has_one_level(truth, made_run):
    samples = tuple(dataclasses.replace(sample, labelled=frozenset({0})) for sample in truth)
    evaluation = evaluated(dataclasses.replace(truth, samples=samples), made_run())
    assert list(evaluation.report.runs[0].levels) == ["coarse"]
    assert any("only categories" in note for note in evaluation.notes)


def test_a_truth_of_some_classes_has_no_coarse_level(truth, made_run, taxonomy):
    samples = tuple(dataclasses.replace(sample, labelled=taxonomy.ids_of(["cat", "dog"])) for sample in truth)
    part = dataclasses.replace(truth, samples=samples)
    evaluation = evaluated(part, made_run("a"))
    assert list(evaluation.report.runs[0].levels) == ["fine"]
    assert any("no coarse level" in note for note in evaluation.notes)
    with pytest.raises(InputError, match="--level fine"):
        evaluated(part, made_run("b"), level="coarse")


def test_a_truth_without_exhaustive_classes_measures_nothing(truth, made_run):
    samples = tuple(dataclasses.replace(sample, labelled=frozenset()) for sample in truth)
    with pytest.raises(InputError, match="boxes has no class.*exhaustive"):
        evaluated(dataclasses.replace(truth, samples=samples), made_run())


def test_other_classes_need_their_taxonomy(truth, made_run):
    with pytest.raises(LabelError, match="unicorn.*--taxonomy"):
        evaluated(truth, made_run(classes=["persons", "unicorn"]))


def test_metrics_json_is_strict_json(truth, made_run, tmp_path):
    evaluation = evaluated(truth, made_run(), bootstrap=20)
    (path,) = save(evaluation, tmp_path / "out", with_report=False)

    def refuse(text):
        raise AssertionError(f"{text} is no JSON")

    data = json.loads(path.read_text(), parse_constant=refuse)
    assert data["runs"][0]["levels"]["fine"]["overall"]["ap"]["value"] == pytest.approx(CATS / 3)
    assert data["kind"] == "evaluate"


def test_unique_names(tmp_path):
    same, other = tmp_path / "a" / "run", tmp_path / "b" / "run"
    assert unique_names([same, tmp_path / "alone", other, same]) == ["a/run", "alone", "b/run", "a/run (2)"]
