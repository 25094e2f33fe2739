"""Plain words and number formats of the report: every sentence is computed from the figures that it names."""

from __future__ import annotations

from collections.abc import Sequence

from artdet.evaluate.results import Difference, ErrorType, Estimate, LevelResult, Reliability, Report, Row, RunResult

NOTHING = "–"
"""What stands where there is nothing to measure."""
MINUS = "\u2212"

_WORTH_NAMING = 10
"""True boxes below which the AP of a class is hardly more than chance."""
_MOST_NAMED = 5
METRICS = {"ap50": "AP50", "ap75": "AP75", "ap": "AP"}
ERRORS = {
    "class": "a true object is boxed well, but has the wrong class",
    "localisation": "the class is right, but the box fits too loosely",
    "both": "the class is wrong and the box fits too loosely",
    "duplicate": "a second box on an object that was already found",
    "background": "a box where the truth has nothing",
    "missed": "a true object without any box",
}
GLOSSARY = {
    "IoU": "Intersection over union, the area that two boxes share divided by the area that they cover together: 1 is "
    "a perfect fit, and 0.5 is the usual least for a hit.",
    "AP50, AP75": "Average precision, the area under the precision-recall curve, where a box must reach an IoU of 0.5 "
    "or 0.75 to be a hit: 1 is perfect, 0 is nothing found.",
    "AP": "The mean of the average precision at ten IoU thresholds from 0.5 to 0.95 (COCO), which also rewards tight "
    "boxes.",
    "AP50 VOC": "AP50 with the matching and the exact area of Pascal VOC, as many older papers report it.",
    "AP small, medium, large": "AP of true boxes below 32 × 32 pixels, up to 96 × 96 pixels, and above.",
    "AR1, AR10, AR100": "Average recall, the mean over the ten IoU thresholds of the share found when at most 1, 10 or "
    "100 boxes per image and class are looked at.",
    "Precision": "The share of the found boxes that are right.",
    "Recall": "The share of the true boxes that were found.",
    "F1": "One number for both, the harmonic mean of precision and recall; the best score threshold is the one where "
    "F1 is highest.",
    "ECE": "Expected calibration error, the mean distance between the scores and the share of hits: 0 means that of "
    "boxes with score 0.8, 8 of 10 are right.",
    "95 % interval": "A range, in square brackets or small print, found by resampling the images (bootstrap): measured "
    "on other images of the same kind, 95 of 100 such ranges would hold the true figure.",
    "Error types": "Six kinds of errors after TIDE (Bolya 2020), each with the AP50 that would be won if it alone were "
    "mended; the gains do not add up to the whole.",
    "Fine, coarse": "Fine compares classes such as angel; coarse compares categories such as persons, where taking one "
    "kind of person for another is no error.",
    "–": "There is nothing to measure, such as the AP of a class without true boxes; a column without any figure is "
    "left out.",
}


def figure(value: float | None, digits: int = 3) -> str:
    """A figure between 0 and 1.

    >>> figure(0.65812), figure(None)
    ('0.658', '–')
    """
    return NOTHING if value is None else f"{value:.{digits}f}".replace("-", MINUS)


def interval(estimate: Estimate, digits: int = 2) -> str:
    """The 95 % interval, or an empty text.

    >>> interval(Estimate(0.66, 0.632, 0.689))
    '0.63–0.69'
    """
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return ""
    return f"{figure(estimate.low, digits)}–{figure(estimate.high, digits)}"


def signed(value: float | None, digits: int = 3) -> str:
    """A difference with its sign; a difference that rounds to nothing has none.

    >>> signed(0.0123), signed(-0.2), signed(0.0001)
    ('+0.012', '−0.200', '0.000')
    """
    if value is None:
        return NOTHING
    text = f"{value:+.{digits}f}"
    return text.replace("-", MINUS) if float(text) else text[1:]


