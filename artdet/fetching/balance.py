"""Which of many images to take: the same for the same seed, and a rare class as often as a common one."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping


def balanced(images: Mapping[str, int], count: int, *, seed: int) -> list[str]:
    """At most ``count`` images; the classes take turns, the rarest first, until they have no more.

    More images of the same seed contain the fewer.

    Args:
        images: id -> its classes, a bit each; images without one are passed over.
        count: at most.
        seed: of the order within a class.

    >>> balanced({"a": 1, "b": 1, "c": 1, "rare": 2}, 2, seed=0)[0]
    'rare'
    """
    by_class: dict[int, list[str]] = defaultdict(list)
    for image, classes in images.items():
        rest = classes
        while rest:
            bit = rest & -rest
            by_class[bit].append(image)
            rest ^= bit
    turns = [
        iter(_shuffled(own, seed)) for _, own in sorted(by_class.items(), key=lambda item: (len(item[1]), item[0]))
    ]
    chosen: dict[str, None] = {}
    while turns and len(chosen) < count:
        left = []
        for turn in turns:
            fresh = next((image for image in turn if image not in chosen), None)
            if fresh is None:
                continue
            if len(chosen) < count:
                chosen[fresh] = None
            left.append(turn)
        turns = left
    return list(chosen)


def _shuffled(images: list[str], seed: int) -> list[str]:
    """An order that depends on nothing but names and seed."""
    return sorted(images, key=lambda image: hashlib.blake2b(f"{seed}:{image}".encode(), digest_size=8).digest())
