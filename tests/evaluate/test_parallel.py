import multiprocessing
import os
import sys

import pytest

from artdet.data.sources import load_dataset
from artdet.errors import LabelError
from artdet.evaluate import evaluation, parallel
from artdet.evaluate.output import metrics_json
from artdet.evaluate.parallel import spread


@pytest.fixture
def two_processors(monkeypatch):
    monkeypatch.setattr(parallel, "cpu_threads", lambda: 2)


def where(task):
    return task, os.getpid()


def test_nothing_to_do():
    assert spread(where, [], worth=True) == []


def test_small_work_stays_here(two_processors):
    assert spread(where, [1, 2], worth=False) == [(1, os.getpid()), (2, os.getpid())]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has processes that start as copies")
def test_large_work_is_shared_in_order(two_processors):
    held = object()  # cannot travel between processes, and need not
    done = spread(lambda task: (*where(task), held is not None), [3, 1, 2], worth=True)
    assert [task for task, _, _ in done] == [3, 1, 2]
    assert os.getpid() not in {process for _, process, _ in done}
    assert multiprocessing.active_children() == []


def test_errors_come_back(two_processors):
    def fail(task):
        raise LabelError(f"no class {task}")

    with pytest.raises(LabelError, match="no class [78]"):
        spread(fail, [7, 8], worth=True)


def test_the_figures_are_the_same(two_processors, made_truth, made_run, taxonomy, monkeypatch):
    truth = load_dataset(made_truth, taxonomy=taxonomy)
    request = evaluation.Request(runs=[made_run("a"), made_run("b")], bootstrap=30)
    alone = metrics_json(evaluation.evaluate(request, truth).report)
    monkeypatch.setattr(evaluation, "_WORTH", 0)
    assert metrics_json(evaluation.evaluate(request, truth).report) == alone
