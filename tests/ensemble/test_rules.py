from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from artdet.detections import Detections
from artdet.ensemble.rules import (
    RULES,
    AppendUntouched,
    DropFrameFilling,
    KeepOutermost,
    KeepSurest,
    PreferSpecific,
    apply_rules,
    check_labels,
    untouched_labels,
)
from artdet.errors import LabelError
from artdet.taxonomy import Taxonomy

TAXONOMY = Taxonomy.load()
SIZE = (30, 40)
WHOLE = (0, 0, 40, 30)
BIG, NEARLY_IN, HALF_IN = (0, 0, 20, 20), (11, 5, 21, 15), (15, 5, 25, 15)
SHIFTED = (0, 3, 20, 23)  # IoU with BIG: 17 / 23 = 0.739
FURTHER = (0, 4, 20, 24)  # IoU with BIG: 16 / 24 = 0.667


def boxes_of(*rows):
    """Rows of (box, score, label name) on one image."""
    labels = [TAXONOMY.id_of(row[2]) for row in rows]
    return Detections.of([row[0] for row in rows], [row[1] for row in rows], labels, SIZE)


def rows_of(found):
    scores = [round(score, 4) for score in found.scores.tolist()]
    names = [TAXONOMY.names[label] for label in found.labels]
    return list(zip([tuple(box) for box in found.boxes.tolist()], scores, names, strict=True))


def apply(rule, found):
    return RULES[rule.rule].apply(found, rule, TAXONOMY)


