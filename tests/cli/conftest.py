from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from artdet.__main__ import run


@dataclass(frozen=True)
class Ran:
    status: int
    out: str
    err: str


@pytest.fixture
def artdet(capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs the command line in this process; gives its exit status and what it printed."""

    def ran(*arguments: object) -> Ran:
        capfd.readouterr()
        status = run([str(argument) for argument in arguments])
        printed = capfd.readouterr()
        return Ran(status, printed.out, printed.err)

    return ran


@pytest.fixture
def persons_only(tmp_path):
    """An ensemble of one quick member."""
    path = tmp_path / "persons.yaml"
    path.write_text("members:\n  - {name: persons, detector: yolo, weights: persons_v0, min_score: 0.25}\n")
    return path
