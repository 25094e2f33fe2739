"""Random search (Bergstra and Bengio 2012): settings drawn from ranges, each trained, the best kept as a recipe."""

from __future__ import annotations

import math
import statistics
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml

from artdet.config import yaml_text
from artdet.errors import ConfigError
from artdet.tasks import Task
from artdet.training.classification.comparison import Entry, Variant, changed, shown
from artdet.training.classification.comparison_tables import MAIN, Table, percent, unit
from artdet.training.classification.recipe import Recipe

_DIGITS = 4


@dataclass(frozen=True)
class Range:
    """What a key's values are drawn from.

    Attributes:
        key: dotted path in the recipe.
        low: the least number, where there are no choices.
        high: the greatest, which may be drawn.
        whole: only whole numbers.
        logarithmic: each factor is as likely as any other, not each difference.
        choices: one of these, where there are any.
    """

    key: str
    low: float = 0.0
    high: float = 0.0
    whole: bool = False
    logarithmic: bool = False
    choices: tuple[Any, ...] = ()

    def draw(self, generator: np.random.Generator) -> Any:
        """A value; numbers that are not whole have four significant digits."""
        if self.choices:
            return self.choices[int(generator.integers(len(self.choices)))]
        # Half a step beyond its ends, so that the first and the last whole number have their share.
        low, high = (self.low - 0.5, self.high + 0.5) if self.whole else (self.low, self.high)
        drawn = math.exp(generator.uniform(math.log(low), math.log(high))) if self.logarithmic else None
        value = float(generator.uniform(low, high)) if drawn is None else drawn
        value = round(value) if self.whole else float(f"{value:.{_DIGITS}g}")
        kept = min(max(value, self.low), self.high)
        return int(kept) if self.whole else kept


def parse_range(text: str) -> Range:
    """The range of ``--range KEY=LOW..HIGH[,log]`` or ``--range KEY=A,B,C``; whole numbers give whole numbers.

    >>> parse_range("batch=16..64,log")
    Range(key='batch', low=16.0, high=64.0, whole=True, logarithmic=True, choices=())
    >>> parse_range("optimizer.name=sgd,adamw").choices
    ('sgd', 'adamw')

    Raises:
        ConfigError: if it is of neither form, or empty.
    """
    key, sign, rest = text.partition("=")
    if not (sign and key and rest):
        raise _not_a_range(text, "Write for example optimizer.learning_rate=1e-4..1e-2,log or batch=16,32")
    if ".." not in rest:
        return Range(key, choices=_choices(text, rest))
    ends, comma, scale = rest.partition(",")
    low_text, _, high_text = ends.partition("..")
    try:
        low, high = float(low_text), float(high_text)
    except ValueError as error:
        raise _not_a_range(text, "Write two numbers with .. between, such as 1e-4..1e-2,log") from error
    if comma and scale.strip() != "log":
        raise _not_a_range(text, f"After the comma only log may stand, not '{scale}'")
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise _not_a_range(text, "Write the smaller number first")
    if comma and low <= 0:
        raise _not_a_range(text, "A range with log begins above 0")
    whole = all(_is_whole(part) for part in (low_text, high_text))
    return Range(key, low, high, whole, bool(comma))


def trials(recipe: Recipe, ranges: Sequence[Range], count: int) -> list[Variant]:
    """The recipes of trials 1 to ``count``.

    A value depends on the seed of the recipe, the number of the trial and the key alone, so that more trials or
    another range leave what is there as it is.

    Raises:
        ConfigError: if there is no range, a key comes twice, or a value does not fit the recipe.
    """
    keys = [each.key for each in ranges]
    if not ranges or len(set(keys)) < len(keys):
        said = "a key more than once" if ranges else "nothing to search"
        raise ConfigError(f"--range names {said}. Name each key once, such as optimizer.learning_rate=1e-4..1e-2,log.")
    if "seed" in keys:
        raise ConfigError("--range seed: a seed is nothing to search. --repeats N trains each trial with N seeds.")
    return [_trial(recipe, ranges, number) for number in range(1, count + 1)]


def ranked(entries: Sequence[Entry]) -> list[Entry]:
    """Trials by the recipe's metric on validation, the best first; those without a figure last."""

    def order(entry: Entry) -> float:
        score = validation_score(entry)
        return math.inf if score is None else -score

    return sorted(entries, key=order)


def validation_score(entry: Entry) -> float | None:
    """What trials are ranked by, higher is better: the score on validation, its mean over seeds.

    ``None`` while a seed is missing, or where one has no score.
    """
    scores = [result.score for result in entry.results if result.score is not None]
    return statistics.fmean(scores) if scores and len(scores) == entry.repeats else None


def best_recipe(entries: Sequence[Entry]) -> str | None:
    """The recipe of the best trial as YAML; ``None`` while no trial has a figure."""
    first = next(iter(ranked(entries)), None)
    if first is None or validation_score(first) is None:
        return None
    recipe = first.variant.recipe
    said = f"{recipe.description} The best of {len(entries)} trials of a random search ({first.variant.name}).".strip()
    return yaml_text({**recipe.model_dump(mode="json", exclude_none=True), "description": said})


def search_table(entries: Sequence[Entry], tasks: Sequence[Task]) -> Table:
    """Trials, the best on validation first. Figures of the test images are shown, but choose nothing."""
    ordered = ranked(entries)
    keys = list(entries[0].variant.labels) if entries else []
    metric = entries[0].variant.recipe.metric if entries else "accuracy"
    columns = [(task.name, figure) for task in tasks for figure in MAIN[task.kind]]
    header = (
        "trial",
        *keys,
        f"validation {unit(metric)}",
        *(f"test {name} {unit(f)}" for name, f in columns),
        "seconds",
    )
    rows = [_row(entry, metric, columns) for entry in ordered]
    return Table("Trials of the random search, the best on validation first", header, tuple(rows))


def _row(entry: Entry, metric: str, columns: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    # Scores of a loss are negative, so that higher is better.
    scores = [
        abs(result.score) if metric == "loss" else result.score for result in entry.good if result.score is not None
    ]
    failed = bool(entry.results) and not entry.good
    return (
        entry.variant.name,
        *entry.variant.labels.values(),
        "failed" if failed else percent(scores, metric),
        *(percent(entry.test(name, figure), figure) for name, figure in columns),
        f"{sum(entry.seconds):.0f}" if entry.seconds else "-",
    )


def _trial(recipe: Recipe, ranges: Sequence[Range], number: int) -> Variant:
    values: dict[str, Any] = {}
    for each in ranges:
        generator = np.random.default_rng([recipe.seed, number, zlib.crc32(each.key.encode())])
        values[each.key] = each.draw(generator)
    labels: Mapping[str, str] = {key: shown(value) for key, value in values.items()}
    where = "--range " + " ".join(f"{key}={text}" for key, text in labels.items())
    return Variant(f"trial-{number:03d}", labels, changed(recipe, values, where=where))


def _choices(text: str, rest: str) -> tuple[Any, ...]:
    try:
        found = yaml.safe_load(f"[{rest}]")
    except yaml.YAMLError as error:
        raise _not_a_range(text, "The choices are not valid YAML; put them in quotes") from error
    return tuple(found)


def _is_whole(text: str) -> bool:
    return text.strip().lstrip("+-").isdigit()


def _not_a_range(text: str, remedy: str) -> ConfigError:
    return ConfigError(f"--range {text} is not a range of values. {remedy}.")
