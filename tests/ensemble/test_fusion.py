from __future__ import annotations

import subprocess
import sys
import warnings

import ensemble_boxes
import numpy as np
import pytest
from ensemble_boxes import weighted_boxes_fusion
from hypothesis import given, settings
from hypothesis import strategies as st

from artdet.detections import Detections
from artdet.ensemble import fusion
from artdet.ensemble.fusion import FusionSettings, Voter, fuse
from artdet.taxonomy import Taxonomy

TAXONOMY = Taxonomy.load()
SIZE = (30, 40)
COW, CAT, ANIMALS, SHIP = (TAXONOMY.id_of(name) for name in ("cow", "cat", "animals", "ship"))
ALL = frozenset(range(len(TAXONOMY.nodes)))
METHODS = ["wbf", "nms", "none"]
RULES = settings(max_examples=100, deadline=None, derandomize=True)


def fused(*parts, weights=None, labels=None, **options):
    weights, labels = weights or [1.0] * len(parts), labels or [ALL] * len(parts)
    marked = [part.from_source(index) for index, part in enumerate(parts)]
    voters = [Voter(names, weight) for names, weight in zip(labels, weights, strict=True)]
    return fuse(marked, voters=voters, settings=FusionSettings(**options), taxonomy=TAXONOMY)


def boxes_of(*rows):
    """Rows of (box, score, label) on one image."""
    return Detections.of([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows], SIZE)


def rows_of(found):
    scores = [round(score, 4) for score in found.scores.tolist()]
    boxes = [[round(x, 2) for x in box] for box in found.boxes.tolist()]
    return list(zip(boxes, scores, found.labels.tolist(), found.sources.tolist(), strict=True))


def assert_same(first, second, *, atol=1e-3, sources=True):
    np.testing.assert_allclose(first.boxes, second.boxes, atol=atol)
    np.testing.assert_allclose(first.scores, second.scores, atol=1e-5)
    np.testing.assert_array_equal(first.labels, second.labels)
    if sources:
        np.testing.assert_array_equal(first.sources, second.sources)


# Whole pixels and few scores, so that ties and overlaps of exactly the threshold are common.
edges = st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 30), st.integers(0, 30))
row = st.tuples(
    edges.map(lambda e: (min(e[:2]), min(e[2:]), max(e[:2]), max(e[2:]))),
    st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]),
    st.sampled_from([COW, CAT, ANIMALS, SHIP]),
)
members = st.lists(row, max_size=8).map(lambda rows: boxes_of(*rows))
options = st.fixed_dictionaries(
    {
        "method": st.sampled_from(METHODS),
        "per": st.sampled_from(["category", "label"]),
        "iou": st.sampled_from([0.25, 0.4, 0.5, 0.8]),
    }
)
weight = st.sampled_from([0.5, 1.0, 2.0])

A, B = (2, 2, 12, 12), (2, 3, 12, 13)  # IoU 9 / 11

CASES = {
    "nothing": ({}, [[]], []),
    "nothing twice": ({}, [[], []], []),
    "nothing by nms": ({"method": "nms"}, [[], []], []),
    "nothing by none": ({"method": "none"}, [[], []], []),
    "one member is nms": ({}, [[(A, 0.6, COW), (B, 0.8, COW)]], [(B, 0.8, COW, 1)]),
    "agreement averages": ({}, [[(A, 0.6, COW)], [(A, 0.8, COW)]], [(A, 0.7, COW, 3)]),
    "one of two halves": ({}, [[(A, 0.6, COW)], []], [(A, 0.3, COW, 1)]),
    "sure label wins": ({}, [[(A, 0.6, COW)], [(A, 0.8, CAT)]], [(A, 0.7, CAT, 3)]),
    "equally sure: lower id": ({}, [[(A, 0.6, CAT)], [(A, 0.6, COW)]], [(A, 0.6, COW, 3)]),
    "labels apart": (
        {"per": "label"},
        [[(A, 0.6, COW)], [(A, 0.8, CAT)]],
        [(A, 0.4, CAT, 2), (A, 0.3, COW, 1)],
    ),
    "categories apart": ({}, [[(A, 0.6, COW)], [(A, 0.8, SHIP)]], [(A, 0.4, SHIP, 2), (A, 0.3, COW, 1)]),
    "nms keeps the sure one": (
        {"method": "nms"},
        [[(A, 0.6, COW)], [(B, 0.8, CAT)]],
        [(B, 0.8, CAT, 3)],
    ),
    "nms per label keeps both": (
        {"method": "nms", "per": "label"},
        [[(A, 0.6, COW)], [(B, 0.8, CAT)]],
        [(B, 0.8, CAT, 2), (A, 0.6, COW, 1)],
    ),
    "none keeps all": ({"method": "none"}, [[(A, 0.6, COW)], [(A, 0.8, COW)]], [(A, 0.8, COW, 2), (A, 0.6, COW, 1)]),
    "no area is no box": ({}, [[((3, 3, 3, 9), 0.9, COW)], [((5, 5, 5, 5), 0.5, COW)]], []),
    "score 0 divides nothing": ({}, [[(A, 0.0, COW)], [(A, 0.0, COW)]], [(A, 0.0, COW, 3)]),
}


