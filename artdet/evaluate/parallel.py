"""Work on all processors at once, where that is worth it."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from artdet.devices import cpu_threads

Task = TypeVar("Task")
Result = TypeVar("Result")

_work: Callable[[Any], Any] | None = None  # of a worker process


def spread(work: Callable[[Task], Result], tasks: Sequence[Task], *, worth: bool) -> list[Result]:
    """The results of ``work`` for each task, in order.

    Several tasks that are worth it are shared among processes, which start as copies of this one, so that only tasks
    and results travel. (Threads would wait for each other, since most of the work is many small calls.) Elsewhere than
    on Linux, where such copies are unsafe or unknown, one task follows the other.

    Args:
        work: needs nothing but what is in memory now.
        tasks: small.
        worth: whether a task takes so long that processes pay.
    """
    count = min(len(tasks), cpu_threads())
    if not worth or count < 2 or sys.platform != "linux":
        return [work(task) for task in tasks]
    with multiprocessing.get_context("fork").Pool(count, _begin, (work,)) as pool:
        return pool.map(_one, tasks, chunksize=1)


def _begin(work: Callable[[Any], Any]) -> None:
    global _work
    _work = work
    # Ctrl-C reaches all processes of a terminal; the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _one(task: Any) -> Any:
    assert _work is not None
    return _work(task)
