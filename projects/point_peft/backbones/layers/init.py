"""Random initialisation of transformers."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

STD = 0.02
"""Standard deviation of truncated-normal weights (Point-MAE, ``_init_weights``)."""


def init_transformer(module: nn.Module) -> None:
    """Initialise in place as the reference does: truncated normal weights and tokens, zero biases, unit norms."""
    for layer in module.modules():
        if isinstance(layer, (nn.Linear, nn.Conv1d)):
            nn.init.trunc_normal_(layer.weight, std=STD)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.LayerNorm):
            nn.init.ones_(layer.weight)
            nn.init.zeros_(layer.bias)
    for name, parameter in module.named_parameters():
        if name.endswith(('_token', '_pos')):
            nn.init.trunc_normal_(parameter, std=STD)


def init_by_fan_in(module: nn.Module) -> None:
    """Initialise linear layers in place so that each keeps the variance of its input (LeCun): for short trainings.

    With the reference's small weights the positions of tokens add little to their features at first (an estimate), and
    it takes long until a network notices where its tokens are.
    """
    for layer in module.modules():
        if isinstance(layer, (nn.Linear, nn.Conv1d)):
            nn.init.normal_(layer.weight, std=layer.weight[0].numel() ** -0.5)


def shrink_residuals(blocks: Sequence[nn.Module]) -> None:
    """Divide the last layer of both branches of every block in place by the root of the number of branches.

    Source: Radford et al., Language models are unsupervised multitask learners (2019), section 2.3.
    """
    for block in blocks:
        for layer in (block.get_submodule('attn.proj'), block.get_submodule('mlp.fc2')):
            layer.get_parameter('weight').data.mul_((2 * len(blocks)) ** -0.5)