@pytest.mark.parametrize(("options", "given_rows", "expected"), CASES.values(), ids=CASES)
def test_cases(options, given_rows, expected):
    result = rows_of(fused(*[boxes_of(*rows) for rows in given_rows], **options))
    assert result == [(list(box), score, label, sources) for box, score, label, sources in expected]


def test_only_members_that_can_give_a_class_vote_on_it():
    ships, cows = frozenset([SHIP]), frozenset([COW])
    found = fused(boxes_of((A, 0.6, COW)), boxes_of((A, 0.8, SHIP)), labels=[cows, ships])
    assert rows_of(found) == [(list(A), 0.8, SHIP, 2), (list(A), 0.6, COW, 1)]


def test_weights_count_relative_to_each_other():
    parts = [boxes_of((A, 0.6, COW)), boxes_of((A, 0.8, COW))]
    assert rows_of(fused(*parts, weights=[3.0, 1.0])) == [(list(A), 0.65, COW, 3)]
    assert_same(fused(*parts, weights=[3.0, 1.0]), fused(*parts, weights=[3e-9, 1e-9]))


def test_scores_stay_at_most_1_where_ensemble_boxes_lets_them_over():
    """A second box of a heavy member joins the cluster that another heavy member moved towards it."""
    first = boxes_of(((0, 0, 20, 10), 1.0, COW), ((12, 0, 33, 10), 0.99, COW))
    second = boxes_of(((8, 0, 28, 10), 1.0, COW))
    weights = [1.0, 1.0, 0.1]
    lists = [(part.boxes / (40, 30, 40, 30), part.scores, part.labels) for part in (first, second, boxes_of())]
    _, plain, _ = weighted_boxes_fusion(*zip(*lists, strict=True), weights=weights, iou_thr=0.26)
    assert plain.tolist() == pytest.approx([2.99 / 2.1])
    assert fused(first, second, boxes_of(), weights=weights, iou=0.26).scores.tolist() == [1.0]


@pytest.mark.parametrize("x", [4, 7, 8, 19, 21])
def test_boxes_at_exactly_the_threshold_stay_two(x):
    """Their IoU is 1/2; normalised, and averaged in float32, it comes out a little above for these x."""
    pair = boxes_of(((x, 1, x + 10, 4), 0.3, COW), ((x, 1, x + 5, 4), 0.7, COW))
    assert_same(fused(pair, pair, pair, iou=0.5), fused(pair, iou=0.5), sources=False)
    assert len(fused(pair, iou=0.5)) == 2


def test_ensemble_boxes_gets_no_ties(monkeypatch):
    """Its sort is unstable: what it makes of ties can depend on the processor."""
    seen = []

    def spy(boxes, scores, labels, **options):
        seen.append(np.concatenate(scores))
        return weighted_boxes_fusion(boxes, scores, labels, **options)

    monkeypatch.setattr(ensemble_boxes, "weighted_boxes_fusion", spy)
    part = boxes_of((A, 1.0, COW), ((20, 2, 30, 12), 0.5, COW), ((20, 20, 30, 30), 0.5, COW))
    fused(part, part, weights=[2.0, 1.0])
    assert (np.diff(seen[0]) < 0).all()


