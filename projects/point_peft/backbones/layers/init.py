"""Random initialisation of transformers."""

from __future__ import annotations

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
