import numpy as np
import pytest

from artdet.training.backends.epoch_sampler import EpochSampler
from artdet.training.backends.torchvision_data import PlaceSampler
from artdet.training.examples import indices_of_epoch

FACTORS = np.array([1.0, 2.5, 0.5, 1.0, 1.0, 3.0])


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_processes_share_an_epoch(processes):
    shares = [list(EpochSampler(FACTORS, seed=4, epoch=2, rank=r, processes=processes)) for r in range(processes)]
    drawn = indices_of_epoch(FACTORS, epoch=2, seed=4).tolist()
    assert len(drawn) == 9
    each = 9 // processes
    assert [len(share) for share in shares] == [each] * processes
    together = [index for step in zip(*shares, strict=True) for index in step]
    assert together == drawn[: each * processes]


def test_an_epoch_goes_on_where_it_stopped():
    whole = list(EpochSampler(FACTORS, seed=4, epoch=1))
    rest = EpochSampler(FACTORS, seed=4, epoch=1, skipped=4)
    assert list(rest) == whole[4:]
    rest.set_epoch(1)
    assert list(rest) == whole[4:]
    rest.set_epoch(2)
    assert list(rest) == list(EpochSampler(FACTORS, seed=4, epoch=2)) != whole


@pytest.mark.parametrize("skipped", [0, 2])
def test_places_are_those_in_the_whole_epoch(skipped):
    drawn = indices_of_epoch(FACTORS, epoch=3, seed=1).tolist()
    for rank in range(2):
        sampler = PlaceSampler(FACTORS, seed=1, epoch=3, rank=rank, processes=2, skipped=skipped)
        places = list(sampler)
        assert places[0][:2] == (3, skipped * 2 + rank)
        assert len(places) == 4 - skipped
        assert all(index == drawn[position] for _, position, index in places)