def count(number: int, one: str, many: str = "") -> str:
    """A number with its noun.

    >>> count(1, "image"), count(2733, "true box", "true boxes")
    ('1 image', '2,733 true boxes')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def verdict(difference: Difference) -> tuple[str, str]:
    """A key (``better``, ``worse``, ``same`` or ``unknown``) and its words; only an interval without 0 is clear."""
    estimate = difference.estimate
    if estimate.value is None:
        return "unknown", "not measurable"
    if estimate.low is None or estimate.high is None:
        return "unknown", "no interval"
    if estimate.low > 0:
        return "better", "clearly higher"
    if estimate.high < 0:
        return "worse", "clearly lower"
    return "same", "no clear difference"


def share(value: float) -> str:
    """A share in words.

    >>> share(0.71), share(0.004), share(0.0), share(0.998), share(0.66)
    ('7 of 10', 'fewer than 1 of 100', 'none', 'nearly all', '7 of 10')
    """
    if value <= 0:
        return "none"
    if value >= 1:
        return "all"
    if value < 0.01:
        return "fewer than 1 of 100"
    if value < 0.095:
        return f"{round(100 * value)} of 100"
    return "nearly all" if value >= 0.95 else f"{round(10 * value)} of 10"


def summary(report: Report) -> list[tuple[str, list[str]]]:
    """What was found out: a heading and sentences for each run and level, then for the differences."""
    several_levels = len({level for run in report.runs for level in run.levels}) > 1
    parts = []
    for run in report.runs:
        for level, result in run.levels.items():
            names = [run.name] if len(report.runs) > 1 else []
            names += [f"{level} level"] if several_levels else []
            title = ", ".join(names) if len(report.runs) > 1 else "".join(names).capitalize()
            parts.append((title, level_sentences(result)))
    compared = difference_sentences(report.differences)
    if compared:
        parts.append(("Compared", compared))
    return parts


def level_sentences(result: LevelResult) -> list[str]:
    """What one run is worth at one level, in a handful of sentences."""
    row = result.overall
    if not row.truths:
        return [f"There is no true box at this level, so that AP cannot be measured; {_found(row)}."]
    sentences = [*_found_sentences(row, _noun(result)), _ap_sentence(row)]
    sentences += _class_sentences(result.classes) + _error_sentences(result.errors)
    sentences += _calibration_sentences(result.reliability)
    return sentences


def difference_sentences(differences: Sequence[Difference]) -> list[str]:
    """A sentence for each pair of runs and level, about the figures of all classes together."""
    overall = [each for each in differences if each.group == "all"]
    pairs = dict.fromkeys((each.first, each.second, each.level) for each in overall)
    sentences = []
    for first, second, level in pairs:
        here = {
            each.metric: each for each in overall if (each.first, each.second, each.level) == (first, second, level)
        }
        order = [*(key for key in METRICS if key in here), *sorted(set(here) - set(METRICS))]
        parts = "; ".join(_difference(here[metric]) for metric in order)
        sentences.append(f"{second} against {first}, {level} level: {parts}.")
    return sentences


def _difference(difference: Difference) -> str:
    key, words = verdict(difference)
    metric, estimate = METRICS.get(difference.metric, difference.metric), difference.estimate
    if estimate.value is None:
        return f"{metric} cannot be compared"
    text = f"{metric} {signed(estimate.value)}"
    if key == "unknown":
        return f"{text} (without an interval nobody can say whether that is chance)"
    return f"{text} [{signed(estimate.low)} to {signed(estimate.high)}], {words}"


def run_title(run: RunResult) -> str:
    """Name and what differs."""
    return f"{run.name} ({run.settings})" if run.settings else run.name


def _noun(result: LevelResult) -> str:
    """What the boxes are about: the class where there is only one, else ``objects``."""
    names = [row.name for row in result.classes if row.truths]
    return names[0].replace("_", " ") if len(names) == 1 else "objects"


def _found(row: Row) -> str:
    return f"the run has {count(row.found, 'box', 'boxes')} on {count(row.images, 'image')}"


def _found_sentences(row: Row, noun: str) -> list[str]:
    if row.recall is None or row.precision is None:
        return [f"To be found: {count(row.truths, 'true box', 'true boxes')} ({noun}); {_found(row)}."]
    at = (
        "At the best threshold of each class" if row.best_score is None else f"With scores from {row.best_score:.2f} on"
    )
    return [
        f"{at} it finds {share(row.recall)} {noun} (recall {figure(row.recall, 2)} of "
        f"{count(row.truths, 'true box', 'true boxes')}), and {share(row.precision)} of the boxes that it gives are "
        f"right (precision {figure(row.precision, 2)})."
    ]


def _ap_sentence(row: Row) -> str:
    parts = []
    for name, estimate in (("AP50", row.ap50), ("AP75", row.ap75), ("AP", row.ap)):
        if estimate.value is not None:
            span = interval(estimate)
            parts.append(f"{name} {figure(estimate.value, 2)}" + (f" [{span}]" if span else ""))
    return f"{_listed(parts)}." if parts else "AP cannot be measured."


def _class_sentences(rows: Sequence[Row]) -> list[str]:
    """Best and weakest class, only those with some truth being worth naming; and those without any box."""
    known = [row for row in rows if row.ap50.value is not None and row.truths >= _WORTH_NAMING and row.found]
    ranked = sorted(known, key=lambda row: row.ap50.value or 0.0)
    sentences = []
    if len(ranked) > 1:
        best, weakest = (
            f"{row.name} (AP50 {figure(row.ap50.value, 2)}, {count(row.truths, 'true box', 'true boxes')})"
            for row in (ranked[-1], ranked[0])
        )
        among = f"Of the classes with found boxes and at least {_WORTH_NAMING} true ones"
        sentences.append(f"{among}, the best is {best} and the weakest {weakest}.")
    missing = sorted((row for row in rows if row.truths and not row.found), key=lambda row: -row.truths)
    if missing and len(rows) > 1:
        names = [f"{row.name} ({row.truths:,})" for row in missing[:_MOST_NAMED]]
        names += [f"{len(missing) - _MOST_NAMED} more"] if len(missing) > _MOST_NAMED else []
        classes = count(len(missing), "class with true boxes", "classes with true boxes")
        sentences.append(f"The run has no box of {classes}: {_listed(names)}.")
    return sentences


def _error_sentences(errors: Sequence[ErrorType]) -> list[str]:
    costly = sorted((each for each in errors if each.cost >= 0.0005), key=lambda each: -each.cost)
    if not costly:
        return []
    first = costly[0]
    text = (
        f"Most AP is lost by the error “{first.name}” ({ERRORS.get(first.name, 'see below')}): mending it alone would "
    )
    text += f"add {figure(first.cost)} to AP50"
    rest = [f"“{each.name}” {figure(each.cost)}" for each in costly[1:3]]
    return [f"{text}; next {'comes' if len(rest) == 1 else 'come'} {_listed(rest)}." if rest else f"{text}."]


def _calibration_sentences(reliability: Reliability) -> list[str]:
    """Whether scores can be read as chances; the sign comes from the same bins as the ECE."""
    if reliability.ece is None:
        return []
    bins = zip(reliability.count, reliability.score, reliability.hits, strict=True)
    gaps = [(number, score - hits) for number, score, hits in bins if number and score is not None and hits is not None]
    total = sum(number for number, _ in gaps)
    gap = sum(number * each for number, each in gaps) / total if total else 0.0
    if reliability.ece < 0.02:
        return [f"Scores can be read as chances: they are off by {figure(reliability.ece)} on average (ECE)."]
    lean = "too high for some boxes and too low for others"
    if abs(gap) >= 0.0005:
        lean = f"{figure(abs(gap))} too {'high' if gap > 0 else 'low'} on average"
    return [f"Scores cannot be read as chances without care: they are {lean} (ECE {figure(reliability.ece)})."]


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
