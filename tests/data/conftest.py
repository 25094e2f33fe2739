"""Small made sources: images on disk, text files beside them, and what a reader gives of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from artdet.data.formats import reader
from artdet.data.problems import Problems
from artdet.data.raw import RawSet
from artdet.data.settings import SourceFile
from artdet.taxonomy import Taxonomy

HEIGHT, WIDTH = 30, 50


@pytest.fixture
def make_set(tmp_path: Path) -> Callable[..., Path]:
    """Writes images and texts below a folder; gives the folder.

    ``images`` are names, or names with (height, width), 30 x 50 by default; no two have the same bytes. ``texts`` are
    names with text, bytes, or what is written as JSON.
    """

    def make(
        images: Mapping[str, tuple[int, int]] | tuple[str, ...] | list[str] = (),
        texts: Mapping[str, Any] | None = None,
        *,
        folder: str = "set",
    ) -> Path:
        root = tmp_path / folder
        root.mkdir(parents=True, exist_ok=True)
        sizes = images if isinstance(images, Mapping) else dict.fromkeys(images, (HEIGHT, WIDTH))
        for index, (name, (height, width)) in enumerate(sizes.items()):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (width, height), (index * 5 % 256, 90, 200)).save(path)
        for name, content in (texts or {}).items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            text = content if isinstance(content, str | bytes) else json.dumps(content)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return root

    return make


@pytest.fixture
def make(tmp_path: Path) -> Callable[[Mapping[str, str | bytes]], Path]:
    """Writes files, whose images may be empty as readers do not open them, and gives their folder."""

    def write(files: Mapping[str, str | bytes]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
        return tmp_path

    return write


@pytest.fixture
def read_raw() -> Callable[..., tuple[RawSet, dict[str, int]]]:
    """Reads a path with the reader of a format: what it gives, and the counts of what it noted by kind."""

    def read(format: str, path: Path, **settings: Any) -> tuple[RawSet, dict[str, int]]:
        problems = Problems()
        source = SourceFile.model_validate({"format": format, "path": str(path), **settings})
        raw = reader(format).read(source, problems)
        return raw, {finding.kind: finding.count for finding in problems.findings()}

    return read


@pytest.fixture(scope="session")
def names(taxonomy: Taxonomy) -> Callable[..., list[str]]:
    """Names of taxonomy ids, sorted."""
    return lambda ids: sorted(taxonomy.names[int(label)] for label in ids)
