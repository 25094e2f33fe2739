"""Fusion against a slow, literal reading of the Weighted Boxes Fusion paper (arXiv:1910.13302, section 2)."""

from __future__ import annotations

import numpy as np
import pytest
from ensemble_boxes import weighted_boxes_fusion

from artdet.detections import Detections
from artdet.ensemble.fusion import FusionSettings, Voter, fuse
from artdet.taxonomy import Taxonomy

TAXONOMY = Taxonomy.load()
SIZE = (300, 400)
LABELS = [TAXONOMY.id_of(name) for name in ("cow", "cat", "ship")]


def naive_iou(a, b):
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    if wide <= 0 or high <= 0:
        return 0.0
    shared = wide * high
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def naive_nms(entries, threshold):
    kept = []
    for entry in sorted(entries, key=lambda e: -e["score"]):
        if all(naive_iou(entry["box"], other["box"]) <= threshold for other in kept):
            kept.append(entry)
    return kept


def naive_wbf(entries, voters, threshold):
    """Steps 1 to 8 for one class; each entry has box, score, label and the vote = score times weight of mean 1."""
    clusters, fused = [], []
    for entry in sorted(entries, key=lambda e: -e["vote"]):  # 1, 2: one list, sorted; empty clusters and fused boxes
        best, best_iou = None, threshold
        for index, box in enumerate(fused):  # 3: the matching box with the highest overlap
            overlap = naive_iou(entry["box"], box)
            if overlap > best_iou:
                best, best_iou = index, overlap
        if best is None:  # 4: no match, a cluster of its own
            clusters.append([entry])
            fused.append(list(entry["box"]))
            continue
        clusters[best].append(entry)  # 5: into the cluster
        total = sum(e["vote"] for e in clusters[best])  # 6: the fused box anew from all of the cluster
        fused[best] = [sum(e["vote"] * e["box"][k] for e in clusters[best]) / total for k in range(4)]
    result = []
    for box, cluster in zip(fused, clusters, strict=True):
        confidence = sum(e["vote"] for e in cluster) / len(cluster)
        confidence *= min(len(cluster), voters) / voters  # 8: few votes, low confidence
        sure = max(cluster, key=lambda e: (e["score"], -e["label"]))
        sources = {e["member"] for e in cluster}
        result.append((box, min(confidence, 1.0), sure["label"], sources))
    return result


def naive_fuse(parts, voters, threshold, class_of):
    classes = {class_of(label) for part in parts for label in part.labels.tolist()}
    result = []
    for wanted in classes:
        can = [i for i, voter in enumerate(voters) if wanted in {class_of(label) for label in voter.labels}]
        mean = sum(voters[i].weight for i in can) / len(can)
        entries = []
        for i in can:
            own = [
                {
                    "box": box,
                    "score": score,
                    "vote": score * voters[i].weight / mean,
                    "label": label,
                    "member": i,
                }
                for box, score, label in zip(
                    parts[i].boxes.tolist(), parts[i].scores.tolist(), parts[i].labels.tolist(), strict=True
                )
                if class_of(label) == wanted
            ]
            entries += naive_nms(own, threshold)
        if len(can) == 1:
            result += [(e["box"], e["score"], e["label"], {e["member"]}) for e in entries]
        else:
            result += naive_wbf(entries, len(can), threshold)
    return sorted(result, key=lambda row: -row[1])