def test_a_fused_box_without_inputs_of_its_own_takes_the_nearest(monkeypatch):
    """Its cluster's boxes may all be nearer to another fused box; never seen, but possible."""
    units = np.array([[0.05, 0.05, 0.3, 0.4], [0.05, 0.1, 0.35, 0.5]])
    monkeypatch.setattr(fusion, "_weighted_units", lambda *_: (units, np.array([0.9, 0.8])))
    found = fused(boxes_of(((2, 2, 12, 12), 0.5, COW)), boxes_of(((20, 20, 30, 30), 0.4, CAT)))
    assert found.labels.tolist() == [COW, COW]
    assert found.sources.tolist() == [3, 1]


def test_boxes_outside_the_image_are_refused():
    with pytest.raises(ValueError, match="inside the image of 40 x 30"):
        fused(boxes_of(((5, 5, 45, 20), 0.5, COW)))
    over = boxes_of(((5, 5, 40.01, 20), 0.5, COW))
    assert fused(over, over).boxes.max() == 40.0


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf")])
def test_weights_must_be_positive(bad):
    with pytest.raises(ValueError, match="positive and finite"):
        Voter(ALL, bad)


@pytest.mark.parametrize(("parts", "voters"), [(0, 0), (1, 2), (2, 1)])
def test_one_voter_per_part(parts, voters):
    with pytest.raises(ValueError, match="one voter per part"):
        fuse(
            [Detections.empty(SIZE)] * parts,
            voters=[Voter(ALL)] * voters,
            settings=FusionSettings(),
            taxonomy=TAXONOMY,
        )


@RULES
@given(part=members, chosen=options, weights=st.lists(weight, min_size=3, max_size=3))
def test_a_model_fused_with_itself_changes_nothing(part, chosen, weights):
    if chosen["method"] != "none":
        once = fused(part, **chosen)
        assert_same(fused(part, part, part, weights=weights, **chosen), once, sources=False)
        assert_same(fused(once, **chosen), once)


@RULES
@given(parts=st.lists(st.tuples(members, weight), min_size=2, max_size=4), chosen=options, seed=st.integers(0, 9))
def test_order_of_members_does_not_matter(parts, chosen, seed):
    marked = [(part.from_source(index), Voter(ALL, heavy)) for index, (part, heavy) in enumerate(parts)]
    results = []
    for order in (range(len(parts)), np.random.default_rng(seed).permutation(len(parts))):
        mixed = [marked[index] for index in order]
        results.append(
            fuse(
                [part for part, _ in mixed],
                voters=[voter for _, voter in mixed],
                settings=FusionSettings(**chosen),
                taxonomy=TAXONOMY,
            )
        )
    if chosen["method"] == "none":  # equal boxes of two members stay two, in either order
        results = [found[np.lexsort((found.sources, *found.boxes.T, found.labels, found.scores))] for found in results]
    np.testing.assert_array_equal(results[0].boxes, results[1].boxes)
    np.testing.assert_array_equal(results[0].scores, results[1].scores)
    np.testing.assert_array_equal(results[0].labels, results[1].labels)
    np.testing.assert_array_equal(results[0].sources, results[1].sources)


@RULES
@given(parts=st.lists(members, min_size=1, max_size=4), chosen=options)
def test_never_warns_nor_invents(parts, chosen):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = fused(*parts, **chosen)
    assert len(found) <= sum(map(len, parts))
    assert {*found.labels.tolist()} <= {label for part in parts for label in part.labels.tolist()}
    assert ((found.sources > 0) & (found.sources < 1 << len(parts))).all()


def test_nms_tells_who_agreed_among_many():
    """More boxes than fit one block; each sure box is suppressing the one that the second member put beside it."""
    rng = np.random.default_rng(0)
    low = np.stack(np.meshgrid(np.arange(0, 400, 20), np.arange(0, 300, 20)), axis=-1).reshape(-1, 2)
    sure = Detections.of(np.hstack([low, low + 12]), rng.uniform(0.5, 1, len(low)), COW, (300, 400))
    seen = rng.random(len(low)) < 0.7
    other = Detections.of(np.hstack([low, low + 13])[seen], 0.4, COW, (300, 400))
    found = fused(sure, other, method="nms")
    np.testing.assert_array_equal(found.boxes, sure.sorted().boxes)
    order = np.lexsort((*sure.boxes.T[::-1], -sure.scores))
    np.testing.assert_array_equal(found.sources, np.where(seen, 3, 1)[order])


def test_ensemble_boxes_waits_for_the_first_fusion():
    heavy = ("ensemble_boxes", "numba", "torch", "cv2")
    code = f"import sys, artdet.ensemble.ensemble; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
