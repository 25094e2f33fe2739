import pytest
import torch

from artdet.training.backends.ema import SLOWEST, MeanWeights


def network(value):
    made = torch.nn.BatchNorm1d(2)
    torch.nn.init.constant_(made.weight, value)
    return made


def test_it_begins_with_the_network_itself_and_is_a_copy():
    own = network(3.0)
    mean = MeanWeights(own)
    assert mean.network.weight.tolist() == [3, 3]
    assert not mean.network.training
    assert not mean.network.weight.requires_grad
    torch.nn.init.zeros_(own.weight)
    assert mean.network.weight.tolist() == [3, 3]


def test_the_mean_of_three_steps_by_hand():
    mean = MeanWeights(network(0.0))
    for value in (1.0, 2.0, 3.0):
        mean.update(network(value))
    first = 0.9
    second = first * 2 / 11 + 2 * 9 / 11
    assert mean.network.weight.tolist() == pytest.approx([second * 3 / 12 + 3 * 9 / 12] * 2)
    assert mean.updates == 3


def test_statistics_are_averaged_and_counts_are_copied():
    own = network(1.0)
    mean = MeanWeights(own)
    own.running_mean += 10
    own.num_batches_tracked += 7
    mean.update(own)
    assert mean.network.running_mean.tolist() == pytest.approx([9, 9])
    assert int(mean.network.num_batches_tracked) == 7


@pytest.mark.parametrize(("updates", "decay"), [(0, 0.1), (1, 2 / 11), (90, 0.91), (10**7, SLOWEST)], ids=str)
def test_it_slows_down(updates, decay):
    assert MeanWeights(network(0.0), updates).decay == pytest.approx(decay)
