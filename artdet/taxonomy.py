"""Two levels of classes: categories (coarse) and their classes (fine). Names travel, ids stay inside."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from artdet.config import read_yaml
from artdet.errors import ConfigError, LabelError, did_you_mean
from artdet.resources import shipped

IGNORE = "ignore"
"""The target in a label map for a class that is left out on purpose; no class may have this name."""


@dataclass(frozen=True)
class Node:
    """One class: a category where ``category`` is its own name, else a fine class of that category."""

    name: str
    category: str
    iconclass: str | None = None

    @property
    def is_fine(self) -> bool:
        """Whether this is a class below a category."""
        return self.name != self.category


@dataclass(frozen=True)
class Taxonomy:
    """All classes; a node's id is its place in ``nodes`` (each category, followed by its classes)."""

    nodes: tuple[Node, ...]

    @classmethod
    def load(cls, path: Path | None = None) -> Taxonomy:
        """Reads a taxonomy file; without a path the shipped one.

        Raises:
            ConfigError: if the file is not of the form of ``annotations/taxonomy.yaml``.
        """
        source = path or shipped("annotations", "taxonomy.yaml")
        return cls(tuple(_nodes(read_yaml(source), str(source))))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of all nodes, in the order of their ids."""
        return tuple(node.name for node in self.nodes)

    @cached_property
    def categories(self) -> tuple[str, ...]:
        """Names of the coarse nodes."""
        return tuple(node.name for node in self.nodes if not node.is_fine)

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.names)}

    @cached_property
    def _coarse(self) -> NDArray[np.int64]:
        return np.array([self._ids[node.category] for node in self.nodes], dtype=np.int64)

    def id_of(self, name: str) -> int:
        """Id of a class or category.

        Raises:
            LabelError: if the taxonomy has no such name.
        """
        try:
            return self._ids[name]
        except KeyError:
            raise LabelError(f"the taxonomy has no class '{name}'.{did_you_mean(name, self.names)}") from None

    def ids_of(self, names: Iterable[str]) -> frozenset[int]:
        """Ids of several names."""
        return frozenset(self.id_of(name) for name in names)

    def coarse_of(self, labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """Ids (N,) of the categories of nodes (N,); a category is its own.

        >>> taxonomy = Taxonomy.load()
        >>> ids = np.array([taxonomy.id_of("horse"), taxonomy.id_of("faces")])
        >>> [taxonomy.names[i] for i in taxonomy.coarse_of(ids)]
        ['animals', 'faces']
        """
        return self._coarse[labels]

    def is_fine(self, labels: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether nodes (N,) are classes below a category."""
        fine: NDArray[np.bool_] = self._coarse[labels] != labels
        return fine

    def nearest(self, chosen: frozenset[int]) -> NDArray[np.int64]:
        """For every node (len(nodes),) what it is among the chosen ones: itself, else its category, else -1.

        >>> taxonomy = Taxonomy.load()
        >>> targets = taxonomy.nearest(taxonomy.ids_of(["persons", "angel", "cow"]))
        >>> [int(targets[taxonomy.id_of(name)]) for name in ("angel", "mary", "horse")]
        [1, 0, -1]
        """
        if chosen not in self._nearest:
            every = np.arange(len(self.nodes), dtype=np.int64)
            own = np.isin(every, list(chosen))
            targets = np.where(own, every, np.where(own[self._coarse], self._coarse, -1))
            targets.flags.writeable = False
            self._nearest[chosen] = targets
        return self._nearest[chosen]

    def among(self, labels: NDArray[np.int64], chosen: frozenset[int]) -> NDArray[np.bool_]:
        """Whether nodes (N,) are among the chosen ones, themselves or by their category.

        >>> taxonomy = Taxonomy.load()
        >>> ids = np.array([taxonomy.id_of(name) for name in ("angel", "persons", "cow")])
        >>> taxonomy.among(ids, taxonomy.ids_of(["persons"])).tolist()
        [True, True, False]
        """
        mask: NDArray[np.bool_] = self.nearest(chosen)[labels] >= 0
        return mask

    @cached_property
    def _nearest(self) -> dict[frozenset[int], NDArray[np.int64]]:
        """What was worked out already: the same few sets are asked for at every image."""
        return {}

    def expanded(self, names: Iterable[str]) -> frozenset[int]:
        """Ids of the names and, for each category among them, of all its classes."""
        wanted = {self.nodes[self.id_of(name)].name for name in names}
        return frozenset(i for i, node in enumerate(self.nodes) if node.name in wanted or node.category in wanted)

    @cached_property
    def sha256(self) -> str:
        """Hash of names, levels and notations; independent of comments and layout of the file."""
        rows = [[node.name, node.category, node.iconclass] for node in self.nodes]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def _nodes(data: Any, where: str) -> list[Node]:
    if not isinstance(data, dict) or not data:
        raise ConfigError(f"{where}: must hold categories with their classes, as annotations/taxonomy.yaml does.")
    wrong: list[str] = []
    nodes: list[Node] = []
    for category, body in data.items():
        body = body or {}
        nodes.append(_node(str(category), str(category), body, {"iconclass", "classes"}, where, wrong))
        classes = body.get("classes") if isinstance(body, dict) else None
        if classes is not None and not isinstance(classes, dict):
            wrong.append(f"{where}: {category}.classes: must hold class names, each with a colon behind it")
            continue
        for name, below in (classes or {}).items():
            nodes.append(_node(str(name), str(category), below or {}, {"iconclass"}, f"{where}: {category}", wrong))
    names = [node.name for node in nodes]
    wrong += [f"{where}: {name}: appears more than once" for name in sorted({n for n in names if names.count(n) > 1})]
    wrong += [f"{where}: {IGNORE}: is the word of label maps and cannot be a class" for n in names if n == IGNORE]
    if wrong:
        raise ConfigError("\n".join(wrong))
    return nodes


def _node(name: str, category: str, body: Any, known: set[str], where: str, wrong: list[str]) -> Node:
    if not isinstance(body, dict):
        wrong.append(f"{where}: {name}: must be empty or hold {', '.join(sorted(known))}")
        return Node(name, category)
    wrong += [f"{where}: {name}.{key}: unknown key.{did_you_mean(key, known)}" for key in body if key not in known]
    notation = body.get("iconclass")
    return Node(name, category, None if notation is None else str(notation))
