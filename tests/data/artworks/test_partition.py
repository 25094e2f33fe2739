"""Splits: shares, works and duplicates that stay together, and the file."""

import hashlib
import random
from collections import Counter

import numpy as np
import pytest

from artdet.data.artworks.partition import PARTS, partition, read_partition, write_partition
from artdet.errors import InputError

LABELS = [0] * 70 + [1] * 30 + [2] * 3


def parts_of(artworks, made):
    return {artworks.names[place]: part for part in PARTS for place in made.part(part)}


def test_empty_collection_is_refused(labelled):
    with pytest.raises(InputError, match="fewer than its 2 classes"):
        partition(labelled([]))


def test_shares_and_every_class_in_every_part(labelled):
    artworks = labelled(LABELS)
    made = partition(artworks)
    counts = [Counter(artworks.targets["genre"][made.part(part)].tolist()) for part in PARTS]
    assert [sum(count.values()) for count in counts] == [72, 10, 21]
    assert counts[0][2] == counts[1][2] == counts[2][2] == 1
    assert abs(counts[2][0] - 14) <= 1
    assert abs(counts[2][1] - 6) <= 1


def test_neither_order_nor_other_images_of_the_machine_matter_but_the_seed_does(labelled):
    artworks = labelled(LABELS)
    order = random.Random(3).sample(range(len(artworks)), len(artworks))
    shuffled = artworks.taken(order)
    first = parts_of(artworks, partition(artworks))
    assert first == parts_of(shuffled, partition(shuffled))
    assert first != parts_of(artworks, partition(artworks, seed=1))


def test_known_split(labelled):
    artworks = labelled([0] * 6 + [1] * 4)
    # The lowest of: printf '0\\0made/000N.png' | sha256sum, the rarer class first.
    hashes = hashlib.sha256
    order = sorted(range(6, 10), key=lambda n: hashes(f"0\0made/{n:04d}.png".encode()).hexdigest())
    assert set(partition(artworks).test.tolist()) & set(range(6, 10)) == {order[0]}


def test_works_and_copies_stay_together(labelled):
    groups = [f"work{index // 4}" for index in range(len(LABELS))]
    same = (1, 5, 50, 90)  # byte for byte, of four works and two classes
    artworks = labelled(LABELS, groups, same)
    for seed in range(8):
        parts = parts_of(artworks, partition(artworks, seed=seed))
        by_group = {}
        for name, group in zip(artworks.names, artworks.groups, strict=True):
            by_group.setdefault(group, set()).add(parts[name])
        assert all(len(found) == 1 for found in by_group.values())
        assert len({parts[artworks.names[place]] for place in same}) == 1


def test_split_smaller_than_classes(labelled):
    artworks = labelled([0, 0, 0, 1, 1, 1], groups=["a", "a", "a", "b", "b", "b"])
    with pytest.raises(InputError, match=r"part has \d images with an answer to the task genre, fewer than its 2"):
        partition(artworks)


def test_file(labelled, tmp_path):
    artworks = labelled(LABELS)
    made = partition(artworks)
    path = tmp_path / "split.csv"
    write_partition(path, artworks, made)
    assert path.read_text().splitlines()[0] == "name,part"
    found = read_partition(path, artworks.taken(range(len(artworks))[::-1]))
    assert sorted(len(artworks) - 1 - found.test) == made.test.tolist()
    fewer = artworks.taken(np.arange(9))
    assert sum(len(read_partition(path, fewer, subset=True).part(part)) for part in PARTS) == 9
    with pytest.raises(InputError, match="94 of its images are not among the data"):
        read_partition(path, fewer)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read"),
        ("", "is no split"),
        ("name,part\na,tset\n", "line 2"),
        ("name,part\na,test\n", "4 imag"),
    ],
    ids=["absent", "empty", "part", "other images"],
)
def test_bad_files(labelled, tmp_path, text, said):
    path = tmp_path / "split.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=said):
        read_partition(path, labelled([0, 0, 1, 1]))
