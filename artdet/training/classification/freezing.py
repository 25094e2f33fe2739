"""Which layers of a network learn (the fine-tuning scenarios of Cetinic, Lipic and Grgic 2018)."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from artdet.classifiers.network import ClassifierNetwork
from artdet.errors import ConfigError

_ROUNDING = 1e-3  # float16 and the small number that variances are kept above


def freeze(network: ClassifierNetwork, trained: str | int, batch_norm: str = "learning") -> None:
    """Lets only some of the backbone's blocks learn; the heads always do.

    What the backbone has outside its blocks, such as the positions of a transformer, goes with its first block.

    Args:
        trained: ``all``; ``skip_first`` and ``skip_first_2``, all but so many blocks; ``only_last_3``, two blocks and
            the heads; ``only_last``, the heads; or a number, so many of the last blocks and the heads.
        batch_norm: ``frozen`` freezes it in the blocks that learn, too.

    Raises:
        ConfigError: if the backbone has fewer blocks.
    """
    blocks = network.backbone.blocks
    first = _first_trained(trained, len(blocks))
    network.requires_grad_(True)
    network.backbone.requires_grad_(first == 0)
    for block in blocks[first:]:
        block.requires_grad_(True)
    if batch_norm == "frozen":
        for module in network.backbone.modules():
            if isinstance(module, _BatchNorm):
                module.requires_grad_(False)


def set_training_mode(network: ClassifierNetwork) -> None:
    """Training mode for what learns; evaluation mode for what is frozen, so that its statistics stay as they are."""
    network.train()
    if is_frozen(network):
        network.backbone.eval()
        return
    for module in (*network.backbone.blocks, *network.backbone.modules()):
        if _holds_only_frozen(module):
            module.eval()


def has_folded_norms(network: ClassifierNetwork) -> bool:
    """Whether batch normalisation that is to learn scales nothing, nor takes a mean off, everywhere in the backbone.

    Of weights that were trained this says that its numbers were folded into the convolutions before it, of which at
    most the shift is left: statistics of the images, once learnt, would normalise a second time. Random weights are no
    different, and there nothing is lost.
    """
    norms = [module for module in network.backbone.modules() if isinstance(module, _BatchNorm)]
    learning = any(parameter.requires_grad for norm in norms for parameter in norm.parameters())
    return learning and all(_scales_nothing(norm) for norm in norms)


def is_frozen(network: ClassifierNetwork) -> bool:
    """Whether nothing of the backbone learns, so that features of an image stay the same."""
    return not any(parameter.requires_grad for parameter in network.backbone.parameters())


def _holds_only_frozen(module: nn.Module) -> bool:
    learns = [parameter.requires_grad for parameter in module.parameters()]
    return bool(learns) and not any(learns)


def _scales_nothing(norm: _BatchNorm) -> bool:
    wanted = ((norm.weight, 1.0), (norm.running_mean, 0.0), (norm.running_var, 1.0))
    return all(values is None or bool(((values - number).abs() < _ROUNDING).all()) for values, number in wanted)


def _first_trained(trained: str | int, blocks: int) -> int:
    """Index of the first block that learns."""
    skipped = {"all": 0, "skip_first": 1, "skip_first_2": 2, "only_last_3": blocks - 2, "only_last": blocks}
    first = blocks - trained if isinstance(trained, int) else skipped[trained]
    if not 0 <= first <= blocks:
        count = f"{blocks} block" if blocks == 1 else f"{blocks} blocks"
        raise ConfigError(
            f"backbone.trained: {trained} does not fit a backbone of {count}. Take 'all', 'only_last' or 0..{blocks}."
        )
    return first
