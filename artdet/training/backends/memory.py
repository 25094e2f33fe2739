"""What is said when the memory of a device does not hold a batch."""

from __future__ import annotations

from collections.abc import Callable

import torch

from artdet.errors import TrainingError


def out_of_memory(
    batch: int, *, fitting: int | None = None, key: str = "training.batch", smaller: str = "--set image_size=320"
) -> TrainingError:
    """The sentence for it.

    Args:
        batch: that did not fit.
        fitting: one that was seen to fit; half of it is proposed where none was tried.
        key: of the batch, for ``--set``.
        smaller: the option for smaller images.
    """
    proposed = fitting or batch // 2
    cause = f"The device ran out of memory with a batch of {batch}."
    if proposed < 1:
        return TrainingError(f"{cause} Use smaller images, as in {smaller}, or another device.")
    return TrainingError(f"{cause} Use --set {key}={proposed}.")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a GPU or the machine has no memory left; on a CPU torch has no class for it."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "DefaultCPUAllocator" in str(error)


def fitting_batch(batch: int, step: Callable[[int], object]) -> int | None:
    """The largest batch that fits, of those which halving gives; ``None`` if not even one image does.

    Args:
        batch: that does not fit.
        step: computes a step with so many images, and forgets it.
    """
    while batch > 1:
        batch //= 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        try:
            step(batch)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        else:
            return batch
    return None
