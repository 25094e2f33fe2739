"""Label maps: a source's or a model's own class names -> the names of our taxonomy, or ``ignore``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from artdet.config import StrictModel, read_yaml, validated
from artdet.errors import ConfigError, LabelError, did_you_mean
from artdet.resources import shipped
from artdet.taxonomy import IGNORE, Taxonomy

IGNORED_ID = -1
"""What :meth:`LabelMap.ids` gives for a class that the map ignores."""


class _LabelMapFile(StrictModel):
    source: str
    labels: dict[str, str]


@dataclass(frozen=True)
class LabelMap:
    """Foreign class name -> name in the taxonomy, or ``ignore``.

    Attributes:
        name: what messages call it: the shipped map's name or the file.
        labels: the map; ``None`` where the foreign names are the taxonomy's own.
    """

    name: str
    labels: Mapping[str, str] | None

    @classmethod
    def identity(cls) -> LabelMap:
        """For models whose class names are those of the taxonomy."""
        return cls("no label map", None)

    @classmethod
    def load(cls, name: str | None) -> LabelMap:
        """A shipped map by name (``"coco"``), a file by path, or the identity for ``None``.

        Raises:
            ConfigError: if there is no such map or it is not of the form ``source: ...``, ``labels: {name: name}``.
        """
        if name is None:
            return cls.identity()
        path = Path(name) if name.endswith((".yaml", ".yml")) else shipped("annotations", "labelmaps", f"{name}.yaml")
        if not path.is_file():
            known = sorted(p.stem for p in shipped("annotations", "labelmaps").glob("*.yaml"))
            raise ConfigError(f"there is no label map '{name}'.{did_you_mean(name, known)}")
        return cls(name, validated(_LabelMapFile, read_yaml(path), where=str(path)).labels)

    def ids(self, names: Sequence[str], taxonomy: Taxonomy) -> NDArray[np.int64]:
        """Taxonomy ids (len(names),) of foreign classes; ``IGNORED_ID`` for those that the map ignores.

        Raises:
            LabelError: naming every class that the map does not know, and every target that the taxonomy lacks.
        """
        unknown = [name for name in names if self.labels is not None and name not in self.labels]
        targets = [name if self.labels is None else self.labels.get(name, IGNORE) for name in names]
        strange = sorted({target for target in targets if target != IGNORE and target not in taxonomy.names})
        if unknown:
            raise LabelError(
                f"{self.name} does not know {_listed(unknown)}. "
                f"Add each to the label map, with our name for it or '{IGNORE}'."
            )
        if strange:
            near = did_you_mean(strange[0], taxonomy.names)
            raise LabelError(f"{self.name}: {_listed(strange)} is no class of the taxonomy.{near}")
        return np.array([IGNORED_ID if t == IGNORE else taxonomy.id_of(t) for t in targets], dtype=np.int64)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:20])
    return shown if len(names) <= 20 else f"{shown} and {len(names) - 20} more"
