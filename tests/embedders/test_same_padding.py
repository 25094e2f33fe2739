import numpy as np
import pytest
import torch
from torch import nn

from artdet.embedders.backbones import build
from artdet.embedders.same_padding import SameConv2d, pad_as_tensorflow, same_pads


@pytest.mark.parametrize(
    ("side", "kernel", "stride", "pads"),
    [
        (224, 3, 2, (0, 1)),
        (225, 3, 2, (1, 1)),
        (224, 3, 1, (1, 1)),
        (224, 5, 2, (1, 2)),
        (7, 7, 4, (2, 2)),
        (4, 1, 2, (0, 0)),
        (1, 3, 2, (1, 1)),
    ],
)
def test_pads_are_those_that_tensorflow_documents(side, kernel, stride, pads):
    assert same_pads(side, kernel, stride) == pads


@pytest.mark.parametrize(("height", "width"), [(6, 8), (5, 8), (7, 9)])
def test_a_convolution_is_the_sum_under_windows_that_begin_at_the_first_pixel(height, width):
    network = nn.Sequential(nn.Conv2d(2, 3, 3, stride=2, padding=1))
    pad_as_tensorflow(network)
    image = torch.randn(1, 2, height, width)
    kernel, bias = network[0].weight.detach().numpy(), network[0].bias.detach().numpy()
    top, left = height % 2, width % 2
    padded = np.pad(image[0].numpy(), ((0, 0), (top, 1), (left, 1)))
    expected = np.empty((3, (height + 1) // 2, (width + 1) // 2))
    for row in range(expected.shape[1]):
        for column in range(expected.shape[2]):
            window = padded[:, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
            expected[:, row, column] = (kernel * window).sum((1, 2, 3)) + bias
    np.testing.assert_allclose(network(image)[0].detach().numpy(), expected, atol=1e-5)


def test_mobilenet_of_tensorflow_has_torchvisions_names_and_its_own_windows():
    tensorflow, torchvision = (build(name).eval().double() for name in ("mobilenet_v2_tf", "mobilenet_v2"))
    torchvision.load_state_dict(tensorflow.state_dict())
    assert sum(isinstance(module, SameConv2d) for module in tensorflow.modules()) == 5
    x = torch.randn(1, 3, 32, 32, dtype=torch.float64)
    with torch.inference_mode():
        expected = tensorflow(x)
        assert (torchvision(x) - expected).abs().mean() > 0.1 * expected.abs().mean()
        # Mirroring image and kernels swaps the sides: then the symmetric windows are those of SAME.
        for module in torchvision.modules():
            if isinstance(module, nn.Conv2d):
                module.weight.copy_(module.weight.flip(2, 3))
        mirrored = torchvision(x.flip(2, 3))
    assert (mirrored - expected).abs().max() < 1e-6 * expected.abs().max()