def scene(rng, members, *, own_labels=False):
    """Objects that several members see, each a little differently, and boxes that one alone sees."""
    corners = rng.uniform((0, 0), (320, 220), size=(6, 2))
    things = np.hstack([corners, corners + rng.uniform(20, 80, size=(6, 2))])
    kinds = rng.choice(LABELS, size=6)
    parts, voters = [], []
    for index in range(members):
        labels = frozenset(LABELS[: 1 + (index + 1) % 3]) if own_labels else frozenset(LABELS)
        seen = rng.random(6) < 0.8
        boxes = np.vstack([things[seen], things[seen][:2]])
        boxes = boxes + rng.normal(0, 5, size=boxes.shape)
        boxes = np.clip(np.hstack([boxes[:, :2], np.maximum(boxes[:, 2:], boxes[:, :2] + 4)]), 0, (400, 300, 400, 300))
        given = np.concatenate([kinds[seen], kinds[seen][:2]])
        keep = np.isin(given, sorted(labels))
        found = Detections.of(boxes[keep], rng.uniform(0.05, 0.95, size=keep.sum()), given[keep], SIZE)
        parts.append(found.from_source(index))
        voters.append(Voter(labels, float(rng.uniform(0.3, 3.0))))
    return parts, voters


def as_rows(found):
    bits = [{i for i in range(8) if bit >> i & 1} for bit in found.sources.tolist()]
    return list(zip(found.boxes.tolist(), found.scores.tolist(), found.labels.tolist(), bits, strict=True))


@pytest.mark.parametrize("own_labels", [False, True], ids=["same labels", "own labels"])
@pytest.mark.parametrize("per", ["label", "category"])
@pytest.mark.parametrize("members", [1, 2, 3, 7])
def test_agrees_with_the_paper(members, per, own_labels):
    class_of = (
        (lambda label: label) if per == "label" else (lambda label: int(TAXONOMY.coarse_of(np.array([label]))[0]))
    )
    fused_somewhere = 0
    for seed in range(25):
        parts, voters = scene(np.random.default_rng([seed, members]), members, own_labels=own_labels)
        settings = FusionSettings(method="wbf", per=per, iou=0.4)
        ours = as_rows(fuse(parts, voters=voters, settings=settings, taxonomy=TAXONOMY))
        theirs = naive_fuse(parts, voters, 0.4, class_of)
        assert len(ours) == len(theirs)
        for mine, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(mine[0], other[0], atol=1e-2)
            assert mine[1] == pytest.approx(other[1], abs=1e-5)
        fused_somewhere += sum(len(row[3]) > 1 for row in theirs)
    assert fused_somewhere > 50 or members == 1


def test_labels_and_sources_agree_with_the_papers_clusters():
    """Membership is guessed by overlap, since ensemble_boxes does not tell it: right for nearly every box."""
    right = total = 0
    for seed in range(60):
        parts, voters = scene(np.random.default_rng([seed, 4]), 4)
        settings = FusionSettings(method="wbf", per="category", iou=0.4)
        ours = as_rows(fuse(parts, voters=voters, settings=settings, taxonomy=TAXONOMY))
        theirs = naive_fuse(parts, voters, 0.4, lambda label: int(TAXONOMY.coarse_of(np.array([label]))[0]))
        right += sum(mine[2:] == other[2:] for mine, other in zip(ours, theirs, strict=True))
        total += len(theirs)
    assert total > 300
    assert right / total > 0.97


def test_agrees_with_plain_ensemble_boxes():
    """On input that meets none of its traps, the guard changes nothing."""
    for seed in range(40):
        parts, voters = scene(np.random.default_rng([seed, 3]), 3)
        alone = FusionSettings(method="nms", per="label", iou=0.4)
        parts = [
            fuse([part], voters=[voter], settings=alone, taxonomy=TAXONOMY)
            for part, voter in zip(parts, voters, strict=True)
        ]
        boxes, scores, labels = weighted_boxes_fusion(
            [part.boxes / (400, 300, 400, 300) for part in parts],
            [part.scores for part in parts],
            [part.labels for part in parts],
            weights=[voter.weight for voter in voters],
            iou_thr=0.4,
        )
        ours = fuse(parts, voters=voters, settings=FusionSettings(per="label", iou=0.4), taxonomy=TAXONOMY)
        np.testing.assert_allclose(ours.scores, np.minimum(scores, 1), atol=1e-6)
        np.testing.assert_allclose(ours.boxes, boxes * (400, 300, 400, 300), atol=1e-2)
        np.testing.assert_array_equal(ours.labels, labels)