# rule, boxes, indices of those that stay, in their order
CASES = {
    "specific: nothing": (PreferSpecific(), [], []),
    "specific: coarse goes": (PreferSpecific(), [(BIG, 0.9, "animals"), (SHIFTED, 0.1, "cow")], [1]),
    "specific: too far apart": (PreferSpecific(), [(BIG, 0.9, "animals"), (FURTHER, 0.1, "cow")], [0, 1]),
    "specific: another iou": (PreferSpecific(iou=0.6), [(BIG, 0.9, "animals"), (FURTHER, 0.1, "cow")], [1]),
    "specific: other category": (PreferSpecific(), [(BIG, 0.9, "animals"), (BIG, 0.9, "mary")], [0, 1]),
    "specific: two fine stay": (PreferSpecific(), [(BIG, 0.9, "cow"), (BIG, 0.9, "horse")], [0, 1]),
    "specific: two coarse stay": (PreferSpecific(), [(BIG, 0.9, "animals"), (BIG, 0.8, "animals")], [0, 1]),
    "specific: no classes, none specific": (PreferSpecific(), [(BIG, 0.9, "faces"), (BIG, 0.8, "cow")], [0, 1]),
    "outermost: nothing": (KeepOutermost(), [], []),
    "outermost: inner goes": (KeepOutermost(), [((2, 2, 5, 5), 0.9, "flower"), (BIG, 0.1, "flower")], [1]),
    "outermost: nearly inside goes": (KeepOutermost(), [(BIG, 0.1, "ship"), (NEARLY_IN, 0.9, "ship")], [0]),
    "outermost: half inside stays": (KeepOutermost(), [(BIG, 0.1, "ship"), (HALF_IN, 0.9, "ship")], [0, 1]),
    "outermost: another share": (KeepOutermost(inside=0.5), [(BIG, 0.1, "ship"), (HALF_IN, 0.9, "ship")], [0]),
    "outermost: other label": (KeepOutermost(), [(BIG, 0.1, "flower"), ((2, 2, 5, 5), 0.9, "fruit")], [0, 1]),
    "outermost: label not listed": (KeepOutermost(), [(BIG, 0.1, "cow"), ((2, 2, 5, 5), 0.9, "cow")], [0, 1]),
    "outermost: category is not its classes": (
        KeepOutermost(labels=("animals",)),
        [(BIG, 0.1, "cow"), ((2, 2, 5, 5), 0.9, "cow")],
        [0, 1],
    ),
    "outermost: equal boxes": (KeepOutermost(), [(BIG, 0.1, "ship"), (BIG, 0.9, "ship")], [1]),
    "outermost: twins": (KeepOutermost(), [(BIG, 0.5, "ship"), (BIG, 0.5, "ship")], [0]),
    "outermost: nested thrice": (
        KeepOutermost(),
        [((3, 3, 6, 6), 0.9, "fruit"), ((2, 2, 9, 9), 0.9, "fruit"), (BIG, 0.1, "fruit")],
        [2],
    ),
    "outermost: sure enough": (KeepOutermost(ratio=0.5), [((2, 2, 5, 5), 0.6, "ship"), (BIG, 0.3, "ship")], [1]),
    "outermost: not sure enough": (KeepOutermost(ratio=0.6), [((2, 2, 5, 5), 0.6, "ship"), (BIG, 0.3, "ship")], [0, 1]),
    "outermost: a surer one between": (
        KeepOutermost(ratio=1),
        [((3, 3, 6, 6), 0.5, "fruit"), ((2, 2, 9, 9), 0.9, "fruit"), (BIG, 0.1, "fruit")],
        [1, 2],
    ),
    "surest: nothing": (KeepSurest(), [], []),
    "surest: the less sure goes": (KeepSurest(), [(BIG, 0.5, "persons"), (SHIFTED, 0.6, "animals")], [1]),
    "surest: weights": (
        KeepSurest(weights={"animals": 2}),
        [(BIG, 0.7, "mary"), (SHIFTED, 0.4, "cow"), (WHOLE, 0.3, "persons")],
        [1, 2],
    ),
    "surest: too unsure itself": (
        KeepSurest(least=0.5),
        [(BIG, 0.4, "mary"), (SHIFTED, 0.3, "cow"), (WHOLE, 0.5, "persons"), ((0, 0, 40, 29), 0.4, "cow")],
        [0, 1, 2],
    ),
    "surest: weighed, but too unsure itself": (
        KeepSurest(weights={"animals": 2}, least=0.5),
        [(BIG, 0.7, "mary"), (SHIFTED, 0.4, "cow")],
        [0, 1],
    ),
    "surest: classes too": (KeepSurest(), [(BIG, 0.7, "mary"), (SHIFTED, 0.6, "cow")], [0]),
    "surest: one category": (KeepSurest(), [(BIG, 0.7, "mary"), (BIG, 0.6, "persons")], [0, 1]),
    "surest: a rider": (KeepSurest(iou=0.7), [(BIG, 0.7, "persons"), (FURTHER, 0.6, "horse")], [0, 1]),
    "surest: other categories": (KeepSurest(), [(BIG, 0.7, "persons"), (BIG, 0.6, "ship")], [0, 1]),
    "surest: what went drops nothing": (
        KeepSurest(iou=0.7),
        [((0, 0, 20, 20), 0.9, "cow"), ((0, 3, 20, 23), 0.8, "persons"), ((0, 6, 20, 26), 0.7, "cow")],
        [0, 2],
    ),
    "frame: nothing": (DropFrameFilling(), [], []),
    "frame: whole goes": (DropFrameFilling(), [(WHOLE, 0.9, "building"), (BIG, 0.5, "building")], [1]),
    "frame: 85 % stays": (DropFrameFilling(), [((0, 0, 34, 30), 0.9, "building")], [0]),
    "frame: over 85 % goes": (DropFrameFilling(), [((0, 0, 34.1, 30), 0.9, "building")], []),
    "frame: other label": (DropFrameFilling(), [(WHOLE, 0.9, "ship"), (WHOLE, 0.9, "structures")], [0, 1]),
    "frame: another share": (DropFrameFilling(share=0.3), [(BIG, 0.9, "building")], []),
    "untouched: nothing": (AppendUntouched(), [], []),
    "untouched: last, by score": (
        AppendUntouched(),
        [(BIG, 0.4, "faces"), (BIG, 0.1, "cow"), (BIG, 0.9, "faces"), (BIG, 0.5, "cow")],
        [1, 3, 2, 0],
    ),
    "untouched: classes too": (
        AppendUntouched(categories=("animals",)),
        [(BIG, 0.4, "cow"), (BIG, 0.1, "mary"), (BIG, 0.9, "animals")],
        [1, 2, 0],
    ),
}


