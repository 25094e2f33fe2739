"""Which numbers a training computes with."""

from __future__ import annotations

import torch


def computes_in_bfloat16(precision: str, device: str) -> bool:
    """Whether convolutions are to compute in bfloat16.

    Args:
        precision: as in :class:`TrainingSettings`; ``auto`` says yes where the processor or the GPU has instructions
            for it (YOLOv5n at 512 px on a CPU with AVX512-BF16 trains in about half the time).
        device: ``"cpu"``, ``"cuda"``, ``"cuda:N"`` or ``"mps"``.
    """
    if precision != "auto":
        return precision == "bfloat16"
    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device == "cpu" and bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def autocast(device: str, *, low: bool) -> torch.autocast:
    """A block that computes in bfloat16 where ``low``."""
    return torch.autocast(device.partition(":")[0], dtype=torch.bfloat16, enabled=low)
