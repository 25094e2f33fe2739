import pytest
import torch

from artdet.training.backends.memory import fitting_batch, is_out_of_memory, out_of_memory


@pytest.mark.parametrize(
    ("batch", "fitting", "remedy"),
    [
        (1, None, "Use smaller images"),
        (16, None, "--set training.batch=8."),
        (16, 2, "--set training.batch=2."),
        (5, None, "--set training.batch=2."),
    ],
    ids=["one", "half", "tried", "odd"],
)
def test_the_sentence(batch, fitting, remedy):
    message = str(out_of_memory(batch, fitting=fitting))
    assert f"with a batch of {batch}." in message
    assert remedy in message


def test_what_counts_as_out_of_memory():
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate"))
    assert not is_out_of_memory(RuntimeError("shapes do not fit"))


@pytest.mark.parametrize(
    ("batch", "room", "tried", "expected"),
    [(1, 0, [], None), (8, 3, [4, 2], 2), (8, 4, [4], 4), (7, 0, [3, 1], None)],
    ids=["one", "second", "first", "none"],
)
def test_halves_are_tried_until_one_fits(batch, room, tried, expected):
    seen = []

    def step(count):
        seen.append(count)
        if count > room:
            raise torch.OutOfMemoryError("full")

    assert fitting_batch(batch, step) == expected
    assert seen == tried


def test_other_errors_are_not_swallowed():
    def step(count):
        raise RuntimeError("shapes")

    with pytest.raises(RuntimeError, match="shapes"):
        fitting_batch(4, step)