@pytest.mark.parametrize(("rule", "rows", "expected"), CASES.values(), ids=CASES)
def test_cases(rule, rows, expected):
    found = boxes_of(*rows)
    assert rows_of(apply(rule, found)) == rows_of(found[expected])


@pytest.mark.parametrize("weights", [{"ship": 2.0}, {"animals": 0.0}])
def test_weights_are_of_the_categories_and_above_0(weights):
    with pytest.raises(ValidationError, match="weights are above 0, for names in categories"):
        KeepSurest(weights=weights)


every_rule = st.sampled_from(
    [
        *(rule.settings() for rule in RULES.values()),
        KeepOutermost(ratio=0.6),
        KeepSurest(weights={"animals": 2}, least=0.5),
    ]
)
corner = st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 30), st.integers(0, 30))
row = st.tuples(
    st.one_of(
        corner.map(lambda e: (min(e[:2]), min(e[2:]), max(e[:2]), max(e[2:]))), st.sampled_from([BIG, SHIFTED, WHOLE])
    ),
    st.sampled_from([0.25, 0.5, 1.0]),
    st.sampled_from(
        ["flower", "fruit", "produce", "ship", "building", "structures", "faces", "mary", "persons", "cow"]
    ),
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(rows=st.lists(row, max_size=10), rule=every_rule)
def test_never_more_boxes_and_twice_is_once(rows, rule):
    found = boxes_of(*rows)
    once = apply(rule, found)
    assert len(once) <= len(found)
    assert {*rows_of(once)} <= {*rows_of(found)}
    assert rows_of(apply(rule, once)) == rows_of(once)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(rows=st.lists(row, max_size=10), seed=st.integers(0, 9), rule=every_rule)
def test_order_of_boxes_does_not_matter(rows, seed, rule):
    found = boxes_of(*rows)
    mixed = found[np.random.default_rng(seed).permutation(len(found))] if rows else found
    assert rows_of(apply(rule, found).sorted()) == rows_of(apply(rule, mixed).sorted())


def test_rules_apply_in_their_order():
    """A frame-filling building hides the coarse box on it only as long as it is there."""
    found = boxes_of((WHOLE, 0.5, "building"), (WHOLE, 0.9, "structures"))
    nothing = Detections.empty(SIZE)
    first = apply_rules(found, [DropFrameFilling(), PreferSpecific()], TAXONOMY, untouched=nothing)
    other = apply_rules(found, [PreferSpecific(), DropFrameFilling()], TAXONOMY, untouched=nothing)
    assert rows_of(first) == [(WHOLE, 0.9, "structures")]
    assert rows_of(other) == []
    assert apply_rules(found, [], TAXONOMY, untouched=nothing) is found


def test_untouched_boxes_join_at_the_end_only_where_that_is_listed():
    faces = boxes_of((BIG, 0.2, "faces"), (BIG, 0.8, "faces"))
    found = apply_rules(boxes_of((BIG, 0.5, "cow")), [AppendUntouched()], TAXONOMY, untouched=faces)
    assert rows_of(found) == [(BIG, 0.5, "cow"), (BIG, 0.8, "faces"), (BIG, 0.2, "faces")]
    assert untouched_labels([AppendUntouched()], TAXONOMY) == {TAXONOMY.id_of("faces")}
    assert untouched_labels([PreferSpecific()], TAXONOMY) == frozenset()


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (KeepOutermost(labels=("flower", "shipp")), r"^rules\.1\.labels: .*'shipp'.*'ship'"),
        (AppendUntouched(categories=("face",)), r"^rules\.1\.categories: .*'face'.*'faces'"),
    ],
    ids=["labels", "categories"],
)
def test_names_that_the_taxonomy_lacks(rule, message):
    with pytest.raises(LabelError, match=message):
        check_labels([PreferSpecific(), rule], TAXONOMY)


@pytest.mark.parametrize("name", RULES)
def test_table_and_settings_agree(name):
    assert RULES[name].settings().rule == name
    with pytest.raises(ValidationError):
        RULES[name].settings(rule="another")
    check_labels([RULES[name].settings()], TAXONOMY)
