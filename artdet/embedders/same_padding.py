"""TensorFlow's padding SAME: of an odd sum of pads the larger half goes below and to the right, not above and left."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


def same_pads(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """Pads before and after one axis, in pixels, so that the output has ``ceil(side / stride)`` places.

    PyTorch's symmetric pads of a 3 x 3 kernel with stride 2 put every window one pixel higher and further left on
    images of even side, which weights that were trained with SAME were never shown.
    """
    total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    return total // 2, total - total // 2


class SameConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow's SAME."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) to (B, D, ceil(H / stride), ceil(W / stride))."""
        top, bottom = same_pads(input.shape[2], self.kernel_size[0], self.stride[0])
        left, right = same_pads(input.shape[3], self.kernel_size[1], self.stride[1])
        return super().forward(functional.pad(input, (left, right, top, bottom)))


def pad_as_tensorflow(network: nn.Module) -> None:
    """Gives each convolution with a stride above 1 SAME padding, in place; names of tensors stay.

    With stride 1 and an odd kernel both paddings are one.
    """
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Conv2d) and max(child.stride) > 1:
                setattr(module, name, _same(child))


def _same(child: nn.Conv2d) -> SameConv2d:
    """The same convolution with the other padding."""
    same = SameConv2d(
        child.in_channels,
        child.out_channels,
        (child.kernel_size[0], child.kernel_size[1]),
        (child.stride[0], child.stride[1]),
        groups=child.groups,
        bias=child.bias is not None,
    )
    same.load_state_dict(child.state_dict())
    return same
