"""Random search: what is drawn, and what wins."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from artdet.errors import ConfigError
from artdet.tasks import Task
from artdet.training.classification.comparison import Entry
from artdet.training.classification.comparison_cells import Result
from artdet.training.classification.recipe import Recipe
from artdet.training.classification.search import (
    best_recipe,
    parse_range,
    ranked,
    search_table,
    trials,
    validation_score,
)

STYLE = Task(name="style", kind="label", classes=("baroque", "cubism", "fauvism"))
RANGES = ("optimizer.learning_rate=1e-5..1e-1,log", "head.dropout=0..0.5", "batch=8..64", "optimizer.name=sgd,adam")


def drawn(recipe: Recipe, count: int, texts=RANGES) -> list[dict[str, str]]:
    return [dict(trial.labels) for trial in trials(recipe, [parse_range(text) for text in texts], count)]


def entry(number: int, *scores: float | None, repeats: int = 1, metric: str = "accuracy") -> Entry:
    variant = trials(Recipe(metric=metric), [parse_range(RANGES[0])], number)[-1]
    test = {"style": {"accuracy": 0.5}}
    results = [
        Result(seed=seed, seconds=4.0, best=1, score=score, test=test)
        if score is not None
        else Result(seed=seed, failure="the loss is not a number")
        for seed, score in enumerate(scores)
    ]
    return Entry(variant, tuple(results), repeats)


def test_no_trials():
    assert drawn(Recipe(), 0) == []
    assert ranked([]) == []
    assert best_recipe([]) is None
    assert search_table([], [STYLE]).rows == ()


def test_a_trial_draws_the_same_however_many_there_are_and_whatever_else_is_searched():
    ten = drawn(Recipe(), 10)
    assert drawn(Recipe(), 3) == ten[:3]
    alone = drawn(Recipe(), 10, RANGES[:1])
    assert [trial["optimizer.learning_rate"] for trial in ten] == [t["optimizer.learning_rate"] for t in alone]
    assert len({trial["optimizer.learning_rate"] for trial in ten}) == 10
    assert drawn(Recipe(seed=1), 10) != ten


def test_values_are_spread_as_their_range_says():
    rows = drawn(Recipe(), 400)
    rates, dropouts, batches = (
        np.array([float(row[key]) for row in rows]) for key in ("optimizer.learning_rate", "head.dropout", "batch")
    )
    # A quarter in each quarter of the range, a third of the log range in each third: 4 standard errors wide.
    for values, low, high in ((np.log10(rates), -5, -1), (dropouts, 0, 0.5), (batches, 7.5, 64.5)):
        counts, _ = np.histogram(values, bins=4, range=(low, high))
        assert counts.sum() == 400
        assert np.abs(counts - 100).max() < 4 * np.sqrt(400 * 0.25 * 0.75)
    assert {batches.min(), batches.max()} == {8, 64}
    assert {row["optimizer.name"] for row in rows} == {"sgd", "adam"}


def test_whole_numbers_of_a_log_range():
    batches = [int(row["batch"]) for row in drawn(Recipe(), 300, ("batch=1..64,log",))]
    assert min(batches) == 1
    assert 60 < max(batches) <= 64
    # log(7.5 / 0.5) / log(64.5 / 0.5) of them are below 8, 4 standard errors wide.
    assert np.mean(np.array(batches) < 8) == pytest.approx(0.557, abs=0.115)


def test_values_reach_the_recipe():
    (trial,) = trials(Recipe(epochs=7), [parse_range(text) for text in RANGES], 1)
    assert trial.name == "trial-001"
    assert trial.recipe.epochs == 7
    assert trial.recipe.batch == int(trial.labels["batch"])
    assert trial.recipe.optimizer.learning_rate == float(trial.labels["optimizer.learning_rate"])
    assert trial.recipe.optimizer.name == trial.labels["optimizer.name"]


def test_the_best_on_validation_is_first_and_the_failed_last():
    entries = [entry(1, 0.4), entry(2, None), entry(3, 0.6), entry(4)]
    assert [e.variant.name for e in ranked(entries)] == ["trial-003", "trial-001", "trial-002", "trial-004"]
    table = search_table(entries, [STYLE])
    assert table.header == (
        "trial",
        "optimizer.learning_rate",
        "validation accuracy in percent",
        "test style accuracy in percent",
        "seconds",
    )
    assert [row[2:] for row in table.rows] == [
        ("60.0", "50.0", "4"),
        ("40.0", "50.0", "4"),
        ("failed", "-", "-"),
        ("-", "-", "-"),
    ]
    best = Recipe.model_validate(yaml.safe_load(best_recipe(entries)))
    assert best.optimizer == entries[2].variant.recipe.optimizer
    assert best.description == "The best of 4 trials of a random search (trial-003)."


def test_a_trial_counts_by_the_mean_of_all_its_seeds():
    lucky, steady, half = entry(1, 0.9, 0.1, repeats=2), entry(2, 0.6, 0.6, repeats=2), entry(3, 0.95, repeats=2)
    assert ranked([lucky, steady, half])[0] is steady
    assert validation_score(half) is None
    assert best_recipe([half]) is None


def test_a_low_loss_wins():
    entries = [entry(1, -2.0, metric="loss"), entry(2, -0.5, metric="loss")]
    assert ranked(entries)[0] is entries[1]
    assert [row[2] for row in search_table(entries, [STYLE]).rows] == ["0.5", "2.0"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("batch", "Write for example", id="no-values"),
        pytest.param("batch=", "Write for example", id="empty"),
        pytest.param("batch=8..many", "two numbers", id="no-number"),
        pytest.param("batch=64..8", "smaller number first", id="order"),
        pytest.param("batch=8..64,logarithm", "only log may stand, not 'logarithm'", id="scale"),
        pytest.param("head.dropout=0..0.5,log", "begins above 0", id="log-of-0"),
        pytest.param("batch=8..nan", "smaller number first", id="nan"),
    ],
)
def test_what_is_no_range_is_told(text, said):
    with pytest.raises(ConfigError, match=f"--range {text} is not.*{said}"):
        parse_range(text)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        pytest.param((), "nothing to search", id="none"),
        pytest.param(("batch=1..2", "batch=3..4"), "more than once", id="twice"),
        pytest.param(("seed=1..2",), "--repeats N", id="seed"),
        pytest.param(("bach=1..2",), "Did you mean 'batch'", id="key"),
        pytest.param(("head.dropout=2..3",), "head.dropout: input should be less than 1", id="value"),
    ],
)
def test_ranges_that_do_not_fit_are_told(texts, said):
    with pytest.raises(ConfigError, match=said):
        drawn(Recipe(), 2, texts)
